//! Objects below one folder.

mod list;
mod names;
mod temporary;
mod writer;

use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use temporary::Temporary;

use crate::{blocking::blocking, folders, from_io, read, read::Reading};

/// No object's path begins so: see [`names`].
const TEMPORARIES: &str = "%tmp";

/// An object store in a folder of its own. Every write is durable and whole when it is acknowledged. Clones are the
/// same store.
#[derive(Clone, Debug)]
pub struct Folder {
    root: Arc<PathBuf>,
    /// Held while names change, so that a folder is not removed as empty while something moves into it.
    moves: Arc<Mutex<()>>,
}

impl Folder {
    /// Opens the folder, makes it if need be, and removes what an earlier process left unfinished.
    pub fn open(root: &Path) -> Result<Self> {
        let temporaries = root.join(TEMPORARIES);
        match fs::remove_dir_all(&temporaries) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(from_io(temporaries.display(), e)),
            _ => {}
        }
        folders::make(&temporaries).map_err(|e| from_io(temporaries.display(), e))?;
        Ok(Self { root: Arc::new(root.to_owned()), moves: Arc::default() })
    }

    /// Whether a folder that was opened as a store once holds any object. Makes nothing.
    pub(crate) fn is_filled(root: &Path) -> Result<bool> {
        let fail = |e| from_io(root.display(), e);
        let entries = match fs::read_dir(root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(fail)?,
        };
        for entry in entries {
            if entry.map_err(fail)?.file_name() != TEMPORARIES {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the bytes of a key lie. For reading a file that is known to be there.
    pub(crate) fn path_of(&self, key: &ObjectKey) -> PathBuf {
        names::object(&self.root, key.as_str())
    }

    /// Makes a file of the same file system, whole and closed, the object `key`. `Conflict` if the key exists and
    /// `replace` is not set. Durable when it returns. Blocks.
    pub(crate) fn adopt(&self, file: &Path, key: &ObjectKey, replace: bool) -> Result<ETag> {
        let open = OpenOptions::new().write(true).open(file);
        open.and_then(|file| temporary::seal(&file)).map_err(|e| from_io(file.display(), e))?;
        self.settle(file, key, replace)
    }

    /// Moves the file of an object out to `to` (whose folder exists) and so ends the object. False if it was not
    /// there. Durable when it returns. Blocks.
    pub(crate) fn release(&self, key: &ObjectKey, to: &Path) -> Result<bool> {
        let fail = |e| from_io(format_args!("object {key}"), e);
        self.take_out(key, None, |path| fs::rename(path, to)).and_then(|was_there| {
            to.parent().map_or(Ok(()), folders::sync).map_err(fail)?;
            Ok(was_there)
        })
    }

    /// Gives a sealed file its place.
    fn settle(&self, file: &Path, key: &ObjectKey, replace: bool) -> Result<ETag> {
        let fail = |e: io::Error| match e.kind() {
            io::ErrorKind::AlreadyExists => Error::conflict(format!("object {key} exists")),
            _ => from_io(format_args!("object {key}"), e),
        };
        let place = self.path_of(key);
        let guard = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let renamed = match rename(file, &place, replace) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                place.parent().map_or(Ok(()), folders::make).and_then(|()| rename(file, &place, replace))
            }
            done => done,
        };
        renamed.map_err(fail)?;
        let etag = fs::metadata(&place).map(|meta| read::etag(&meta)).map_err(fail)?;
        let folder = place.parent().map(File::open).transpose().map_err(fail)?;
        drop(guard);
        folder.map_or(Ok(()), |folder| folder.sync_all()).map_err(fail)?;
        Ok(etag)
    }

    /// Ends an object by `take`, and removes the folders that it leaves empty.
    fn take_out(
        &self,
        key: &ObjectKey,
        pinned: Option<&ETag>,
        take: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<bool> {
        let fail = |e| from_io(format_args!("object {key}"), e);
        let place = self.path_of(key);
        let _guard = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(meta) = read::meta(&place, key)? else { return Ok(false) };
        read::fits(key, &meta.etag, pinned)?;
        take(&place).map_err(fail)?;
        let folders = place.ancestors().skip(1).take_while(|folder| *folder != self.root.as_path());
        let emptied = folders.take_while(|folder| fs::remove_dir(folder).is_ok()).count();
        place.ancestors().nth(emptied + 1).map_or(Ok(()), folders::sync).map_err(fail)?;
        Ok(true)
    }

    fn temporary(&self, key: &ObjectKey) -> Result<Temporary> {
        Temporary::create(&self.root.join(TEMPORARIES)).map_err(|e| from_io(format_args!("object {key}"), e))
    }

    fn put_now(&self, key: &ObjectKey, bytes: &[u8], mode: PutMode) -> Result<ETag> {
        let fail = |e| from_io(format_args!("object {key}"), e);
        if mode == PutMode::IfAbsent && read::meta(&self.path_of(key), key)?.is_some() {
            return Err(Error::conflict(format!("object {key} exists")));
        }
        let mut file = self.temporary(key)?;
        file.write(bytes).map_err(fail)?;
        self.settle(file.seal().map_err(fail)?, key, mode == PutMode::Overwrite)
    }
}

/// Renames, at once or not at all.
fn rename(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    use rustix::io::Errno;
    if replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can; the lock on the data folder makes these two steps as good.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if to.symlink_metadata().is_err() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::AlreadyExists.into()),
        moved => moved.map_err(io::Error::from),
    }
}

#[async_trait]
impl Objects for Folder {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        let (folder, key) = (self.clone(), key.clone());
        blocking(move || read::meta(&folder.path_of(&key), &key)).await
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        let (path, key, pinned) = (self.path_of(key), key.clone(), pinned.cloned());
        blocking(move || Reading::open(&path, &key, pinned.as_ref())?.get(range)).await
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        let (path, key, pinned) = (self.path_of(key), key.clone(), pinned.cloned());
        blocking(move || Reading::open(&path, &key, pinned.as_ref())).await?.stream(range)
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        let (folder, key) = (self.clone(), key.clone());
        blocking(move || folder.put_now(&key, &bytes, mode)).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        let (folder, key) = (self.clone(), key.clone());
        let writer = blocking(move || writer::Writer::begin(folder, key)).await?;
        Ok(Box::new(writer))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let (root, prefix, after) = (Arc::clone(&self.root), prefix.to_owned(), after.cloned());
        blocking(move || list::list(&root, &prefix, after.as_ref(), limit)).await
    }

    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        let (folder, key, pinned) = (self.clone(), key.clone(), pinned.cloned());
        blocking(move || folder.take_out(&key, pinned.as_ref(), |path| fs::remove_file(path))).await
    }
}
