//! Writing a pack.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::pack::{MAGIC, PackRecord, RECORD_BYTES, RecordHeader, Trailer, pack_key};
use super::spool::Frame;
use crate::{Archive, PackId, Result, ports::ObjectWriter};

/// A pack in the making: nothing is visible before `finish`.
pub(crate) struct PackWriter {
    object: Box<dyn ObjectWriter>,
    hasher: Sha256,
    size_bytes: u64,
    index: Vec<PackRecord>,
}

/// What was written.
pub(crate) struct Written {
    pub(crate) size_bytes: u64,
    pub(crate) mails: u64,
    pub(crate) sha256: [u8; 32],
}

impl PackWriter {
    pub(crate) async fn create(archive: &Archive, id: &PackId) -> Result<Self> {
        let object = archive.objects.create(&pack_key(id)?).await?;
        let mut pack = Self { object, hasher: Sha256::new(), size_bytes: 0, index: Vec::new() };
        pack.write(Bytes::from_static(MAGIC)).await?;
        Ok(pack)
    }

    /// Appends a verified mail; answers where its frame begins.
    pub(crate) async fn append(&mut self, hash: crate::MailHash, size_bytes: u64, mut frame: Frame) -> Result<u64> {
        let header = RecordHeader { hash, size_bytes, stored_bytes: frame.len() };
        let offset = self.size_bytes + RECORD_BYTES;
        self.index.push(PackRecord { header, offset });
        self.write(header.to_bytes().into()).await?;
        while let Some(piece) = frame.next_piece()? {
            self.write(piece).await?;
        }
        Ok(offset)
    }

    /// Writes index and footer and makes the pack durable.
    pub(crate) async fn finish(mut self) -> Result<Written> {
        let index = std::mem::take(&mut self.index);
        self.write(index.iter().flat_map(|record| record.to_bytes()).collect::<Vec<u8>>().into()).await?;
        let count = index.len() as u64;
        self.hasher.update(count.to_le_bytes());
        let sha256 = self.hasher.finalize().into();
        let footer = Trailer { count, sha256 }.to_bytes();
        let size_bytes = self.size_bytes + footer.len() as u64;
        self.object.write(footer.into()).await?;
        self.object.finish().await?;
        Ok(Written { size_bytes, mails: count, sha256 })
    }

    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.hasher.update(&bytes);
        self.size_bytes += bytes.len() as u64;
        self.object.write(bytes).await
    }
}
