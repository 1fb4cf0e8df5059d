use crate::{Defects, HeaderScan};

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
/// and `file_time` (Unix seconds UTC).
pub fn message_date(_headers: &HeaderScan, _file_time: Option<i64>) -> MessageDate {
    MessageDate::default()
}
