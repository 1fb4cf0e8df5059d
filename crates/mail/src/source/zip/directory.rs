//! The central directory, record by record: PKWARE APPNOTE 6.3, 4.3.12.
//!
//! It may have millions of records, so it is read in chunks, and a walk may begin at any of them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{ZipArchive, ZipFileHeaderRecord};

use super::ZipError;
use super::name::{RawName, name_sum};
use super::time::modified;
use crate::source::content::{Content, read_full_at};

const FIXED_BYTES: usize = 46;
/// The largest record is shorter: 46 bytes, and three lengths of 16 bits.
const CHUNK_BYTES: usize = 256 << 10;
/// An empty end record behind each chunk makes it an archive for the library, which knows no directory without one.
/// The zeros in front of it keep the directory's own bytes from being taken for a ZIP64 locator.
const TAIL: [u8; 42] = {
    let mut tail = [0; 42];
    [tail[20], tail[21], tail[22], tail[23]] = *b"PK\x05\x06";
    tail
};

/// What may stand behind the last record: a digital signature, or the end record of a ZIP64.
const ENDS: [&[u8]; 2] = [b"PK\x05\x05", b"PK\x06\x06"];

/// One entry, as the directory says it is.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// From 0, in the order of the directory. Entries are told apart by this alone: names may be equal.
    pub(super) number: u64,
    pub(super) name: RawName,
    pub(super) extent: Extent,
    pub(super) kind: RecordKind,
    pub(super) is_encrypted: bool,
    /// Unix seconds.
    pub(super) modified: Option<i64>,
}

/// What an entry is by its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    File,
    Directory,
    Link,
    Special,
}

/// Where the data of an entry lies, and what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Of the local header, as written: without what lies in front of the archive.
    pub(super) local_offset: u64,
    pub(super) packed_bytes: u64,
    pub(super) size_bytes: u64,
    pub(super) crc: u32,
    pub(super) method: u16,
    /// Of the name, as [`name_sum`] makes it.
    pub(super) name_sum: u32,
}

/// A walk through the records of a central directory.
#[derive(Debug)]
pub(super) struct Directory {
    content: Arc<dyn Content>,
    start: u64,
    /// What is not in the chunk yet.
    ahead: Range<u64>,
    /// Bytes of the directory, then [`TAIL`].
    chunk: Vec<u8>,
    /// Where in the chunk the next record begins.
    at: usize,
    number: u64,
}

impl Directory {
    pub(super) fn new(content: Arc<dyn Content>, range: Range<u64>) -> Self {
        Self { content, start: range.start, ahead: range, chunk: TAIL.to_vec(), at: 0, number: 0 }
    }

    /// Goes on at a record of an earlier walk: its number, and how far into the directory it is.
    pub(super) fn go_to(&mut self, number: u64, bytes: u64) {
        let start = self.start.saturating_add(bytes).min(self.ahead.end);
        *self = Self { number, start: self.start, ..Self::new(Arc::clone(&self.content), start..self.ahead.end) };
    }

    /// The number of the next record, and how far into the directory it is. Of no use at the end.
    pub(super) fn position(&self) -> (u64, u64) {
        let read = self.ahead.start.saturating_sub(self.start);
        (self.number, read.saturating_sub(self.rest().len() as u64))
    }

