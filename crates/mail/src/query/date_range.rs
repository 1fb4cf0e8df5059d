use std::fmt;

use crate::date::midnight;

/// From the beginning of one period to the end of another, both within it; open where there is none. Times are UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    first: Option<Period>,
    last: Option<Period>,
}

/// A year, a month or a day, from the year 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl DateRange {
    /// None if it has no end at all, or ends before it begins.
    pub fn new(first: Option<Period>, last: Option<Period>) -> Option<Self> {
        let is_range = match (first, last) {
            (None, None) => false,
            (Some(first), Some(last)) => first.start() < last.end(),
            _ => true,
        };
        is_range.then_some(Self { first, last })
    }

    /// Reads `2019`, `2019-03`, `2019-03-05`, and two of these with `..` between them, of which one may be left out.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once("..") else {
            let period = Period::parse(text)?;
            return Self::new(Some(period), Some(period));
        };
        let end = |text: &str| if text.is_empty() { Some(None) } else { Period::parse(text).map(Some) };
        Self::new(end(first)?, end(last)?)
    }

    /// Whether a time, in Unix seconds, lies in it.
    pub fn contains(self, seconds: i64) -> bool {
        self.first.is_none_or(|first| first.start() <= seconds) && self.last.is_none_or(|last| seconds < last.end())
    }
}

impl Period {
    /// None if there is no such day.
    pub fn new(year: u16, month: Option<u8>, day: Option<u8>) -> Option<Self> {
        let is_date = month.is_some() || day.is_none();
        midnight(i64::from(year), i64::from(month.unwrap_or(1)), i64::from(day.unwrap_or(1)))?;
        is_date.then_some(Self { year, month, day })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let [month, day] = [parts.next(), parts.next()].map(|part| part.map(|part| number(part, 2)?.try_into().ok()));
        if parts.next().is_some() || month == Some(None) || day == Some(None) {
            return None;
        }
        Self::new(year, month.flatten(), day.flatten())
    }

    /// Its first second.
    fn start(self) -> i64 {
        self.midnight(self.month.unwrap_or(1), self.day.unwrap_or(1))
    }

    /// The first second after it.
    fn end(self) -> i64 {
        const DAY_SECONDS: i64 = 86_400;
        match (self.month, self.day) {
            (Some(month), Some(day)) => self.midnight(month, day).saturating_add(DAY_SECONDS),
            (Some(month @ ..12), _) => self.midnight(month.saturating_add(1), 1),
            // The last day of a year is the last one of a December too.
            _ => self.midnight(12, 31).saturating_add(DAY_SECONDS),
        }
    }

    fn midnight(self, month: u8, day: u8) -> i64 {
        // Which days there are, `new` has looked at.
        midnight(i64::from(self.year), i64::from(month), i64::from(day)).unwrap_or(i64::MAX)
    }
}

fn number(digits: &str, length: usize) -> Option<u16> {
    let is_number = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for DateRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (Some(first), Some(last)) if first == last => first.fmt(out),
            (first, last) => {
                first.map_or(Ok(()), |first| first.fmt(out))?;
                out.write_str("..")?;
                last.map_or(Ok(()), |last| last.fmt(out))
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(out, "-{part:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::DateRange;

    #[test]
    fn ranges_hold_both_their_ends() {
        // 2019-12-31T23:59:59Z and the second after it.
        let (last, next) = (1_577_836_799, 1_577_836_800);
        for text in ["2019", "2018..2019", "..2019-12", "2019-12-31", "2019-12..2019-12-31"] {
            let range = DateRange::parse(text).unwrap();
            assert!(range.contains(last) && !range.contains(next), "{text}");
        }
        for text in ["2020", "2020-01..", "2020-01-01..2021", "2020-01"] {
            let range = DateRange::parse(text).unwrap();
            assert!(!range.contains(last) && range.contains(next), "{text}");
        }
        assert!(DateRange::parse("2024-02-29").is_some());
        for wrong in ["", "..", "19", "2019-2", "2019-02-29", "2019-13", "2021..2019", "0000", "2019-01-01-01", "2019-"]
        {
            assert_eq!(DateRange::parse(wrong), None, "{wrong}");
        }
        assert!(DateRange::parse("9999").unwrap().contains(253_402_300_799));
    }
}
