//! Files in the making, apart from all objects but on their file system.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Names temporaries and tells versions apart; one process at a time owns a folder.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Gone when dropped, unless it was renamed.
#[derive(Debug)]
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, path })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the bytes and the version durable; the file waits under this path to be renamed.
    pub(super) fn seal(&self) -> io::Result<&Path> {
        seal(&self.file)?;
        Ok(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the folder is opened next.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a file durable under a time stamp of its own. The system's own stamps move in steps of some milliseconds:
/// two versions of one size could look alike. The digits below a millisecond are
/// therefore a running number.
pub(super) fn seal(file: &File) -> io::Result<()> {
    let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % 1_000_000;
    let milliseconds = u64::try_from(modified.as_millis()).unwrap_or_default();
    let stamp: SystemTime = UNIX_EPOCH + Duration::from_millis(milliseconds) + Duration::from_nanos(number);
    file.set_modified(stamp)?;
    file.sync_all()
}
