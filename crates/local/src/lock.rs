//! One process owns a data folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use archive::{Error, Result};

use crate::from_io;

/// What a lock file says of its owner is read up to here.
const MAX_NOTE: u64 = 1024;

/// Held for as long as this value lives; the system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, or is `Unavailable` and names who holds it.
    pub fn take(path: &Path) -> Result<Self> {
        let fail = |e| from_io(path.display(), e);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &file)),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let lock = Self { file, path: path.to_owned() };
        lock.note(&format!("process {}", std::process::id()))?;
        Ok(lock)
    }

    /// Tells others where the owner serves, for the message they get: `http://127.0.0.1:8080`.
    pub fn announce(&self, url: &str) -> Result<()> {
        self.note(&format!("process {} at {url}", std::process::id()))
    }

    fn note(&self, text: &str) -> Result<()> {
        let write = || {
            self.file.set_len(0)?;
            (&self.file).rewind()?;
            (&self.file).write_all(text.as_bytes())
        };
        write().map_err(|e| from_io(self.path.display(), e))
    }
}

fn in_use(path: &Path, file: &File) -> Error {
    let mut note = String::new();
    // The note is only for people; a lock that says nothing is as good.
    let _ = file.take(MAX_NOTE).read_to_string(&mut note);
    let folder = path.parent().unwrap_or(path).display();
    let owner: String = note.chars().filter(|c| !c.is_control()).collect();
    let owner = if owner.is_empty() { "another process".to_owned() } else { owner };
    let url = owner.split_once(" at ").map_or("URL", |(_, url)| url);
    Error::unavailable(format!("data folder {folder} is in use by {owner}"))
        .hint(format!("stop it, or go through it with --server {url} and POSTKAHN_TOKEN"))
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;

    use super::*;

    #[test]
    fn a_second_owner_is_told_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::take(&path).unwrap();
        first.announce("http://localhost:8080").unwrap();
        let error = Lock::take(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(&std::process::id().to_string()));
        assert!(error.advice().unwrap().contains("--server http://localhost:8080"));
        drop(first);
        Lock::take(&path).unwrap();
    }
}
