//! Structured MIME fields: a value and its parameters (RFC 2045, 5.1; RFC 2231).

use std::fmt::Write as _;

use crate::text::{charset_text, guess, header_text, picture, unfolded};
use crate::{Defect, Defects};

/// Parameters of one field; real ones have a handful, continuations some dozen.
const PARAMETER_LIMIT: usize = 1000;
/// A field longer than that is cut.
const FIELD_LIMIT_BYTES: usize = 256 << 10;

/// A value such as `text/plain` or `attachment` with its parameters.
#[derive(Debug, Default)]
pub(crate) struct Structured {
    /// In lower case.
    pub(crate) value: String,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Structured {
    pub(crate) fn parse(field: &[u8]) -> Self {
        let field = field.get(..FIELD_LIMIT_BYTES).unwrap_or(field);
        let unfolded = unfolded(field);
        let mut rest = unfolded.as_slice();
        let value = token(&mut rest).to_ascii_lowercase();
        let value = String::from_utf8_lossy(&value).split_whitespace().collect();
        let mut parameters = Vec::new();
        while parameters.len() < PARAMETER_LIMIT
            && let Some(parameter) = parameter(&mut rest)
        {
            if !parameter.0.is_empty() {
                parameters.push(parameter);
            }
        }
        Self { value, parameters }
    }

    /// The raw value of a parameter that is written plainly.
    pub(crate) fn plain(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// What bounds the parts of a multipart (RFC 2046, 5.1.1); empty if nothing does.
    pub(crate) fn boundary(&self) -> Vec<u8> {
        let mut boundary = match self.plain("boundary") {
            Some(plain) => plain.to_vec(),
            None => self.extended("boundary").map(|(text, _)| text.into_bytes()).unwrap_or_default(),
        };
        boundary.truncate(boundary.trim_ascii_end().len());
        boundary
    }

    /// A parameter that is one word, such as a charset: what follows white space is none of it.
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        let text = self.plain(name).map(<[u8]>::to_vec).or_else(|| Some(self.extended(name)?.0.into_bytes()))?;
        let text = String::from_utf8_lossy(&text);
        text.split([' ', '\t', '(']).find(|word| !word.is_empty()).map(str::to_ascii_lowercase)
    }

    /// A parameter for people, in all forms that occur: RFC 2231, RFC 2047 in quotes, raw 8-bit.
    pub(crate) fn text(&self, name: &str) -> Option<(String, Defects)> {
        self.extended(name).or_else(|| self.plain(name).map(|value| header_text(value, None)))
    }

    /// `name*=charset'language'text`, or its parts `name*0*=`, `name*1=` … (RFC 2231, 3 and 4).
    fn extended(&self, name: &str) -> Option<(String, Defects)> {
        let mut parts: Vec<(u32, bool, &[u8])> = self
            .parameters
            .iter()
            .filter_map(|(known, value)| {
                let (number, encoded) = continuation(known.strip_prefix(name)?)?;
                Some((number, encoded, value.as_slice()))
            })
            .collect();
        parts.sort_by_key(|part| part.0);
        parts.dedup_by_key(|part| part.0);
        let (_, encoded, first) = parts.first()?;
        let (charset, first) = if *encoded { split_charset(first) } else { (None, *first) };
        let mut bytes = if *encoded { percent_decoded(first) } else { first.to_vec() };
        for (_, encoded, value) in parts.get(1..).unwrap_or_default() {
            if *encoded { bytes.extend(percent_decoded(value)) } else { bytes.extend_from_slice(value) }
        }
        Some(match charset {
            Some(charset) => charset_text(&bytes, Some(&charset)),
            None if bytes.starts_with(b"=?") => header_text(&bytes, None),
            None => (guess(&bytes, None).into_owned(), Defects::NONE),
        })
    }
}

/// The name of an attachment for people: line ends, control and direction marks made visible. It is never a path.
pub(crate) fn attachment_name(name: &str) -> (String, Defects) {
    let mut defects = Defects::NONE;
    let mut shown = String::with_capacity(name.len());
    for char in name.chars() {
        if is_direction_mark(char) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "<U+{:04X}>", u32::from(char));
            defects.insert(Defect::AttName);
        } else {
            let visible = picture(char);
            if visible != char {
                defects.insert(Defect::AttName);
            }
            shown.push(visible);
        }
    }
    if shown.contains(['/', '\\']) || matches!(shown.as_str(), "." | "..") {
        defects.insert(Defect::AttName);
    }
    (shown, defects)
}

/// Marks that turn the order of characters around, so that `exe.txt` shows as `txt.exe`.
fn is_direction_mark(char: char) -> bool {
    matches!(char, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The number in `*`, `*0`, `*0*`, and if the value is percent-encoded.
fn continuation(suffix: &str) -> Option<(u32, bool)> {
    let suffix = suffix.strip_prefix('*')?;
    if suffix.is_empty() {
        return Some((0, true));
    }
    let (digits, encoded) = match suffix.strip_suffix('*') {
        Some(digits) => (digits, true),
        None => (suffix, false),
    };
    Some((digits.parse().ok()?, encoded))
}

fn split_charset(value: &[u8]) -> (Option<String>, &[u8]) {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(text)) => {
            (Some(String::from_utf8_lossy(charset).into_owned()).filter(|charset| !charset.is_empty()), text)
        }
        _ => (None, value),
    }
}