    /// The next record, or none at the end. An error is final.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ZipError> {
        loop {
            if let Some((mut record, length)) = self.chunk.get(self.at..).and_then(parse) {
                record.number = self.number;
                self.number = self.number.saturating_add(1);
                self.at = self.at.saturating_add(length);
                return Ok(Some(record));
            }
            let rest = self.rest();
            if self.ahead.is_empty() || rest.len() >= CHUNK_BYTES {
                let is_end = rest.is_empty() || ENDS.iter().any(|end| rest.starts_with(end));
                self.ahead = 0..0;
                self.at = self.chunk.len().saturating_sub(TAIL.len());
                return if is_end { Ok(None) } else { Err(ZipError::Directory { entries: self.number }) };
            }
            self.fill()?;
        }
    }

    /// The bytes of the directory that are in the chunk and not read yet.
    fn rest(&self) -> &[u8] {
        let end = self.chunk.len().saturating_sub(TAIL.len());
        self.chunk.get(self.at..end).unwrap_or_default()
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = self.rest().to_vec();
        let kept = chunk.len();
        let wanted = self.ahead.end.saturating_sub(self.ahead.start).min((CHUNK_BYTES.saturating_sub(kept)) as u64);
        chunk.resize(kept.saturating_add(usize::try_from(wanted).unwrap_or(0)), 0);
        let read = read_full_at(&*self.content, chunk.get_mut(kept..).unwrap_or_default(), self.ahead.start)?;
        if read as u64 != wanted {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "changed while it was read"));
        }
        self.ahead.start = self.ahead.start.saturating_add(wanted);
        chunk.extend_from_slice(&TAIL);
        self.chunk = chunk;
        self.at = 0;
        Ok(())
    }
}

/// Where the first record of a directory says that its local header lies.
pub(super) fn first_local_offset(content: &dyn Content, directory: &Range<u64>) -> io::Result<Option<u64>> {
    let length = directory.end.saturating_sub(directory.start).min(CHUNK_BYTES as u64);
    let mut chunk = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = read_full_at(content, &mut chunk, directory.start)?;
    chunk.truncate(read);
    chunk.extend_from_slice(&TAIL);
    Ok(parse(&chunk).map(|(record, _)| record.extent.local_offset))
}

/// The record that `bytes`, which end in [`TAIL`], begin with, and its length; none if it is none or not whole.
fn parse(bytes: &[u8]) -> Option<(Record, usize)> {
    let archive = ZipArchive::from_slice(bytes).ok()?;
    let header = archive.entries().next_entry().ok()??;
    let lengths = [
        FIXED_BYTES,
        header.file_path().as_bytes().len(),
        header.extra_fields().remaining_bytes().len(),
        header.comment().as_bytes().len(),
    ];
    let length = lengths.into_iter().fold(0, usize::saturating_add);
    // A record that is cut off must not be filled up with the tail.
    (length <= bytes.len().saturating_sub(TAIL.len())).then(|| (record(&header), length))
}

fn record(header: &ZipFileHeaderRecord<'_>) -> Record {
    let unicode = header
        .extra_fields()
        .find(|(id, _)| *id == ExtraFieldId::INFO_ZIP_UNICODE_PATH)
        .map(|(_, field)| field.to_vec());
    let flags = header.flags();
    Record {
        number: 0,
        name: RawName { bytes: header.file_path().as_bytes().to_vec(), is_utf8: flags.bits() & UTF8_BIT != 0, unicode },
        extent: Extent {
            local_offset: header.local_header_offset(),
            packed_bytes: header.compressed_size_hint(),
            size_bytes: header.uncompressed_size_hint(),
            crc: header.crc32(),
            method: header.compression_method().as_u16(),
            name_sum: name_sum(header.file_path().as_bytes()),
        },
        kind: kind(header),
        is_encrypted: flags.is_encrypted(),
        modified: modified(header),
    }
}

/// Bit 11: the name is UTF-8.
const UTF8_BIT: u16 = 1 << 11;

/// A name that ends in a slash is a directory's; a file type is only what Unix says one is.
fn kind(header: &ZipFileHeaderRecord<'_>) -> RecordKind {
    const TYPE_MASK: u32 = 0o170_000;
    match header.mode().value() & TYPE_MASK {
        _ if header.is_dir() => RecordKind::Directory,
        0 | 0o100_000 => RecordKind::File,
        0o040_000 => RecordKind::Directory,
        0o120_000 => RecordKind::Link,
        _ => RecordKind::Special,
    }
}
