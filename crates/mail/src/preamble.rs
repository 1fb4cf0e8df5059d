//! What may stand before the first field: a byte-order mark, a `From ` line, banner lines, blank lines.

use crate::line::{Lines, is_cr_only, is_from_line};
use crate::scan::field_name;
use crate::{Defect, Defects};

pub(crate) const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";
/// "Microsoft Mail Internet Headers Version 2.0" is one line; three blank ones were seen. More is a text.
const PREAMBLE_LINES: usize = 10;

/// Where the first field begins and how the lines end.
pub(crate) struct Preamble {
    pub(crate) start: usize,
    /// There is no field within bounds: all is body.
    pub(crate) no_header: bool,
    pub(crate) cr_only: bool,
    pub(crate) defects: Defects,
}

/// Steps over the lines before the first field, if there is one within bounds; else over the mark alone.
pub(crate) fn skip(bytes: &[u8]) -> Preamble {
    let mut defects = Defects::NONE;
    let mut start = 0;
    if bytes.starts_with(UTF8_BOM) {
        defects.insert(Defect::HdrBom);
        start = UTF8_BOM.len();
    }
    let cr_only = is_cr_only(bytes.get(start..).unwrap_or_default());
    if cr_only {
        defects.insert(Defect::EolCr);
    }
    if let Some((at, found)) = first_field(bytes, start, cr_only) {
        return Preamble { start: at, no_header: false, cr_only, defects: defects | found };
    }
    Preamble { start, no_header: true, cr_only, defects }
}

fn first_field(bytes: &[u8], start: usize, cr_only: bool) -> Option<(usize, Defects)> {
    let mut defects = Defects::NONE;
    for line in Lines::new(bytes, start, cr_only).take(PREAMBLE_LINES) {
        let text = line.text(bytes);
        if is_field(text) {
            return Some((line.start, defects));
        }
        if text.is_empty() {
            defects |= Defects::from(Defect::HdrJunk) | Defect::HdrBanner;
        } else if is_from_line(text) || ends_like_from_line(text) {
            defects.insert(Defect::MboxFromHdr);
        } else {
            defects.insert(Defect::HdrBanner);
        }
    }
    None
}

/// A field at the top of a file: any name of RFC 5322, 2.2, so `C:\x` and `key: value` are fields too. Names that begin
/// as markup or JSON do (`<a:b>`, `{"a":1}`) no mail program writes.
pub(crate) fn is_field(line: &[u8]) -> bool {
    field_name(line).is_some_and(|(name, _)| !name.starts_with(['<', '{', '[', '"']))
}

/// A field with a name that people write: within a mail the grammar of RFC 5322 would find fields in anything.
pub(crate) fn is_plain_field(line: &[u8]) -> bool {
    field_name(line).is_some_and(|(name, _)| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/@".contains(char))
    })
}

/// The rest of a `From ` line whose beginning was cut off: `x@y Mon Jan  2 10:00:00 2023`.
fn ends_like_from_line(line: &[u8]) -> bool {
    let tail = line.len().saturating_sub("Mon Jan  2 10:00:00 2023".len());
    line.get(tail..).is_some_and(|ctime| crate::parse_date(ctime).is_ok())
}

/// The text of a file in UTF-16 with a byte-order mark. A mark that no ASCII character follows is binary data.
pub(crate) fn from_utf16(bytes: &[u8]) -> Option<String> {
    let little = match bytes.get(..4)? {
        [0xFF, 0xFE, low, 0] if *low != 0 => true,
        [0xFE, 0xFF, 0, low] if *low != 0 => false,
        _ => return None,
    };
    let units = bytes
        .get(2..)?
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) });
    Some(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// Where byte `at` of the converted text stood in the file.
pub(crate) fn utf16_offset(text: &str, at: usize) -> usize {
    let units = text.get(..at).map_or(0, |head| head.encode_utf16().count());
    units.saturating_mul(2).saturating_add(2)
}
