//! The twin of [`Landing`].

mod suite;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
pub use suite::suite;

use crate::{
    Error, Result,
    ports::{Clock, Landing, LandingEntry, LandingFile, LandingSpace, ObjectKey, Objects, OpenMode, PutMode},
};

/// Partial files in memory; whole ones are objects of the upload store. Clones see the same files.
#[derive(Clone)]
pub struct MemoryLanding {
    uploads: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    partial: Arc<Mutex<BTreeMap<ObjectKey, Partial>>>,
    capacity_bytes: u64,
}

#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    /// Which of the bytes a client wrote; the others are gaps.
    written: Vec<bool>,
    modified: i64,
    has_writer: bool,
}

impl Partial {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), written: vec![true; bytes.len()], ..Self::default() }
    }

    fn durable(&self) -> usize {
        self.written.iter().position(|written| !written).unwrap_or(self.written.len())
    }

    fn resize(&mut self, size: usize) {
        self.bytes.resize(size, 0);
        self.written.resize(size, false);
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.bytes.len() {
            self.resize(end);
        }
        self.bytes.splice(offset..end, bytes.iter().copied());
        self.written.splice(offset..end, vec![true; bytes.len()]);
    }
}

impl MemoryLanding {
    /// A disk of 256 MiB before the upload store.
    pub fn new(uploads: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Self { uploads, clock, partial: Arc::default(), capacity_bytes: 256 << 20 }
    }

    /// The disk is full where a file would become larger than this.
    #[must_use]
    pub fn with_capacity(mut self, capacity_bytes: u64) -> Self {
        self.capacity_bytes = capacity_bytes;
        self
    }

    fn partial(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Partial>> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse_while_written(&self, key: &ObjectKey) -> Result<()> {
        match self.partial().get(key) {
            Some(partial) if partial.has_writer => {
                let name = Self::entry(key, 0, 0, false).name;
                Err(Error::conflict(format!("{name:?} is being written over another handle")))
            }
            _ => Ok(()),
        }
    }

    /// Makes a whole file partial, if it is there.
    async fn reopen(&self, key: &ObjectKey) -> Result<bool> {
        let Some(meta) = self.uploads.head(key).await? else { return Ok(false) };
        let bytes = self.uploads.get(key, 0..meta.size_bytes, Some(&meta.etag)).await?;
        self.uploads.delete(key, Some(&meta.etag)).await?;
        self.partial().insert(key.clone(), Partial::of(&bytes));
        Ok(true)
    }

    fn entry(key: &ObjectKey, size_bytes: u64, modified: i64, whole: bool) -> LandingEntry {
        let name = key.as_str().split_once('/').map_or("", |(_, name)| name).to_owned();
        LandingEntry { name, size_bytes, modified, whole }
    }
}

fn key(user: &str, name: &str) -> Result<ObjectKey> {
    ObjectKey::parse(format!("{user}/{name}"))
}

#[async_trait]
impl Landing for MemoryLanding {
    async fn list(&self, user: &str) -> Result<Vec<LandingEntry>> {
        let home = format!("{user}/");
        let whole = self.uploads.list(&home, None, usize::MAX).await?;
        let mut entries: BTreeMap<ObjectKey, LandingEntry> = whole
            .into_iter()
            .map(|meta| (meta.key.clone(), Self::entry(&meta.key, meta.size_bytes, meta.modified, true)))
            .collect();
        for (key, partial) in self.partial().iter().filter(|(key, _)| key.as_str().starts_with(&home)) {
            entries.insert(key.clone(), Self::entry(key, partial.durable() as u64, partial.modified, false));
        }
        Ok(entries.into_values().collect())
    }

    async fn stat(&self, user: &str, name: &str) -> Result<Option<LandingEntry>> {
        Ok(self.list(user).await?.into_iter().find(|entry| entry.name == name))
    }

    async fn open(&self, user: &str, name: &str, mode: OpenMode) -> Result<Box<dyn LandingFile>> {
        let key = key(user, name)?;
        self.refuse_while_written(&key)?;
        if mode.exclusive && self.stat(user, name).await?.is_some() {
            return Err(Error::conflict(format!("{key} exists")));
        }
        let known = self.partial().contains_key(&key) || self.reopen(&key).await?;
        if !known && !mode.create {
            return Err(Error::not_found(format!("{key} does not exist")));
        }
        let modified = self.clock.now();
        let mut files = self.partial();
        let partial = files.entry(key.clone()).or_default();
        if mode.truncate {
            partial.resize(0);
        }
        partial.modified = modified;
        partial.has_writer = true;
        drop(files);
        Ok(Box::new(MemoryFile { landing: self.clone(), key, closed: false }))
    }

