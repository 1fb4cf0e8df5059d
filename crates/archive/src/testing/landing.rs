//! The twin of [`Landing`] and its suite.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Error, ErrorKind, Result,
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

/// The contract of [`Landing`]. `uploads` is the object store that the whole files are in.
pub async fn suite(landing: &dyn Landing, uploads: &dyn Objects) {
    a_file_is_an_object_when_it_was_closed_and_not_before(landing, uploads).await;
    blocks_may_come_in_any_order_and_twice(landing).await;
    what_lies_behind_a_gap_is_not_kept(landing).await;
    a_cut_off_file_is_resumed(landing).await;
    a_whole_file_becomes_partial_again(landing, uploads).await;
    open_modes_are_kept(landing).await;
    a_file_has_one_writer(landing).await;
    whole_stays_whole_and_partial_partial_when_renamed(landing, uploads).await;
    renaming_replaces_only_when_told(landing, uploads).await;
    removing_takes_either_kind(landing, uploads).await;
    homes_and_odd_names_keep_apart(landing, uploads).await;
    old_partial_files_expire(landing).await;
}

const CREATE: OpenMode = OpenMode { create: true, exclusive: false, truncate: false };
const FRESH: OpenMode = OpenMode { create: true, exclusive: false, truncate: true };

async fn whole(landing: &dyn Landing, user: &str, name: &str, bytes: &'static [u8]) {
    let mut file = landing.open(user, name, FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
    file.close().await.unwrap();
}

async fn partial(landing: &dyn Landing, user: &str, name: &str, bytes: &'static [u8]) {
    let mut file = landing.open(user, name, FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
}

async fn seen(landing: &dyn Landing, user: &str, name: &str) -> Option<(u64, bool)> {
    landing.stat(user, name).await.unwrap().map(|entry| (entry.size_bytes, entry.whole))
}

async fn content(landing: &dyn Landing, user: &str, name: &str) -> Bytes {
    landing.read(user, name, 0, 1 << 20).await.unwrap()
}

async fn object(uploads: &dyn Objects, user: &str, name: &str) -> Option<Bytes> {
    let key = key(user, name).unwrap();
    let size = uploads.head(&key).await.unwrap()?.size_bytes;
    Some(uploads.get(&key, 0..size, None).await.unwrap())
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

async fn a_file_is_an_object_when_it_was_closed_and_not_before(landing: &dyn Landing, uploads: &dyn Objects) {
    let user = "anna";
    assert_eq!(landing.list(user).await.unwrap(), []);
    let mut file = landing.open(user, "a.zip", FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(b"hello")).await.unwrap();
    file.sync().await.unwrap();
    assert_eq!(seen(landing, user, "a.zip").await, Some((5, false)));
    assert_eq!(object(uploads, user, "a.zip").await, None);
    file.close().await.unwrap();
    assert_eq!(seen(landing, user, "a.zip").await, Some((5, true)));
    assert_eq!(object(uploads, user, "a.zip").await.unwrap(), "hello");
    let names: Vec<_> = landing.list(user).await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a.zip"]);
    assert_eq!(landing.read(user, "a.zip", 1, 3).await.unwrap(), "ell");
    assert_eq!(landing.read(user, "a.zip", 5, 3).await.unwrap(), "");
    assert_eq!(landing.read(user, "a.zip", u64::MAX, 3).await.unwrap(), "");
    assert_eq!(kind(landing.read(user, "b.zip", 0, 3).await), Some(ErrorKind::NotFound));
    whole(landing, user, "empty", b"").await;
    assert_eq!(seen(landing, user, "empty").await, Some((0, true)));
}

async fn blocks_may_come_in_any_order_and_twice(landing: &dyn Landing) {
    let mut file = landing.open("bob", "f", FRESH).await.unwrap();
    for (offset, block) in [(4, "4567"), (8, "89"), (0, "0123"), (4, "4567"), (2, "2345"), (9, "9")] {
        file.write_at(offset, Bytes::from_static(block.as_bytes())).await.unwrap();
    }
    assert_eq!(file.size().await.unwrap(), 10);
    file.close().await.unwrap();
    assert_eq!(content(landing, "bob", "f").await, "0123456789");
}

async fn what_lies_behind_a_gap_is_not_kept(landing: &dyn Landing) {
    let mut file = landing.open("carol", "f", FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(b"0123")).await.unwrap();
    file.write_at(6, Bytes::from_static(b"67")).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 8);
    drop(file);
    assert_eq!(seen(landing, "carol", "f").await, Some((4, false)));
    assert_eq!(content(landing, "carol", "f").await, "0123");

    let mut file = landing.open("carol", "f", CREATE).await.unwrap();
    file.set_size(6).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "carol", "f").await, "0123\0\0", "a gap in a closed file reads as zeros");
    let mut file = landing.open("carol", "f", CREATE).await.unwrap();
    file.set_size(2).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 2);
    file.write_at(2, Bytes::from_static(b"xy")).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "carol", "f").await, "01xy");
}

async fn a_cut_off_file_is_resumed(landing: &dyn Landing) {
    partial(landing, "dora", "f", b"0123").await;
    assert_eq!(seen(landing, "dora", "f").await, Some((4, false)));
    let mut file = landing.open("dora", "f", CREATE).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 4);
    file.write_at(4, Bytes::from_static(b"4567")).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "dora", "f").await, "01234567");
}

async fn a_whole_file_becomes_partial_again(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "emil", "f", b"0123").await;
    let file = landing.open("emil", "f", CREATE).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 4);
    assert_eq!(object(uploads, "emil", "f").await, None);
    drop(file);
    assert_eq!(seen(landing, "emil", "f").await, Some((4, false)));
    drop(landing.open("emil", "f", FRESH).await.unwrap());
    assert_eq!(seen(landing, "emil", "f").await, Some((0, false)));
}

