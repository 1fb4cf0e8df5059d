//! `header.json`: whose volume this is, and who can open it.

use crate::encoding::{b64, b64_option, hex32};
use crate::{Error, json};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The value of `format`.
pub(crate) const FORMAT: &str = "mszip";
/// The value of `version`.
pub(crate) const VERSION: u64 = 1;
const KDF: &str = "argon2id";
const SUITE: &str = "hpke-dhkem-p256-hkdf-sha256-aes256gcm";
const MAX_RECIPIENT_SLOTS: usize = 8;

/// The plain, signed start of a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Always `mszip`.
    pub format: String,
    /// Always 1.
    pub version: u64,
    /// UUID of the export, 36 lower-case characters.
    pub export_id: String,
    /// Name of the export.
    pub name: String,
    /// Number of this volume, from 1.
    pub volume: u64,
    /// When the volume was begun, RFC 3339.
    pub created: String,
    /// The program that wrote it.
    pub generator: String,
    /// SHA-256 of the certificate's DER.
    #[serde(with = "hex32")]
    pub certificate_sha256: [u8; 32],
    /// How the mails are sealed.
    pub cipher: Cipher,
    /// Fresh for each volume begun; makes the volume key unique.
    #[serde(with = "b64")]
    pub salt: [u8; 32],
    /// Ways to the content key; empty with cipher "none".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_slots: Vec<KeySlot>,
    /// Commits to the content key; absent with cipher "none".
    #[serde(default, skip_serializing_if = "Option::is_none", with = "b64_option")]
    pub key_check: Option<[u8; 32]>,
}

/// How the mails of an export are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cipher {
    /// AES-256-GCM in chunks of 1 MiB.
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// Signed, but readable by everyone.
    #[serde(rename = "none")]
    None,
}

/// One way to the content key of an export.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySlot {
    /// By a password.
    Password(PasswordSlot),
    /// By the private key of a recipient.
    Recipient(RecipientSlot),
    /// A type that this reader does not know and skips.
    Unknown(Value),
}

/// The content key wrapped under a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordSlot {
    /// Always `argon2id`.
    pub kdf: String,
    /// Argon2id memory in KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub passes: u32,
    /// Argon2id lanes.
    pub lanes: u32,
    /// Argon2id salt.
    #[serde(with = "b64")]
    pub salt: [u8; 16],
    /// Sealed content key: 32 bytes and the tag.
    #[serde(with = "b64")]
    pub wrapped_key: [u8; 48],
}

/// The content key sealed to a recipient's P-256 key by HPKE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipientSlot {
    /// Always `hpke-dhkem-p256-hkdf-sha256-aes256gcm`.
    pub suite: String,
    /// SHA-256 of the DER of the recipient's certificate.
    #[serde(with = "hex32")]
    pub certificate_sha256: [u8; 32],
    /// The sender's ephemeral public key, an uncompressed point.
    #[serde(with = "b64")]
    pub encapsulated_key: [u8; 65],
    /// Sealed content key: 32 bytes and the tag.
    #[serde(with = "b64")]
    pub wrapped_key: [u8; 48],
}

impl PasswordSlot {
    pub(crate) const KDF: &'static str = KDF;
}

impl RecipientSlot {
    pub(crate) const SUITE: &'static str = SUITE;
}