    async fn rename(&self, user: &str, from: &str, to: &str, replace: bool) -> Result<()> {
        let (source, target) = (key(user, from)?, key(user, to)?);
        self.refuse_while_written(&source)?;
        self.refuse_while_written(&target)?;
        let entry = self.stat(user, from).await?;
        let entry = entry.ok_or_else(|| Error::not_found(format!("{source} does not exist")))?;
        if source == target {
            return Ok(());
        }
        if !replace && self.stat(user, to).await?.is_some() {
            return Err(Error::conflict(format!("{target} exists")));
        }
        if entry.whole {
            let bytes = self.uploads.get(&source, 0..entry.size_bytes, None).await?;
            self.uploads.put(&target, bytes, PutMode::Overwrite).await?;
            self.uploads.delete(&source, None).await?;
            self.partial().remove(&target);
        } else {
            self.uploads.delete(&target, None).await?;
            let mut files = self.partial();
            if let Some(partial) = files.remove(&source) {
                files.insert(target, partial);
            }
        }
        Ok(())
    }

    async fn remove(&self, user: &str, name: &str) -> Result<bool> {
        let key = key(user, name)?;
        self.refuse_while_written(&key)?;
        let partial = self.partial().remove(&key).is_some();
        Ok(self.uploads.delete(&key, None).await? || partial)
    }

    async fn read(&self, user: &str, name: &str, offset: u64, limit: usize) -> Result<Bytes> {
        let key = key(user, name)?;
        if let Some(partial) = self.partial().get(&key) {
            let durable = partial.durable();
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(durable);
            let end = start.saturating_add(limit).min(durable);
            return Ok(Bytes::copy_from_slice(partial.bytes.get(start..end).unwrap_or_default()));
        }
        let meta = self.uploads.head(&key).await?;
        let meta = meta.ok_or_else(|| Error::not_found(format!("{key} does not exist")))?;
        let start = offset.min(meta.size_bytes);
        self.uploads.get(&key, start..start.saturating_add(limit as u64).min(meta.size_bytes), None).await
    }

    async fn space(&self) -> Result<LandingSpace> {
        let used = self.partial().values().fold(0u64, |sum, partial| sum.saturating_add(partial.bytes.len() as u64));
        Ok(LandingSpace { total_bytes: self.capacity_bytes, free_bytes: self.capacity_bytes.saturating_sub(used) })
    }

    async fn expire(&self, before: i64) -> Result<u64> {
        let mut files = self.partial();
        let present = files.len();
        files.retain(|_, partial| partial.has_writer || partial.modified >= before);
        Ok((present - files.len()) as u64)
    }
}

struct MemoryFile {
    landing: MemoryLanding,
    key: ObjectKey,
    closed: bool,
}

impl MemoryFile {
    fn with<T>(&self, work: impl FnOnce(&mut Partial) -> T) -> Result<T> {
        let mut files = self.landing.partial();
        files.get_mut(&self.key).map(work).ok_or_else(|| Error::not_found(format!("{} was removed", self.key)))
    }

    fn fits(&self, end: u64) -> Result<usize> {
        match usize::try_from(end) {
            Ok(size) if end <= self.landing.capacity_bytes => Ok(size),
            _ => Err(Error::unavailable(format!("{}: the disk is full", self.key))),
        }
    }
}

#[async_trait]
impl LandingFile for MemoryFile {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.fits(offset.saturating_add(bytes.len() as u64))?;
        let start = self.fits(offset)?;
        let modified = self.landing.clock.now();
        self.with(|partial| {
            partial.write(start, &bytes);
            partial.modified = modified;
        })
    }

    async fn set_size(&mut self, size_bytes: u64) -> Result<()> {
        let size = self.fits(size_bytes)?;
        self.with(|partial| partial.resize(size))
    }

    async fn size(&self) -> Result<u64> {
        self.with(|partial| partial.bytes.len() as u64)
    }

    async fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        let bytes = self.with(|partial| Bytes::copy_from_slice(&partial.bytes))?;
        self.landing.uploads.put(&self.key, bytes, PutMode::Overwrite).await?;
        self.landing.partial().remove(&self.key);
        self.closed = true;
        Ok(())
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if let Some(partial) = self.landing.partial().get_mut(&self.key) {
            partial.resize(partial.durable());
            partial.has_writer = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    #[tokio::test]
    async fn the_twin_passes_the_suite() {
        let memory = Memory::new(1);
        let landing = MemoryLanding::new(memory.uploads.clone(), memory.clock.clone());
        suite(&landing, memory.uploads.as_ref()).await;
    }
}
