//! Dates as RFC 5322 and ctime write them. A date that does not exist is none: no date is better than a wrong one.

use crate::{Defect, Defects};

/// A date with its comments; longer ones are attacks.
const DATE_LIMIT_BYTES: usize = 4096;
/// Comments within comments (RFC 5322, 3.2.2).
const COMMENT_DEPTH: usize = 32;
const DAY_SECONDS: i64 = 86_400;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const YEARS_1_TO_9999: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Why a date is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateDefect {
    /// There is nothing.
    Empty,
    /// No form that is known.
    Format,
    /// A day or a time that does not exist, or a year outside 1 to 9999.
    Invalid,
    /// No zone, or one that is not known.
    Zone,
}

impl From<DateDefect> for Defect {
    fn from(defect: DateDefect) -> Self {
        match defect {
            DateDefect::Empty => Self::DateEmpty,
            DateDefect::Format => Self::DateFormat,
            DateDefect::Invalid => Self::DateInvalid,
            DateDefect::Zone => Self::DateZone,
        }
    }
}

impl From<DateDefect> for Defects {
    fn from(defect: DateDefect) -> Self {
        Defect::from(defect).into()
    }
}

/// Reads a date as RFC 5322 (3.3, with the obsolete forms of 4.3) or ctime writes it: Unix seconds UTC.
/// ctime knows no zone and is read as UTC. The day of the week is not checked against the date.
///
/// ```
/// assert_eq!(mail::parse_date(b"Mon, 02 Jan 2023 10:00:00 +0200 (CEST)"), Ok(1_672_646_400));
/// assert_eq!(mail::parse_date(b"Mon Jan  2 10:00:00 2023"), Ok(1_672_653_600));
/// assert_eq!(mail::parse_date(b"02 Foo 2023 10:00:00 +0000"), Err(mail::DateDefect::Invalid));
/// ```
pub fn parse_date(value: &[u8]) -> Result<i64, DateDefect> {
    let tokens = Tokens::read(value)?;
    if tokens.is_ctime() { tokens.ctime() } else { tokens.rfc5322() }
}

/// Reads what Exchange writes into X-OriginalArrivalTime: `02 Jan 2023 10:00:00.0123 (UTC) FILETIME=[01D91E8E:…]`, or a
/// date as RFC 5322 has it.
pub(crate) fn parse_arrival_time(value: &[u8]) -> Result<i64, DateDefect> {
    let date = memchr::memmem::find(value, b"FILETIME").and_then(|at| value.get(..at)).unwrap_or(value);
    let utc = memchr::memmem::find(date, b"(UTC)").is_some();
    let mut tokens = Tokens::read(date)?;
    tokens.drop_fraction();
    if utc && tokens.ends_without_zone() {
        tokens.list.push(Token::Word("utc".to_owned()));
    }
    tokens.rfc5322()
}

/// Reads the fourteen digits of X-MailStore-Date: `YYYYMMDDhhmmss`, UTC.
pub(crate) fn parse_mailstore_date(value: &[u8]) -> Result<i64, DateDefect> {
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return Err(DateDefect::Empty);
    }
    let text = std::str::from_utf8(digits).map_err(|_| DateDefect::Format)?;
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateDefect::Format);
    }
    let number = |at: std::ops::Range<usize>| text.get(at).and_then(|part| part.parse().ok()).unwrap_or(0);
    let civil = Civil {
        year: number(0..4),
        month: number(4..6),
        day: number(6..8),
        hour: number(8..10),
        minute: number(10..12),
        second: number(12..14),
    };
    civil.seconds(0)
}

/// True if `seconds` lies in the years that a date may have.
pub(crate) fn in_years(seconds: i64) -> bool {
    YEARS_1_TO_9999.contains(&seconds)
}

