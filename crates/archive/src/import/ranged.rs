//! An object of a store as content for the readers of containers.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use mail::source::Content;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    Error, Result,
    ports::{ObjectMeta, Objects},
};

/// A request brings so much: each costs money and a tenth of a second on S3, whatever its length.
const BLOCK_BYTES: u64 = 4 << 20;
/// So many blocks are held: a mail is looked at before it is read, and the directory of a ZIP lies behind its entries.
const KEPT: usize = 4;

/// Reads blocks of the version that was looked at first, the next one ahead while one goes forward. Blocks the thread.
pub(super) struct RangedContent {
    store: Arc<dyn Objects>,
    meta: ObjectMeta,
    runtime: Handle,
    blocks: Mutex<Blocks>,
}

#[derive(Default)]
struct Blocks {
    /// The one used last at the end.
    kept: VecDeque<(u64, Bytes)>,
    ahead: Option<(u64, JoinHandle<Result<Bytes>>)>,
    failed: Option<Error>,
}

impl RangedContent {
    pub(super) fn new(store: Arc<dyn Objects>, meta: ObjectMeta) -> Self {
        Self { store, meta, runtime: Handle::current(), blocks: Mutex::default() }
    }

    /// The store's own error, if a read has failed. To the readers of containers it looks like damage, but it says nothing
    /// about the mail that was being read.
    pub(super) fn check(&self) -> Result<()> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).failed.take().map_or(Ok(()), Err)
    }

    fn block(&self, number: u64) -> io::Result<Bytes> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = blocks.find(number) {
            return Ok(bytes);
        }
        let fetched = match blocks.ahead.take_if(|(ahead, _)| *ahead == number) {
            Some((_, task)) => self.runtime.block_on(task).unwrap_or_else(|e| Err(ended_early(e))),
            None => self.runtime.block_on(self.fetch(number)),
        };
        let bytes = fetched.map_err(|error| {
            let text = error.to_string();
            blocks.failed = Some(error);
            io::Error::other(text)
        })?;
        if number.checked_sub(1).is_some_and(|before| blocks.kept.iter().any(|(kept, _)| *kept == before)) {
            self.read_ahead(&mut blocks, number.saturating_add(1));
        }
        blocks.keep(number, bytes.clone());
        Ok(bytes)
    }

    fn read_ahead(&self, blocks: &mut Blocks, number: u64) {
        let is_there = blocks.kept.iter().any(|(kept, _)| *kept == number);
        let is_coming = blocks.ahead.as_ref().is_some_and(|(ahead, _)| *ahead == number);
        if is_there || is_coming || number.saturating_mul(BLOCK_BYTES) >= self.meta.size_bytes {
            return;
        }
        blocks.stop_ahead();
        blocks.ahead = Some((number, self.runtime.spawn(self.fetch(number))));
    }

    fn fetch(&self, number: u64) -> impl Future<Output = Result<Bytes>> + Send + 'static {
        let (store, meta) = (Arc::clone(&self.store), self.meta.clone());
        let start = number.saturating_mul(BLOCK_BYTES);
        let end = start.saturating_add(BLOCK_BYTES).min(meta.size_bytes);
        async move { store.get(&meta.key, start..end, Some(&meta.etag)).await }
    }
}

fn ended_early(error: tokio::task::JoinError) -> Error {
    Error::internal("a task ended early").caused_by(error)
}

impl Blocks {
    fn find(&mut self, number: u64) -> Option<Bytes> {
        let at = self.kept.iter().position(|(kept, _)| *kept == number)?;
        let (_, bytes) = self.kept.remove(at)?;
        self.kept.push_back((number, bytes.clone()));
        Some(bytes)
    }

    fn keep(&mut self, number: u64, bytes: Bytes) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((number, bytes));
    }

    fn stop_ahead(&mut self) {
        if let Some((_, task)) = self.ahead.take() {
            task.abort();
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.stop_ahead();
    }
}

impl fmt::Debug for RangedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RangedContent").field(&self.meta).finish()
    }
}

impl Content for RangedContent {
    fn size_bytes(&self) -> u64 {
        self.meta.size_bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.meta.size_bytes || buffer.is_empty() {
            return Ok(0);
        }
        let block = self.block(offset / BLOCK_BYTES)?;
        let rest = usize::try_from(offset % BLOCK_BYTES).ok().and_then(|at| block.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    /// Every read names the version that it wants.
    fn verify_unchanged(&self) -> io::Result<()> {
        Ok(())
    }
}
