//! What a list shows of a mail, from its header alone.

use crate::parameters::Structured;
use crate::scan::SINGLE_IN_PART;
use crate::text::{address_text, header_text, shown, unfolded};
use crate::{Defect, Defects, HeaderScan, message_date, scan_headers};

/// Longer values are cut: lists show a line, and the whole value stands in the mail.
const VALUE_LIMIT_BYTES: usize = 8 << 10;
/// RFC 5322, 2.1.1.
const LINE_LIMIT_BYTES: usize = 998;
/// Fields of which a mail has one and on which tools disagree if it has two, beside those of each part.
const SINGLE: [&str; 4] = ["From", "Subject", "Date", "Message-ID"];

/// What lists show of a mail: decoded, bounded, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// None if the field is missing; empty if it is empty.
    pub subject: Option<String>,
    pub from: Option<String>,
    /// As in the header, angle brackets included.
    pub message_id: Option<String>,
    /// Of the header, and of the dates that were passed over in [`message_date`].
    pub defects: Defects,
}

/// Summarizes the mail that begins with `prefix`; `complete` says that `prefix` is the whole mail.
/// A caller that reads [`crate::HEADER_LIMIT_BYTES`] gets what one gets that reads all.
///
/// ```
/// let summary = mail::summarize(b"Subject: =?utf-8?Q?caf=C3=A9?=\r\nSubject: other\r\n\r\n", true);
/// assert_eq!(summary.subject.as_deref(), Some("café"));
/// assert_eq!(summary.from, None);
/// assert_eq!(summary.defects.iter().collect::<Vec<_>>(), ["dup_header", "id_missing"]);
/// ```
pub fn summarize(prefix: &[u8], complete: bool) -> Summary {
    let Summary { subject, from, message_id, defects } = summary_of(&scan_headers(prefix, complete));
    Summary { subject: subject.map(cut), from: from.map(cut), message_id: message_id.map(cut), defects }
}

/// Summarizes a header that was scanned already; values are as long as they are.
pub(crate) fn summary_of(scan: &HeaderScan) -> Summary {
    let mut defects = scan.defects | message_date(scan, None).defects;
    if SINGLE.iter().chain(&SINGLE_IN_PART).any(|name| scan.is_doubled(name)) {
        defects.insert(Defect::DupHeader);
    }
    let charset = body_charset(scan);
    let mut text = |name: &str, read: fn(&[u8], Option<&str>) -> (String, Defects)| {
        let (text, found) = read(&scan.first(name)?.value, charset.as_deref());
        defects |= found;
        Some(text)
    };
    let (subject, from) = (text("Subject", header_text), text("From", address_text));
    let message_id = message_id(scan, &mut defects);
    Summary { subject, from, message_id, defects }
}

fn message_id(scan: &HeaderScan, defects: &mut Defects) -> Option<String> {
    let id = scan.first("Message-ID").map(|field| shown(String::from_utf8_lossy(&unfolded(&field.value)).trim_ascii()));
    match &id {
        Some(id) if !id.is_empty() => {
            if id.len() > LINE_LIMIT_BYTES {
                defects.insert(Defect::IdLong);
            }
        }
        _ => defects.insert(Defect::IdMissing),
    }
    id
}

pub(crate) fn body_charset(scan: &HeaderScan) -> Option<String> {
    Structured::parse(&scan.first("Content-Type")?.value).word("charset")
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(VALUE_LIMIT_BYTES));
    text
}
