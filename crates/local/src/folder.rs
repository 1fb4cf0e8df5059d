//! Objects below one folder.

use std::path::{Path, PathBuf};

use archive::{Result, ports::{ETag, ObjectKey}};

/// An object store in a folder of its own. Every write is durable and whole when it is acknowledged.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens the folder, makes it if need be, and removes what an earlier process left unfinished.
    pub fn open(root: &Path) -> Result<Self> {
        todo!()
    }

    /// Where the bytes of a key lie. For reading a file that is known to be there.
    pub(crate) fn path_of(&self, key: &ObjectKey) -> PathBuf {
        todo!()
    }

    /// Makes a durable file of the same file system (already fsynced) the object `key`. `Conflict` if the key exists
    /// and `replace` is not set. Durable when it returns. Blocks.
    pub(crate) fn adopt(&self, file: &Path, key: &ObjectKey, replace: bool) -> Result<ETag> {
        todo!()
    }

    /// Moves the file of an object out to `to` (whose folder exists) and so ends the object. False if it was not
    /// there. Durable when it returns. Blocks.
    pub(crate) fn release(&self, key: &ObjectKey, to: &Path) -> Result<bool> {
        todo!()
    }
}
