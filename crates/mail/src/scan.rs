//! The strict header scan: one pass, no look back, byte-transparent.

use crate::labels;
use crate::line::{Lines, is_blank, is_from_line};
use crate::preamble;
use crate::resume::resumes;
use crate::text::is_lone_cr;
use crate::{Defect, Defects};

/// How much of a mail the header scan reads. All verbs that scan use this bound, so that a mail has the same summary
/// and date whether it was read whole or only its beginning.
pub const HEADER_LIMIT_BYTES: usize = 4 << 20;

/// A field's value is kept up to here: References and DKIM fields of 1 MiB were seen, longer ones are attacks.
pub(crate) const VALUE_LIMIT_BYTES: usize = 1 << 20;
/// Real mails have up to some hundred fields; each costs an allocation.
const FIELD_LIMIT: usize = 10_000;
/// What is kept of a header with more fields than that: what date, summary and body are told from.
const LATE_FIELDS: [&str; 10] = [
    "X-MailStore-Date",
    "X-OriginalArrivalTime",
    "Date",
    "Received",
    "Subject",
    "From",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// Fields of which each part has one and on which tools disagree if it has two.
pub(crate) const SINGLE_IN_PART: [&str; 3] = ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"];
/// Of each of them: the first that counts may be invalid, and a second one is a defect.
const LATE_LIMIT: u8 = 16;
/// RFC 5322, 2.1.1 allows 998 characters a line; a longer name is no name.
const NAME_LIMIT_BYTES: usize = 998;
/// Stray lines inside one header after which reading on is no longer believed.
const STRAY_LIMIT: usize = 8;

/// One header field as it stands in the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As written, without white space before the colon.
    pub name: String,
    /// Everything after the colon up to the field's last line end, folds and 8-bit bytes included.
    pub value: Vec<u8>,
}

/// The header of a mail by a strict reading of RFC 5322, 2.2 and 4.5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderScan {
    /// In the order of the mail. After the first 10,000 only those are kept from which date, summary and body are told.
    pub fields: Vec<Field>,
    /// Where the body begins in the bytes given; none if the header does not end in them.
    pub body_offset: Option<usize>,
    pub defects: Defects,
}

/// Reads the header of the mail that begins with `prefix`; `complete` says that `prefix` is the whole mail.
/// Only the first [`HEADER_LIMIT_BYTES`] count.
///
/// ```
/// let scan = mail::scan_headers(b"Subject: a\r\n b\r\n\r\nbody", true);
/// assert_eq!(scan.fields[0].name, "Subject");
/// assert_eq!(scan.fields[0].value, b" a\r\n b");
/// assert_eq!(scan.body_offset, Some(18));
/// ```
pub fn scan_headers(prefix: &[u8], complete: bool) -> HeaderScan {
    let read = prefix.get(..HEADER_LIMIT_BYTES).unwrap_or(prefix);
    let complete = complete && read.len() == prefix.len();
    let Some(text) = preamble::from_utf16(read) else {
        let mut scan = scan_mail(read, complete);
        note_values(&mut scan, read);
        return scan;
    };
    let mut scan = scan_mail(text.as_bytes(), complete);
    scan.body_offset = scan.body_offset.map(|at| preamble::utf16_offset(&text, at));
    note_values(&mut scan, text.as_bytes());
    scan.defects.insert(Defect::HdrBom);
    scan
}

impl HeaderScan {
    /// The fields of that name, in the order of the mail. Names are compared without case (RFC 5322, 1.2.2).
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_doubled(&self, name: &str) -> bool {
        self.all(name).nth(1).is_some()
    }

    /// The first field of that name: the one that counts.
    pub fn first(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

fn scan_mail(bytes: &[u8], complete: bool) -> HeaderScan {
    if bytes.is_empty() {
        return HeaderScan {
            body_offset: complete.then_some(0),
            defects: Defects::from(Defect::Empty),
            ..HeaderScan::default()
        };
    }
    let preamble = preamble::skip(bytes);
    if preamble.no_header {
        let defects = preamble.defects | Defect::NotMail;
        return HeaderScan { fields: Vec::new(), body_offset: Some(preamble.start), defects };
    }
    let mut header = Header::new(bytes, preamble.start, preamble.cr_only, true);
    header.scan.defects |= preamble.defects;
    header.read(complete);
    header.scan
}

/// Reads the header of a MIME part: as strict, but without the repairs that only the beginning of a file needs.
pub(crate) fn scan_part(bytes: &[u8]) -> HeaderScan {
    let mut header = Header::new(bytes, 0, false, false);
    header.read(true);
    let mut scan = header.scan;
    if SINGLE_IN_PART.iter().any(|name| scan.is_doubled(name)) {
        scan.defects.insert(Defect::DupHeader);
    }
    scan
}

struct Header<'a> {
    bytes: &'a [u8],
    lines: Lines<'a>,
    scan: HeaderScan,
    /// Start of the current field's value and end of its last line.
    open: Option<(String, usize, usize)>,
    mends: bool,
    strays: usize,
    /// How many of each of [`LATE_FIELDS`] were kept beyond the limit.
    late: [u8; LATE_FIELDS.len()],
}

impl<'a> Header<'a> {
    fn new(bytes: &'a [u8], start: usize, cr_only: bool, mends: bool) -> Self {
        let lines = Lines::new(bytes, start, cr_only);
        Self { bytes, lines, scan: HeaderScan::default(), open: None, mends, strays: 0, late: Default::default() }
    }

