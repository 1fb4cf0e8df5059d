//! Where one mail of an mbox ends and the next begins.
//!
//! There is no standard; RFC 4155 describes what most write. A separator is a line `From `, with a time in it, after a
//! blank line and before a header, which begins as that of a single mail: so a line of prose that begins with the word
//! does not split. At the end, where the content was cut off, that header may be missing. Where a Content-Length leads
//! exactly to the next separator or to the end, it rules (mboxcl, mboxcl2).

use std::io;
use std::sync::Arc;

use super::lines::{is_quoted, line_end};
use super::window::Window;
use crate::line::is_cr_only;
use crate::sniff::{SEPARATOR_BYTES, SNIFF_BYTES, from_line_at, is_cut_separator, is_separator};
use crate::source::content::Content;
use crate::{HEADER_LIMIT_BYTES, HeaderScan, scan_headers};

/// Read at once. A reader over a network makes a request of each.
const WINDOW_BYTES: usize = 1 << 20;
const FROM: &[u8] = b"From ";
/// CR, LF and [`FROM`].
const AFTER_BLANK_BYTES: usize = 7;

/// One mail of an mbox.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) at: Stretch,
    /// The beginning of its `From ` line.
    pub(super) from_line: Vec<u8>,
    pub(super) header: HeaderScan,
}

/// Where a mail lies in an mbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Where its `From ` line begins.
    pub(super) from_at: u64,
    /// The mail as it lies there, quoted.
    pub(super) start: u64,
    pub(super) end: u64,
    /// How many lines matching `^>+From ` it has; none if a Content-Length rules.
    pub(super) quoted: u64,
    /// Where the next mail begins, or the content ends.
    pub(super) next_at: u64,
    /// CRC-32 of all from `from_at` to `next_at`; only where the content can grow.
    pub(super) sum: Option<u32>,
    /// What ends a line: LF, or CR in a mail that has nothing else (Eudora, Entourage).
    pub(super) mark: u8,
}

/// Goes through an mbox from its first `From ` line, before which a byte-order mark and blank lines may stand that belong
/// to no mail. Its first line is taken for one whatever it is.
#[derive(Debug)]
pub(super) struct Splitter {
    window: Window,
    /// Where the next `From ` line begins.
    next: Option<u64>,
    /// What ends a line of the current mail.
    mark: u8,
}

/// What the lines of the current mail were so far.
struct Reading {
    at: u64,
    /// Where the line before began, if it was blank.
    blank_at: Option<u64>,
    quoted: u64,
    /// The header, until it has ended.
    head: Vec<u8>,
    header: Option<HeaderScan>,
}

/// Where a mail ends, and the next one begins if there is one.
struct End {
    end: u64,
    next: Option<u64>,
}

impl Stretch {
    pub(super) fn size_bytes(&self) -> u64 {
        self.end.saturating_sub(self.start).saturating_sub(self.quoted)
    }
}

impl Splitter {
    pub(super) fn new(content: Arc<dyn Content>) -> Self {
        let next = (content.size_bytes() > 0).then_some(0);
        Self { window: Window::new(content, WINDOW_BYTES), next, mark: b'\n' }
    }

    pub(super) fn content(&self) -> &Arc<dyn Content> {
        self.window.content()
    }

    /// The offset of the mail that [`Splitter::next_span`] would read.
    pub(super) fn position(&self) -> Option<u64> {
        self.next
    }

    pub(super) fn go_to(&mut self, at: u64) {
        self.next = (at < self.window.end()).then_some(at);
    }

    /// Gives up on what is left.
    pub(super) fn end(&mut self) {
        self.next = None;
    }

    pub(super) fn next_span(&mut self) -> io::Result<Option<Span>> {
        let Some(at) = self.next else { return Ok(None) };
        let from_at = if at == 0 { self.first()? } else { at };
        if self.content().can_grow() {
            self.window.sum_from(from_at);
        }
        let mark = self.find_mark(from_at)?;
        let start = line_end(&mut self.window, from_at, mark)?;
        let from_line = self.bytes(from_at, start, SEPARATOR_BYTES)?;
        let head = Vec::new();
        let mut mail = Reading { at: start, blank_at: None, quoted: 0, head, header: None };
        let end = loop {
            if let Some(end) = self.line(&mut mail)? {
                break end;
            }
        };
        self.next = end.next;
        let next_at = end.next.unwrap_or(self.window.end());
        let sum = self.window.sum_to(next_at)?;
        let Reading { quoted, head, header, .. } = mail;
        let header = header.unwrap_or_else(|| scan_headers(&head, false));
        Ok(Some(Span { at: Stretch { from_at, start, end: end.end, quoted, next_at, sum, mark }, from_line, header }))
    }

