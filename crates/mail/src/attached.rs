//! Whether a mail has an attachment, told from one pass that holds a line and a part's header at a time.

use std::io::{self, BufRead, BufReader, Read};

use crate::boundary::delimiter_end;
use crate::line::{is_blank, is_from_line};
use crate::mime::{Head, Place};
use crate::preamble::from_utf16;
use crate::scan::{field_name, scan_part};
use crate::transfer::Encoding;
use crate::{Defect, HEADER_LIMIT_BYTES, HeaderScan, Limits, scan_headers};

/// Of a line, this much is looked at: a longer one is no delimiter (RFC 2046, 5.1.1 allows 70 characters).
const LINE_LIMIT_BYTES: usize = 64 << 10;
/// Of a part's header, this much is read; real ones have some hundred bytes.
const HEAD_LIMIT_BYTES: usize = 256 << 10;
const BUFFER_BYTES: usize = 64 << 10;

/// Whether [`crate::view`] would list an attachment. `prefix` is the beginning of the mail, of which `scan` is the
/// header, and `rest` gives what follows it; reads no further than the first attachment, in bounded memory.
///
/// Two things are told more coarsely than there: a multipart that is transfer-encoded, which RFC 2045 forbids, counts
/// as an attachment, and of a mail in UTF-16 only the first [`HEADER_LIMIT_BYTES`] are looked at.
///
/// ```
/// let raw = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nsee below\n--B\nContent-Type: image/png\n\n...\n--B--\n";
/// let scan = mail::scan_headers(raw, true);
/// assert!(mail::has_attachment(&scan, raw, &mut std::io::empty()).unwrap());
/// ```
pub fn has_attachment(scan: &HeaderScan, prefix: &[u8], rest: &mut dyn Read) -> io::Result<bool> {
    if let Some(text) = beginning_in_utf16(prefix, rest)? {
        let text = text.as_bytes();
        let scan = scan_headers(text, true);
        return Search::default().mail(&scan, body(&scan, text));
    }
    if scan.body_offset.is_none() {
        return Search::default().mail(scan, io::empty());
    }
    Search::default().mail(scan, body(scan, prefix).chain(rest))
}

/// The text of a mail in UTF-16, as far as it is looked at; none of any other mail, of which nothing more is read.
fn beginning_in_utf16(prefix: &[u8], rest: &mut dyn Read) -> io::Result<Option<String>> {
    if from_utf16(prefix.get(..4).unwrap_or_default()).is_none() {
        return Ok(None);
    }
    let mut bytes = prefix.to_vec();
    let room = HEADER_LIMIT_BYTES.saturating_sub(bytes.len());
    rest.take(room as u64).read_to_end(&mut bytes)?;
    Ok(from_utf16(&bytes))
}

fn body<'a>(scan: &HeaderScan, bytes: &'a [u8]) -> &'a [u8] {
    bytes.get(scan.body_offset.unwrap_or(bytes.len())..).unwrap_or_default()
}

#[derive(Default)]
struct Search {
    limits: Limits,
    parts: usize,
    /// The multiparts around the current part, the outermost first.
    open: Vec<Multipart>,
    /// The current part's header so far; none in a body.
    head: Option<Vec<u8>>,
}

struct Multipart {
    delimiter: Vec<u8>,
    is_related: bool,
    default: &'static str,
    is_encoded: bool,
    /// Parts begun.
    parts: usize,
    is_closed: bool,
}

/// What a line says about the mail.
enum Found {
    Attachment,
    /// More parts than are read.
    End,
    Nothing,
}

impl Search {
    fn mail(mut self, scan: &HeaderScan, body: impl Read) -> io::Result<bool> {
        let place = Place { depth: 0, first: true, related: false };
        if let Found::Attachment = self.entity(&Head::of(&scan.fields, "text/plain"), place) {
            return Ok(true);
        }
        if self.open.is_empty() {
            return Ok(false);
        }
        let mut body = BufReader::with_capacity(BUFFER_BYTES, body);
        let cr_only = scan.defects.contains(Defect::EolCr);
        let mut line = Vec::new();
        while read_line(&mut body, cr_only, &mut line)? {
            match self.line(&line) {
                Found::Attachment => return Ok(true),
                Found::End => return Ok(false),
                Found::Nothing => {}
            }
        }
        Ok(matches!(self.end_part(), Found::Attachment) || self.leave(0))
    }

