//! When a mail was sent or came, and how we know.

use crate::date::{in_years, parse_arrival_time, parse_date, parse_mailstore_date};
use crate::{DateDefect, Defects, HeaderScan};

/// Where a message date was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DateSource {
    XMailstoreDate,
    XOriginalArrivalTime,
    Date,
    Received,
    /// The time of the file in which the mail lay.
    File,
    /// The `From ` line before the mail in an mbox.
    FromLine,
}

impl DateSource {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::XMailstoreDate => "x-mailstore-date",
            Self::XOriginalArrivalTime => "x-originalarrivaltime",
            Self::Date => "date",
            Self::Received => "received",
            Self::File => "file",
            Self::FromLine => "from-line",
        }
    }

    /// The source that [`DateSource::as_str`] names.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::XMailstoreDate, Self::XOriginalArrivalTime, Self::Date, Self::Received, Self::File, Self::FromLine]
            .into_iter()
            .find(|source| source.as_str() == name)
    }
}

/// What stands in for the message date of a mail that says none itself, in Unix seconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackDate {
    /// The time of the file, or of the member of a ZIP.
    File(i64),
    /// The time of the `From ` line in an mbox.
    FromLine(i64),
}

/// The message date: the first valid one of the sources, never "now".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageDate {
    /// Unix seconds UTC, in the years 1 to 9999.
    pub seconds: Option<i64>,
    /// Set exactly if `seconds` is.
    pub source: Option<DateSource>,
    /// Why sources before that one were passed over.
    pub defects: Defects,
}

/// Takes the first valid date of X-MailStore-Date, X-OriginalArrivalTime, Date, the topmost Received that has one,
/// and the fallback.
///
/// ```
/// let scan = mail::scan_headers(b"Date: 31 Feb 2023 10:00:00 +0000\nReceived: by a; 2 Jan 2023 10:00:00 +0000\n\n", true);
/// let date = mail::message_date(&scan, None);
/// assert_eq!(date.source, Some(mail::DateSource::Received));
/// assert_eq!(date.defects.iter().collect::<Vec<_>>(), ["date_invalid"]);
/// ```
pub fn message_date(headers: &HeaderScan, fallback: Option<FallbackDate>) -> MessageDate {
    let mut defects = Defects::NONE;
    let dates = headers
        .all("X-MailStore-Date")
        .map(|field| (DateSource::XMailstoreDate, parse_mailstore_date(&field.value)))
        .chain(
            headers
                .all("X-OriginalArrivalTime")
                .map(|field| (DateSource::XOriginalArrivalTime, parse_arrival_time(&field.value))),
        )
        .chain(headers.all("Date").map(|field| (DateSource::Date, parse_date(&field.value))))
        .chain(
            headers
                .all("Received")
                .filter_map(|field| received_date(&field.value))
                .map(|date| (DateSource::Received, parse_date(date))),
        )
        .chain(fallback.map(fallback_date));
    for (source, date) in dates {
        match date {
            Ok(seconds) => return MessageDate { seconds: Some(seconds), source: Some(source), defects },
            Err(defect) => defects |= defect,
        }
    }
    MessageDate { defects, ..MessageDate::default() }
}

fn fallback_date(fallback: FallbackDate) -> (DateSource, Result<i64, DateDefect>) {
    let (source, seconds) = match fallback {
        FallbackDate::File(seconds) => (DateSource::File, seconds),
        FallbackDate::FromLine(seconds) => (DateSource::FromLine, seconds),
    };
    (source, if in_years(seconds) { Ok(seconds) } else { Err(DateDefect::Invalid) })
}

/// What stands after the last semicolon (RFC 5322, 3.6.7) that is in no comment and no quoted string.
fn received_date(value: &[u8]) -> Option<&[u8]> {
    let mut at = None;
    let (mut depth, mut in_quotes, mut escaped) = (0_usize, false, false);
    for (position, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if depth == 0 => in_quotes = !in_quotes,
            b'(' if !in_quotes => depth = depth.saturating_add(1),
            b')' if !in_quotes => depth = depth.saturating_sub(1),
            b';' if !in_quotes && depth == 0 => at = Some(position),
            _ => {}
        }
    }
    let balanced = depth == 0 && !in_quotes;
    let at = if balanced { at } else { memchr::memrchr(b';', value) };
    value.get(at?.checked_add(1)?..)
}
