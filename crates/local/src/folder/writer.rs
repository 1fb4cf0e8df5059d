//! An object that is written in pieces.

use archive::{
    Error, Result,
    ports::{ETag, ObjectKey, ObjectWriter},
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{Folder, temporary::Temporary};
use crate::{blocking::blocking, from_io};

/// Small pieces are gathered up to here.
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
        Ok(Self { folder, key, file, gathered: Vec::new() })
    }

    async fn flush(&mut self, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<()> {
        let (mut file, key) = (self.open_file()?, self.key.clone());
        let written = blocking(move || {
            file.write(bytes.as_ref()).map_err(|e| from_io(format_args!("object {key}"), e))?;
            Ok(file)
        });
        self.file = Some(written.await?);
        Ok(())
    }

    fn open_file(&mut self) -> Result<Temporary> {
        self.file.take().ok_or_else(|| Error::internal(format!("writing of object {} was broken off", self.key)))
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.gathered.len() + bytes.len() >= BLOCK {
            let gathered = std::mem::take(&mut self.gathered);
            self.flush(gathered).await?;
            return self.flush(bytes).await;
        }
        self.gathered.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag> {
        let gathered = std::mem::take(&mut self.gathered);
        self.flush(gathered).await?;
        let file = self.open_file()?;
        let (folder, key) = (self.folder, self.key);
        blocking(move || {
            let path = file.seal().map_err(|e| from_io(format_args!("object {key}"), e))?;
            folder.settle(path, &key, false)
        })
        .await
    }
}