impl Header {
    /// Reads and checks a signed header.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value = json::parse(bytes).map_err(|error| malformed(&error))?;
        let header: Self = serde_json::from_value(value).map_err(|error| malformed(&error))?;
        header.check().map_err(|rule| malformed(&rule))?;
        Ok(header)
    }

    /// The rules that types alone do not keep.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (self.format == FORMAT, "format is not mszip"),
            (self.version == VERSION, "version is not 1"),
            (json::is_uuid(&self.export_id), "export_id is no lower-case UUID"),
            ((1..=crate::MAX_VOLUMES).contains(&self.volume), "volume is out of range"),
            (json::is_rfc3339(&self.created), "created is no RFC 3339 time"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(rule),
            None => self.check_protection(),
        }
    }

    fn check_protection(&self) -> Result<(), &'static str> {
        let passwords = self.key_slots.iter().filter(|slot| matches!(slot, KeySlot::Password(_))).count();
        let recipients = self.key_slots.iter().filter(|slot| matches!(slot, KeySlot::Recipient(_))).count();
        match (self.cipher, self.key_slots.is_empty(), self.key_check) {
            (Cipher::None, true, None) => return Ok(()),
            (Cipher::None, ..) => return Err("cipher none with key slots or key check"),
            (Cipher::Aes256Gcm, true, _) => return Err("no key slot"),
            (Cipher::Aes256Gcm, _, None) => return Err("no key check"),
            (Cipher::Aes256Gcm, false, Some(_)) => {}
        }
        if passwords > 1 || recipients > MAX_RECIPIENT_SLOTS {
            return Err("too many key slots");
        }
        self.key_slots.iter().try_for_each(KeySlot::check)
    }

    /// The password slot, if there is one.
    pub fn password_slot(&self) -> Option<&PasswordSlot> {
        self.key_slots.iter().find_map(|slot| match slot {
            KeySlot::Password(slot) => Some(slot),
            _ => None,
        })
    }

    /// The recipient slots in their order.
    pub fn recipient_slots(&self) -> impl Iterator<Item = &RecipientSlot> {
        self.key_slots.iter().filter_map(|slot| match slot {
            KeySlot::Recipient(slot) => Some(slot),
            _ => None,
        })
    }

    /// Whether a key is needed to read the mails.
    pub fn is_encrypted(&self) -> bool {
        self.cipher == Cipher::Aes256Gcm
    }
}

impl KeySlot {
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Password(slot) if slot.kdf != KDF => Err("unknown kdf"),
            Self::Password(slot) if !slot.cost().is_allowed() => Err("kdf cost out of bounds"),
            Self::Recipient(slot) if slot.suite != SUITE => Err("unknown suite"),
            _ => Ok(()),
        }
    }
}

/// What one try of a password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Argon2id memory in KiB, at most 262,144.
    pub memory_kib: u32,
    /// Argon2id passes, at most 10.
    pub passes: u32,
    /// Argon2id lanes, at most 4.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// RFC 9106, section 4, second recommended option, on one lane so that a function with one CPU keeps pace.
    fn default() -> Self {
        Self { memory_kib: 65_536, passes: 3, lanes: 1 }
    }
}

impl PasswordCost {
    /// Within the format's bounds, and Argon2's own (8 KiB for each lane).
    pub(crate) fn is_allowed(self) -> bool {
        (1..=4).contains(&self.lanes)
            && (1..=10).contains(&self.passes)
            && (8 * self.lanes..=262_144).contains(&self.memory_kib)
    }
}

impl PasswordSlot {
    pub(crate) fn cost(&self) -> PasswordCost {
        PasswordCost { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes }
    }
}

fn malformed(error: &impl ToString) -> Error {
    Error::Malformed(format!("header.json: {}", error.to_string()))
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum KnownSlot<'a> {
    Password(&'a PasswordSlot),
    Recipient(&'a RecipientSlot),
}

impl Serialize for KeySlot {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Password(slot) => KnownSlot::Password(slot).serialize(out),
            Self::Recipient(slot) => KnownSlot::Recipient(slot).serialize(out),
            Self::Unknown(value) => value.serialize(out),
        }
    }
}

impl<'de> Deserialize<'de> for KeySlot {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(input)?;
        let kind = value.get("type").and_then(Value::as_str).map(str::to_owned);
        match kind.as_deref() {
            Some("password") => PasswordSlot::deserialize(value).map(Self::Password).map_err(D::Error::custom),
            Some("recipient") => RecipientSlot::deserialize(value).map(Self::Recipient).map_err(D::Error::custom),
            Some(_) => Ok(Self::Unknown(value)),
            None => Err(D::Error::custom("a key slot without a type")),
        }
    }
}