    /// What ends a line of the mail whose `From ` line begins at `from_at`, as that line shows it: mails of other programs may
    /// have been appended, and a walk may go on at any mail.
    fn find_mark(&mut self, from_at: u64) -> io::Result<u8> {
        let mail = self.window.at(from_at, SEPARATOR_BYTES)?;
        let end = memchr::memchr2(b'\r', b'\n', mail).and_then(|end| mail.get(end..)).unwrap_or_default();
        let behind = end.iter().find(|byte| **byte != b'\r');
        self.mark = if end.starts_with(b"\r") && behind != Some(&b'\n') { b'\r' } else { b'\n' };
        Ok(self.mark)
    }

    /// Where the first mail begins.
    fn first(&mut self) -> io::Result<u64> {
        let bytes = self.window.at(0, SNIFF_BYTES)?;
        Ok(from_line_at(bytes.get(..SNIFF_BYTES).unwrap_or(bytes)).unwrap_or(0) as u64)
    }

    /// Steps over one line, or says that the mail ends before it.
    fn line(&mut self, mail: &mut Reading) -> io::Result<Option<End>> {
        let (at, mark) = (mail.at, self.mark);
        let cr_only = mark == b'\r';
        let ahead = self.window.at(at, SEPARATOR_BYTES)?;
        let is_cut = ahead.len() < SEPARATOR_BYTES;
        let ahead = ahead.get(..SEPARATOR_BYTES).unwrap_or(ahead);
        // The mail behind it may have other line ends.
        let separates = || {
            let cr_only = cr_only || is_cr_only(ahead);
            is_separator(ahead, cr_only) || is_cut && is_cut_separator(ahead, cr_only)
        };
        if ahead.is_empty() {
            if mail.header.is_none() {
                mail.header = Some(scan_headers(&mail.head, true));
            }
            return Ok(Some(End { end: mail.blank_at.unwrap_or(at), next: None }));
        }
        if let Some(blank_at) = mail.blank_at.filter(|_| ahead.starts_with(FROM) && separates()) {
            return Ok(Some(End { end: blank_at, next: Some(at) }));
        }
        let is_blank = ahead.starts_with(b"\n") || ahead.starts_with(b"\r\n") || cr_only && ahead.starts_with(b"\r");
        mail.quoted = mail.quoted.saturating_add(u64::from(is_quoted(&mut self.window, at)?));
        let next = line_end(&mut self.window, at, mark)?;
        mail.at = next;
        mail.blank_at = is_blank.then_some(at);
        if mail.header.is_some() {
            return Ok(None);
        }
        let room = HEADER_LIMIT_BYTES.saturating_sub(mail.head.len());
        let piece = self.bytes(at, next, room)?;
        mail.head.extend_from_slice(&piece);
        if !is_blank && mail.head.len() < HEADER_LIMIT_BYTES {
            return Ok(None);
        }
        let header = scan_headers(&mail.head, is_blank);
        let end = if is_blank && !cr_only { self.by_length(&header, next)? } else { None };
        mail.quoted = if end.is_some() { 0 } else { mail.quoted };
        mail.head = Vec::new();
        mail.header = Some(header);
        Ok(end)
    }

    /// Where the mail ends by its Content-Length, if that holds true: behind it there is nothing more, or a blank line
    /// (which some count in, and some leave out before a separator) and then nothing or a `From ` line.
    fn by_length(&self, header: &HeaderScan, body: u64) -> io::Result<Option<End>> {
        let Some(field) = header.first("Content-Length") else { return Ok(None) };
        let length = std::str::from_utf8(field.value.trim_ascii()).ok().and_then(|digits| digits.parse::<u64>().ok());
        let size = self.window.end();
        let Some(end) = length.and_then(|length| body.checked_add(length)).filter(|end| *end <= size) else {
            return Ok(None);
        };
        let behind = self.window.peek(end, AFTER_BLANK_BYTES)?;
        let ends_or_goes_on = |rest: &[u8]| rest.is_empty() || rest.starts_with(FROM);
        for blank in [&b"\n"[..], b"\r\n"] {
            if behind.strip_prefix(blank).is_some_and(ends_or_goes_on) {
                let next = end.saturating_add(blank.len() as u64);
                return Ok(Some(End { end, next: Some(next).filter(|next| *next < size) }));
            }
        }
        if behind.is_empty() {
            return Ok(Some(End { end, next: None }));
        }
        let before = self.window.peek(end.saturating_sub(3), 3)?;
        let blank = if before.ends_with(b"\n\r\n") { 2 } else { u64::from(before.ends_with(b"\n\n")) };
        let left_out = || -> io::Result<bool> {
            Ok(before.ends_with(b"\n") && is_separator(&self.window.peek(end, SEPARATOR_BYTES)?, false))
        };
        let goes_on = behind.starts_with(FROM) && (blank > 0 || left_out()?);
        Ok(goes_on.then_some(End { end: end.saturating_sub(blank), next: Some(end) }))
    }

    /// The bytes of a range, at most `limit` of them.
    fn bytes(&mut self, start: u64, end: u64, limit: usize) -> io::Result<Vec<u8>> {
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).min(limit);
        let bytes = self.window.at(start, length)?;
        Ok(bytes.get(..length).unwrap_or(bytes).to_vec())
    }
}
