//! Frames on their way: small ones in memory, large ones in a scratch file.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use bytes::Bytes;
use tempfile::SpooledTempFile;

use crate::{Error, Result};

/// A frame up to this length stays in memory. Most mails are far smaller; a batch of them is bounded elsewhere.
const MEMORY_BYTES: usize = 4 << 20;
const BLOCK_BYTES: usize = 1 << 20;

/// Takes the bytes of one frame.
pub(crate) struct FrameSink(SpooledTempFile);

impl FrameSink {
    pub(crate) fn new(scratch: &Path) -> Self {
        Self(tempfile::spooled_tempfile_in(MEMORY_BYTES, scratch))
    }

    pub(crate) fn into_frame(mut self) -> io::Result<Frame> {
        let length = self.0.stream_position()?;
        self.0.seek(SeekFrom::Start(0))?;
        Ok(Frame { file: self.0, length })
    }
}

impl Write for FrameSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A whole frame, to be read once.
pub(crate) struct Frame {
    file: SpooledTempFile,
    length: u64,
}

impl Frame {
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// The next block; none at the end.
    pub(crate) fn next_block(&mut self) -> Result<Option<Bytes>> {
        let mut block = Vec::with_capacity(BLOCK_BYTES.min(usize::try_from(self.length).unwrap_or(BLOCK_BYTES)));
        let read = Read::by_ref(&mut self.file).take(BLOCK_BYTES as u64).read_to_end(&mut block);
        read.map_err(|e| Error::unavailable("a scratch file cannot be read back").caused_by(e))?;
        Ok((!block.is_empty()).then(|| block.into()))
    }
}
