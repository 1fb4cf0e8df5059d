//! Where the SFTP server writes uploads.
//!
//! A partial file lies below `uploads/partial`, a whole one is an object of the upload store; both folders name their
//! files alike, and closing is a rename from one to the other.

mod file;
mod written;

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use archive::{
    Error, ErrorKind, Result,
    ports::{Landing, LandingEntry, LandingFile, LandingSpace, ObjectKey, ObjectMeta, Objects as _, OpenMode},
};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{SeekFrom, seek, statvfs};
use tokio::sync::RwLock;

use self::{
    file::{Folders, LocalFile},
    written::Written,
};
use crate::{Folder, blocking::blocking, from_io};

/// A read answers at most so much, whatever was asked for.
const MAX_READ_BYTES: usize = 1 << 20;

/// Files in the making below a folder of their own; whole ones are objects of the upload store.
#[derive(Debug)]
pub struct Landings {
    root: PathBuf,
    partial: Arc<Folder>,
    whole: Arc<Folder>,
    writers: Writers,
    /// Held for writing while files move between the folders, so that a listing misses none.
    moves: Arc<RwLock<()>>,
}

/// How far each file that has a writer is.
type Writers = Arc<Mutex<HashMap<ObjectKey, Arc<Mutex<Written>>>>>;

impl Landings {
    /// `partial` is made if need be; it lies on the same file system as the folder of `whole`.
    pub fn open(partial: &Path, whole: Arc<Folder>) -> Result<Self> {
        let root = partial.to_owned();
        let partial = Arc::new(Folder::open(partial)?);
        Ok(Self { root, partial, whole, writers: Writers::default(), moves: Arc::default() })
    }

    /// The partial file as it can be resumed, if it is there.
    async fn partial_entry(&self, key: &ObjectKey) -> Result<Option<LandingEntry>> {
        let Some(meta) = self.partial.head(key).await? else { return Ok(None) };
        self.resumable(meta).await.map(Some)
    }

    async fn resumable(&self, meta: ObjectMeta) -> Result<LandingEntry> {
        let progress = locked(&self.writers).get(&meta.key).cloned();
        let size_bytes = if let Some(written) = progress {
            locked(&written).durable()
        } else {
            let path = self.partial.path_of(&meta.key);
            blocking(move || durable_size(&path, meta.size_bytes)).await?
        };
        Ok(entry(&ObjectMeta { size_bytes, ..meta }, false))
    }

    fn refuse_while_written(&self, key: &ObjectKey) -> Result<()> {
        if locked(&self.writers).contains_key(key) {
            return Err(busy(key));
        }
        Ok(())
    }
}

#[async_trait]
impl Landing for Landings {
    async fn list(&self, user: &str) -> Result<Vec<LandingEntry>> {
        let home = format!("{user}/");
        let _still = self.moves.read().await;
        let mut entries = HashMap::new();
        for meta in self.whole.list(&home, None, usize::MAX).await? {
            entries.insert(meta.key.clone(), entry(&meta, true));
        }
        for meta in self.partial.list(&home, None, usize::MAX).await? {
            entries.insert(meta.key.clone(), self.resumable(meta).await?);
        }
        Ok(entries.into_values().collect())
    }

    async fn stat(&self, user: &str, name: &str) -> Result<Option<LandingEntry>> {
        let key = key(user, name)?;
        let _still = self.moves.read().await;
        if let Some(partial) = self.partial_entry(&key).await? {
            return Ok(Some(partial));
        }
        Ok(self.whole.head(&key).await?.map(|meta| entry(&meta, true)))
    }

    async fn open(&self, user: &str, name: &str, mode: OpenMode) -> Result<Box<dyn LandingFile>> {
        let key = key(user, name)?;
        let _moving = self.moves.write().await;
        let claim = Claim::take(&self.writers, &key)?;
        let (partial, whole) = (self.partial.clone(), self.whole.clone());
        let opened = blocking(move || open(&partial, &whole, &key, mode).map(|(file, size)| (file, size, claim)));
        let (file, size, claim) = opened.await?;
        *locked(&claim.written) = Written::through(size);
        let folders = Folders { partial: self.partial.clone(), whole: self.whole.clone(), moves: self.moves.clone() };
        Ok(Box::new(LocalFile::new(file, claim, folders)))
    }

    async fn rename(&self, user: &str, from: &str, to: &str, replace: bool) -> Result<()> {
        let (from, to) = (key(user, from)?, key(user, to)?);
        let _moving = self.moves.write().await;
        self.refuse_while_written(&from)?;
        self.refuse_while_written(&to)?;
        let (partial, whole) = (self.partial.clone(), self.whole.clone());
        blocking(move || rename(&partial, &whole, &from, &to, replace)).await
    }

    async fn remove(&self, user: &str, name: &str) -> Result<bool> {
        let key = key(user, name)?;
        let _moving = self.moves.write().await;
        self.refuse_while_written(&key)?;
        let partial = self.partial.delete(&key, None).await?;
        Ok(self.whole.delete(&key, None).await? || partial)
    }

    async fn read(&self, user: &str, name: &str, offset: u64, limit: usize) -> Result<Bytes> {
        let key = key(user, name)?;
        let _still = self.moves.read().await;
        let (path, end) = match self.partial_entry(&key).await? {
            Some(partial) => (self.partial.path_of(&key), partial.size_bytes),
            None => (self.whole.path_of(&key), u64::MAX),
        };
        let room = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let limit = limit.min(MAX_READ_BYTES).min(room);
        blocking(move || read(&path, offset, limit).map_err(|e| from_io(&key, e))).await
    }

