//! Content-Transfer-Encoding (RFC 2045, 6): decoded as far as possible, in pieces, so that a large part costs no
//! memory.

use crate::parameters::token;

/// Decoded bytes are handed on in pieces of about this size.
const PIECE_BYTES: usize = 32 << 10;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, or nothing said.
    Identity,
    Base64,
    QuotedPrintable,
    /// A name that nobody defined.
    Unknown,
}

impl Encoding {
    /// Reads the field's value, comments and parameters cut off.
    pub(crate) fn parse(value: &[u8]) -> Self {
        let mut rest = value;
        let token = token(&mut rest);
        let word = token.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        match word.to_ascii_lowercase().as_slice() {
            b"" if value.trim_ascii().is_empty() => Self::Identity,
            b"7bit" | b"8bit" | b"binary" | b"7-bit" | b"8-bit" => Self::Identity,
            b"base64" => Self::Base64,
            b"quoted-printable" => Self::QuotedPrintable,
            _ => Self::Unknown,
        }
    }

    /// Hands the decoded body to `sink` piece by piece; false if the encoding is broken.
    pub(crate) fn decode(self, body: &[u8], sink: &mut dyn FnMut(&[u8])) -> bool {
        match self {
            Self::Identity => {
                sink(body);
                true
            }
            Self::Unknown => {
                sink(body);
                false
            }
            Self::Base64 => base64(body, sink),
            Self::QuotedPrintable => quoted_printable(body, sink),
        }
    }

    /// The decoded body up to `limit` bytes; if the encoding is whole; if all of it fits.
    pub(crate) fn decode_to(self, body: &[u8], limit: usize) -> (Vec<u8>, bool, bool) {
        let mut bytes = Vec::new();
        let mut fits = true;
        let whole = self.decode(body, &mut |piece| {
            let room = limit.saturating_sub(bytes.len());
            fits &= piece.len() <= room;
            bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        });
        (bytes, whole, fits)
    }
}

/// All of a base64 text, and if it is whole.
pub(crate) fn decode_base64(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let whole = base64(text, &mut |piece| bytes.extend_from_slice(piece));
    (bytes, whole)
}

/// The "Q" encoding of RFC 2047, 4.2, and if it is whole.
pub(crate) fn decode_q(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut whole = true;
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, hex_pair(tail)) {
            (b'_', _) => bytes.push(b' '),
            (b'=', Some(value)) => {
                bytes.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            (other, _) => {
                whole &= *other != b'=';
                bytes.push(*other);
            }
        }
    }
    (bytes, whole)
}

fn base64(text: &[u8], sink: &mut dyn FnMut(&[u8])) -> bool {
    let mut piece = Vec::with_capacity(PIECE_BYTES.saturating_add(3));
    let mut whole = true;
    let (mut quantum, mut count, mut padded) = (0_u32, 0_u8, false);
    for (at, byte) in text.iter().enumerate() {
        let Some(value) = sextet(*byte) else {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'=' => {
                    whole &= count >= 2 || (padded && count == 0);
                    padded |= count >= 2;
                    flush(&mut piece, quantum, &mut count);
                }
                // What follows the padding and is no base64 is a footer that a list added in clear text.
                _ if padded => {
                    whole = text.get(at..).is_some_and(|tail| tail.trim_ascii().is_empty());
                    break;
                }
                _ => whole = false,
            }
            continue;
        };
        whole &= !padded;
        padded = false;
        quantum = quantum << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            flush(&mut piece, quantum, &mut count);
        }
        if piece.len() >= PIECE_BYTES {
            sink(&piece);
            piece.clear();
        }
    }
    whole &= count == 0;
    flush(&mut piece, quantum, &mut count);
    sink(&piece);
    whole
}

