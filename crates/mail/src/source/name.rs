//! Names of files as text. A name is bytes on Unix; what is not UTF-8 is shown as `\xNN`.

use std::ffi::OsStr;
use std::fmt::Write as _;

/// A path segment: byte for byte, bad bytes as `\xNN`.
pub(super) fn segment(name: &OsStr) -> String {
    shown(name.as_encoded_bytes(), false)
}

/// A part of a source key: as a segment, and a literal `\` written `\\`, so that no two names have one key.
pub(super) fn key_part(name: &OsStr) -> String {
    shown(name.as_encoded_bytes(), true)
}

/// The name of a folder that lies in one file: only `.mbox` and `.mbx` are cut off.
pub(super) fn stem(name: &OsStr) -> String {
    let shown = segment(name);
    match extension(name).as_deref() {
        Some(tail @ ("mbox" | "mbx")) => {
            shown.get(..shown.len().saturating_sub(tail.len() + 1)).unwrap_or_default().to_owned()
        }
        _ => shown,
    }
}

/// The name of an archive without `.zip`, which counts as a directory.
pub(super) fn zip_stem(name: &OsStr) -> String {
    let shown = segment(name);
    let cut = extension(name).filter(|tail| tail == "zip").map_or(0, |tail| tail.len() + 1);
    shown.get(..shown.len().saturating_sub(cut)).unwrap_or_default().to_owned()
}

/// The extension in lower case, without the dot; none for `.eml` alone, which is a hidden file without one.
pub(super) fn extension(name: &OsStr) -> Option<String> {
    let bytes = name.as_encoded_bytes();
    let dot = memchr::memrchr(b'.', bytes).filter(|dot| *dot > 0)?;
    bytes.get(dot.checked_add(1)?..).map(|tail| String::from_utf8_lossy(tail).to_ascii_lowercase())
}

/// Bytes as text; `escape` also doubles a literal `\`.
pub(super) fn shown(name: &[u8], escape: bool) -> String {
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        if escape {
            shown.push_str(&chunk.valid().replace('\\', "\\\\"));
        } else {
            shown.push_str(chunk.valid());
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{extension, key_part, segment, stem};
    use std::ffi::OsStr;

    #[test]
    fn extensions_are_lower_case_and_not_the_whole_name() {
        assert_eq!(extension(OsStr::new("A.EML")).as_deref(), Some("eml"));
        assert_eq!(extension(OsStr::new("b.eml.gz")).as_deref(), Some("gz"));
        assert_eq!(extension(OsStr::new("c")), None);
        assert_eq!(extension(OsStr::new("d.")).as_deref(), Some(""));
        let stems = ["a.b.MBOX", "c.mbx", "mail.2003", ".mbox", "d.mbox.mbox"].map(|name| stem(OsStr::new(name)));
        assert_eq!(stems, ["a.b", "c", "mail.2003", ".mbox", "d.mbox"]);
    }

    #[cfg(unix)]
    #[test]
    fn bad_bytes_show_and_keys_stay_distinct() {
        use std::os::unix::ffi::OsStrExt;
        let bad = OsStr::from_bytes(b"M\xFCller \\xfc");
        assert_eq!(segment(bad), "M\\xfcller \\xfc");
        assert_eq!(key_part(bad), "M\\xfcller \\\\xfc");
    }
}
