//! Signatures only; bodies follow.
#![expect(unused_variables, clippy::needless_pass_by_value, reason = "bodies follow")]
use crate::*;
use std::io::{Read, Seek, Write};
use std::ops::Range;

/// Metadata of one mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    pub sha256: [u8; 32],
    pub size_bytes: u64,
    pub message_date: Option<i64>,
    pub message_date_source: Option<String>,
    pub archive_date: Option<i64>,
    pub locations: Vec<Vec<String>>,
    pub flags: Vec<String>,
    pub source_key: Option<String>,
    pub reference: Option<u64>,
}
impl Metadata {
    /// CBOR length, for `VolumeWriter::fits`.
    pub fn encoded_len(&self) -> u64 { 0 }
}
/// `NAME.cer`.
#[derive(Clone)]
pub struct Certificate(Vec<u8>);
impl Certificate {
    /// DER or one PEM block.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> { Err(Error::WrongCertificate) }
    pub fn der(&self) -> &[u8] { &self.0 }
    pub fn sha256(&self) -> [u8; 32] { [0; 32] }
    pub fn public_key(&self) -> Option<&p256::PublicKey> { None }
}
/// Where the parts lie; fetch these ranges.
#[derive(Debug, Clone)]
pub struct Plan { pub header: Range<u64>, pub catalogue: Range<u64>, pub seal: Range<u64>, pub signature: Range<u64> }
/// First HEAD_BYTES (or all), last TAIL_BYTES (or all), whole size.
pub fn locate(head: &[u8], tail: &[u8], size: u64) -> Result<Plan, Error> { Err(Error::Truncated) }
/// The bytes of the ranges of a plan.
pub struct Parts<'a> { pub header: &'a [u8], pub catalogue: Vec<u8>, pub seal: &'a [u8], pub signature: &'a [u8] }
/// For intake and inspect.
pub struct Unverified { pub header: Header, pub seal: Seal, pub header_sha256: [u8; 32], pub seal_sha256: [u8; 32], pub header_json: serde_json::Value, pub seal_json: serde_json::Value }
impl Plan {
    pub fn peek(&self, header: &[u8], seal: &[u8]) -> Result<Unverified, Error> { Err(Error::Truncated) }
    pub fn verify(&self, parts: Parts<'_>, certificate: Option<&Certificate>) -> Result<Verified, Error> { Err(Error::Truncated) }
}
/// Signature, hashes and rules hold.
#[derive(Clone)]
pub struct Verified { header: std::sync::Arc<(Header, Seal)> }
/// Where the stored bytes of one mail are: fetch exactly `offset..offset + len`.
pub struct Stored { pub offset: u64, pub len: u64, pub sha256: [u8; 32] }
impl Verified {
    pub fn header(&self) -> &Header { &self.header.0 }
    pub fn seal(&self) -> &Seal { &self.header.1 }
    pub fn header_sha256(&self) -> &[u8; 32] { &self.header.1.header_sha256 }
    pub fn seal_sha256(&self) -> &[u8; 32] { &self.header.1.header_sha256 }
    pub fn first_mail(&self) -> u64 { 0 }
    pub fn mails(&self) -> u64 { 0 }
    pub fn stored(&self, number: u64) -> Option<Stored> { None }
    pub fn unlock(self, secret: Secret<'_>) -> Result<Volume, Error> { Err(Error::Truncated) }
    /// ECDH inputs for a recipient key that stays in a KMS; one for each slot of that certificate.
    pub fn recipient_exchanges(&self, certificate_sha256: &[u8; 32]) -> Vec<RecipientExchange> { vec![] }
    pub fn content_key_from_shared_secret(&self, exchange: &RecipientExchange, shared_x: &[u8; 32], recipient: &p256::PublicKey) -> Result<ContentKey, Error> { Err(Error::WrongRecipientKey) }
}
/// One ECDH to be done by a key store.
pub struct RecipientExchange { pub slot: usize, pub encapsulated_key: [u8; 65] }
/// Opened volume; cheap to clone, Send + Sync.
#[derive(Clone)]
pub struct Volume(Verified);
impl Volume {
    pub fn verified(&self) -> &Verified { &self.0 }
    /// The content key, for the caller to keep wrapped between steps; None with cipher "none".
    pub fn content_key(&self) -> Option<&ContentKey> { None }
    pub fn open_entry(&self, number: u64, stored: &mut dyn Read, frame: &mut dyn Write, raw: &mut dyn Write) -> Result<Metadata, OpenError> { Err(OpenError::NoSuchMail(number)) }
    pub fn open_metadata(&self, number: u64, stored: &mut dyn Read) -> Result<Metadata, OpenError> { Err(OpenError::NoSuchMail(number)) }
    pub fn check_reference(number: u64, metadata: &Metadata, target: &Metadata) -> Result<(), Damage> { Ok(()) }
}
/// Compresses one mail into the frame that a volume accepts; returns SHA-256 of the raw message.
pub fn compress(raw: &mut dyn Read, raw_len: u64, frame: &mut dyn Write) -> Result<[u8; 32], WriteError> { Err(WriteError::Full) }
/// Who can open an export.
#[derive(Default)]
pub struct Protection<'a> { pub password: Option<&'a str>, pub password_cost: PasswordCost, pub recipients: &'a [Certificate] }
/// Keys of one export.
pub struct ExportKeys(Vec<u8>);
impl ExportKeys {
    pub fn generate(export_id: &str, protection: &Protection<'_>, rng: &mut impl rand_core::CryptoRng) -> Result<Self, WriteError> { Err(WriteError::Full) }
    pub fn certificate(&self) -> &Certificate { unreachable!() }
    pub fn export_id(&self) -> &str { "" }
}
/// NAME.export-state.
pub struct ExportState;
impl ExportState {
    pub fn seal(keys: &ExportKeys, options: &[u8], rng: &mut impl rand_core::CryptoRng) -> Result<Vec<u8>, WriteError> { Err(WriteError::Full) }
    pub fn export_id(state: &[u8]) -> Result<String, Error> { Err(Error::WrongPassword) }
    pub fn open(state: &[u8], password: Option<&str>) -> Result<(ExportKeys, Vec<u8>), Error> { Err(Error::WrongPassword) }
}
/// What a volume begins with.
pub struct VolumeStart { pub name: String, pub number: u64, pub created: String, pub generator: String, pub first_mail: u64, pub limit_bytes: u64, pub salt: [u8; 32] }
/// What a volume ends with; `last` holds the totals of the whole export.
pub struct Closing { pub previous_seal_sha256: Option<[u8; 32]>, pub skipped: u64, pub last: Option<Totals> }
/// Writes one volume.
pub struct VolumeWriter<W>(W);
impl<W: Write + Seek> VolumeWriter<W> {
    pub fn new(out: W, keys: &ExportKeys, start: VolumeStart) -> Result<Self, WriteError> { Err(WriteError::Full) }
    /// `plaintext_len` = 4 + metadata.encoded_len() + frame_len.
    pub fn fits(&self, plaintext_len: u64) -> bool { false }
    pub fn append(&mut self, metadata: &Metadata, frame: &mut dyn Read, frame_len: u64) -> Result<u64, WriteError> { Err(WriteError::Full) }
    pub fn finish(self, closing: Closing) -> Result<(W, Seal, [u8; 32]), WriteError> { Err(WriteError::Full) }
}
/// Whether a mail fits into an empty volume of this size at all.
pub fn fits_alone(keys: &ExportKeys, start: &VolumeStart, plaintext_len: u64) -> bool { false }
/// Result of checking one file.
pub struct VolumeCheck { pub state: &'static str }
/// Every check of one file that needs no archive.
pub fn verify(reader: &mut (impl Read + Seek), size: u64, certificate: Option<&Certificate>, secret: Secret<'_>) -> std::io::Result<VolumeCheck> { Err(std::io::ErrorKind::Other.into()) }
/// The `verify` document of interface.md (Serialize).
#[derive(serde::Serialize)]
pub struct SetCheck { pub complete: bool }
impl SetCheck { pub fn exit_code(&self) -> u8 { 0 } }
pub fn verify_set(files: Vec<(String, VolumeCheck)>) -> SetCheck { SetCheck { complete: false } }
/// The `inspect` document of interface.md.
pub fn inspect(reader: &mut (impl Read + Seek), size: u64) -> std::io::Result<Result<serde_json::Value, Error>> { Err(std::io::ErrorKind::Other.into()) }
