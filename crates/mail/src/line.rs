//! Lines of a header. A line ends with LF or CRLF; with CR alone only in a mail that has nothing else.

/// One line as offsets into the bytes.
pub(crate) struct Line {
    pub(crate) start: usize,
    /// Before the line end.
    pub(crate) end: usize,
    /// After the line end.
    pub(crate) next: usize,
    pub(crate) terminated: bool,
}

impl Line {
    pub(crate) fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    cr_only: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize, cr_only: bool) -> Self {
        Self { bytes, at, cr_only }
    }

    pub(crate) fn cr_only(&self) -> bool {
        self.cr_only
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let found = if self.cr_only { memchr::memchr2(b'\r', b'\n', rest) } else { memchr::memchr(b'\n', rest) };
        let end = start.saturating_add(found.unwrap_or(rest.len()));
        let mut next = end.saturating_add(usize::from(found.is_some()));
        if self.cr_only && self.bytes.get(end..).is_some_and(|tail| tail.starts_with(b"\r\n")) {
            next = next.saturating_add(1);
        }
        self.at = next;
        let text = self.bytes.get(start..end).unwrap_or_default();
        let carriage_returns = text.iter().rev().take_while(|byte| **byte == b'\r').count();
        Some(Line { start, end: end.saturating_sub(carriage_returns), next, terminated: found.is_some() })
    }
}

/// White space that folds a line (RFC 5322, 2.2.3).
pub(crate) fn is_blank(byte: Option<u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t'))
}

/// A separator of an mbox, as written or quoted.
pub(crate) fn is_from_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

/// True if the mail that begins with `bytes` ends its header lines with CR alone.
pub(crate) fn is_cr_only(bytes: &[u8]) -> bool {
    let Some(first) = memchr::memchr2(b'\r', b'\n', bytes) else { return false };
    let run = bytes.get(first..).unwrap_or_default();
    let after = run.iter().find(|byte| **byte != b'\r');
    if run.first() != Some(&b'\r') || after == Some(&b'\n') {
        return false;
    }
    let header_end = memchr::memmem::find(bytes, b"\r\r").unwrap_or(bytes.len());
    memchr::memchr(b'\n', bytes.get(..header_end).unwrap_or_default()).is_none()
}
