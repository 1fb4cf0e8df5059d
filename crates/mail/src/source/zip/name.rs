//! The name of an entry: never a path, only what it is called and where it is said to lie.

use std::borrow::Cow;

use super::encoding::ZipEncoding;
use crate::source::name::shown;

/// A name as it is stored.
#[derive(Clone, Debug)]
pub(super) struct RawName {
    pub(super) bytes: Vec<u8>,
    /// The flag that says so.
    pub(super) is_utf8: bool,
    /// Info-ZIP's field 0x7075: a version, the CRC-32 of the stored name and the name in UTF-8.
    pub(super) unicode: Option<Vec<u8>>,
}

/// A name that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Whole, as written.
    pub(super) path: String,
    /// The directories, without empty ones and `.`, which say nothing; `..` is a name like any other.
    pub(super) directories: Vec<String>,
    pub(super) file: String,
}

impl RawName {
    /// UTF-8 where the archive says so, or where it is; else by the code page. What is no text is left as it is.
    pub(super) fn decode(&self, encoding: ZipEncoding) -> Cow<'_, [u8]> {
        if self.is_utf8 {
            return Cow::Borrowed(&self.bytes);
        }
        if let Some(name) = self.unicode.as_deref().and_then(|field| self.unicode_name(field)) {
            return Cow::Borrowed(name.as_bytes());
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(_) => Cow::Borrowed(&self.bytes),
            Err(_) => encoding.decode(&self.bytes).map_or(Cow::Borrowed(&self.bytes), |name| name.into_bytes().into()),
        }
    }

    /// A field whose checksum is another belongs to a name that was changed since.
    fn unicode_name<'a>(&self, field: &'a [u8]) -> Option<&'a str> {
        let (version, rest) = field.split_first()?;
        let (crc, name) = rest.split_first_chunk()?;
        let fits = *version == 1 && u32::from_le_bytes(*crc) == rawzip::crc32(&self.bytes);
        std::str::from_utf8(name).ok().filter(|_| fits)
    }

    /// `has_backslashes` says that no name of the archive has a slash, so that `\` separates.
    pub(super) fn read(&self, encoding: ZipEncoding, has_backslashes: bool) -> Name {
        let decoded = self.decode(encoding);
        let separates = |byte: &u8| *byte == b'/' || (has_backslashes && *byte == b'\\');
        let mut parts: Vec<_> = decoded.split(separates).collect();
        let file = parts.pop().unwrap_or_default();
        let directories = parts.into_iter().filter(|part| !part.is_empty() && *part != b".");
        Name {
            path: shown(&decoded, false),
            directories: directories.map(|part| shown(part, false)).collect(),
            file: shown(file, false),
        }
    }

    /// A part of a source key.
    pub(super) fn key_part(&self, encoding: ZipEncoding) -> String {
        shown(&self.decode(encoding), true)
    }
}

/// A sum of what an entry is called in its local header and in the directory alike. Writers are known that convert only one
/// of both: to another character set, where a character that it has not becomes `?` or `_`, or to other separators.
pub(super) fn name_sum(name: &[u8]) -> u32 {
    let is_kept = |byte: &&u8| byte.is_ascii() && !matches!(byte, b'?' | b'_');
    let kept: Vec<u8> = name.iter().filter(is_kept).map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    rawzip::crc32(&kept)
}

#[cfg(test)]
mod tests {
    use super::RawName;
    use crate::source::ZipEncoding;

    fn raw(bytes: &[u8], is_utf8: bool, unicode: Option<(u32, &str)>) -> RawName {
        let field = |(crc, name): (u32, &str)| [&[1][..], &crc.to_le_bytes(), name.as_bytes()].concat();
        RawName { bytes: bytes.to_vec(), is_utf8, unicode: unicode.map(field) }
    }

    fn path(name: &RawName, encoding: &str) -> String {
        name.read(encoding.parse::<ZipEncoding>().unwrap(), false).path
    }

    #[test]
    fn the_code_page_comes_last() {
        let oem = b"M\x81ller";
        let crc = rawzip::crc32(oem);
        assert_eq!(path(&raw("Müller".as_bytes(), true, Some((crc, "other"))), "cp437"), "Müller");
        assert_eq!(path(&raw("Müller".as_bytes(), false, None), "cp437"), "Müller");
        assert_eq!(path(&raw(oem, false, None), "cp437"), "Müller");
        assert_eq!(path(&raw(oem, false, Some((crc, "Maier"))), "cp437"), "Maier");
        assert_eq!(path(&raw(oem, false, Some((crc ^ 1, "Maier"))), "cp437"), "Müller");
        assert_eq!(path(&raw(oem, true, None), "cp437"), "M\\x81ller");
        assert_eq!(path(&raw(b"\x8f\xE0\xA8", false, None), "cp866"), "При");
        assert_eq!(path(&raw(b"M\xFCller", false, None), "windows-1252"), "Müller");
        assert_eq!(path(&raw(b"\x83\x5C\x83\x58/1.eml", false, None), "shift_jis"), "ソス/1.eml");
        assert_eq!(path(&raw(b"\x83", false, None), "shift_jis"), "\\x83");
    }

    #[test]
    fn a_name_is_no_path() {
        let read = |name: &str, has_backslashes| {
            raw(name.as_bytes(), true, None).read(ZipEncoding::default(), has_backslashes)
        };
        let cases: [(&str, bool, &[&str], &str); 9] = [
            ("a/b/1.eml", false, &["a", "b"], "1.eml"),
            ("/etc/./x//1", false, &["etc", "x"], "1"),
            ("../../x", false, &["..", ".."], "x"),
            ("C:\\a\\1.eml", true, &["C:", "a"], "1.eml"),
            ("C:\\a\\1.eml", false, &[], "C:\\a\\1.eml"),
            ("a\0b/\u{1}", false, &["a\0b"], "\u{1}"),
            ("", false, &[], ""),
            (" / a", false, &[" "], " a"),
            ("...", false, &[], "..."),
        ];
        for (name, has_backslashes, directories, file) in cases {
            let name = read(name, has_backslashes);
            assert_eq!(
                (name.directories.iter().map(String::as_str).collect(), name.file.as_str()),
                (directories.to_vec(), file)
            );
        }
    }
}
