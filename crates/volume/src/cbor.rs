//! Core deterministic CBOR (RFC 8949, section 4.2.1): a check that a map is encoded in the one allowed way.

/// Nesting that metadata never needs; bounds the recursion.
const MAX_DEPTH: usize = 16;

/// Checks that `bytes` are exactly one deterministic item: shortest heads, definite lengths, sorted unique keys, UTF-8.
pub(crate) fn check_deterministic(bytes: &[u8]) -> Result<(), &'static str> {
    match skip_item(bytes, MAX_DEPTH)? {
        [] => Ok(()),
        _ => Err("trailing bytes"),
    }
}

/// Checks the item at the front and returns what follows it.
fn skip_item(bytes: &[u8], depth: usize) -> Result<&[u8], &'static str> {
    let depth = depth.checked_sub(1).ok_or("nested too deep")?;
    let head = Head::read(bytes)?;
    match head.major {
        0 | 1 => Ok(head.rest),
        2 => head.skip_bytes().map(|(_, rest)| rest),
        3 => {
            let (text, rest) = head.skip_bytes()?;
            std::str::from_utf8(text).map_err(|_| "text that is not UTF-8")?;
            Ok(rest)
        }
        4 => (0..head.argument).try_fold(head.rest, |rest, _| skip_item(rest, depth)),
        5 => skip_map(&head, depth),
        6 => skip_item(head.rest, depth),
        _ => head.check_simple().map(|()| head.rest),
    }
}

/// Keys must rise strictly in the bytewise order of their encodings; that also excludes duplicates.
fn skip_map<'a>(head: &Head<'a>, depth: usize) -> Result<&'a [u8], &'static str> {
    let mut rest = head.rest;
    let mut last_key: &[u8] = &[];
    for _ in 0..head.argument {
        let after_key = skip_item(rest, depth)?;
        let key = rest.get(..rest.len() - after_key.len()).unwrap_or_default();
        if key <= last_key {
            return Err("keys out of order or doubled");
        }
        last_key = key;
        rest = skip_item(after_key, depth)?;
    }
    Ok(rest)
}

struct Head<'a> {
    major: u8,
    info: u8,
    argument: u64,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (first, rest) = bytes.split_first().ok_or("ends early")?;
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..=23 => return Ok(Self { major, info, argument: u64::from(info), rest }),
            24..=27 => 1usize << (info - 24),
            31 => return Err("indefinite length"),
            _ => return Err("reserved head"),
        };
        let (digits, rest) = rest.split_at_checked(width).ok_or("ends early")?;
        let argument = digits.iter().fold(0u64, |sum, digit| sum << 8 | u64::from(*digit));
        let least = [24, 1 << 8, 1 << 16, 1 << 32].get(usize::from(info - 24)).copied().unwrap_or(u64::MAX);
        if major != 7 && argument < least {
            return Err("an integer or length that is not in its shortest form");
        }
        Ok(Self { major, info, argument, rest })
    }

    fn skip_bytes(&self) -> Result<(&'a [u8], &'a [u8]), &'static str> {
        let length = usize::try_from(self.argument).map_err(|_| "ends early")?;
        self.rest.split_at_checked(length).ok_or("ends early")
    }

    /// Simple values below 32 have no second byte; a float must not fit a shorter one.
    fn check_simple(&self) -> Result<(), &'static str> {
        let shortest = match self.info {
            24 => self.argument >= 32,
            26 => u32::try_from(self.argument).is_ok_and(|bits| !fits_half(bits)),
            27 => !fits_single(self.argument),
            _ => true,
        };
        if shortest { Ok(()) } else { Err("a simple value or float that is not in its shortest form") }
    }
}

/// Whether a double is exactly a single: the low 29 bits of the mantissa are empty and the exponent is in range.
fn fits_single(bits: u64) -> bool {
    let exponent = (bits >> 52) & 0x7ff;
    let mantissa = bits & ((1 << 52) - 1);
    match exponent {
        0 => mantissa == 0,
        897..=1150 | 0x7ff => mantissa.trailing_zeros() >= 29,
        // Subnormal as a single: each step down costs one more bit.
        874..=896 => u64::from(mantissa.trailing_zeros()) >= 29 + (897 - exponent),
        _ => false,
    }
}

/// Whether a single is exactly a half: the low 13 bits of the mantissa are empty and the exponent is in range.
fn fits_half(bits: u32) -> bool {
    let exponent = (bits >> 23) & 0xff;
    let mantissa = bits & ((1 << 23) - 1);
    match exponent {
        0 => mantissa == 0,
        113..=142 | 0xff => mantissa.trailing_zeros() >= 13,
        103..=112 => mantissa.trailing_zeros() >= 13 + (113 - exponent),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::check_deterministic;

    #[test]
    fn only_the_one_encoding_passes() {
        let cases: &[(&[u8], bool)] = &[
            (b"\xa0", true),
            (b"\xa1\x61a\x01", true),
            (b"\xa2\x61a\x01\x61b\x02", true),
            (b"\xa2\x61b\x01\x61a\x02", false),
            (b"\xa2\x61a\x01\x61a\x02", false),
            (b"\xa1\x61a\x18\x17", false),
            (b"\xa1\x61a\x18\x18", true),
            (b"\xa1\x61a\x19\x00\xff", false),
            (b"\xbf\x61a\x01\xff", false),
            (b"\xa1\x61a\x5f\x41a\xff", false),
            (b"\xa1\x61a\x01\x00", false),
            (b"\xa1\x61a", false),
            (b"\x61\xff", false),
            (b"\xf9\x3c\x00", true),
            (b"\xfa\x3f\x80\x00\x00", false),
            (b"\xfa\x3f\x8c\xcc\xcd", true),
            (b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00", false),
            (b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", true),
            (b"\xf8\x10", false),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", false),
        ];
        for (bytes, allowed) in cases {
            assert_eq!(check_deterministic(bytes).is_ok(), *allowed, "{bytes:02x?}");
        }
        assert!(check_deterministic(&[0x81; 1000]).is_err());
    }
}
