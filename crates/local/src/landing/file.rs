//! One partial file under its writer.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use archive::{Error, Result, ports::LandingFile};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::RwLock,
    task::{JoinHandle, spawn_blocking},
};

use super::{Claim, locked};
use crate::{Folder, blocking::blocking, from_io};

/// The file is flushed behind the writer's back after so much, so that little is left to flush at its close: clients
/// take a close that lasts for a dead server and send everything again.
const FLUSH_BYTES: u64 = 32 << 20;

/// Dropped without `close`, the file stays partial, up to its first gap.
pub(super) struct LocalFile {
    writing: Arc<Writing>,
    folders: Folders,
    unflushed: u64,
    flushing: Option<JoinHandle<io::Result<()>>>,
}

/// Where the file goes at its close.
pub(super) struct Folders {
    pub(super) partial: Arc<Folder>,
    pub(super) whole: Arc<Folder>,
    /// Held while it goes there.
    pub(super) moves: Arc<RwLock<()>>,
}

/// What the threads that write hold on to: only the last of them gives the file free.
#[derive(Debug)]
struct Writing {
    file: File,
    claim: Claim,
    closed: AtomicBool,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let durable = locked(&self.claim.written).durable();
        if let Err(error) = self.file.set_len(durable) {
            tracing::warn!(upload = %self.claim.key, %error, "a partial file keeps bytes behind a gap");
        }
    }
}

impl Writing {
    fn failed(&self, error: io::Error) -> Error {
        from_io(&self.claim.key, error)
    }

    fn write(&self, offset: u64, bytes: &Bytes) -> Result<()> {
        if !locked(&self.claim.written).takes(offset) {
            return Err(Error::invalid(format!("{} is written with too many gaps", self.claim.key)));
        }
        self.file.write_all_at(bytes, offset).map_err(|e| self.failed(e))?;
        locked(&self.claim.written).add(offset, offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn resize(&self, size: u64) -> Result<()> {
        self.file.set_len(size).map_err(|e| self.failed(e))?;
        locked(&self.claim.written).resize(size);
        Ok(())
    }

    /// Makes the file what it is to be once it is whole, durably.
    fn complete(&self) -> Result<()> {
        let end = locked(&self.claim.written).end();
        // A write that failed half-way may have left more.
        if self.file.metadata().map_err(|e| self.failed(e))?.len() != end {
            self.file.set_len(end).map_err(|e| self.failed(e))?;
        }
        self.file.sync_all().map_err(|e| self.failed(e))
    }

    fn close(&self, partial: &Folder, whole: &Folder) -> Result<()> {
        whole.adopt(&partial.path_of(&self.claim.key), &self.claim.key, true)?;
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

impl LocalFile {
    pub(super) fn new(file: File, claim: Claim, folders: Folders) -> Self {
        let writing = Arc::new(Writing { file, claim, closed: AtomicBool::new(false) });
        Self { writing, folders, unflushed: 0, flushing: None }
    }

    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Writing) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let writing = self.writing.clone();
        blocking(move || work(&writing)).await
    }

    /// Begins a flush; waits for the one before, so that a slow disk slows the client down.
    async fn flush_behind(&mut self) -> Result<()> {
        self.flushed().await?;
        let writing = self.writing.clone();
        self.flushing = Some(spawn_blocking(move || writing.file.sync_data()));
        self.unflushed = 0;
        Ok(())
    }

    async fn flushed(&mut self) -> Result<()> {
        let Some(flushing) = self.flushing.take() else { return Ok(()) };
        let flushed = flushing.await.unwrap_or_else(|broken| Err(io::Error::other(broken)));
        flushed.map_err(|e| self.writing.failed(e))
    }
}

#[async_trait]
impl LandingFile for LocalFile {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.unflushed = self.unflushed.saturating_add(bytes.len() as u64);
        self.with_file(move |writing| writing.write(offset, &bytes)).await?;
        if self.unflushed >= FLUSH_BYTES {
            self.flush_behind().await?;
        }
        Ok(())
    }

    async fn set_size(&mut self, size_bytes: u64) -> Result<()> {
        self.with_file(move |writing| writing.resize(size_bytes)).await
    }

    async fn size(&self) -> Result<u64> {
        Ok(locked(&self.writing.claim.written).end())
    }

    async fn sync(&mut self) -> Result<()> {
        self.flushed().await?;
        self.unflushed = 0;
        self.with_file(|writing| writing.file.sync_data().map_err(|e| writing.failed(e))).await
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.flushed().await?;
        self.with_file(Writing::complete).await?;
        let (partial, whole) = (self.folders.partial.clone(), self.folders.whole.clone());
        let _moving = self.folders.moves.write().await;
        self.with_file(move |writing| writing.close(&partial, &whole)).await
    }
}
