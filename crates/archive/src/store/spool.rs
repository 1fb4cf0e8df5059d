//! Frames on their way to a pack: small ones side by side in blocks of memory, large ones in a scratch file.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};

use crate::{Error, Result};

/// A frame up to this length stays in memory. Most mails are far smaller; a batch of them is bounded elsewhere.
const MEMORY_BYTES: usize = 4 << 20;
/// Small frames share an allocation of this length: one for each would leave holes in the memory of every thread that
/// reads, because others free them.
const BLOCK_BYTES: usize = 1 << 20;
/// A scratch file is read back in such pieces.
const PIECE_BYTES: usize = 1 << 20;

/// Makes frames, one after the other.
pub(crate) struct Frames {
    scratch: PathBuf,
    block: BytesMut,
}

impl Frames {
    /// `scratch` is a folder.
    pub(crate) fn new(scratch: PathBuf) -> Self {
        Self { scratch, block: BytesMut::new() }
    }

    /// Begins a frame that will probably have no more than so many bytes; one that was begun and not finished is
    /// forgotten.
    pub(crate) fn begin(&mut self, likely_bytes: u64) -> FrameSink<'_> {
        self.block.clear();
        let wanted = usize::try_from(likely_bytes).unwrap_or(MEMORY_BYTES).min(MEMORY_BYTES);
        if self.block.capacity() < wanted {
            self.block = BytesMut::with_capacity(wanted.max(BLOCK_BYTES));
        }
        FrameSink { frames: self, file: None }
    }
}

/// Takes the bytes of one frame.
pub(crate) struct FrameSink<'a> {
    frames: &'a mut Frames,
    /// Once there are too many.
    file: Option<File>,
}

impl FrameSink<'_> {
    pub(crate) fn into_frame(mut self) -> io::Result<Frame> {
        let Some(mut file) = self.file.take() else {
            return Ok(Frame::Held(self.frames.block.split().freeze()));
        };
        let length = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Frame::Spooled { file, length })
    }
}

impl Write for FrameSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let block = &mut self.frames.block;
        if self.file.is_none() && block.len() + bytes.len() > MEMORY_BYTES {
            let mut file = tempfile::tempfile_in(&self.frames.scratch)?;
            file.write_all(block)?;
            block.clear();
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        block.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A whole frame, to be read once.
pub(crate) enum Frame {
    Held(Bytes),
    Spooled { file: File, length: u64 },
}

impl Frame {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Spooled { length, .. } => *length,
        }
    }

    /// The next piece; none at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Bytes>> {
        let piece = match self {
            Self::Held(bytes) => std::mem::take(bytes),
            Self::Spooled { file, .. } => {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let read = Read::by_ref(file).take(PIECE_BYTES as u64).read_to_end(&mut piece);
                read.map_err(|e| Error::unavailable("a scratch file cannot be read back").caused_by(e))?;
                piece.into()
            }
        };
        Ok((!piece.is_empty()).then_some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(mut frame: Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = frame.next_piece().unwrap() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    #[test]
    fn frames_come_back_whole_wherever_they_were_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let mut frames = Frames::new(scratch.path().to_owned());
        let mut made = Vec::new();
        for (number, length) in [(1, 10), (2, 900_000), (3, 0), (4, MEMORY_BYTES), (5, MEMORY_BYTES + 1), (6, 300_000)]
        {
            frames.begin(1_000_000).write_all(b"given up").unwrap();
            let bytes = vec![number; length];
            let mut sink = frames.begin(length as u64 / 2);
            bytes.chunks(70_000).for_each(|piece| sink.write_all(piece).unwrap());
            made.push((bytes, sink.into_frame().unwrap()));
        }
        for (bytes, frame) in made {
            assert_eq!(frame.len(), bytes.len() as u64);
            assert_eq!(matches!(frame, Frame::Spooled { .. }), bytes.len() > MEMORY_BYTES);
            assert!(whole(frame) == bytes);
        }
    }
}