pub(crate) fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or(b'%'));
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*byte),
        }
    }
    bytes
}

/// What stands before the next `;`, comments left out.
pub(crate) fn token(rest: &mut &[u8]) -> Vec<u8> {
    let mut token = Vec::new();
    let mut depth = 0_usize;
    while let Some((byte, tail)) = rest.split_first() {
        if *byte == b';' && depth == 0 {
            break;
        }
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' if depth > 0 => depth -= 1,
            _ if depth == 0 => token.push(*byte),
            _ => {}
        }
        *rest = tail;
    }
    token.trim_ascii().to_vec()
}

/// The next `; name=value`; the name is empty if there is no value.
fn parameter(rest: &mut &[u8]) -> Option<(String, Vec<u8>)> {
    while let [b';' | b' ' | b'\t', tail @ ..] = rest {
        *rest = tail;
    }
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
    let (name, tail) = rest.split_at_checked(end)?;
    *rest = tail;
    let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
    let Some(tail) = rest.strip_prefix(b"=") else { return Some((String::new(), Vec::new())) };
    *rest = tail.trim_ascii_start();
    let value = match rest.strip_prefix(b"\"") {
        Some(tail) => {
            *rest = tail;
            quoted(rest)
        }
        None => unquoted(rest),
    };
    Some((name, value))
}

/// A quoted string; one without an end goes to the end of the field.
fn quoted(rest: &mut &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    while let Some((byte, tail)) = rest.split_first() {
        *rest = tail;
        match (byte, tail.split_first()) {
            (b'"', _) => {
                let next = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
                *rest = rest.get(next..).unwrap_or_default();
                return value;
            }
            // A backslash before anything but a quote or itself is a Windows path that nobody escaped.
            (b'\\', Some((escaped @ (b'"' | b'\\'), after))) => {
                value.push(*escaped);
                *rest = after;
            }
            _ => value.push(*byte),
        }
    }
    value
}

/// Up to the next `;`. Spaces belong to it: names of files are often not quoted.
fn unquoted(rest: &mut &[u8]) -> Vec<u8> {
    let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let (value, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    let value = value.trim_ascii().to_vec();
    *rest = tail;
    value
}

#[cfg(test)]
mod tests {
    use super::{Structured, attachment_name};

    fn name(field: &str) -> Option<String> {
        Structured::parse(field.as_bytes()).text("filename").map(|(name, _)| name)
    }

    #[test]
    fn names_are_decoded_in_all_forms() {
        let table = [
            ("attachment; filename=a.txt", "a.txt"),
            ("attachment; filename=my file (1).txt", "my file (1).txt"),
            ("attachment; filename=\"a;b\\\"c.txt\"", "a;b\"c.txt"),
            ("attachment; filename=\"=?utf-8?B?w6QudHh0?=\"", "ä.txt"),
            ("attachment; filename==?iso-8859-1?Q?=E4.txt?=", "ä.txt"),
            ("attachment; filename*=UTF-8''%c3%a4.txt", "ä.txt"),
            ("attachment; filename*=iso-8859-1'de'%E4.txt; filename=a.txt", "ä.txt"),
            ("attachment; filename*0*=UTF-8''%c3; filename*1*=%a4; filename*2=\".txt\"", "ä.txt"),
            ("attachment; filename*1=b.txt; filename*0=a", "ab.txt"),
            ("attachment;\r\n\tfilename*0=\"a\r\n b\"", "a b"),
            ("attachment; filename=100%25.txt", "100%25.txt"),
            ("attachment; filename=\"..\\..\\x\"", "..\\..\\x"),
            ("attachment; filename=\"open", "open"),
            ("attachment; FileName = \"a\" junk ; x=y", "a"),
        ];
        for (field, meant) in table {
            assert_eq!(name(field).as_deref(), Some(meant), "{field}");
        }
        assert_eq!(name("attachment; filename="), Some(String::new()));
        assert_eq!(name("attachment"), None);
    }

    #[test]
    fn words_end_at_comments() {
        let field = Structured::parse(b"Text/Plain (what); charset=US-ASCII (Plain text); format=\"Flowed\"");
        assert_eq!(field.value, "text/plain");
        assert_eq!(field.word("charset").as_deref(), Some("us-ascii"));
        assert_eq!(field.word("format").as_deref(), Some("flowed"));
        assert_eq!(Structured::parse(b"text/plain; charset=\"utf-8").word("charset").as_deref(), Some("utf-8"));
    }

    #[test]
    fn marks_in_names_become_visible() {
        assert_eq!(attachment_name("a\u{202E}txt.exe").0, "a<U+202E>txt.exe");
        assert_eq!(attachment_name("a\0\r\nb").0, "a␀␍␊b");
        assert!(attachment_name("plain ä.txt").1.is_empty());
        assert!(!attachment_name("../x").1.is_empty());
    }
}
