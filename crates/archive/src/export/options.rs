//! What an export is told, and which of it must stay the same when it is resumed.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use mail::query::parse_size;
use mail::source::{Layout, ZipEncoding};
use serde::{Deserialize, Serialize};
use volume::Certificate;

use super::Filter;
use crate::{Error, Result};

/// The most recipients of one export.
const MAX_RECIPIENTS: usize = 8;
/// Room for `-0001.mszip.part` within the 255 bytes that file systems allow.
const MAX_NAME_BYTES: usize = 150;

/// What is exported, where to, and for whom.
#[derive(Clone)]
pub struct ExportOptions {
    /// A directory or a file.
    pub from: PathBuf,
    /// The directory of the volumes; made if missing.
    pub to: PathBuf,
    pub name: ExportName,
    pub layout: Layout,
    /// The user archive of mails that lie in none; by default the export's name.
    pub user_archive: Option<String>,
    /// The code page of names in ZIP archives that do not say theirs.
    pub zip_encoding: ZipEncoding,
    pub password: Option<String>,
    /// At most eight.
    pub recipients: Vec<Certificate>,
    pub volume_size: VolumeSize,
    /// Which mails are exported; all without one.
    pub filter: Option<Filter>,
}

/// The name of an export: the beginning of its files' names, and of the folder that an import makes.
///
/// 1 to 150 bytes that every file system takes: no control or direction characters, none of `/ \ : * ? " < > |`, no
/// dot, hyphen or blank at the beginning, no dot or blank at the end, and not a device name of Windows.
///
/// ```
/// use archive::export::ExportName;
///
/// assert_eq!("Müller 2024".parse::<ExportName>().unwrap().as_str(), "Müller 2024");
/// for hostile in ["", "..", "../a", "-rf", "a/b", "a\u{202e}b", "CON", "nul.txt", "a."] {
///     assert!(hostile.parse::<ExportName>().is_err(), "{hostile}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportName(String);

impl ExportName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExportName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name_defect(name) {
            None => Ok(Self(name.to_owned())),
            Some(defect) => Err(Error::invalid(format!("the name {name:?} {defect}"))
                .hint("--name begins the names of the files: letters, digits, blanks, hyphens and dots are fine")),
        }
    }
}

fn name_defect(name: &str) -> Option<&'static str> {
    let rules = [
        (name.is_empty(), "is empty"),
        (name.len() > MAX_NAME_BYTES, "is longer than 150 bytes"),
        (name.starts_with(['.', '-', ' ']), "begins with a dot, a hyphen or a blank"),
        (name.ends_with(['.', ' ']), "ends with a dot or a blank"),
        (name.contains(is_unsafe), "holds a character that not every file system takes, or that hides others"),
        (is_windows_device(name), "is a device name of Windows"),
    ];
    rules.into_iter().find(|(broken, _)| *broken).map(|(_, defect)| defect)
}

fn is_unsafe(c: char) -> bool {
    let is_invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}');
    c.is_control() || is_invisible || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

fn is_windows_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| matches!(n, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// The largest size of a volume in bytes: 1 MiB to 4 GiB.
///
/// ```
/// use archive::export::VolumeSize;
///
/// assert_eq!("650MiB".parse::<VolumeSize>().unwrap().bytes(), 650 << 20);
/// assert_eq!("1048576".parse::<VolumeSize>().unwrap().bytes(), 1 << 20);
/// assert_eq!(VolumeSize::default().bytes(), 4 << 30);
/// for wrong in ["", "1048575", "5GiB", "4 GiB", "4GB", "4g", "-1", "+4GiB", "1.5GiB", "MiB"] {
///     assert!(wrong.parse::<VolumeSize>().is_err(), "{wrong}");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeSize(u64);

impl VolumeSize {
    const MIN: u64 = 1 << 20;
    const MAX: u64 = 4 << 30;

    /// As asked for.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// What a volume may really have: one byte less than 4 GiB at most.
    pub(super) fn limit_bytes(self) -> u64 {
        self.0.min(volume::MAX_VOLUME_BYTES)
    }
}

impl Default for VolumeSize {
    fn default() -> Self {
        Self(Self::MAX)
    }
}

impl FromStr for VolumeSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_size(text).filter(|bytes| (Self::MIN..=Self::MAX).contains(bytes)).map(Self).ok_or_else(|| {
            Error::invalid(format!("the volume size {text:?} is not a size from 1MiB to 4GiB"))
                .hint("give bytes, or a whole number right before KiB, MiB or GiB: --volume-size 650MiB")
        })
    }
}

/// The options that a resume, and a repeat after the end, must share. Not the target: its folder may be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenOptions {
    /// Absolute; bytes that are no UTF-8 as `\xNN`.
    pub from: String,
    pub name: String,
    pub layout: String,
    pub user_archive: String,
    /// In lower case; of volumes that were begun before it was kept, the default.
    #[serde(default = "default_zip_encoding")]
    pub zip_encoding: String,
    /// Bytes.
    pub volume_size: u64,
    /// Whether a password protects the export.
    pub password: bool,
    /// SHA-256 of the recipients' certificates in lower-case hex, sorted.
    pub recipients: Vec<String>,
    /// The query in its canonical form; none if all mails are exported.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