/// Writes the whole bytes of a quantum of `count` sextets.
fn flush(piece: &mut Vec<u8>, quantum: u32, count: &mut u8) {
    let sextets = std::mem::take(count);
    let [_, first, second, third] = (quantum << (6 * u32::from(4_u8.saturating_sub(sextets)))).to_be_bytes();
    match sextets {
        2 => piece.push(first),
        3 => piece.extend([first, second]),
        4 => piece.extend([first, second, third]),
        _ => {}
    }
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn quoted_printable(text: &[u8], sink: &mut dyn FnMut(&[u8])) -> bool {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut whole = true;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (content, line_end) = split_line_end(line);
        // RFC 2045, 6.7 (3): white space at a line's end was added on the way.
        let trimmed = without_blanks(content);
        let (content, soft) = match trimmed.strip_suffix(b"=") {
            Some(content) => (content, true),
            None => (trimmed, false),
        };
        whole &= quoted_line(content, &mut piece);
        if !soft {
            piece.extend_from_slice(line_end);
        }
        if piece.len() >= PIECE_BYTES {
            sink(&piece);
            piece.clear();
        }
    }
    sink(&piece);
    whole
}

fn quoted_line(content: &[u8], piece: &mut Vec<u8>) -> bool {
    let mut whole = true;
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        piece.extend_from_slice(plain);
        let tail = tail.get(1..).unwrap_or_default();
        if let Some(value) = hex_pair(tail) {
            piece.push(value);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            piece.push(b'=');
            whole = false;
            rest = tail;
        }
    }
    piece.extend_from_slice(rest);
    whole
}

fn without_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    line.get(..line.len().saturating_sub(blanks)).unwrap_or_default()
}

fn split_line_end(line: &[u8]) -> (&[u8], &[u8]) {
    let length = if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) };
    line.split_at_checked(line.len().saturating_sub(length)).unwrap_or((line, &[]))
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// Base64 with padding, for data URLs.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let quantum = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let index = quantum >> (18 - 6 * at) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Encoding, decode_base64, decode_q, encode_base64};

    #[test]
    fn base64_is_decoded_as_far_as_possible() {
        let table: &[(&str, &str, bool)] = &[
            ("SGVsbG8=", "Hello", true),
            ("SGVs\r\nbG8=\r\n", "Hello", true),
            ("SGVsbG8", "Hello", false),
            ("SGVs*bG8=", "Hello", false),
            ("SGVs=bG8=", "Hello", false),
            ("SGVsbA==bG8=", "Helllo", false),
            ("SGVsbG8=\r\n-- \r\na list", "Hello", false),
            ("SGVsb", "Hel", false),
            ("SA==", "H", true),
            ("", "", true),
        ];
        for (text, meant, whole) in table {
            assert_eq!(decode_base64(text.as_bytes()), (meant.as_bytes().to_vec(), *whole), "{text}");
        }
        for length in 0..50_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(decode_base64(encode_base64(&bytes).as_bytes()), (bytes, true));
        }
    }

    #[test]
    fn quoted_printable_is_decoded_as_far_as_possible() {
        let table: &[(&str, &str, bool)] = &[
            ("a=3Db", "a=b", true),
            ("a=\r\nb", "ab", true),
            ("a=  \r\nb", "ab", true),
            ("a  \r\nb", "a\r\nb", true),
            ("a=ZZb", "a=ZZb", false),
            ("a=4", "a=4", false),
            ("a=", "a", true),
            ("=c3=A4", "ä", true),
        ];
        for (text, meant, whole) in table {
            let (bytes, is_whole, fits) = Encoding::QuotedPrintable.decode_to(text.as_bytes(), 100);
            assert_eq!((bytes.as_slice(), is_whole, fits), (meant.as_bytes(), *whole, true), "{text}");
        }
        assert_eq!(decode_q(b"a_b=20c=ZZ"), (b"a b c=ZZ".to_vec(), false));
    }

    #[test]
    fn a_limit_cuts_and_says_so() {
        let (bytes, whole, fits) = Encoding::Base64.decode_to(&b"QUFB".repeat(100_000), 1000);
        assert_eq!((bytes.len(), whole, fits), (1000, true, false));
    }
}
