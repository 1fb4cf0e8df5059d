//! A sealed object in the making.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::chunk::{CHUNK_BYTES, ChunkKey};
use crate::{
    Result,
    ports::{ETag, ObjectWriter},
};

pub(super) struct SealedWriter {
    object: Box<dyn ObjectWriter>,
    key: ChunkKey,
    gathered: BytesMut,
    next: u64,
}

impl SealedWriter {
    pub(super) fn new(object: Box<dyn ObjectWriter>, key: ChunkKey) -> Self {
        Self { object, key, gathered: BytesMut::new(), next: 0 }
    }

    async fn seal(&mut self, plain: Vec<u8>, is_last: bool) -> Result<()> {
        let sealed = self.key.seal(self.next, is_last, plain)?;
        self.next += 1;
        self.object.write(sealed.into()).await
    }
}

#[async_trait]
impl ObjectWriter for SealedWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.gathered.extend_from_slice(&bytes);
        let full = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        // The last chunk is marked as such: one is always held back.
        while self.gathered.len() > full {
            let plain = self.gathered.split_to(full).to_vec();
            self.seal(plain, false).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag> {
        let plain = self.gathered.split().to_vec();
        self.seal(plain, true).await?;
        self.object.finish().await
    }
}
