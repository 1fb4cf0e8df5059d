//! Where the central directory lies: PKWARE APPNOTE 6.3, 4.3.14 to 4.3.16.

use std::io;
use std::ops::Range;

use rawzip::{ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ReaderAt, ZipArchive, ZipLocator};

use super::ZipError;
use super::directory::first_local_offset;
use crate::source::content::{Content, read_full_at};

/// So much may follow an archive that is none of it.
const SEARCH_BYTES: u64 = 1 << 20;
/// An end record without its comment, and the longest one.
const RECORD_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 65_535;
/// A comment full of signatures is no reason to search for ever.
const MAX_CANDIDATES: usize = 64;
const ZIP64_LOCATOR_BYTES: usize = 20;
const ZIP64_RECORD_BYTES: usize = 56;

/// What the end record says, checked against the directory that it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// From the first record of the central directory to the end record, in bytes of the container.
    pub(super) directory: Range<u64>,
    /// What lies in front of the archive: to be added to the offsets in its records.
    pub(super) prefix_bytes: u64,
    /// The number of entries that the archive says it has; without ZIP64 modulo 65,536.
    pub(super) counted: u64,
}

/// Finds the end record: the one whose comment reaches the end of the container, and whose directory begins with a
/// record or is empty. There must be no second one. If there is none, something follows the archive: then the last one
/// counts that nothing stands before, as both before and behind it there may be a torn archive in which it is stored.
pub(super) fn locate(content: &dyn Content) -> Result<End, ZipError> {
    let mut exact = None;
    for offset in at_the_end(content)? {
        let candidate = last_before(content, offset.saturating_add(4), offset)?;
        let Some((_, Some(end))) = candidate else { continue };
        if exact.replace(end).is_some() {
            return Err(ZipError::Ambiguous);
        }
    }
    match exact {
        Some(end) => Ok(end),
        None => followed(content)?.ok_or(without_end(content)?),
    }
}

/// The offsets of signatures behind which a comment of the right length ends the container.
fn at_the_end(content: &dyn Content) -> Result<Vec<u64>, ZipError> {
    let start = content.size_bytes().saturating_sub((RECORD_BYTES + MAX_COMMENT_BYTES) as u64);
    let mut tail = vec![0; RECORD_BYTES + MAX_COMMENT_BYTES];
    let length = read_full_at(content, &mut tail, start)?;
    tail.truncate(length);
    let is_exact = |at: &usize| {
        let comment = tail.get(at.saturating_add(RECORD_BYTES)..).map(<[u8]>::len);
        let said = tail.get(at.saturating_add(RECORD_BYTES - 2)..).and_then(<[u8]>::first_chunk);
        comment.is_some() && comment == said.map(|said| usize::from(u16::from_le_bytes(*said)))
    };
    let found: Vec<u64> = memchr::memmem::find_iter(&tail, b"PK\x05\x06")
        .filter(is_exact)
        .take(MAX_CANDIDATES)
        .map(|at| start.saturating_add(at as u64))
        .collect();
    if found.len() < MAX_CANDIDATES { Ok(found) } else { Err(ZipError::Ambiguous) }
}

fn followed(content: &dyn Content) -> io::Result<Option<End>> {
    let mut limit = content.size_bytes();
    let floor = limit.saturating_sub(SEARCH_BYTES);
    for _ in 0..MAX_CANDIDATES {
        let Some((offset, candidate)) = last_before(content, limit, floor)? else { return Ok(None) };
        if let Some(end) = candidate.filter(|end| end.prefix_bytes == 0) {
            return Ok(Some(end));
        }
        limit = offset;
    }
    Ok(None)
}

fn without_end(content: &dyn Content) -> io::Result<ZipError> {
    let mut start = [0; 2];
    read_full_at(content, &mut start, 0)?;
    Ok(if start == *b"PK" { ZipError::NoEnd } else { ZipError::NotZip })
}

