//! What a list shows of a mail, from its header alone.

use crate::parameters::Structured;
use crate::text::{header_text, shown};
use crate::{Defect, Defects, HeaderScan, message_date, scan_headers};

/// Longer values are cut: lists show a line, and the whole value stands in the mail.
const VALUE_LIMIT_BYTES: usize = 8 << 10;
/// RFC 5322, 2.1.1.
const LINE_LIMIT_BYTES: usize = 998;
/// Fields of which a mail has one and on which tools disagree if it has two.
const SINGLE: [&str; 5] = ["From", "Subject", "Date", "Message-ID", "Content-Type"];

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
    summary_of(&scan_headers(prefix, complete))
}

/// Summarizes a header that was scanned already.
pub(crate) fn summary_of(scan: &HeaderScan) -> Summary {
    let mut defects = scan.defects | message_date(scan, None).defects;
    if SINGLE.iter().any(|name| scan.all(name).nth(1).is_some()) {
        defects.insert(Defect::DupHeader);
    }
    let charset = body_charset(scan);
    let mut text = |name: &str| {
        let (text, found) = header_text(&scan.first(name)?.value, charset.as_deref());
        defects |= found;
        Some(cut(text))
    };
    let (subject, from) = (text("Subject"), text("From"));
    let message_id = message_id(scan, &mut defects);
    Summary { subject, from, message_id, defects }
}

fn message_id(scan: &HeaderScan, defects: &mut Defects) -> Option<String> {
    let id = scan.first("Message-ID").map(|field| {
        let unfolded: Vec<u8> = field.value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).copied().collect();
        shown(&String::from_utf8_lossy(unfolded.trim_ascii()))
    });
    match &id {
        Some(id) if !id.is_empty() => {
            if id.len() > LINE_LIMIT_BYTES {
                defects.insert(Defect::IdLong);
            }
        }
        _ => defects.insert(Defect::IdMissing),
    }
    id.map(cut)
}

pub(crate) fn body_charset(scan: &HeaderScan) -> Option<String> {
    Structured::parse(&scan.first("Content-Type")?.value).word("charset")
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(VALUE_LIMIT_BYTES));
    text
}
