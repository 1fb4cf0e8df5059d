//! The bulk primitives, AES-256-GCM and SHA-256; no other file names the library behind them.
//!
//! The choice and its price: `docs/decisions/0001-aes-gcm.md`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;

/// Bytes that sealing adds to each chunk.
pub(crate) const TAG_BYTES: u64 = 16;

/// One AES-256-GCM key.
pub(crate) struct AesKey(LessSafeKey);

/// The ciphertext, nonce or associated data is not what was sealed; or the key is of no use at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CipherError;

impl AesKey {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CipherError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| CipherError)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals `buffer` in place and appends the tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], buffer: &mut Vec<u8>) -> Result<(), CipherError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(nonce, Aad::from(aad), buffer).map_err(|_| CipherError)
    }

    /// Opens `buffer` (ciphertext and tag) in place and returns the plaintext in it.
    pub(crate) fn open<'b>(&self, nonce: [u8; 12], aad: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], CipherError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::from(aad), buffer).map(|plain| &*plain).map_err(|_| CipherError)
    }
}

/// SHA-256 in one go.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

/// SHA-256 piece by piece.
#[derive(Clone)]
pub(crate) struct Sha256(digest::Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        out
    }
}
