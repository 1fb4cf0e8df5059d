//! Times as text.

/// RFC 3339 in UTC; none for what no calendar holds.
pub(crate) fn rfc3339(unix_seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(unix_seconds).ok().map(|time| time.to_string())
}
