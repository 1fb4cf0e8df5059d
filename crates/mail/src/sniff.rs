//! What kind of file the first bytes are.

use crate::from_line;
use crate::known::is_known_field;
use crate::line::{Lines, is_blank, is_cr_only, is_from_line};
use crate::preamble::{UTF8_BOM, from_utf16, is_field, is_plain_field};
use crate::scan::field_name;

/// What Exchange writes before a header: any field may follow it.
const EXCHANGE_BANNER: &[u8] = b"Microsoft Mail Internet Headers Version";
/// RFC 5322, 2.1.1: a longer line is no banner.
const BANNER_LIMIT_BYTES: usize = 998;
/// Blank lines that were seen before a header.
const BLANK_LINES: usize = 3;
/// Lines that begin YAML and sources, in which lines of `key: value` follow.
const COMMENTS: [&[u8]; 5] = [b"#", b"//", b"/*", b";", b"%YAML"];
/// After a line of [`COMMENTS`] one of these tells a mail from settings, which have `date: …` as well.
const UNMISTAKABLE: [&str; 6] = ["from", "received", "return-path", "message-id", "mime-version", "delivered-to"];
/// The bytes of a file that decide what it is.
pub(crate) const SNIFF_BYTES: usize = 64 << 10;

/// True if the content is a mail: its first line, after a byte-order mark, one `From ` line or one banner line, is a
/// header field. Blank lines before a `From ` line are passed over.
///
/// A field has any name of RFC 5322, 2.2, so a file that begins with `C:\x` or `key: value` is taken for a mail: one too
/// many is seen and sorted out, one too few is lost. Not so a URL, markup and JSON. The line of Exchange, `Microsoft Mail
/// Internet Headers Version 2.0`, is a banner before any field; every other line of text (or up to three blank ones) if
/// the field after it is one that mails alone have, or if a second field follows. What begins an HTTP message is none.
///
/// ```
/// assert!(mail::looks_like_mail(b"\xEF\xBB\xBFReceived: by a; Mon, 02 Jan 2023 10:00:00 +0000\n"));
/// assert!(!mail::looks_like_mail(b"<?xml version=\"1.0\"?>\n"));
/// ```
pub fn looks_like_mail(prefix: &[u8]) -> bool {
    let prefix = prefix.get(..SNIFF_BYTES).unwrap_or(prefix);
    if let Some(text) = from_utf16(prefix) {
        return begins_with_field(text.as_bytes());
    }
    let behind_blanks = from_line_at(prefix).and_then(|at| prefix.get(at..));
    begins_with_field(prefix.strip_prefix(UTF8_BOM).unwrap_or(prefix)) || behind_blanks.is_some_and(begins_with_field)
}

/// True if the content begins with a `From ` line and, after a blank line, holds a second one. A byte-order mark and blank
/// lines may stand before the first one.
/// A line of prose that begins with that word is none: it has no time and no header follows.
///
/// ```
/// let one = b"From a@b Mon Jan  2 10:00:00 2023\nSubject: 1\n\nFrom here on\n\n";
/// assert!(!mail::looks_like_mbox(one));
/// assert!(mail::looks_like_mbox(&[&one[..], &one[..]].concat()));
/// assert!(mail::looks_like_mbox(&[&one[..], b"From a@b Mon Jan  2 10:00:00 2023\nSubj"].concat()), "cut off");
/// ```
pub fn looks_like_mbox(prefix: &[u8]) -> bool {
    let mails = from_line_at(prefix).and_then(|at| prefix.get(at..));
    mails.is_some_and(|mails| holds_separator(mails, is_cr_only(mails)))
}

/// Where the `From ` line begins that is the first line but for a byte-order mark and blank ones.
pub(crate) fn from_line_at(prefix: &[u8]) -> Option<usize> {
    let behind_mark = prefix.strip_prefix(UTF8_BOM).unwrap_or(prefix);
    let blanks = behind_mark.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let line = behind_mark.get(blanks..).filter(|line| line.starts_with(b"From "))?;
    prefix.len().checked_sub(line.len())
}

/// A separator, a banner and the beginning of the fields after it.
pub(crate) const SEPARATOR_BYTES: usize = 4 << 10;

/// True if `bytes` hold a blank line, a `From ` line with a time, and the beginning of a header, which may be cut off.
pub(crate) fn holds_separator(bytes: &[u8], cr_only: bool) -> bool {
    let from_line: &[u8] = if cr_only { b"\rFrom " } else { b"\nFrom " };
    memchr::memmem::find_iter(bytes, from_line).any(|at| {
        let before = bytes.get(..at).unwrap_or_default();
        let after_blank =
            if cr_only { before.ends_with(b"\r") } else { before.ends_with(b"\n") || before.ends_with(b"\n\r") };
        let rest = bytes.get(at.saturating_add(1)..).unwrap_or_default();
        let is_cut = || rest.len() < SEPARATOR_BYTES && is_cut_separator(rest, cr_only);
        after_blank && (is_separator(rest.get(..SEPARATOR_BYTES).unwrap_or(rest), cr_only) || is_cut())
    })
}

