//! A user's SFTP home: what it shows, and what may be done in it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Archive, Error, Result,
    ports::{Landing, LandingFile, LandingSpace, OpenMode},
};

/// One flat folder of uploads. Names are taken plain or with the prefix of their state, and shown with it.
#[derive(Clone)]
pub struct Home {
    archive: Archive,
    landing: Arc<dyn Landing>,
    user: String,
    quota_bytes: Option<u64>,
}

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeEntry {
    /// With the prefix of its state.
    pub name: String,
    pub size_bytes: u64,
    /// Unix seconds UTC.
    pub modified: i64,
}

fn unfinished<T>() -> Result<T> {
    Err(Error::internal("not built yet"))
}

impl Home {
    /// The home of `user`. `quota_bytes` bounds the sum of its files' sizes.
    pub fn new(archive: Archive, landing: Arc<dyn Landing>, user: &str, quota_bytes: Option<u64>) -> Result<Self> {
        Ok(Self { archive, landing, user: user.to_owned(), quota_bytes })
    }

    /// A name that clients give a file until it is complete: no upload, and not looked at, until it is renamed.
    pub fn is_temporary(name: &str) -> bool {
        name.ends_with('~')
    }

    pub async fn list(&self) -> Result<Vec<HomeEntry>> {
        unfinished()
    }

    pub async fn stat(&self, _name: &str) -> Result<HomeEntry> {
        unfinished()
    }

    pub async fn write(&self, _name: &str, _mode: OpenMode) -> Result<HomeFile> {
        unfinished()
    }

    /// At most `limit` bytes; empty at the end.
    pub async fn read(&self, _name: &str, _offset: u64, _limit: usize) -> Result<Bytes> {
        unfinished()
    }

    pub async fn set_size(&self, _name: &str, _size_bytes: u64) -> Result<()> {
        unfinished()
    }

    pub async fn rename(&self, _from: &str, _to: &str, _replace: bool) -> Result<()> {
        unfinished()
    }

    pub async fn remove(&self, _name: &str) -> Result<()> {
        unfinished()
    }

    /// Room left for this home: the quota's or the disk's, whichever is less.
    pub async fn space(&self) -> Result<LandingSpace> {
        unfinished()
    }
}

/// A file being written. Dropped without `close`, it stays as it is, for a resume.
pub struct HomeFile {
    file: Box<dyn LandingFile>,
}

impl HomeFile {
    pub async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.file.write_at(offset, bytes).await
    }

    pub async fn set_size(&mut self, size_bytes: u64) -> Result<()> {
        self.file.set_size(size_bytes).await
    }

    pub async fn size(&self) -> Result<u64> {
        self.file.size().await
    }

    pub async fn sync(&mut self) -> Result<()> {
        self.file.sync().await
    }

    /// The file is complete: it becomes an upload and is looked at.
    pub async fn close(self) -> Result<()> {
        self.file.close().await
    }
}
