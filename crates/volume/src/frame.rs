//! The zstd frame (RFC 8878) of one raw message: exactly one, its size stated, small window, no dictionary.

use crate::cipher::Sha256;
use crate::limits::MAX_RAW_BYTES;
use crate::{Damage, WriteError};
use std::io::{self, Read, Write};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation as _, OutBuffer};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Magic, descriptor, window, dictionary id, content size.
const MAX_HEAD_BYTES: usize = 18;
const MAX_WINDOW_LOG: u32 = 23;
const MAX_WINDOW_BYTES: u64 = 1 << MAX_WINDOW_LOG;
const LEVEL: i32 = 3;
const BUFFER_BYTES: usize = 128 * 1024;

/// Compresses one raw message of `raw_len` bytes into the frame that a volume accepts; returns its SHA-256.
///
/// Memory is bounded whatever the length. Fails with [`WriteError::Invalid`] if `raw` has another length.
pub fn compress(raw: &mut dyn Read, raw_len: u64, frame: &mut dyn Write) -> Result<[u8; 32], WriteError> {
    Compressor::new()?.compress(raw, raw_len, frame)
}

/// What compressing takes; making it costs as much as a small mail, so that whoever has many keeps one.
pub struct Compressor {
    encoder: Encoder<'static>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Compressor {
    /// Some 3 MiB.
    pub fn new() -> Result<Self, WriteError> {
        let mut encoder = Encoder::new(LEVEL)?;
        encoder.set_parameter(CParameter::ContentSizeFlag(true))?;
        Ok(Self { encoder, input: vec![0; BUFFER_BYTES], output: vec![0; BUFFER_BYTES] })
    }

    /// As the function [`compress`]. After an error the compressor is as good as new.
    pub fn compress(
        &mut self,
        raw: &mut dyn Read,
        raw_len: u64,
        frame: &mut dyn Write,
    ) -> Result<[u8; 32], WriteError> {
        self.encoder.reinit()?;
        self.encoder.set_pledged_src_size(Some(raw_len))?;
        let (mut hash, mut left) = (Sha256::new(), raw_len);
        loop {
            let read = read_some(raw, &mut self.input)?;
            let piece = self.input.get(..read).unwrap_or_default();
            left = left.checked_sub(read as u64).ok_or_else(|| other_length(raw_len))?;
            if read == 0 {
                break;
            }
            hash.update(piece);
            let mut from = InBuffer::around(piece);
            while from.pos() < piece.len() {
                let mut to = OutBuffer::around(self.output.as_mut_slice());
                self.encoder.run(&mut from, &mut to)?;
                frame.write_all(to.as_slice())?;
            }
        }
        if left > 0 {
            return Err(other_length(raw_len));
        }
        self.finish(frame)?;
        Ok(hash.finish())
    }

    fn finish(&mut self, frame: &mut dyn Write) -> Result<(), WriteError> {
        loop {
            let mut to = OutBuffer::around(self.output.as_mut_slice());
            let remaining = self.encoder.finish(&mut to, true)?;
            frame.write_all(to.as_slice())?;
            if remaining == 0 {
                return Ok(());
            }
        }
    }
}

fn other_length(stated: u64) -> WriteError {
    WriteError::Invalid(format!("the raw message is not {stated} bytes long"))
}

