//! A sealed object in the making.

use async_trait::async_trait;
use bytes::Bytes;

use super::chunk::{CHUNK_BYTES, ChunkKey, SEALED_CHUNK_BYTES};
use crate::{
    Result,
    ports::{ETag, ObjectWriter},
};

pub(super) struct SealedWriter {
    object: Box<dyn ObjectWriter>,
    key: ChunkKey,
    /// With room for the tag, so that a chunk is sealed where it was gathered.
    gathered: Vec<u8>,
    next: u64,
}

fn chunk() -> Vec<u8> {
    Vec::with_capacity(usize::try_from(SEALED_CHUNK_BYTES).unwrap_or_default())
}

impl SealedWriter {
    pub(super) fn new(object: Box<dyn ObjectWriter>, key: ChunkKey) -> Self {
        Self { object, key, gathered: chunk(), next: 0 }
    }

    async fn seal(&mut self, is_last: bool) -> Result<()> {
        let plain = std::mem::replace(&mut self.gathered, chunk());
        let sealed = self.key.seal(self.next, is_last, plain)?;
        self.next += 1;
        self.object.write(sealed.into()).await
    }
}

#[async_trait]
impl ObjectWriter for SealedWriter {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        let full = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            // The last chunk is marked as such: one is always held back.
            if self.gathered.len() >= full {
                self.seal(false).await?;
            }
            let room = full.saturating_sub(self.gathered.len());
            self.gathered.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag> {
        self.seal(true).await?;
        self.object.finish().await
    }
}
