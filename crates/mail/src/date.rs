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

/// Reads a date as RFC 5322 (3.3, with the obsolete forms of 4.3) or ctime writes it: Unix seconds UTC.
pub fn parse_date(_value: &[u8]) -> Result<i64, DateDefect> {
    Err(DateDefect::Empty)
}
