//! Apple Mail's file for one mail: a line with its length, that many bytes, and a property list.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::Flag;

/// A property list of Apple Mail has some hundred bytes.
const PLIST_LIMIT_BYTES: u64 = 256 << 10;
/// Digits, padding and the line end.
const LENGTH_LINE_BYTES: usize = 32;

/// Where the mail lies in the file, and what was done with it.
pub(super) struct Emlx {
    pub(super) offset: u64,
    pub(super) size_bytes: u64,
    pub(super) flags: Vec<Flag>,
}

/// Why a file is no whole emlx.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmlxError {
    #[error("emlx without a length line")]
    NoLength,
    #[error("emlx that was cut off: says {says} bytes, has {has}")]
    Short { says: u64, has: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the length line and the flags.
pub(super) fn read(file: &mut File, file_bytes: u64) -> Result<Emlx, EmlxError> {
    let mut head = Vec::new();
    file.by_ref().take(LENGTH_LINE_BYTES as u64).read_to_end(&mut head)?;
    let (offset, size_bytes) = extent(&head, file_bytes)?;
    let mut plist = Vec::new();
    file.seek(SeekFrom::Start(offset.saturating_add(size_bytes)))?;
    file.take(PLIST_LIMIT_BYTES).read_to_end(&mut plist)?;
    Ok(Emlx { offset, size_bytes, flags: flags(&plist) })
}

/// As [`read`], from what can only be read from its beginning to its end.
pub(super) fn read_through(stream: &mut impl Read, stream_bytes: u64) -> Result<Emlx, EmlxError> {
    let mut head = Vec::new();
    stream.by_ref().take(LENGTH_LINE_BYTES as u64).read_to_end(&mut head)?;
    let (offset, size_bytes) = extent(&head, stream_bytes)?;
    let end = offset.saturating_add(size_bytes);
    io::copy(&mut stream.by_ref().take(end.saturating_sub(head.len() as u64)), &mut io::sink())?;
    let mut plist = usize::try_from(end).ok().and_then(|end| head.get(end..)).unwrap_or_default().to_vec();
    stream.by_ref().take(PLIST_LIMIT_BYTES).read_to_end(&mut plist)?;
    io::copy(stream, &mut io::sink())?;
    Ok(Emlx { offset, size_bytes, flags: flags(&plist) })
}

/// Where the mail begins and how long it is; an error if that is more than the file has.
fn extent(head: &[u8], file_bytes: u64) -> Result<(u64, u64), EmlxError> {
    let (offset, says) = length_line(head).ok_or(EmlxError::NoLength)?;
    let has = file_bytes.saturating_sub(offset);
    if says <= has { Ok((offset, says)) } else { Err(EmlxError::Short { says, has }) }
}

fn length_line(head: &[u8]) -> Option<(u64, u64)> {
    let end = memchr::memchr(b'\n', head)?;
    let digits = std::str::from_utf8(head.get(..end)?).ok()?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((u64::try_from(end.checked_add(1)?).ok()?, digits.parse().ok()?))
}

/// Apple's bits: 0 read, 2 answered, 4 flagged, 6 draft, 8 forwarded.
fn flags(plist: &[u8]) -> Vec<Flag> {
    let number = memchr::memmem::find(plist, b"<key>flags</key>")
        .and_then(|at| plist.get(at..))
        .and_then(|tail| memchr::memmem::find(tail, b"<integer>").and_then(|at| tail.get(at + b"<integer>".len()..)))
        .map(|tail| tail.iter().take_while(|byte| byte.is_ascii_digit()).take(20).copied().collect::<Vec<_>>())
        .and_then(|digits| String::from_utf8(digits).ok())
        .and_then(|digits| digits.parse::<u64>().ok())
        .unwrap_or(0);
    let bits = [(0, Flag::Seen), (2, Flag::Answered), (4, Flag::Flagged), (8, Flag::Forwarded), (6, Flag::Draft)];
    bits.into_iter().filter(|(bit, _)| number >> bit & 1 == 1).map(|(_, flag)| flag).collect()
}
