//! What kind of file the first bytes are.

use crate::line::{Lines, is_cr_only, is_from_line};
use crate::preamble::{from_utf16, is_plain_field};
use crate::scan::field_name;

/// Fields that follow a banner in real mails; a line of prose before `key: value` lines makes no mail.
const FIRST_FIELDS: [&str; 14] = [
    "received",
    "return-path",
    "from",
    "to",
    "date",
    "subject",
    "message-id",
    "mime-version",
    "content-type",
    "delivered-to",
    "x-mimeole",
    "reply-to",
    "sender",
    "cc",
];
/// The bytes of a file that decide what it is.
pub(crate) const SNIFF_BYTES: usize = 64 << 10;

/// True if the content is a mail: its first line, after a byte-order mark, one `From ` line or one banner line, is a
/// header field.
///
/// ```
/// assert!(mail::looks_like_mail(b"\xEF\xBB\xBFReceived: by a; Mon, 02 Jan 2023 10:00:00 +0000\n"));
/// assert!(!mail::looks_like_mail(b"<?xml version=\"1.0\"?>\n"));
/// ```
pub fn looks_like_mail(prefix: &[u8]) -> bool {
    let prefix = prefix.get(..SNIFF_BYTES).unwrap_or(prefix);
    match from_utf16(prefix) {
        Some(text) => begins_with_field(text.as_bytes()),
        None => begins_with_field(prefix.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(prefix)),
    }
}

/// True if the content begins with a `From ` line and, after a blank line, holds a second one.
/// A line of prose that begins with that word is none: it has no time and no header follows.
///
/// ```
/// let one = b"From a@b Mon Jan  2 10:00:00 2023\nSubject: 1\n\nFrom here on\n\n";
/// assert!(!mail::looks_like_mbox(one));
/// assert!(mail::looks_like_mbox(&[&one[..], &one[..]].concat()));
/// ```
pub fn looks_like_mbox(prefix: &[u8]) -> bool {
    prefix.starts_with(b"From ") && holds_separator(prefix)
}

/// A separator and the beginning of the field after it.
pub(crate) const SEPARATOR_BYTES: usize = 2 << 10;

/// True if `bytes` hold a blank line, a `From ` line with a time, and a line that begins a field.
pub(crate) fn holds_separator(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, b"\nFrom ").any(|at| {
        let before = bytes.get(..at).unwrap_or_default();
        let after_blank = before.ends_with(b"\n") || before.ends_with(b"\n\r");
        let rest = bytes.get(at.saturating_add(1)..).unwrap_or_default();
        after_blank && is_separator(rest.get(..SEPARATOR_BYTES).unwrap_or(rest))
    })
}

fn is_separator(rest: &[u8]) -> bool {
    let mut lines = Lines::new(rest, 0, false).map(|line| line.text(rest));
    let (Some(line), Some(next)) = (lines.next(), lines.next()) else { return false };
    let has_time = line
        .windows("10:00".len())
        .any(|time| matches!(time, [a, b, b':', c, d] if [a, b, c, d].into_iter().all(u8::is_ascii_digit)));
    has_time && (is_plain_field(next) || is_from_line(next))
}

fn begins_with_field(bytes: &[u8]) -> bool {
    let mut lines = Lines::new(bytes, 0, is_cr_only(bytes));
    let Some(first) = lines.next().map(|line| line.text(bytes)) else { return false };
    if is_plain_field(first) {
        return true;
    }
    let Some(second) = lines.next().map(|line| line.text(bytes)) else { return false };
    if is_from_line(first) {
        return is_plain_field(second);
    }
    is_text(first) && field_name(second).is_some_and(|(name, _)| is_first_field(name))
}

fn is_first_field(name: &str) -> bool {
    FIRST_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name)) || name.starts_with("X-")
}

/// A banner is a short line of words.
fn is_text(line: &[u8]) -> bool {
    line.len() <= 200
        && line.first().is_some_and(u8::is_ascii_alphanumeric)
        && line.iter().all(|byte| (32..=126).contains(byte))
}
