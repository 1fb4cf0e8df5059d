//! `--where`: which mails of the source are exported.

use std::fmt;
use std::io::{self, Read};
use std::slice;
use std::str::FromStr;

use mail::query::{Facts, Query};
use mail::source::{Found, Item};
use mail::{HEADER_LIMIT_BYTES, HeaderScan, has_attachment, message_date, scan_headers};

use crate::{Error, Result};

/// Most headers end within it.
const FIRST_READ_BYTES: usize = 64 << 10;

/// A saved search that says which mails are exported. Its text, by `to_string`, is the same for equal ones.
///
/// ```
/// use archive::export::Filter;
///
/// assert_eq!("from:anna  AND size:>1024KiB".parse::<Filter>().unwrap().to_string(), "from:anna size:>1MiB");
/// let error = "from:anna size:big".parse::<Filter>().unwrap_err();
/// assert_eq!(error.machine_code(), "wrong_query");
/// assert!(error.message().ends_with("\n  from:anna size:big\n                 ^"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Query);

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|error: mail::query::QueryError| {
            Error::invalid(error.to_string())
                .code("wrong_query")
                .hint("from:anna subject:\"annual report\" date:2019..2021 NOT folder:Spam; docs/queries.md has it all")
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Filter {
    /// Whether a mail is exported, by what is known of it without reading it; none if that is not enough.
    pub(super) fn at_sight(&self, found: &Found) -> Option<bool> {
        self.0.answer(&Facts::new(&found.locations, &found.flags, found.size_bytes))
    }

    /// Whether an item that could not be read is one mail that is left out all the same, by what is known of it: where it
    /// lies, and of an empty one that it has no bytes.
    pub(super) fn leaves_out(&self, item: &Item) -> bool {
        let Item::Skipped { location, reason, is_one_mail: true, .. } = item else { return false };
        let size_bytes = (reason == "empty").then_some(0);
        self.0.answer(&Facts::of_unread(slice::from_ref(location), size_bytes)) == Some(false)
    }

    /// Whether a mail is exported. Reads as much of `raw` as the answer needs, and holds no more than its header.
    pub(super) fn admits(&self, found: &Found, raw: &mut dyn Read) -> io::Result<bool> {
        if let Some(answer) = self.at_sight(found) {
            return Ok(answer);
        }
        let (prefix, scan) = read_header(raw)?;
        let mut facts = Facts::new(&found.locations, &found.flags, found.size_bytes);
        facts.set_header(&scan, message_date(&scan, found.fallback_date).seconds);
        if let Some(answer) = self.0.answer(&facts) {
            return Ok(answer);
        }
        facts.set_attachment(has_attachment(&scan, &prefix, raw)?);
        // Everything is known now. Whatever were not, an export would rather hold a mail too many.
        Ok(self.0.answer(&facts).unwrap_or(true))
    }
}

/// The beginning of a mail, and the header in it.
fn read_header(raw: &mut dyn Read) -> io::Result<(Vec<u8>, HeaderScan)> {
    let mut prefix = Vec::new();
    let is_whole = read_on(raw, FIRST_READ_BYTES, &mut prefix)?;
    let scan = scan_headers(&prefix, is_whole);
    // The scan looks ahead behind a stray line, so an end close to the edge may be none.
    if is_whole || scan.body_offset.is_some_and(|end| end <= FIRST_READ_BYTES / 2) {
        return Ok((prefix, scan));
    }
    let is_whole = read_on(raw, HEADER_LIMIT_BYTES, &mut prefix)?;
    let scan = scan_headers(&prefix, is_whole);
    Ok((prefix, scan))
}

/// Reads until there are `limit` bytes; true if there are fewer.
fn read_on(raw: &mut dyn Read, limit: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let room = limit.saturating_sub(bytes.len());
    raw.take(room as u64).read_to_end(bytes)?;
    Ok(bytes.len() < limit)
}