    fn line(&mut self, line: &[u8]) -> Found {
        let delimiter = self.open.iter().enumerate().find_map(|(at, multipart)| Some((at, multipart.delimits(line)?)));
        if let Some((at, closing)) = delimiter {
            return self.delimiter(at, closing);
        }
        let Some(head) = &mut self.head else { return Found::Nothing };
        if ends_header(head, line) {
            return match self.end_part() {
                // Without a blank line before it, this one is the first of the body.
                Found::Nothing if !is_empty(line) => self.line(line),
                found => found,
            };
        }
        if head.len().saturating_add(line.len()) <= HEAD_LIMIT_BYTES {
            head.extend_from_slice(line);
        }
        Found::Nothing
    }

    /// A delimiter of the multipart `at`, which ends everything inside it.
    fn delimiter(&mut self, at: usize, closing: bool) -> Found {
        if let Found::Attachment = self.end_part() {
            return Found::Attachment;
        }
        if self.leave(at.saturating_add(1)) {
            return Found::Attachment;
        }
        let Some(multipart) = self.open.last_mut() else { return Found::Nothing };
        multipart.parts = multipart.parts.saturating_add(1);
        multipart.is_closed = closing;
        self.head = (!closing).then(Vec::new);
        Found::Nothing
    }

    /// Ends the multiparts from `at` on; true if one of them hides its parts under an encoding.
    fn leave(&mut self, at: usize) -> bool {
        let ended = self.open.split_off(at.min(self.open.len()));
        ended.iter().any(|multipart| multipart.is_encoded && multipart.parts == 0)
    }

    /// The header of the current part is whole, if one is being read.
    fn end_part(&mut self) -> Found {
        let (Some(head), Some(around)) = (self.head.take(), self.open.last()) else { return Found::Nothing };
        let place = Place { depth: self.open.len(), first: around.parts == 1, related: around.is_related };
        let head = Head::of(&scan_part(&head).fields, around.default);
        self.entity(&head, place)
    }

    /// As the walk in `mime` decides.
    fn entity(&mut self, head: &Head, place: Place) -> Found {
        self.parts = self.parts.saturating_add(1);
        if self.parts > self.limits.parts {
            return Found::End;
        }
        if !head.media.starts_with("multipart/") {
            return if head.is_body(place) { Found::Nothing } else { Found::Attachment };
        }
        if place.depth >= self.limits.depth {
            return Found::Attachment;
        }
        let boundary = head.kind.boundary();
        if !boundary.is_empty() {
            self.open.push(Multipart {
                delimiter: [b"--", boundary.as_slice()].concat(),
                is_related: head.media == "multipart/related",
                default: if head.media == "multipart/digest" { "message/rfc822" } else { "text/plain" },
                is_encoded: matches!(head.encoding, Encoding::Base64 | Encoding::QuotedPrintable),
                parts: 0,
                is_closed: false,
            });
        }
        Found::Nothing
    }
}

impl Multipart {
    /// Whether a line is a delimiter of it, and if that closes it.
    fn delimits(&self, line: &[u8]) -> Option<bool> {
        if self.is_closed || !line.starts_with(&self.delimiter) {
            return None;
        }
        delimiter_end(line, self.delimiter.len()).map(|(closing, _)| closing)
    }
}

/// Whether a line is not one of the header that begins with `head`.
fn ends_header(head: &[u8], line: &[u8]) -> bool {
    let goes_on = !head.is_empty() && is_blank(line.first().copied());
    is_empty(line) || !(goes_on || field_name(line).is_some() || is_from_line(line))
}

fn is_empty(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Reads a line with its end, of which only the beginning is kept; false at the end.
fn read_line(from: &mut impl BufRead, cr_only: bool, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match from.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = if cr_only { memchr::memchr2(b'\r', b'\n', buffer) } else { memchr::memchr(b'\n', buffer) };
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let room = LINE_LIMIT_BYTES.saturating_sub(line.len());
        line.extend_from_slice(piece.get(..room).unwrap_or(piece));
        let consumed = piece.len().saturating_add(usize::from(end.is_some()));
        from.consume(consumed);
        if end.is_some() {
            line.push(b'\n');
            return Ok(true);
        }
    }
}
