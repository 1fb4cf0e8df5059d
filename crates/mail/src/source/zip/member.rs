use std::io::{self, Read};
use std::sync::Arc;

use super::directory::Extent;
use super::inflate::{self, Inflated};
use crate::source::content::Content;
use crate::source::found::Member;

/// A mail that is an entry, or lies in one behind a length line.
#[derive(Debug)]
pub(super) struct ZipMember {
    pub(super) content: Arc<dyn Content>,
    pub(super) prefix_bytes: u64,
    pub(super) extent: Extent,
    /// Where in the entry the mail begins.
    pub(super) skip: u64,
    pub(super) size_bytes: u64,
}

impl Member for ZipMember {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut entry = inflate::open(&self.content, self.prefix_bytes, &self.extent)?;
        if self.size_bytes == self.extent.size_bytes {
            return Ok(Box::new(entry));
        }
        io::copy(&mut entry.by_ref().take(self.skip), &mut io::sink())?;
        Ok(Box::new(Part { entry, left: self.size_bytes }))
    }
}

/// Some bytes in the middle of an entry.
struct Part {
    entry: Inflated,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            // Only the end of the entry proves its checksum.
            return io::copy(&mut self.entry, &mut io::sink()).map(|_| 0);
        }
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.entry.read(buffer.get_mut(..room).unwrap_or_default())?;
        self.left = self.left.saturating_sub(count as u64);
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }
}