async fn open_modes_are_kept(landing: &dyn Landing) {
    let exclusive = OpenMode { exclusive: true, ..CREATE };
    assert_eq!(kind(landing.open("fritz", "f", OpenMode::default()).await), Some(ErrorKind::NotFound));
    assert_eq!(landing.list("fritz").await.unwrap(), []);
    drop(landing.open("fritz", "f", exclusive).await.unwrap());
    assert_eq!(kind(landing.open("fritz", "f", exclusive).await), Some(ErrorKind::Conflict));
    whole(landing, "fritz", "w", b"x").await;
    assert_eq!(kind(landing.open("fritz", "w", exclusive).await), Some(ErrorKind::Conflict));
    assert_eq!(seen(landing, "fritz", "w").await, Some((1, true)));
}

async fn a_file_has_one_writer(landing: &dyn Landing) {
    let file = landing.open("gerda", "f", FRESH).await.unwrap();
    assert_eq!(kind(landing.open("gerda", "f", FRESH).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(landing.remove("gerda", "f").await), Some(ErrorKind::Conflict));
    assert_eq!(kind(landing.rename("gerda", "f", "g", true).await), Some(ErrorKind::Conflict));
    whole(landing, "gerda", "other", b"x").await;
    assert_eq!(kind(landing.rename("gerda", "other", "f", true).await), Some(ErrorKind::Conflict));
    drop(file);
    drop(landing.open("gerda", "f", CREATE).await.unwrap());
}

async fn whole_stays_whole_and_partial_partial_when_renamed(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "hans", "w", b"whole").await;
    partial(landing, "hans", "p", b"part").await;
    landing.rename("hans", "w", "w2", false).await.unwrap();
    landing.rename("hans", "p", "p2", false).await.unwrap();
    assert_eq!(seen(landing, "hans", "w").await, None);
    assert_eq!(seen(landing, "hans", "p").await, None);
    assert_eq!(object(uploads, "hans", "w").await, None);
    assert_eq!(object(uploads, "hans", "w2").await.unwrap(), "whole");
    assert_eq!(seen(landing, "hans", "p2").await, Some((4, false)));
    assert_eq!(kind(landing.rename("hans", "w", "x", false).await), Some(ErrorKind::NotFound));
    landing.rename("hans", "w2", "w2", false).await.unwrap();
    assert_eq!(object(uploads, "hans", "w2").await.unwrap(), "whole");
}

async fn renaming_replaces_only_when_told(landing: &dyn Landing, uploads: &dyn Objects) {
    let user = "ida";
    whole(landing, user, "w", b"whole").await;
    whole(landing, user, "t1", b"old").await;
    partial(landing, user, "t2", b"old").await;
    partial(landing, user, "p", b"part").await;
    for target in ["t1", "t2"] {
        assert_eq!(kind(landing.rename(user, "w", target, false).await), Some(ErrorKind::Conflict));
    }
    landing.rename(user, "w", "t2", true).await.unwrap();
    assert_eq!(seen(landing, user, "t2").await, Some((5, true)));
    landing.rename(user, "t2", "t1", true).await.unwrap();
    assert_eq!(object(uploads, user, "t1").await.unwrap(), "whole");
    landing.rename(user, "p", "t1", true).await.unwrap();
    assert_eq!(seen(landing, user, "t1").await, Some((4, false)));
    assert_eq!(object(uploads, user, "t1").await, None);
    assert_eq!(landing.list(user).await.unwrap().len(), 1);
}

async fn removing_takes_either_kind(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "jan", "w", b"whole").await;
    partial(landing, "jan", "p", b"part").await;
    assert!(landing.remove("jan", "w").await.unwrap());
    assert!(landing.remove("jan", "p").await.unwrap());
    assert!(!landing.remove("jan", "p").await.unwrap());
    assert_eq!(landing.list("jan").await.unwrap(), []);
    assert_eq!(object(uploads, "jan", "w").await, None);
}

async fn homes_and_odd_names_keep_apart(landing: &dyn Landing, uploads: &dyn Objects) {
    let names = ["a b+c%20ä.zip", "%61", "a", "A", ".hidden", "...", "-x", "~", "山田.mbox", "a\\b", "x.tmp", "(y)"];
    let longest = "ü".repeat(100);
    for name in names.into_iter().chain([longest.as_str()]) {
        whole(landing, "karl", name, b"k").await;
        partial(landing, "karl2", name, b"k2").await;
        assert_eq!(object(uploads, "karl", name).await.unwrap(), "k", "{name}");
    }
    let mut listed: Vec<_> = landing.list("karl").await.unwrap().into_iter().map(|entry| entry.name).collect();
    let mut expected: Vec<_> = names.iter().map(|name| (*name).to_owned()).chain([longest]).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    let others = landing.list("karl2").await.unwrap();
    assert_eq!(others.len(), expected.len());
    assert!(others.iter().all(|entry| entry.size_bytes == 2 && !entry.whole));
}

async fn old_partial_files_expire(landing: &dyn Landing) {
    partial(landing, "lena", "p", b"part").await;
    whole(landing, "lena", "w", b"whole").await;
    let writer = landing.open("lena", "busy", FRESH).await.unwrap();
    assert_eq!(landing.expire(i64::MIN).await.unwrap(), 0);
    assert!(landing.expire(i64::MAX).await.unwrap() >= 1);
    assert_eq!(seen(landing, "lena", "p").await, None);
    assert_eq!(seen(landing, "lena", "w").await, Some((5, true)));
    assert_eq!(seen(landing, "lena", "busy").await, Some((0, false)));
    drop(writer);
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