fn read_some(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Why a piece of a frame was not taken.
pub(crate) enum FrameError {
    Damage(Damage),
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn bad(rule: &'static str) -> FrameError {
    FrameError::Damage(Damage::Frame(rule))
}

/// What decompressing takes, kept from one frame to the next: making it costs more than a small mail.
pub(crate) struct Decompressor {
    decoder: Decoder<'static>,
    output: Vec<u8>,
}

impl Decompressor {
    pub(crate) fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
        // More than a small mail has, so that a frame which holds more than it says is seen.
        Ok(Self { decoder, output: vec![0; BUFFER_BYTES] })
    }
}

/// Takes a frame piece by piece, copies it to `frame`, and what it holds to `raw`.
pub(crate) struct FrameReader {
    head: Vec<u8>,
    hash: Sha256,
    content_size: Option<u64>,
    produced: u64,
    done: bool,
}

impl FrameReader {
    /// Whatever became of the frame before is forgotten.
    pub(crate) fn begin(with: &mut Decompressor) -> io::Result<Self> {
        with.decoder.reinit()?;
        Ok(Self {
            head: Vec::with_capacity(MAX_HEAD_BYTES),
            hash: Sha256::new(),
            content_size: None,
            produced: 0,
            done: false,
        })
    }

    /// Takes the next piece, with the decompressor that the frame was begun with; `expected` is the length that trusted
    /// metadata state, if there are any yet.
    pub(crate) fn push(
        &mut self,
        with: &mut Decompressor,
        mut piece: &[u8],
        expected: Option<u64>,
        frame: &mut dyn Write,
        raw: &mut dyn Write,
    ) -> Result<(), FrameError> {
        frame.write_all(piece)?;
        if self.content_size.is_none() {
            let missing = MAX_HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
            let (start, rest) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
            self.head.extend_from_slice(start);
            let Some(size) = read_head(&self.head).map_err(bad)? else { return Ok(()) };
            if expected.is_some_and(|expected| expected != size) {
                return Err(FrameError::Damage(Damage::Length));
            }
            self.content_size = Some(size);
            let head = std::mem::take(&mut self.head);
            self.decode(with, &head, raw)?;
            piece = rest;
        }
        self.decode(with, piece, raw)
    }

    fn decode(&mut self, with: &mut Decompressor, piece: &[u8], raw: &mut dyn Write) -> Result<(), FrameError> {
        let limit = self.content_size.unwrap_or(0);
        let room = with.output.len();
        let mut from = InBuffer::around(piece);
        while !self.done && !piece.is_empty() {
            let mut to = OutBuffer::around(with.output.as_mut_slice());
            let hint = with.decoder.run(&mut from, &mut to).map_err(|_| bad("it does not decompress"))?;
            let output = to.as_slice();
            self.produced += output.len() as u64;
            if self.produced > limit {
                return Err(bad("it holds more than its content size"));
            }
            self.hash.update(output);
            raw.write_all(output)?;
            self.done = hint == 0;
            if from.pos() == piece.len() && output.len() < room {
                break;
            }
        }
        if from.pos() < piece.len() { Err(bad("bytes after the frame")) } else { Ok(()) }
    }

    /// Length and SHA-256 of the raw message.
    pub(crate) fn finish(self) -> Result<(u64, [u8; 32]), Damage> {
        match self.content_size {
            Some(size) if self.done && size == self.produced => Ok((size, self.hash.finish())),
            None if self.head.is_empty() => Err(Damage::Frame("it is missing")),
            _ => Err(Damage::Frame("it ends early")),
        }
    }
}

/// The content size that a frame states; `None` while the head is incomplete. RFC 8878, section 3.1.1.1.
pub(crate) fn read_head(head: &[u8]) -> Result<Option<u64>, &'static str> {
    let known = head.len().min(MAGIC.len());
    if head.get(..known) != MAGIC.get(..known) {
        return Err("it is no zstd frame");
    }
    let Some(descriptor) = head.get(4).copied() else { return Ok(None) };
    let single_segment = descriptor & 0x20 != 0;
    let window_len = usize::from(!single_segment);
    let dictionary_len = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    let size_len = match descriptor >> 6 {
        0 if !single_segment => return Err("it does not state its content size"),
        flag => 1usize << flag,
    };
    let fields = head.get(5..).unwrap_or_default();
    let Some((window, rest)) = fields.split_at_checked(window_len) else { return Ok(None) };
    let Some((dictionary, rest)) = rest.split_at_checked(dictionary_len) else { return Ok(None) };
    let Some(size) = rest.get(..size_len) else { return Ok(None) };
    let size = size.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let size = if size_len == 2 { size + 256 } else { size };
    let window = window.first().map_or(size, |byte| window_size(*byte));
    if dictionary.iter().any(|byte| *byte != 0) {
        return Err("it needs a dictionary");
    }
    if window > MAX_WINDOW_BYTES {
        return Err("its window is larger than 8 MiB");
    }
    if size > MAX_RAW_BYTES { Err("its content size is out of range") } else { Ok(Some(size)) }
}

/// RFC 8878, section 3.1.1.1.2.
fn window_size(byte: u8) -> u64 {
    let base = 1u64 << (10 + (byte >> 3));
    base + (base / 8) * u64::from(byte & 7)
}
