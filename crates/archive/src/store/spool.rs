//! Frames on their way to a pack: small ones side by side in blocks of memory, large ones in a scratch file.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};

use crate::{Error, Result};

/// A frame up to this length stays in memory. Most mails are far smaller; a batch of them is bounded elsewhere.
const MEMORY_BYTES: usize = 4 << 20;
/// Frames lie in blocks of this length, several in one or one in several: an allocation for each would leave holes in the
/// memory of every thread that reads, because others free them.
const BLOCK_BYTES: usize = 1 << 20;

/// Makes frames, one after the other.
pub(crate) struct Frames {
    scratch: PathBuf,
    /// What is left of it takes the next frame.
    block: BytesMut,
}

impl Frames {
    /// `scratch` is a folder.
    pub(crate) fn new(scratch: PathBuf) -> Self {
        Self { scratch, block: BytesMut::new() }
    }

    /// Begins a frame; one that was begun and not finished is forgotten.
    pub(crate) fn begin(&mut self) -> FrameSink<'_> {
        self.block.clear();
        FrameSink { frames: self, full: VecDeque::new(), held: 0, file: None }
    }
}

/// Takes the bytes of one frame.
pub(crate) struct FrameSink<'a> {
    frames: &'a mut Frames,
    /// Its part of the blocks that are full.
    full: VecDeque<Bytes>,
    held: usize,
    /// Once there are too many.
    file: Option<File>,
}

impl FrameSink<'_> {
    pub(crate) fn into_frame(mut self) -> io::Result<Frame> {
        let Some(mut file) = self.file.take() else {
            self.put_aside();
            return Ok(Frame::Held { pieces: self.full, length: self.held as u64 });
        };
        let length = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Frame::Spooled { file, length })
    }

    fn put_aside(&mut self) {
        if !self.frames.block.is_empty() {
            self.full.push_back(self.frames.block.split().freeze());
        }
    }

    fn spool(&mut self) -> io::Result<File> {
        let mut file = tempfile::tempfile_in(&self.frames.scratch)?;
        self.put_aside();
        self.full.drain(..).try_for_each(|piece| file.write_all(&piece))?;
        Ok(file)
    }
}

impl Write for FrameSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.held + bytes.len() > MEMORY_BYTES {
            self.file = Some(self.spool()?);
        }
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        if self.frames.block.len() == self.frames.block.capacity() {
            self.put_aside();
            self.frames.block = BytesMut::with_capacity(BLOCK_BYTES);
        }
        let block = &mut self.frames.block;
        let fitting = bytes.len().min(block.capacity() - block.len());
        block.extend_from_slice(bytes.get(..fitting).unwrap_or_default());
        self.held += fitting;
        Ok(fitting)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A whole frame, to be read once.
pub(crate) enum Frame {
    Held { pieces: VecDeque<Bytes>, length: u64 },
    Spooled { file: File, length: u64 },
}

impl Frame {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Held { length, .. } | Self::Spooled { length, .. } => *length,
        }
    }

    /// The next piece; none at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Bytes>> {
        let file = match self {
            Self::Held { pieces, .. } => return Ok(pieces.pop_front()),
            Self::Spooled { file, .. } => file,
        };
        let mut piece = Vec::with_capacity(BLOCK_BYTES);
        let read = Read::by_ref(file).take(BLOCK_BYTES as u64).read_to_end(&mut piece);
        read.map_err(|e| Error::unavailable("a scratch file cannot be read back").caused_by(e))?;
        Ok((!piece.is_empty()).then(|| piece.into()))
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
            frames.begin().write_all(b"given up").unwrap();
            let bytes = vec![number; length];
            let mut sink = frames.begin();
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
