//! Strict JSON: one value, UTF-8, no duplicate member at any depth.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Parses one JSON document; refuses duplicate members and anything after it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0)
}

/// A [`Value`] without duplicate members.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.contains_key(&name) {
                return Err(serde::de::Error::custom(format_args!("duplicate member {name:?}")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// 8-4-4-4-12 lower-case hex digits.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The grammar of RFC 3339, section 5.6 (`date-time`), with the ranges of its fields and the days that there are.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let Some((stamp, rest)) = text.as_bytes().split_at_checked(19) else { return false };
    let shape = stamp.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b't'),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let within = |at: usize, low: u8, high: u8| two_digits(stamp, at).is_some_and(|n| (low..=high).contains(&n));
    shape
        && within(5, 1, 12)
        && within(8, 1, days_of_month(stamp))
        && within(11, 0, 23)
        && within(14, 0, 59)
        && within(17, 0, 60)
        && is_fraction_and_offset(rest)
}

/// How many days the month of `YYYY-MM-…` has (RFC 3339, section 5.7); 0 if there is no such month.
fn days_of_month(stamp: &[u8]) -> u8 {
    let (century, year) = (two_digits(stamp, 0).unwrap_or(0), two_digits(stamp, 2).unwrap_or(0));
    let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
    match two_digits(stamp, 5) {
        Some(2) => 28 + u8::from(leap),
        Some(4 | 6 | 9 | 11) => 30,
        Some(1..=12) => 31,
        _ => 0,
    }
}

fn is_fraction_and_offset(rest: &[u8]) -> bool {
    let zone = match rest.strip_prefix(b".") {
        None => rest,
        Some(after) => {
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let Some(zone) = after.get(digits..).filter(|_| digits > 0) else { return false };
            zone
        }
    };
    match zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', _, _, b':', _, _] => {
            two_digits(zone, 1).is_some_and(|hour| hour <= 23) && two_digits(zone, 4).is_some_and(|minute| minute <= 59)
        }
        _ => false,
    }
}

fn two_digits(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at.checked_add(2)?)? {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_rfc3339;

    #[test]
    fn days_that_do_not_exist_are_none() {
        let days = [
            ("2026-02-28", true),
            ("2026-02-29", false),
            ("2026-02-30", false),
            ("2024-02-29", true),
            ("1900-02-29", false),
            ("2000-02-29", true),
            ("0000-02-29", true),
            ("2026-04-30", true),
            ("2026-04-31", false),
            ("2026-12-31", true),
            ("2026-12-32", false),
            ("2026-00-01", false),
            ("2026-01-00", false),
        ];
        for (day, exists) in days {
            assert_eq!(is_rfc3339(&format!("{day}T03:04:05.6+01:00")), exists, "{day}");
        }
    }
}
