//! A mail's name: the SHA-256 of its raw bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// SHA-256 of a raw message. Equal hash and length are equality: the archive compares bytes in no other way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailHash(pub [u8; 32]);

impl MailHash {
    pub fn of(raw: &[u8]) -> Self {
        Self(Sha256::digest(raw).into())
    }

    /// From 64 lower-case hex digits.
    pub fn parse(hex: &str) -> Result<Self> {
        from_hex(hex)
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("mail id {hex:?} is not a SHA-256 in lower-case hex")))
    }
}

/// 32 bytes from 64 lower-case hex digits.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut out = [0u8; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// Lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for MailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}
impl fmt::Debug for MailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl TryFrom<String> for MailHash {
    type Error = Error;
    fn try_from(hex: String) -> Result<Self> {
        Self::parse(&hex)
    }
}
impl From<MailHash> for String {
    fn from(hash: MailHash) -> Self {
        hash.to_string()
    }
}
