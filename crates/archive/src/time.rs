//! Times as others see them.

/// RFC 3339 in UTC, `2023-01-02T09:00:00Z`.
pub fn rfc3339(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// What [`rfc3339`] has written; none for any other text.
pub fn unix_seconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}