impl ExportOptions {
    /// Refuses what no export can be made from.
    pub(super) fn check(&self) -> Result<()> {
        if self.user_archive.as_deref() == Some("") {
            return Err(Error::invalid("the user archive is empty").hint("leave --user-archive out to use --name"));
        }
        if self.password.as_deref() == Some("") {
            return Err(Error::invalid("the password is empty").hint("leave it out to export without one"));
        }
        if self.distinct_recipients().len() > MAX_RECIPIENTS {
            return Err(Error::invalid("more than 8 recipients").hint("an export takes --recipient at most 8 times"));
        }
        self.check_target()
    }

    /// The target must be a directory, or such that it can be made, and not lie in the source.
    fn check_target(&self) -> Result<()> {
        let refused = |why: &str| Error::invalid(format!("{} {why}", self.to.display()));
        let to = std::path::absolute(&self.to).map_err(|error| refused("is no path").caused_by(error))?;
        // Its components, so that a slash at the end hides no file.
        let to: PathBuf = to.components().collect();
        let there = to.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(&to);
        let missing = to.strip_prefix(there).unwrap_or(Path::new(""));
        if missing.components().any(|component| component == Component::ParentDir) {
            return Err(refused("goes back up from a directory that is not there")
                .hint("give --to without the two dots, so that it is clear where it leads"));
        }
        let is_directory = there.metadata().is_ok_and(|facts| facts.is_dir());
        if there.symlink_metadata().is_ok() && !is_directory {
            return Err(refused(&format!("cannot be made: {} is no directory", there.display()))
                .hint("--to names a directory, which is made if it is missing"));
        }
        let inside = |from: PathBuf| from.is_dir() && there.canonicalize().is_ok_and(|to| to.starts_with(from));
        if self.from.canonicalize().is_ok_and(inside) {
            return Err(refused("lies in the source")
                .hint("choose a target outside --from, or the volumes would be part of what is exported"));
        }
        Ok(())
    }

    /// The recipients in the order given, each once.
    pub(super) fn distinct_recipients(&self) -> Vec<Certificate> {
        let mut seen = std::collections::BTreeSet::new();
        self.recipients.iter().filter(|recipient| seen.insert(*recipient.sha256())).cloned().collect()
    }

    /// The user archive of mails that lie in none.
    pub(super) fn user_archive(&self) -> &str {
        self.user_archive.as_deref().unwrap_or(self.name.as_str())
    }

    /// Where the source may lay files without a name: the target, or what it will be made in.
    pub(super) fn scratch(&self) -> PathBuf {
        let there = self.to.ancestors().find(|path| path.is_dir());
        there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    }

    pub(super) fn chosen(&self) -> Result<ChosenOptions> {
        let from = std::path::absolute(&self.from)
            .map_err(|error| Error::invalid(format!("{}: no path", self.from.display())).caused_by(error))?;
        let mut recipients: Vec<_> =
            self.distinct_recipients().iter().map(|r| crate::hash::to_hex(r.sha256())).collect();
        recipients.sort_unstable();
        Ok(ChosenOptions {
            // Its components, so that a slash at the end makes no other source.
            from: shown(&from.components().collect::<PathBuf>()),
            name: self.name.as_str().to_owned(),
            layout: self.layout.as_str().to_owned(),
            user_archive: self.user_archive().to_owned(),
            zip_encoding: self.zip_encoding.as_str(),
            volume_size: self.volume_size.bytes(),
            password: self.password.is_some(),
            recipients,
            filter: self.filter.as_ref().map(Filter::to_string),
        })
    }
}

fn default_zip_encoding() -> String {
    ZipEncoding::default().as_str()
}

impl ChosenOptions {
    /// The first option that differs, by its name on the command line.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            (is_same_place(&self.from, &other.from), "--from"),
            (self.name == other.name, "--name"),
            (self.layout == other.layout, "--layout"),
            (self.user_archive == other.user_archive, "--user-archive"),
            (self.zip_encoding == other.zip_encoding, "--zip-encoding"),
            (self.volume_size == other.volume_size, "--volume-size"),
            (self.password == other.password, "the password"),
            (self.recipients == other.recipients, "--recipient"),
            (is_same_query(self.filter.as_deref(), other.filter.as_deref()), "--where"),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, option)| option)
    }
}

/// Whether two queries mean the same term by term, however they were printed.
fn is_same_query(one: Option<&str>, other: Option<&str>) -> bool {
    let parsed = |text: Option<&str>| text.and_then(|text| text.parse::<Filter>().ok());
    one == other || parsed(one).is_some_and(|query| parsed(other) == Some(query))
}

/// Whether two paths, as shown, lead to the same place: each spelled alike does, whatever lies there now.
fn is_same_place(one: &str, other: &str) -> bool {
    one == other || resolved(one).is_some_and(|place| resolved(other) == Some(place))
}

/// Where a path as [`shown`] leads now; none if that cannot be told.
fn resolved(shown: &str) -> Option<PathBuf> {
    let has_raw_bytes = shown.replace(r"\\", "").contains('\\');
    (!has_raw_bytes).then(|| Path::new(&shown.replace(r"\\", r"\")).canonicalize().ok()).flatten()
}

/// A path without loss: bytes that are no UTF-8 as `\xNN`, a literal backslash doubled.
fn shown(path: &Path) -> String {
    use std::fmt::Write as _;
    path.as_os_str().as_encoded_bytes().utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
        text
    })
}