/// Unix seconds of the beginning of a day (UTC); none if there is no such day in the years 1 to 9999.
pub(crate) fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    Civil { year, month, day, hour: 0, minute: 0, second: 0 }.seconds(0).ok()
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    fn seconds(&self, offset: i64) -> Result<i64, DateDefect> {
        let valid = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second);
        if !valid {
            return Err(DateDefect::Invalid);
        }
        let local = days_before(self.year, self.month, self.day) * DAY_SECONDS
            + self.hour * 3600
            + self.minute * 60
            + self.second;
        Some(local - offset).filter(|seconds| in_years(*seconds)).ok_or(DateDefect::Invalid)
    }
}

/// Unix seconds of year, month and day, and of hour, minute and second, in UTC; none if there is no such time.
pub(crate) fn civil_seconds([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
    Civil { year, month, day, hour, minute, second }.seconds(0).ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, proleptic Gregorian; years begin in March so that the leap day is the last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// The digits as written: their count decides what a year means.
    Number(String),
    Mark(u8),
}

/// The words, numbers and marks of a date. White space and comments only separate (RFC 5322, 3.2.2).
struct Tokens {
    list: Vec<Token>,
}

impl Tokens {
    fn read(value: &[u8]) -> Result<Self, DateDefect> {
        if value.len() > DATE_LIMIT_BYTES {
            return Err(DateDefect::Format);
        }
        let mut list = Vec::new();
        let mut rest = value;
        while let Some(byte) = rest.first().copied() {
            let length = match byte {
                b' ' | b'\t' | b'\r' | b'\n' => 1,
                b'(' => comment_length(rest).ok_or(DateDefect::Format)?,
                b'0'..=b'9' => run(rest, u8::is_ascii_digit),
                _ if byte.is_ascii_alphabetic() => run(rest, u8::is_ascii_alphabetic),
                _ => 1,
            };
            let (text, tail) = rest.split_at_checked(length).ok_or(DateDefect::Format)?;
            rest = tail;
            let text = String::from_utf8_lossy(text).to_ascii_lowercase();
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b'(' => {}
                b'0'..=b'9' => list.push(Token::Number(text)),
                _ if byte.is_ascii_alphabetic() => list.push(Token::Word(text)),
                _ => list.push(Token::Mark(byte)),
            }
        }
        if list.is_empty() { Err(DateDefect::Empty) } else { Ok(Self { list }) }
    }

    fn is_ctime(&self) -> bool {
        matches!(self.list.as_slice(), [Token::Word(day), Token::Word(_), ..] if DAYS.contains(&day.as_str()))
    }

    /// `Mon Jan  2 10:00:00 2023`, and nothing after it.
    fn ctime(&self) -> Result<i64, DateDefect> {
        let [Token::Word(_), Token::Word(month), Token::Number(day), clock @ .., Token::Number(year)] =
            self.list.as_slice()
        else {
            return Err(DateDefect::Format);
        };
        let (time, rest) = clock_of(clock)?;
        if !rest.is_empty() || day.len() > 2 || year.len() < 4 || time.2.is_none() {
            return Err(DateDefect::Format);
        }
        civil(day, month, value_of(year)?, time)?.seconds(0)
    }

    /// `[day-of-week ","] day month year hour ":" minute [":" second] zone`
    fn rfc5322(&self) -> Result<i64, DateDefect> {
        let date = match self.list.as_slice() {
            [Token::Word(day), Token::Mark(b','), rest @ ..] if DAYS.contains(&day.as_str()) => rest,
            [Token::Word(_), ..] => return Err(DateDefect::Format),
            all => all,
        };
        let [Token::Number(day), Token::Word(month), Token::Number(year), clock @ ..] = date else {
            return Err(DateDefect::Format);
        };
        if day.len() > 2 || year.len() < 2 {
            return Err(DateDefect::Format);
        }
        let (time, zone) = clock_of(clock)?;
        let civil = civil(day, month, full_year(year)?, time)?;
        civil.seconds(0)?;
        civil.seconds(zone_offset(zone)?)
    }

    /// Exchange writes fractions of a second, RFC 5322 has none.
    fn drop_fraction(&mut self) {
        let at = self.list.windows(2).position(|pair| matches!(pair, [Token::Mark(b'.'), Token::Number(_)]));
        if let Some(at) = at {
            self.list.drain(at..at.saturating_add(2));
        }
    }

    fn ends_without_zone(&self) -> bool {
        matches!(self.list.as_slice(), [.., Token::Mark(b':'), Token::Number(_)])
    }
}

