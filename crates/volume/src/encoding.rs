//! How bytes stand in JSON: standard base64 with padding, and lower-case hex.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Lower-case hex of any bytes.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// 32 bytes from exactly 64 lower-case hex digits.
pub(crate) fn hash_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut out = [0u8; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Exactly `N` bytes from canonical base64.
fn array_from_b64<const N: usize, E: serde::de::Error>(text: &str) -> Result<[u8; N], E> {
    let bytes = STANDARD.decode(text).map_err(|_| E::custom("not standard base64 with padding"))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| E::custom(format_args!("{length} bytes of base64 where {N} belong")))
}

/// `[u8; N]` as base64.
pub(crate) mod b64 {
    use super::{STANDARD, array_from_b64};
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(input: D) -> Result<[u8; N], D::Error> {
        array_from_b64(&String::deserialize(input)?)
    }
}

/// `Option<[u8; N]>` as base64 or null.
pub(crate) mod b64_option {
    use super::{STANDARD, array_from_b64};
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(crate) fn serialize<S: Serializer, const N: usize>(bytes: &Option<[u8; N]>, out: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => out.serialize_str(&STANDARD.encode(bytes)),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        input: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        Option::<String>::deserialize(input)?.map(|text| array_from_b64(&text)).transpose()
    }
}

/// `Vec<u8>` as base64.
pub(crate) mod b64_vec {
    use super::STANDARD;
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(input)?;
        STANDARD.decode(text).map_err(|_| D::Error::custom("not standard base64 with padding"))
    }
}

/// `[u8; 32]` as lower-case hex.
pub(crate) mod hex32 {
    use super::{hash_from_hex, to_hex};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&to_hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(input)?;
        hash_from_hex(&text).ok_or_else(|| D::Error::custom("not 64 lower-case hex digits"))
    }
}

/// `Option<[u8; 32]>` as lower-case hex or null.
pub(crate) mod hex32_option {
    use super::{hash_from_hex, to_hex};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, out: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => out.serialize_str(&to_hex(bytes)),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<[u8; 32]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(input)? else { return Ok(None) };
        hash_from_hex(&text).map(Some).ok_or_else(|| D::Error::custom("not 64 lower-case hex digits"))
    }
}
