//! The bytes of a container: an mbox or a ZIP, wherever it lies.

use std::fmt::Debug;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use super::file::{modified, open_regular};

/// Random access to the bytes of one container. Readers of containers work over this alone: they know no path, and read
/// from several threads.
pub trait Content: Debug + Send + Sync {
    /// As it was when the content was opened.
    fn size_bytes(&self) -> u64;

    /// Reads some bytes at `offset`, as many as come at once; 0 only at the end or for an empty buffer.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// An error if the bytes may be others than when the content was opened.
    fn verify_unchanged(&self) -> io::Result<()>;
}

/// Reads until `buffer` is full or the content ends, and says how many bytes that were.
pub fn read_full_at(content: &dyn Content, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match content.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A regular file as content. It stays open, so that it is the same file from the first byte read to the last.
#[derive(Debug)]
pub struct FileContent {
    file: File,
    /// Length and modification time when it was opened.
    as_opened: (u64, Option<i64>),
}

impl FileContent {
    /// Opens a regular file. A link, a pipe, a socket or a device is an error, and does not block.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self::new(file, &metadata))
    }

    pub(super) fn new(file: File, metadata: &Metadata) -> Self {
        Self { file, as_opened: (metadata.len(), modified(metadata)) }
    }
}

impl Content for FileContent {
    fn size_bytes(&self) -> u64 {
        self.as_opened.0
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_file_at(&self.file, buffer, offset)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if (metadata.len(), modified(&metadata)) == self.as_opened { Ok(()) } else { Err(changed()) }
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

pub(super) fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "changed while it was read")
}
