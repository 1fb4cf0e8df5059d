//! An object that is written in pieces.

use archive::{
    Error, Result,
    ports::{ETag, ObjectKey, ObjectWriter},
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{Folder, temporary::Temporary};
use crate::{blocking::blocking, from_io};

/// Pieces are gathered up to here.
const BLOCK: usize = 1 << 20;

pub(super) struct Writer {
    folder: Folder,
    key: ObjectKey,
    /// None while a block is written; for good, if that was broken off.
    file: Option<Temporary>,
    gathered: Vec<u8>,
}

impl Writer {
    pub(super) fn begin(folder: Folder, key: ObjectKey) -> Result<Self> {
        let file = Some(folder.temporary(&key)?);
        Ok(Self { folder, key, file, gathered: Vec::with_capacity(BLOCK) })
    }

    /// Writes what was gathered, and gathers in the same memory again.
    async fn flush(&mut self) -> Result<()> {
        let (mut file, key) = (self.open_file()?, self.key.clone());
        let mut gathered = std::mem::take(&mut self.gathered);
        let written = blocking(move || {
            file.write(&gathered).map_err(|e| from_io(format_args!("object {key}"), e))?;
            gathered.clear();
            Ok((file, gathered))
        });
        let (file, gathered) = written.await?;
        (self.file, self.gathered) = (Some(file), gathered);
        Ok(())
    }

    fn open_file(&mut self) -> Result<Temporary> {
        self.file.take().ok_or_else(|| Error::internal(format!("writing of object {} was broken off", self.key)))
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.gathered.len());
            self.gathered.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.gathered.len() >= BLOCK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag> {
        self.flush().await?;
        let file = self.open_file()?;
        let (folder, key) = (self.folder, self.key);
        blocking(move || {
            let path = file.seal().map_err(|e| from_io(format_args!("object {key}"), e))?;
            folder.settle(path, &key, false)
        })
        .await
    }
}
