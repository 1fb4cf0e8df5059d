//! The bytes of a container: an mbox or a ZIP, wherever it lies.

use std::fmt::Debug;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::file::open_regular;

/// Random access to the bytes of one container. Readers of containers work over this alone: they know no path, and read
/// from several threads.
pub trait Content: Debug + Send + Sync {
    /// As it was when the content was opened.
    fn size_bytes(&self) -> u64;

    /// Reads some bytes at `offset`, as many as come at once; 0 only at the end or for an empty buffer.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// An error if the bytes may be others than when the content was opened.
    fn verify_unchanged(&self) -> io::Result<()>;

    /// Whether somebody may add bytes at the end while the content is read.
    fn can_grow(&self) -> bool {
        false
    }

    /// The size that it has now if somebody has written it and it is no smaller than when it was opened:
    /// [`Content::read_at`] reaches what was added. Whether the bytes before that are the same then, only their comparison
    /// tells. An error if it is smaller.
    fn grown_to(&self) -> io::Result<Option<u64>> {
        self.verify_unchanged().map(|()| None)
    }
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
    as_opened: AsOpened,
}

/// Length and modification time of a file when it was opened.
pub(super) type AsOpened = (u64, Option<SystemTime>);

pub(super) fn as_opened(metadata: &Metadata) -> AsOpened {
    (metadata.len(), metadata.modified().ok())
}

impl FileContent {
    /// Opens a regular file. A link, a pipe, a socket or a device is an error, and does not block.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self::new(file, &metadata))
    }

    pub(super) fn new(file: File, metadata: &Metadata) -> Self {
        Self { file, as_opened: as_opened(metadata) }
    }

    pub(super) fn as_opened(&self) -> AsOpened {
        self.as_opened
    }

    /// Opens a file once more, to be compared with what it was.
    pub(super) fn reopen(path: &Path, as_opened: AsOpened) -> io::Result<Self> {
        open_regular(path).map(|(file, _)| Self { file, as_opened })
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
        if as_opened(&self.file.metadata()?) == self.as_opened { Ok(()) } else { Err(changed()) }
    }

    fn can_grow(&self) -> bool {
        true
    }

    fn grown_to(&self) -> io::Result<Option<u64>> {
        let metadata = self.file.metadata()?;
        // Whoever appends changes the time a moment before the size.
        match metadata.len() {
            _ if as_opened(&metadata) == self.as_opened => Ok(None),
            size_bytes if size_bytes < self.as_opened.0 => Err(changed()),
            size_bytes => Ok(Some(size_bytes)),
        }
    }
}

/// A content as long as it has grown.
#[derive(Debug)]
pub(super) struct Grown {
    content: Arc<dyn Content>,
    size_bytes: u64,
}

impl Grown {
    pub(super) fn new(content: Arc<dyn Content>, size_bytes: u64) -> Self {
        Self { content, size_bytes }
    }
}

impl Content for Grown {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.content.read_at(buffer, offset)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        self.content.verify_unchanged()
    }
}

#[cfg(unix)]
pub(super) fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// A stretch of a content, read once from its beginning to its end. An error if the content changed meanwhile.
#[derive(Debug)]
pub(super) struct ContentReader {
    content: Arc<dyn Content>,
    at: u64,
    left: u64,
}

impl ContentReader {
    pub(super) fn new(content: Arc<dyn Content>, at: u64, size_bytes: u64) -> Self {
        Self { content, at, left: size_bytes }
    }

    pub(super) fn whole(content: &Arc<dyn Content>) -> Self {
        Self::new(Arc::clone(content), 0, content.size_bytes())
    }
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.content.verify_unchanged().map(|()| 0);
        }
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.content.read_at(buffer.get_mut(..room).unwrap_or_default(), self.at)?;
        if count == 0 && room > 0 {
            return Err(changed());
        }
        self.at = self.at.saturating_add(count as u64);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

pub(super) fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "changed while it was read")
}
