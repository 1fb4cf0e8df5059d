//! The parts of a multipart (RFC 2046, 5.1). A delimiter is a whole line; the same text elsewhere bounds nothing.

use std::ops::Range;

use memchr::memmem::Finder;

/// The parts between the delimiters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    /// Each without the line end that belongs to the next delimiter.
    pub(crate) parts: Vec<Range<usize>>,
    pub(crate) closed: bool,
    /// Text like a delimiter stands in the middle of a line.
    pub(crate) in_mid_line: bool,
    /// There are more parts than `limit`.
    pub(crate) cut: bool,
}

/// Finds at most `limit` parts in the body of a multipart; none if no delimiter begins one.
pub(crate) fn sections(body: &[u8], boundary: &[u8], limit: usize) -> Option<Sections> {
    let delimiter = [b"--", boundary].concat();
    let mut sections = Sections::default();
    let mut part: Option<usize> = None;
    for at in Finder::new(&delimiter).find_iter(body) {
        let after = at.saturating_add(delimiter.len());
        if !starts_line(body, at) {
            sections.in_mid_line = true;
            continue;
        }
        let Some((closing, next)) = delimiter_end(body, after) else { continue };
        if let Some(start) = part.take() {
            sections.parts.push(start..before_line_end(body, start, at));
        }
        if closing {
            sections.closed = true;
            break;
        }
        if sections.parts.len() >= limit {
            sections.cut = true;
            break;
        }
        part = Some(next);
    }
    if let Some(start) = part {
        sections.parts.push(start..body.len());
    }
    let begun = sections.cut || !sections.parts.is_empty();
    begun.then_some(sections)
}

fn starts_line(body: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| body.get(before) == Some(&b'\n'))
}

/// After the boundary: if it closes, and where the next line begins; none if the line goes on.
pub(crate) fn delimiter_end(body: &[u8], after: usize) -> Option<(bool, usize)> {
    let tail = body.get(after..)?;
    if let Some(next) = line_end(tail) {
        return Some((false, after.checked_add(next)?));
    }
    let next = line_end(tail.strip_prefix(b"--")?)?;
    Some((true, after.checked_add(2)?.checked_add(next)?))
}

/// Length of the white space and line end that `tail` begins with; none if something else comes first.
fn line_end(tail: &[u8]) -> Option<usize> {
    let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    match tail.get(blanks) {
        None => Some(blanks),
        Some(b'\n') => blanks.checked_add(1),
        Some(_) => None,
    }
}

fn before_line_end(body: &[u8], start: usize, at: usize) -> usize {
    let part = body.get(start..at).unwrap_or_default();
    let length = if part.ends_with(b"\r\n") { 2 } else { usize::from(part.ends_with(b"\n")) };
    at.saturating_sub(length).max(start)
}

#[cfg(test)]
mod tests {
    use super::sections;

    fn parts(body: &str) -> Vec<&str> {
        let found = sections(body.as_bytes(), b"B", 10).map(|sections| sections.parts).unwrap_or_default();
        found.into_iter().filter_map(|part| body.get(part)).collect()
    }

    #[test]
    fn delimiters_are_whole_lines() {
        assert_eq!(parts("pre\r\n--B\r\none\r\n--B  \r\ntwo\r\n\r\n--B--\r\nepilogue"), ["one", "two\r\n"]);
        assert_eq!(parts("--B\nsee --B for\n--Bx\nmore\n--B--"), ["see --B for\n--Bx\nmore"]);
        assert_eq!(parts("--B\n--B\n--B--"), ["", ""]);
        assert_eq!(parts("--B\nopen"), ["open"]);
        assert_eq!(parts("nothing"), [""; 0]);
        assert_eq!(parts("nothing\n--B--\nmore"), [""; 0]);
    }

    #[test]
    fn what_is_odd_is_said() {
        let odd =
            |body: &str| sections(body.as_bytes(), b"B", 2).map(|found| (found.closed, found.in_mid_line, found.cut));
        assert_eq!(odd("--B\nx\n--B--"), Some((true, false, false)));
        assert_eq!(odd("--B\nx --B y"), Some((false, true, false)));
        assert_eq!(odd("--B\n\n--B\n\n--B\n\n--B--"), Some((false, false, true)));
        assert_eq!(odd("x"), None);
        assert_eq!(odd("x\n--B--"), None);
    }
}
