//! Times as others see them.

use jiff::SignedDuration;
use jiff::civil::DateTime;

const EPOCH: DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// RFC 3339 in UTC, `2023-01-02T09:00:00Z`.
pub fn rfc3339(seconds: i64) -> Option<String> {
    // A timestamp of jiff ends 26 hours before the year 9999 does: it leaves room for every zone.
    EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok().map(|time| format!("{time}Z"))
}

/// What [`rfc3339`] has written; none for any other text.
pub fn unix_seconds(text: &str) -> Option<i64> {
    let time: DateTime = text.strip_suffix('Z')?.parse().ok()?;
    Some(time.duration_since(EPOCH).as_secs())
}

#[cfg(test)]
mod tests {
    use super::{rfc3339, unix_seconds};

    #[test]
    fn all_times_of_the_years_1_to_9999_are_written_and_read() {
        let table = [
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_672_650_000, "2023-01-02T09:00:00Z"),
            (253_402_207_201, "9999-12-30T22:00:01Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
            assert_eq!(unix_seconds(text), Some(seconds));
        }
        assert_eq!(rfc3339(253_402_300_800), None);
        assert_eq!(rfc3339(i64::MAX), None);
        for other in ["", "Z", "2023", "2023-01-02T09:00:00", "2023-02-30T09:00:00Z", "2023-01-02T09:00:00+01:00"] {
            assert_eq!(unix_seconds(other), None, "{other}");
        }
    }
}
