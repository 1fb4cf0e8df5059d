//! `header.json`: whose volume this is, and who can open it.

use crate::encoding::{b64, b64_vec, hex32};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The plain, signed start of a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `mszip`.
    pub format: String,
    /// 1.
    pub version: u64,
    /// UUID of the export, 36 lower-case characters.
    pub export_id: String,
    /// Name of the export.
    pub name: String,
    /// Number of this volume, from 1.
    pub volume: u64,
    /// RFC 3339.
    pub created: String,
    /// Program that wrote it.
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
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::encoding::b64_option")]
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
