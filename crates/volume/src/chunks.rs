//! A mail's plaintext in sealed chunks: 1 MiB each, the last one 1 byte to 1 MiB, in the manner of STREAM.

use crate::cipher::{AesKey, CipherError, TAG_BYTES};
use crate::limits::CHUNK_BYTES;

/// Set in the chunk number of a mail's final chunk, so that no chunk can be dropped from the end.
const FINAL: u32 = 1 << 31;

/// Seals and opens the chunks of one volume.
pub(crate) struct ChunkCipher {
    key: AesKey,
    header_sha256: [u8; 32],
}

impl ChunkCipher {
    pub(crate) fn new(volume_key: &[u8; 32], header_sha256: [u8; 32]) -> Result<Self, CipherError> {
        Ok(Self { key: AesKey::new(volume_key)?, header_sha256 })
    }

    /// Seals one chunk in place and appends its tag.
    pub(crate) fn seal(&self, at: ChunkAt, buffer: &mut Vec<u8>) -> Result<(), CipherError> {
        self.key.seal(at.nonce(), &self.header_sha256, buffer)
    }

    /// Opens one chunk in place.
    pub(crate) fn open<'b>(&self, at: ChunkAt, buffer: &'b mut [u8]) -> Result<&'b [u8], CipherError> {
        self.key.open(at.nonce(), &self.header_sha256, buffer)
    }
}

/// The place of a chunk: no two chunks under one volume key have the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkAt {
    pub(crate) mail: u64,
    pub(crate) chunk: u32,
    pub(crate) is_final: bool,
}

impl ChunkAt {
    /// Mail number (u64 BE), then chunk number with the final bit (u32 BE).
    fn nonce(self) -> [u8; 12] {
        let chunk = if self.is_final { self.chunk | FINAL } else { self.chunk };
        let number = u128::from(self.mail) << 32 | u128::from(chunk);
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(number.to_be_bytes().iter().skip(4)) {
            *to = *from;
        }
        nonce
    }
}

/// How many bytes a plaintext takes when stored.
pub(crate) fn stored_len(plaintext_len: u64, encrypted: bool) -> u64 {
    if !encrypted {
        return plaintext_len;
    }
    plaintext_len.saturating_add(plaintext_len.div_ceil(CHUNK_BYTES).saturating_mul(TAG_BYTES))
}

/// The stored length of the next chunk when `left` bytes are left, and whether it is the final one.
///
/// Unencrypted plaintext is read in the same steps, without tags.
pub(crate) fn next_chunk(left: u64, encrypted: bool) -> (u64, bool) {
    let full = if encrypted { CHUNK_BYTES + TAG_BYTES } else { CHUNK_BYTES };
    (left.min(full), left <= full)
}

#[cfg(test)]
mod tests {
    use super::{ChunkAt, stored_len};

    #[test]
    fn the_nonce_is_mail_then_chunk_with_the_final_bit() {
        let nonce = ChunkAt { mail: 0x0102_0304_0506_0708, chunk: 0x0a0b, is_final: true }.nonce();
        assert_eq!(nonce, [1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0, 0x0a, 0x0b]);
        assert_eq!(ChunkAt { mail: 1, chunk: 0, is_final: false }.nonce(), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn each_begun_mebibyte_costs_one_tag() {
        let lengths = [(1, 17), (1 << 20, (1 << 20) + 16), ((1 << 20) + 1, (1 << 20) + 33)];
        for (plain, stored) in lengths {
            assert_eq!(stored_len(plain, true), stored);
        }
        assert_eq!(stored_len(5, false), 5);
    }
}