    async fn space(&self) -> Result<LandingSpace> {
        let folder = self.root.clone();
        blocking(move || {
            let disk = statvfs(&folder).map_err(|e| from_io(folder.display(), e.into()))?;
            let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            Ok(LandingSpace { total_bytes: bytes(disk.f_blocks), free_bytes: bytes(disk.f_bavail) })
        })
        .await
    }

    async fn expire(&self, before: i64) -> Result<u64> {
        let _moving = self.moves.write().await;
        let mut removed = 0;
        for meta in self.partial.list("", None, usize::MAX).await? {
            if meta.modified < before && self.refuse_while_written(&meta.key).is_ok() {
                removed += u64::from(self.partial.delete(&meta.key, None).await?);
            }
        }
        Ok(removed)
    }
}

/// The right to write a file, as long as it lives.
#[derive(Debug)]
struct Claim {
    key: ObjectKey,
    written: Arc<Mutex<Written>>,
    writers: Writers,
}

impl Claim {
    fn take(writers: &Writers, key: &ObjectKey) -> Result<Self> {
        let mut claimed = locked(writers);
        if claimed.contains_key(key) {
            return Err(busy(key));
        }
        let written = Arc::<Mutex<Written>>::default();
        claimed.insert(key.clone(), written.clone());
        Ok(Self { key: key.clone(), written, writers: writers.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&self.writers).remove(&self.key);
    }
}

/// Opens the partial file, made from nothing or from the whole one, and answers how far it goes.
fn open(partial: &Folder, whole: &Folder, key: &ObjectKey, mode: OpenMode) -> Result<(File, u64)> {
    let path = partial.path_of(key);
    let failed = |e| from_io(key, e);
    let (is_partial, is_whole) = (is_file(&path), is_file(&whole.path_of(key)));
    if mode.exclusive && (is_partial || is_whole) {
        return Err(Error::conflict(format!("{key} exists")));
    }
    if !mode.create && !is_partial && !is_whole {
        return Err(Error::not_found(format!("{key} does not exist")));
    }
    let folder = path.parent().unwrap_or(&path);
    make_folders(folder).map_err(failed)?;
    if is_whole && !is_partial {
        whole.release(key, &path)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(mode.truncate).mode(0o600);
    let file = options.open(&path).map_err(failed)?;
    let mut size = file.metadata().map_err(failed)?.len();
    if is_partial {
        size = durable_size(&path, size)?;
        file.set_len(size).map_err(failed)?;
    } else {
        sync_folder(folder).map_err(failed)?;
    }
    Ok((file, size))
}

/// A process that was killed leaves its gaps behind: the file counts up to the first one.
fn durable_size(path: &Path, size: u64) -> Result<u64> {
    match File::open(path).and_then(|file| Ok(seek(file, SeekFrom::Hole(0))?)) {
        Ok(hole) => Ok(size.min(hole)),
        // Empty, or gone since it was listed.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(size),
        Err(error) => Err(from_io(path.display(), error)),
    }
}

fn rename(partial: &Folder, whole: &Folder, from: &ObjectKey, to: &ObjectKey, replace: bool) -> Result<()> {
    let (source, target) = (partial.path_of(from), partial.path_of(to));
    let (source_is_partial, source_is_whole) = (is_file(&source), is_file(&whole.path_of(from)));
    if !source_is_partial && !source_is_whole {
        return Err(Error::not_found(format!("{from} does not exist")));
    }
    if from == to {
        return Ok(());
    }
    let (target_is_partial, target_is_whole) = (is_file(&target), is_file(&whole.path_of(to)));
    if !replace && (target_is_partial || target_is_whole) {
        return Err(Error::conflict(format!("{to} exists")));
    }
    let failed = |e| from_io(to, e);
    if source_is_partial {
        target.parent().map_or(Ok(()), make_folders).map_err(failed)?;
        if target_is_whole {
            whole.release(to, &target)?;
        }
        fs::rename(&source, &target).map_err(failed)?;
    } else {
        whole.adopt(&whole.path_of(from), to, true)?;
        if target_is_partial {
            fs::remove_file(&target).map_err(failed)?;
        }
    }
    match target.parent() {
        Some(folder) if folder.is_dir() => sync_folder(folder).map_err(failed),
        _ => Ok(()),
    }
}

fn read(path: &Path, offset: u64, limit: usize) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let mut bytes = vec![0; limit];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // Beyond the largest offset that the system knows.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => break,
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into())
}

/// For nobody but us.
fn make_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

fn key(user: &str, name: &str) -> Result<ObjectKey> {
    ObjectKey::parse(format!("{user}/{name}"))
}

fn entry(meta: &ObjectMeta, whole: bool) -> LandingEntry {
    let name = meta.key.as_str().split_once('/').map_or("", |(_, name)| name).to_owned();
    LandingEntry { name, size_bytes: meta.size_bytes, modified: meta.modified, whole }
}

fn busy(key: &ObjectKey) -> Error {
    let name = key.as_str().split_once('/').map_or(key.as_str(), |(_, name)| name);
    Error::new(ErrorKind::Conflict, format!("{name:?} is being written over another handle"))
        .hint("a connection that was lost holds its files for up to a minute")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
