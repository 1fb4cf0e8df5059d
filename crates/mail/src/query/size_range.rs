use std::fmt;

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Which sizes are meant, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeRange {
    Above(u64),
    AtLeast(u64),
    Below(u64),
    AtMost(u64),
    /// Both ends belong to it.
    Between(u64, u64),
}

impl SizeRange {
    /// Reads `>10MiB`, `>=10MiB`, `<…`, `<=…`, `1MiB..2MiB`, `1MiB..`, `..2MiB`, and a size alone.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((low, high)) = text.split_once("..") {
            return match (low, high) {
                ("", high) => Some(Self::AtMost(parse_size(high)?)),
                (low, "") => Some(Self::AtLeast(parse_size(low)?)),
                (low, high) => {
                    let (low, high) = (parse_size(low)?, parse_size(high)?);
                    (low <= high).then_some(Self::Between(low, high))
                }
            };
        }
        if let Some(bound) = text.strip_prefix(">=") {
            parse_size(bound).map(Self::AtLeast)
        } else if let Some(bound) = text.strip_prefix("<=") {
            parse_size(bound).map(Self::AtMost)
        } else if let Some(bound) = text.strip_prefix('>') {
            parse_size(bound).map(Self::Above)
        } else if let Some(bound) = text.strip_prefix('<') {
            parse_size(bound).map(Self::Below)
        } else {
            parse_size(text).map(|size| Self::Between(size, size))
        }
    }

    pub fn contains(self, size_bytes: u64) -> bool {
        match self {
            Self::Above(bound) => size_bytes > bound,
            Self::AtLeast(bound) => size_bytes >= bound,
            Self::Below(bound) => size_bytes < bound,
            Self::AtMost(bound) => size_bytes <= bound,
            Self::Between(low, high) => (low..=high).contains(&size_bytes),
        }
    }
}

/// Bytes, or a whole number right before `KiB`, `MiB` or `GiB`.
///
/// ```
/// assert_eq!(mail::query::parse_size("10MiB"), Some(10 << 20));
/// assert_eq!(mail::query::parse_size("10 MB"), None);
/// ```
pub fn parse_size(text: &str) -> Option<u64> {
    let unit = UNITS.into_iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, bytes)));
    let (digits, unit) = unit.unwrap_or((text, 1));
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse::<u64>().ok()?.checked_mul(unit)).flatten()
}

impl fmt::Display for SizeRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Above(bound) => write!(out, ">{}", Size(bound)),
            Self::AtLeast(bound) => write!(out, ">={}", Size(bound)),
            Self::Below(bound) => write!(out, "<{}", Size(bound)),
            Self::AtMost(bound) => write!(out, "<={}", Size(bound)),
            Self::Between(low, high) if low == high => write!(out, "{}", Size(low)),
            Self::Between(low, high) => write!(out, "{}..{}", Size(low), Size(high)),
        }
    }
}

/// In the largest unit that fits exactly.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.into_iter().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(out, "{}{name}", self.0 / unit),
            None => write!(out, "{}", self.0),
        }
    }
}