fn run(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(byte)).count()
}

/// Length of the comment that `bytes` begins with, nested ones and quoted pairs included; none if it has no end.
fn comment_length(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if quoted => quoted = false,
            b'\\' => quoted = true,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
        if depth > COMMENT_DEPTH {
            return None;
        }
    }
    None
}

type Clock = (i64, i64, Option<i64>);

/// `hh:mm[:ss]` at the beginning of `tokens`, and what follows.
fn clock_of(tokens: &[Token]) -> Result<(Clock, &[Token]), DateDefect> {
    let [Token::Number(hour), Token::Mark(b':'), Token::Number(minute), rest @ ..] = tokens else {
        return Err(DateDefect::Format);
    };
    let (second, rest) = match rest {
        [Token::Mark(b':'), Token::Number(second), rest @ ..] => (Some(two_digits(second)?), rest),
        rest => (None, rest),
    };
    Ok(((two_digits(hour)?, two_digits(minute)?, second), rest))
}

fn two_digits(text: &str) -> Result<i64, DateDefect> {
    if text.len() == 2 { value_of(text) } else { Err(DateDefect::Format) }
}

fn value_of(digits: &str) -> Result<i64, DateDefect> {
    digits.parse().map_err(|_| DateDefect::Invalid)
}

/// RFC 5322, 4.3: 00 to 49 are 2000 to 2049, 50 to 99 are 1950 to 1999, three digits count from 1900.
fn full_year(digits: &str) -> Result<i64, DateDefect> {
    let year = value_of(digits)?;
    Ok(match digits.len() {
        2 if year < 50 => year + 2000,
        2 | 3 => year + 1900,
        _ => year,
    })
}

fn civil(day: &str, month: &str, year: i64, (hour, minute, second): Clock) -> Result<Civil, DateDefect> {
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month).map(|(_, number)| number);
    Ok(Civil {
        year,
        month: month.ok_or(DateDefect::Invalid)?,
        day: value_of(day)?,
        hour,
        minute,
        second: second.unwrap_or(0),
    })
}

/// Seconds east of UTC. RFC 5322, 4.3 defines ten names and, as UTC, the military letters without J; "UTC" is what
/// everyone writes for UT. Other names may mean several zones: unknown.
fn zone_offset(tokens: &[Token]) -> Result<i64, DateDefect> {
    match tokens {
        [Token::Mark(sign @ (b'+' | b'-')), Token::Number(digits)] if digits.len() == 4 => {
            let (hours, minutes) = digits.split_at(2);
            let (hours, minutes) = (value_of(hours)?, value_of(minutes)?);
            if hours > 23 || minutes > 59 {
                return Err(DateDefect::Zone);
            }
            let east = hours * 3600 + minutes * 60;
            Ok(if *sign == b'-' { -east } else { east })
        }
        [Token::Word(name)] => named_zone(name).map(|hours| hours * 3600).ok_or(DateDefect::Zone),
        _ => Err(DateDefect::Zone),
    }
}

fn named_zone(name: &str) -> Option<i64> {
    match name {
        "ut" | "gmt" | "utc" => Some(0),
        "edt" => Some(-4),
        "est" | "cdt" => Some(-5),
        "cst" | "mdt" => Some(-6),
        "mst" | "pdt" => Some(-7),
        "pst" => Some(-8),
        letter => (letter.len() == 1 && letter != "j").then_some(0),
    }
}
