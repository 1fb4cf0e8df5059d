//! The `From ` line: who wrote it agrees with nobody on its form but for the time at its end.

use crate::date::DAYS;
use crate::parse_date;

/// So many days are looked at: a line without end must not cost more than its length.
const DAYS_LOOKED_AT: usize = 3;
/// UUCP wrote behind the time where the mail came from.
const REMOTE: &[u8] = b" remote from ";

/// The time of a `From ` line, Unix seconds UTC: ctime, with or without a zone before or behind the year, or RFC 5322.
pub(crate) fn date(line: &[u8]) -> Option<i64> {
    let line = line.strip_prefix(b"From ").unwrap_or(line).trim_ascii();
    let line = memchr::memmem::find(line, REMOTE).and_then(|at| line.get(..at)).unwrap_or(line);
    let after_sender = memchr::memchr(b' ', line).and_then(|at| line.get(at..)).unwrap_or_default();
    let spaces = memchr::memchr_iter(b' ', line).filter_map(|at| line.get(at.saturating_add(1)..));
    // A sender may have spaces and a day in it, so the last day is looked at first.
    let mut at_days: Vec<&[u8]> = spaces.filter(|rest| begins_with_day(rest)).collect();
    at_days.reverse();
    let at_days = at_days.into_iter().take(DAYS_LOOKED_AT);
    at_days.chain([after_sender]).find_map(|date| parse_date(date).ok().or_else(|| with_zone(date)))
}

fn begins_with_day(rest: &[u8]) -> bool {
    rest.get(..3).is_some_and(|word| DAYS.iter().any(|day| day.as_bytes().eq_ignore_ascii_case(word)))
}

/// `Mon Jan  2 10:00:00 +0100 2023`, `Mon Jan 2 10:00 2023 CET` and the like, put in the order of RFC 5322.
fn with_zone(date: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(date).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (_, month, day, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (first, second) = (words.next()?, words.next());
    let is_year = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let (year, zone) = match second {
        Some(second) if is_year(second) => (second, first),
        Some(second) => (first, second),
        None => (first, "+0000"),
    };
    parse_date(format!("{day} {month} {year} {time} {zone}").as_bytes()).ok().filter(|_| is_year(year))
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn all_forms_that_were_seen() {
        let ten = 1_672_653_600;
        let table: [(&str, Option<i64>); 15] = [
            ("From a@b Mon Jan  2 10:00:00 2023", Some(ten)),
            ("From - Mon Jan 02 10:00:00 2023\r", Some(ten)),
            ("From 1700000000000000001@xxx Mon Jan 02 10:00:00 +0000 2023\r\n", Some(ten)),
            ("From a@b Mon Jan  2 10:00:00 +0100 2023", Some(ten - 3_600)),
            ("From a@b Mon Jan  2 10:00:00 2023 +0100", Some(ten - 3_600)),
            ("From a@b Mon Jan  2 10:00:00 EST 2023", Some(ten + 5 * 3_600)),
            ("From a@b Mon Jan  2 10:00 2023", Some(ten)),
            ("From a@b Mon, 02 Jan 2023 10:00:00 +0000", Some(ten)),
            ("From a@b 2 Jan 2023 10:00:00 +0000", Some(ten)),
            ("From a@b Mon Jan  2 10:00:00 2023 remote from uunet", Some(ten)),
            ("From \"Sun Day\" <a@b> Mon Jan  2 10:00:00 2023", Some(ten)),
            ("From a@b Mon Jan  2 10:00:00 2023 XYZT", None),
            ("From a@b Mon Feb 31 10:00:00 2023", None),
            ("From a@b", None),
            ("From ", None),
        ];
        for (line, meant) in table {
            assert_eq!(date(line.as_bytes()), meant, "{line}");
        }
    }
}
