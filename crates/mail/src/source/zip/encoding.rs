//! Code pages of names that say nothing about theirs.

use std::fmt;
use std::str::FromStr;

use encoding_rs::Encoding;
use yore::CodePage;
use yore::code_pages as page;

/// The code page of names in a ZIP that are no UTF-8 and do not say what they are; cp437, if nothing else is given.
///
/// Known are the OEM code pages `cp437`, `cp737`, `cp850`, `cp852`, `cp855`, `cp857`, `cp860` to `cp866` and `cp869`, the
/// labels of the WHATWG Encoding Standard (`windows-1252`, `shift_jis`, `gbk`, …) and their numbers (`cp1252`, `cp932`).
///
/// ```
/// use mail::source::ZipEncoding;
///
/// assert_eq!(ZipEncoding::default().as_str(), "cp437");
/// assert_eq!("CP932".parse::<ZipEncoding>().unwrap().as_str(), "shift_jis");
/// assert!("utf-16".parse::<ZipEncoding>().is_err(), "its bytes are no names with slashes");
/// ```
#[derive(Clone, Copy)]
pub struct ZipEncoding(Table);

#[derive(Clone, Copy)]
enum Table {
    Oem(&'static OemPage),
    Web(&'static Encoding),
}

struct OemPage {
    name: &'static str,
    page: &'static (dyn CodePage + Sync),
}

static CP437: OemPage = OemPage { name: "cp437", page: &page::CP437 };

static OEM: [OemPage; 13] = [
    OemPage { name: "cp737", page: &page::CP737 },
    OemPage { name: "cp850", page: &page::CP850 },
    OemPage { name: "cp852", page: &page::CP852 },
    OemPage { name: "cp855", page: &page::CP855 },
    OemPage { name: "cp857", page: &page::CP857 },
    OemPage { name: "cp860", page: &page::CP860 },
    OemPage { name: "cp861", page: &page::CP861 },
    OemPage { name: "cp862", page: &page::CP862 },
    OemPage { name: "cp863", page: &page::CP863 },
    OemPage { name: "cp864", page: &page::CP864 },
    OemPage { name: "cp865", page: &page::CP865 },
    OemPage { name: "cp866", page: &page::CP866 },
    OemPage { name: "cp869", page: &page::CP869 },
];

/// Numbers of Windows that are no labels of the Encoding Standard.
const NUMBERS: [(&str, &str); 6] = [
    ("cp874", "windows-874"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("cp65001", "utf-8"),
];

/// A word that names no code page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not a code page (cp437, cp850, cp1252, shift_jis and the like)")]
pub struct UnknownZipEncoding(pub String);

impl ZipEncoding {
    /// In lower case; one name for each table, whatever it was called.
    pub fn as_str(self) -> String {
        match self.0 {
            Table::Oem(oem) => oem.name.to_owned(),
            Table::Web(web) => web.name().to_ascii_lowercase(),
        }
    }

    /// None if a byte stands for nothing.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self.0 {
            Table::Oem(oem) => oem.page.decode(bytes).ok().map(Into::into),
            Table::Web(web) => web.decode_without_bom_handling_and_without_replacement(bytes).map(Into::into),
        }
    }
}

impl Default for ZipEncoding {
    fn default() -> Self {
        Self(Table::Oem(&CP437))
    }
}

impl PartialEq for ZipEncoding {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ZipEncoding {}

impl fmt::Debug for ZipEncoding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.as_str())
    }
}

impl FromStr for ZipEncoding {
    type Err = UnknownZipEncoding;

    fn from_str(word: &str) -> Result<Self, UnknownZipEncoding> {
        let name = word.trim().to_ascii_lowercase();
        let name = name.strip_prefix("ibm").map_or(name.clone(), |number| format!("cp{number}"));
        if let Some(oem) = std::iter::once(&CP437).chain(&OEM).find(|oem| oem.name == name) {
            return Ok(Self(Table::Oem(oem)));
        }
        let label = NUMBERS.iter().find(|(number, _)| *number == name).map_or(name.as_str(), |(_, label)| label);
        Encoding::for_label_no_replacement(label.as_bytes())
            // In these a byte of ASCII may be half of something else, or the other way round.
            .filter(|web| web.is_ascii_compatible())
            .map(|web| Self(Table::Web(web)))
            .ok_or_else(|| UnknownZipEncoding(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{OEM, ZipEncoding};

    #[test]
    fn names_of_code_pages() {
        let known = [
            ("cp850", "cp850"),
            ("IBM850", "cp850"),
            ("ibm437", "cp437"),
            ("cp866", "cp866"),
            ("cp1252", "windows-1252"),
            ("latin1", "windows-1252"),
            ("Shift_JIS", "shift_jis"),
            ("cp936", "gbk"),
            ("cp65001", "utf-8"),
        ];
        for (word, name) in known {
            assert_eq!(word.parse::<ZipEncoding>().unwrap().as_str(), name);
        }
        for word in ["", "cp", "cp437 x", "utf-16le", "utf-16be", "iso-2022-jp", "replacement", "hz-gb-2312"] {
            assert!(word.parse::<ZipEncoding>().is_err(), "{word}");
        }
    }

    #[test]
    fn every_page_keeps_ascii() {
        let ascii: Vec<u8> = (0..0x80).collect();
        for oem in &OEM {
            let decoded = oem.page.decode(&ascii).unwrap();
            // cp864 has an Arabic percent sign.
            assert!(decoded.bytes().eq(ascii.iter().copied()) || oem.name == "cp864", "{}", oem.name);
        }
    }
}
