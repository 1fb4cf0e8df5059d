//! An entry that is itself read at random: an mbox.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rawzip::CompressionMethod;

use super::directory::Extent;
use super::inflate;
use crate::source::content::{Content, read_file_at, read_full_at};

/// So much is held in memory rather than in a file. Many small ones may be in the hands of readers at once.
const MEMORY_BYTES: u64 = 64 << 10;
const COPY_BYTES: usize = 64 << 10;

/// Whose fault it is that an entry cannot be laid out.
#[derive(Debug)]
pub(super) enum SpoolError {
    Entry(io::Error),
    Scratch(io::Error),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        Self::Entry(error)
    }
}

/// The whole entry as content: in place if it is stored, else unpacked into memory or into a file in `scratch` that has
/// no name and takes as many bytes as the directory says. Its checksum was right.
pub(super) fn spool(
    content: &Arc<dyn Content>,
    prefix_bytes: u64,
    extent: &Extent,
    scratch: &Path,
) -> Result<Arc<dyn Content>, SpoolError> {
    let mut entry = inflate::open(content, prefix_bytes, extent)?;
    if extent.method == CompressionMethod::STORE.as_u16() {
        io::copy(&mut entry, &mut io::sink())?;
        let start = inflate::data_offset(&**content, prefix_bytes, extent)?;
        return Ok(Arc::new(Slice { content: Arc::clone(content), start, size_bytes: extent.size_bytes }));
    }
    if extent.size_bytes <= MEMORY_BYTES {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        return Ok(Arc::new(Memory { bytes, behind: Arc::clone(content) }));
    }
    let file = unpack(&mut entry, scratch)?;
    Ok(Arc::new(Spooled { file, size_bytes: extent.size_bytes, behind: Arc::clone(content) }))
}

fn unpack(entry: &mut impl Read, scratch: &Path) -> Result<File, SpoolError> {
    let mut file = tempfile::tempfile_in(scratch).map_err(SpoolError::Scratch)?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = entry.read(&mut buffer)?;
        if count == 0 {
            return Ok(file);
        }
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(SpoolError::Scratch)?;
    }
}

/// A stored entry, where it lies.
#[derive(Debug)]
struct Slice {
    content: Arc<dyn Content>,
    start: u64,
    size_bytes: u64,
}

impl Content for Slice {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.size_bytes.saturating_sub(offset);
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let window = buffer.get_mut(..room).unwrap_or_default();
        read_full_at(&*self.content, window, self.start.saturating_add(offset))
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        self.content.verify_unchanged()
    }
}

#[derive(Debug)]
struct Memory {
    bytes: Vec<u8>,
    behind: Arc<dyn Content>,
}

impl Content for Memory {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        self.behind.verify_unchanged()
    }
}

#[derive(Debug)]
struct Spooled {
    file: File,
    size_bytes: u64,
    behind: Arc<dyn Content>,
}

impl Content for Spooled {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_file_at(&self.file, buffer, offset)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        self.behind.verify_unchanged()
    }
}
