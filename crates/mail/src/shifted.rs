//! Charsets of seven bits that shift between one byte and two (ISO-2022-KR, HZ). Browsers have given them up and
//! `encoding_rs` with them; old mail has not. Told in the charset of eight bits that has the same characters.

use encoding_rs::{EUC_KR, Encoding, GBK};

/// The same text in eight bits, with its charset; none if `label` (lower case) is no such charset.
pub(crate) fn to_eight_bits(bytes: &[u8], label: &str) -> Option<(Vec<u8>, &'static Encoding)> {
    match label {
        "iso-2022-kr" | "csiso2022kr" => Some((iso_2022_kr(bytes), EUC_KR)),
        "hz-gb-2312" | "hz" => Some((hz(bytes), GBK)),
        _ => None,
    }
}

/// RFC 1557: SO and SI shift; a line begins in ASCII; `ESC $ ) C` stands once at the beginning.
fn iso_2022_kr(bytes: &[u8]) -> Vec<u8> {
    let mut eight = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            0x0E => shifted = true,
            0x0F => shifted = false,
            0x1B if tail.starts_with(b"$)C") => rest = tail.get(3..).unwrap_or_default(),
            _ => {
                shifted &= *byte != b'\n';
                eight.push(raised(*byte, shifted));
            }
        }
    }
    eight
}

/// RFC 1843: `~{` and `~}` shift, `~~` is a tilde, a tilde at the end of a line joins it with the next; a line begins in
/// ASCII.
fn hz(bytes: &[u8]) -> Vec<u8> {
    let mut eight = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        let (length, is_shifted) = match (byte, tail) {
            (b'~', [b'{', ..]) => (2, true),
            (b'~', [b'}', ..]) => (2, false),
            (b'~', [b'\n', ..]) if !shifted => (2, false),
            (b'~', [b'\r', b'\n', ..]) if !shifted => (3, false),
            _ => (0, shifted),
        };
        if length > 0 {
            shifted = is_shifted;
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        rest = if !shifted && rest.starts_with(b"~~") { tail.get(1..).unwrap_or_default() } else { tail };
        shifted &= *byte != b'\n';
        eight.push(raised(*byte, shifted));
    }
    eight
}

/// A byte of a character of two; blanks and line ends are none.
fn raised(byte: u8, shifted: bool) -> u8 {
    if shifted && (0x21..=0x7E).contains(&byte) { byte | 0x80 } else { byte }
}

#[cfg(test)]
mod tests {
    use super::to_eight_bits;

    fn text(bytes: &[u8], label: &str) -> String {
        let (eight, encoding) = to_eight_bits(bytes, label).unwrap();
        encoding.decode_without_bom_handling(&eight).0.into_owned()
    }

    #[test]
    fn shifts_are_followed() {
        let table: &[(&str, &[u8], &str)] = &[
            ("iso-2022-kr", b"\x1B$)Ca \x0EGQ19\x0F b", "a 한국 b"),
            ("iso-2022-kr", b"\x1B$)C\x0EGQ19\r\nplain", "한국\r\nplain"),
            ("hz-gb-2312", b"a ~{VPND~} b", "a 中文 b"),
            ("hz-gb-2312", b"~{VPND\nplain ~~ ~x", "中文\nplain ~ ~x"),
            ("hz-gb-2312", b"joi~\r\nned ~", "joined ~"),
        ];
        for (label, bytes, meant) in table {
            assert_eq!(text(bytes, label), *meant, "{bytes:?}");
        }
        assert!(to_eight_bits(b"a", "utf-8").is_none());
    }
}
