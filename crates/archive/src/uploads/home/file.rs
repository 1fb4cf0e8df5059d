//! A file of a home that is being written.

use bytes::Bytes;

use super::{FileName, Home};
use crate::{
    Error, Result,
    ports::{LandingFile, ObjectKey},
};

/// No upload is larger; a typing error in an offset must not make a file that takes days to read.
const MAX_FILE_BYTES: u64 = 1 << 40;
/// The quota is asked again after so many bytes, not at each block.
const QUOTA_STEP_BYTES: u64 = 64 << 20;

/// A file being written. Dropped without `close`, it stays as it is, for a resume.
pub struct HomeFile {
    home: Home,
    name: FileName,
    key: ObjectKey,
    file: Box<dyn LandingFile>,
    end: u64,
    /// The file may grow to here before the quota is asked again.
    granted: u64,
    /// A block was refused, so something is missing. OpenSSH's client closes the file all the same.
    incomplete: bool,
}

impl HomeFile {
    pub(super) async fn new(home: Home, name: FileName, key: ObjectKey, file: Box<dyn LandingFile>) -> Result<Self> {
        let end = file.size().await?;
        Ok(Self { home, name, key, file, end, granted: end, incomplete: false })
    }

    /// The plain name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Writes a block; blocks may come out of order or twice.
    pub async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        let written = self.try_write(offset, bytes).await;
        self.incomplete |= written.is_err();
        written
    }

    /// Writes a block behind all others.
    pub async fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.write_at(self.end, bytes).await
    }

    pub async fn set_size(&mut self, size_bytes: u64) -> Result<()> {
        self.grow_to(size_bytes).await?;
        self.file.set_size(size_bytes).await?;
        self.end = size_bytes;
        Ok(())
    }

    /// Where the file ends now.
    pub fn size_bytes(&self) -> u64 {
        self.end
    }

    /// Makes what was written so far durable.
    pub async fn sync(&mut self) -> Result<()> {
        self.file.sync().await
    }

    /// The file is complete: it becomes an upload and, unless its name is a temporary one, is to be looked at. If a
    /// block of it was refused, it stays partial.
    pub async fn close(self) -> Result<()> {
        if self.incomplete {
            let error = Error::conflict(format!("file {:?} is not complete: a block was refused", self.name.as_str()));
            return Err(error.hint("what was written is kept for a resume"));
        }
        self.file.close().await?;
        tracing::info!(user = self.home.user, name = self.name.as_str(), size_bytes = self.end, "upload complete");
        if !self.name.is_temporary() {
            self.home.settle(self.key, None).await;
        }
        Ok(())
    }

    async fn try_write(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        self.grow_to(end).await?;
        self.file.write_at(offset, bytes).await?;
        self.end = self.end.max(end);
        Ok(())
    }

    async fn grow_to(&mut self, end: u64) -> Result<()> {
        if end <= self.granted {
            return Ok(());
        }
        if end > MAX_FILE_BYTES {
            return Err(Error::invalid(format!("file {:?} would become larger than 1 TiB", self.name.as_str())));
        }
        let Some(quota) = self.home.quota_bytes else {
            self.granted = MAX_FILE_BYTES;
            return Ok(());
        };
        let room = quota.saturating_sub(self.home.used_beside(Some(&self.name)).await?);
        if end > room {
            let error = Error::unavailable(format!("the upload quota of {quota} bytes is used up"));
            return Err(error.hint("import or delete uploads to make room"));
        }
        self.granted = room.min(end.saturating_add(QUOTA_STEP_BYTES)).min(MAX_FILE_BYTES);
        Ok(())
    }
}