/// The last signature of an end record before `limit`, and the record if it is one.
fn last_before(content: &dyn Content, limit: u64, floor: u64) -> io::Result<Option<(u64, Option<End>)>> {
    let (offset, end) = match examine(content, 0, limit, floor)? {
        Seen::None => return Ok(None),
        Seen::Signature(offset) => (offset, None),
        Seen::End(offset, end) => (offset, Some(end)),
    };
    if end.is_none()
        && let Some(prefix) = zip64_prefix(content, offset)?
        && let Seen::End(_, shifted) = examine(content, prefix, limit, floor)?
    {
        return Ok(Some((offset, Some(shifted))));
    }
    Ok(Some((offset, end)))
}

enum Seen {
    None,
    /// Of an end record that points nowhere.
    Signature(u64),
    End(u64, End),
}

/// Looks for an archive whose first byte is at `start`.
fn examine(content: &dyn Content, start: u64, limit: u64, floor: u64) -> io::Result<Seen> {
    let window = Window { content, start };
    let Some(end) = limit.checked_sub(start) else { return Ok(Seen::None) };
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let locator = ZipLocator::new().max_search_space(end.saturating_sub(floor.saturating_sub(start)));
    let archive = match locator.locate_in_reader(window, &mut buffer, end) {
        Ok(archive) => archive,
        Err((_, error)) => {
            let offset = error.eocd_offset();
            refuse_io(error)?;
            return Ok(offset.map_or(Seen::None, |offset| Seen::Signature(start.saturating_add(offset))));
        }
    };
    let offset = start.saturating_add(archive.eocd_offset());
    Ok(match fit(&archive, window, &mut buffer)? {
        Some(end) => Seen::End(offset, end),
        None => Seen::Signature(offset),
    })
}

/// What the archive says, if its directory begins with a record or is empty.
fn fit(archive: &ZipArchive<Window<'_>>, window: Window<'_>, buffer: &mut [u8]) -> io::Result<Option<End>> {
    let at = |offset: u64| window.start.saturating_add(offset);
    let directory = at(archive.directory_offset())..at(archive.eocd_offset());
    let first = match archive.entries(buffer).next_entry() {
        Ok(first) => first.map(|first| first.local_header_offset()),
        Err(error) => return refuse_io(error).map(|()| None),
    };
    let mut prefix_bytes = window.start;
    if let Some(shifted) = first {
        // The library adds what lies in front of the archive and does not say how much that is.
        let Some(as_written) = first_local_offset(window.content, &directory)? else { return Ok(None) };
        prefix_bytes = at(shifted.saturating_sub(as_written));
    }
    Ok(Some(End { directory, prefix_bytes, counted: archive.entries_hint() }))
}

/// How far the end record of a ZIP64 lies behind where its locator says it is: a self-extracting archive whose offsets
/// were not adjusted. None if it is right there, or no ZIP64.
fn zip64_prefix(content: &dyn Content, end_offset: u64) -> io::Result<Option<u64>> {
    let Some(record_at) = end_offset.checked_sub((ZIP64_LOCATOR_BYTES + ZIP64_RECORD_BYTES) as u64) else {
        return Ok(None);
    };
    let mut bytes = [0; ZIP64_RECORD_BYTES + ZIP64_LOCATOR_BYTES];
    read_full_at(content, &mut bytes, record_at)?;
    let (record, locator) = bytes.split_at(ZIP64_RECORD_BYTES);
    if !record.starts_with(b"PK\x06\x06") || !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let said = locator.get(8..).and_then(<[u8]>::first_chunk).copied().map_or(u64::MAX, u64::from_le_bytes);
    Ok(record_at.checked_sub(said).filter(|prefix| *prefix > 0))
}

/// Bytes that are no archive are no error, a container that cannot be read is one.
fn refuse_io(error: rawzip::Error) -> io::Result<()> {
    match error.into_kind() {
        ErrorKind::IO(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

/// The container from some byte on.
#[derive(Clone, Copy)]
struct Window<'a> {
    content: &'a dyn Content,
    start: u64,
}

impl ReaderAt for Window<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.start.checked_add(offset).map_or(Ok(0), |at| read_full_at(self.content, buffer, at))
    }
}
