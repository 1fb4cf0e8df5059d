//! The sealed form of an object: header, chunks, sizes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"PKSEAL1\n";
pub(crate) const HEADER_BYTES: u64 = 256;
const HEADER: usize = 256;
/// Small, because one mail is read by a range: some hundred bytes to some hundred KiB.
pub(crate) const CHUNK_BYTES: u64 = 64 << 10;
const TAG_BYTES: u64 = 16;
pub(super) const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES + TAG_BYTES;
/// What stands in front of the wrapped key.
const BEFORE: usize = 10;

/// The header of a sealed object.
#[derive(Clone)]
pub(super) struct Header([u8; HEADER]);

impl Header {
    pub(super) fn new(wrapped: &[u8]) -> Result<Self> {
        let mut bytes = [0; HEADER];
        let too_long = || Error::internal("a wrapped key is too long for the header of an object");
        let length = u16::try_from(wrapped.len()).map_err(|_| too_long())?;
        let text = [&MAGIC[..], &length.to_le_bytes(), wrapped].concat();
        bytes.get_mut(..text.len()).ok_or_else(too_long)?.copy_from_slice(&text);
        Ok(Self(bytes))
    }

    /// None if the object does not begin like a sealed one.
    pub(super) fn parse(start: &[u8]) -> Option<Self> {
        let bytes: [u8; HEADER] = start.get(..HEADER)?.try_into().ok()?;
        bytes.starts_with(MAGIC).then_some(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Empty if the length is impossible, which then opens nothing.
    pub(super) fn wrapped(&self) -> &[u8] {
        let [.., low, high] = self.0.first_chunk::<BEFORE>().copied().unwrap_or_default();
        let end = BEFORE + usize::from(u16::from_le_bytes([low, high]));
        self.0.get(BEFORE..end).unwrap_or_default()
    }
}

/// How long the object is that takes so many bytes sealed.
pub(super) fn plain_bytes(stored: u64) -> u64 {
    let chunks = stored.saturating_sub(HEADER_BYTES);
    chunks.saturating_sub(chunks.div_ceil(SEALED_CHUNK_BYTES).saturating_mul(TAG_BYTES))
}

/// The key of one object.
pub(super) struct ChunkKey {
    key: LessSafeKey,
    header_sha256: [u8; 32],
}

fn broken() -> Error {
    Error::internal("a chunk cannot be sealed")
}

impl ChunkKey {
    pub(super) fn new(secret: &[u8; 32], header: &Header) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| broken())?;
        Ok(Self { key: LessSafeKey::new(key), header_sha256: Sha256::digest(header.bytes()).into() })
    }

    pub(super) fn seal(&self, chunk: u64, is_last: bool, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let aad = Aad::from(self.aad(chunk, is_last));
        self.key.seal_in_place_append_tag(nonce(chunk), aad, &mut bytes).map_err(|_| broken())?;
        Ok(bytes)
    }

    pub(super) fn open(&self, chunk: u64, is_last: bool, mut sealed: Vec<u8>) -> Result<Vec<u8>> {
        let aad = Aad::from(self.aad(chunk, is_last));
        let opened = self.key.open_in_place(nonce(chunk), aad, &mut sealed).map_err(|_| broken())?.len();
        sealed.truncate(opened);
        Ok(sealed)
    }

    fn aad(&self, chunk: u64, is_last: bool) -> Vec<u8> {
        [&self.header_sha256[..], &chunk.to_le_bytes(), &[u8::from(is_last)]].concat()
    }
}

/// A key seals one object, so that the number of a chunk is never used twice.
fn nonce(chunk: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&chunk.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
