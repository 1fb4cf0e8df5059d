//! Names of files in a home.

use crate::{Error, Result};

/// Leaves room for what clients and file systems append: most allow 255 bytes.
const MAX_BYTES: usize = 200;

/// How the name of a file is shown that was not looked at yet.
pub const PENDING: &str = "(Pending) ";
/// How the name of a file is shown that cannot be imported.
pub const REJECTED: &str = "(Rejected) ";

/// Endings of the names under which clients upload before they rename: WinSCP, rclone and the browsers' habits.
const TEMPORARY_ENDINGS: [&str; 5] = [".filepart", ".part", ".partial", ".tmp", "~"];
/// lftp's `xfer:temp-file-name`.
const TEMPORARY_BEGINNING: &str = ".in.";

/// One path part, without the prefix of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName(String);

impl FileName {
    /// Takes the name plain or with the prefix of a state; `Invalid` for one that no file here can have.
    pub(super) fn parse(shown: &str) -> Result<Self> {
        let name = without_prefix(shown);
        let wrong = |why: &str| Err(Error::invalid(format!("file name {:?} {why}", shortened(name))));
        if matches!(name, "" | "." | "..") {
            return wrong("names no file");
        }
        if name.len() > MAX_BYTES {
            return wrong("is longer than 200 bytes");
        }
        if name.contains('/') {
            return wrong("has a folder, and a home has none");
        }
        // What is not UTF-8 reaches us as U+FFFD: two such names could mean one file.
        if name.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            return wrong("has a control character or is not UTF-8");
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_temporary(&self) -> bool {
        is_temporary(&self.0)
    }
}

pub(super) fn is_temporary(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with(TEMPORARY_BEGINNING) || TEMPORARY_ENDINGS.iter().any(|end| lower.ends_with(end))
}

fn without_prefix(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix(PENDING).or_else(|| name.strip_prefix(REJECTED)) {
        name = rest;
    }
    name
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_not_part_of_a_name() {
        for shown in ["a.zip", "(Pending) a.zip", "(Rejected) a.zip", "(Pending) (Rejected) a.zip"] {
            assert_eq!(FileName::parse(shown).unwrap().as_str(), "a.zip");
        }
        assert_eq!(FileName::parse("(Pending)a").unwrap().as_str(), "(Pending)a");
    }

    #[test]
    fn what_names_no_file_of_a_home_is_refused() {
        let long = "x".repeat(201);
        let wide = "ä".repeat(101);
        for name in
            ["", ".", "..", "a/b", "/a", "../a", "a\0", "a\nb", "\u{7f}", "(Pending) ", "a\u{fffd}", &long, &wide]
        {
            assert!(FileName::parse(name).is_err(), "{name:?}");
        }
        for name in ["...", "a b+c%20ä.zip", "-rf", ".hidden", "山田", &"x".repeat(200), "a\\b", "(Pending) x"] {
            assert!(FileName::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn clients_temporary_names_are_known() {
        for name in ["a.zip.filepart", "a.part", "a.zip.Xq3bz2.partial", "A.TMP", ".in.a.zip", "a.zip~"] {
            assert!(is_temporary(name), "{name}");
        }
        for name in ["a.zip", "part", "a.partial.zip", "in.a", "tmp", "a~b"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