    fn read(&mut self, complete: bool) {
        while let Some(line) = self.lines.next() {
            let text = line.text(self.bytes);
            if !line.terminated && !complete {
                if !is_blank(text.first().copied()) {
                    self.close();
                }
                break;
            }
            if text.is_empty() {
                if self.strays_on(line.next, true) {
                    continue;
                }
                self.scan.body_offset = Some(line.next);
                break;
            }
            if is_blank(text.first().copied()) && self.open.is_some() {
                self.extend(line.end);
            } else if let Some((name, value_start)) = self.field(text) {
                self.close();
                self.open = Some((name, line.start.saturating_add(value_start), line.end));
            } else if is_from_line(text) {
                self.close();
                self.scan.defects.insert(Defect::MboxFromHdr);
            } else if !self.strays_on(line.next, false) {
                self.scan.defects.insert(Defect::HdrNosep);
                self.scan.body_offset = Some(line.start);
                break;
            }
        }
        self.finish(complete);
    }

    /// A header that the bytes cut off has a last field that cannot be trusted: half a date is another date.
    fn finish(&mut self, complete: bool) {
        if self.scan.body_offset.is_some() {
            self.close();
        } else if complete {
            self.close();
            self.scan.body_offset = Some(self.bytes.len());
        } else {
            self.scan.defects.insert(Defect::HdrLarge);
        }
    }

    fn strays_on(&mut self, next: usize, blank: bool) -> bool {
        if !self.mends || self.strays >= STRAY_LIMIT {
            return false;
        }
        let names: Vec<&str> = self.names().collect();
        let goes_on = resumes(&names, &self.bytes[next..], self.lines.cr_only(), blank);
        if goes_on {
            self.strays += 1;
            self.close();
            self.scan.defects.insert(Defect::HdrJunk);
        }
        goes_on
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.scan.fields.iter().map(|field| field.name.as_str()).chain(self.open.iter().map(|open| open.0.as_str()))
    }

    fn field(&mut self, text: &[u8]) -> Option<(String, usize)> {
        let (name, colon) = field_name(text)?;
        if name.len() < colon {
            self.scan.defects.insert(Defect::HdrLoose);
        }
        Some((name.to_owned(), colon.saturating_add(1)))
    }

    fn extend(&mut self, end: usize) {
        if let Some(open) = &mut self.open {
            open.2 = end;
        }
    }

    fn close(&mut self) {
        let Some((name, start, end)) = self.open.take() else { return };
        if self.scan.fields.len() >= FIELD_LIMIT {
            self.scan.defects.insert(Defect::HdrLarge);
            if !self.counts_late(&name) {
                return;
            }
        }
        let mut value = self.bytes.get(start..end).unwrap_or_default();
        if value.len() > VALUE_LIMIT_BYTES {
            value = value.get(..VALUE_LIMIT_BYTES).unwrap_or_default();
            self.scan.defects.insert(Defect::HdrLongline);
        }
        self.scan.fields.push(Field { name, value: value.to_vec() });
    }

    fn counts_late(&mut self, name: &str) -> bool {
        let at = LATE_FIELDS.iter().position(|late| late.eq_ignore_ascii_case(name));
        let Some(count) = at.and_then(|at| self.late.get_mut(at)) else { return false };
        let kept = *count < LATE_LIMIT;
        *count = count.saturating_add(1);
        kept
    }
}

/// The name of the field that a line begins, and where its colon stands. White space before the colon is obsolete
/// (RFC 5322, 4.5.8) but allowed; `://` is a URL in a text.
pub(crate) fn field_name(line: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr::memchr(b':', line.get(..line.len().min(NAME_LIMIT_BYTES))?)?;
    if line.get(colon..)?.starts_with(b"://") {
        return None;
    }
    let name = line.get(..colon)?.trim_ascii_end();
    let printable = !name.is_empty() && name.iter().all(|byte| (33..=126).contains(byte));
    if printable { std::str::from_utf8(name).ok().map(|name| (name, colon)) } else { None }
}

fn note_values(scan: &mut HeaderScan, read: &[u8]) {
    let header = read.get(..scan.body_offset.unwrap_or(read.len())).unwrap_or(read);
    if memchr::memchr(0, header).is_some() {
        scan.defects |= Defects::from(Defect::Nul) | Defect::NulDb;
    }
    if scan.fields.iter().any(|field| !field.value.is_ascii()) {
        scan.defects.insert(Defect::Hdr8bit);
    }
    let has_lone_cr = |value: &[u8]| memchr::memchr_iter(b'\r', value).any(|at| is_lone_cr(value, at));
    if !scan.defects.contains(Defect::EolCr) && scan.fields.iter().any(|field| has_lone_cr(&field.value)) {
        scan.defects.insert(Defect::HdrCr);
    }
    if labels::are_cut(scan) {
        scan.defects.insert(Defect::Labels);
    }
}