/// True if a line with a time and the beginning of a header follow. The line is known to begin with `From `.
///
/// A byte-order mark or the line of Exchange may stand before the header, and its first name may have bytes beyond ASCII: then
/// the line needs more than a time, a date. Any other banner looks as prose does in the body of a mail.
pub(crate) fn is_separator(rest: &[u8], cr_only: bool) -> bool {
    let Some(line) = Lines::new(rest, 0, cr_only).next() else { return false };
    let behind = rest.get(line.next..).unwrap_or_default();
    let header = behind.strip_prefix(UTF8_BOM).unwrap_or(behind);
    let Some(first) = Lines::new(header, 0, cr_only).next() else { return false };
    let (line, first) = (line.text(rest), first.text(header));
    if is_plain_field(first) || is_from_line(first) {
        return has_time(line);
    }
    let is_marked = header.len() < behind.len();
    let may_begin = is_marked || starts_with_ignoring_case(first, EXCHANGE_BANNER) || is_field_beyond_ascii(first);
    may_begin && begins_with_field(header) && from_line::date(line).is_some()
}

/// True if nothing follows a line with a date but the beginning of a field's name: where a content ends so, a mail was begun.
/// The line is known to begin with `From `.
pub(crate) fn is_cut_separator(rest: &[u8], cr_only: bool) -> bool {
    let Some(line) = Lines::new(rest, 0, cr_only).next() else { return false };
    let mut name = rest.get(line.next..).unwrap_or_default().iter();
    name.all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') && from_line::date(line.text(rest)).is_some()
}

/// A field but for bytes in its name that are not of ASCII.
fn is_field_beyond_ascii(line: &[u8]) -> bool {
    let name = memchr::memchr(b':', line).and_then(|at| line.get(..at)).unwrap_or_default();
    !name.is_ascii() && !name.iter().any(|byte| byte.is_ascii_control() || *byte == b' ')
}

fn has_time(line: &[u8]) -> bool {
    line.windows("10:00".len())
        .any(|time| matches!(time, [a, b, b':', c, d] if [a, b, c, d].into_iter().all(u8::is_ascii_digit)))
}

fn begins_with_field(bytes: &[u8]) -> bool {
    let mut lines = Lines::new(bytes, 0, is_cr_only(bytes)).map(|line| line.text(bytes)).peekable();
    let Some(first) = lines.next() else { return false };
    if is_field(first) {
        return true;
    }
    if is_from_line(first) || starts_with_ignoring_case(first, EXCHANGE_BANNER) {
        return lines.next().is_some_and(is_field);
    }
    if first.is_empty() {
        for _ in 1..BLANK_LINES {
            lines.next_if(|line| line.is_empty());
        }
    }
    is_banner(first) && begins_header(first, lines)
}

fn starts_with_ignoring_case(line: &[u8], start: &[u8]) -> bool {
    line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// A line of text. The fields of an HTTP message have the names of those of a mail.
fn is_banner(line: &[u8]) -> bool {
    let http = line.starts_with(b"HTTP/") || [&b" HTTP/1.0"[..], b" HTTP/1.1"].iter().any(|end| line.ends_with(end));
    let text = line.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    line.len() <= BANNER_LIMIT_BYTES && text && !http
}

/// True if the lines after a banner are a header, and not one line of prose that happens to have a colon.
fn begins_header<'a>(banner: &[u8], lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut names = lines
        .enumerate()
        .filter(|(at, line)| *at == 0 || !is_blank(line.first().copied()))
        .map_while(|(_, line)| name_in_header(line))
        .fuse();
    if banner == b"---" || COMMENTS.iter().any(|start| banner.starts_with(start)) {
        return names.any(|name| UNMISTAKABLE.iter().any(|known| known.eq_ignore_ascii_case(name)));
    }
    names.next().is_some_and(is_known_field) || names.next().is_some()
}

/// The name of a field as header follows header: a time (`10:00`), a path (`C:\x`) and `std::cout` are none.
fn name_in_header(line: &[u8]) -> Option<&str> {
    let (name, colon) = field_name(line).filter(|_| is_plain_field(line))?;
    let path = line.get(colon..).is_some_and(|rest| rest.starts_with(b"::") || rest.starts_with(b":\\"));
    (name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic()) && !path).then_some(name)
}
