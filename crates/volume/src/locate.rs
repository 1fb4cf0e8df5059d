//! From the two ends of a file to the places of its signed parts.

use crate::Error;
use crate::container::{
    CATALOGUE_NAME, DIRECTORY_BYTES, DIRECTORY_SIGNATURE, END_BYTES, END_SIGNATURE, HEADER_NAME, HEADER_START,
    LAST_RECORDS_BYTES, LOCAL_BYTES, LOCAL_SIGNATURE, SEAL_NAME, SIGNATURE_NAME, ZIP64_BYTES, u16_at, u32_at,
};
use crate::header::{FORMAT, VERSION};
use crate::limits::{
    HEAD_BYTES, MAX_CATALOGUE_BYTES, MAX_HEADER_BYTES, MAX_SEAL_BYTES, MAX_SIGNATURE_BYTES, MAX_VOLUME_BYTES,
    TAIL_BYTES,
};
use serde_json::Value;
use std::ops::Range;

/// Where the signed parts of a volume lie; the ranges are within the file and within the format's bounds.
///
/// Where the directory does not lead to them the ranges are empty, and `peek` and `verify` say so in their turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of `header.json`.
    pub header: Range<u64>,
    /// Bytes of `catalogue`.
    pub catalogue: Range<u64>,
    /// Bytes of `seal.json`.
    pub seal: Range<u64>,
    /// Bytes of `seal.sig`.
    pub signature: Range<u64>,
    /// Bytes of the whole file.
    pub size_bytes: u64,
    pub(crate) led_astray: bool,
}

impl Plan {
    /// One range over catalogue, seal and signature, so that one read fetches all three.
    pub fn closing(&self) -> Range<u64> {
        self.catalogue.start..self.signature.end
    }
}

/// Finds the parts of a volume of `size` bytes from its first [`HEAD_BYTES`] and last [`TAIL_BYTES`] (less if the file
/// is shorter).
///
/// Fails with the errors that need no certificate: [`Error::NotAVolume`], [`Error::NewerVersion`],
/// [`Error::Truncated`], [`Error::OverLimit`].
pub fn locate(head: &[u8], tail: &[u8], size: u64) -> Result<Plan, Error> {
    let head = first(head, HEAD_BYTES.min(size));
    let tail = last(tail, TAIL_BYTES.min(size));
    check_start(head)?;
    if ending(tail, END_BYTES).is_none_or(|record| !record.starts_with(&END_SIGNATURE)) {
        return Err(Error::Truncated);
    }
    if size > MAX_VOLUME_BYTES {
        return Err(Error::OverLimit("the volume"));
    }
    let header_len = header_len(head);
    if header_len > MAX_HEADER_BYTES {
        return Err(Error::OverLimit(HEADER_NAME));
    }
    let records = last_records(tail);
    check_bounds(records.as_ref())?;
    let mut plan = match records.and_then(|records| records.lead(size)) {
        Some(plan) => plan,
        None => Plan { led_astray: true, size_bytes: size, header: 0..0, catalogue: 0..0, seal: 0..0, signature: 0..0 },
    };
    plan.header = HEADER_START..(HEADER_START + header_len).min(size);
    Ok(plan)
}

/// Looked at before anything is made of what they state, so that a wish for too much is called that.
fn check_bounds(records: Option<&LastRecords>) -> Result<(), Error> {
    let Some(records) = records else { return Ok(()) };
    let bounds = [
        (&records.catalogue, MAX_CATALOGUE_BYTES, CATALOGUE_NAME),
        (&records.seal, MAX_SEAL_BYTES, SEAL_NAME),
        (&records.signature, MAX_SIGNATURE_BYTES, SIGNATURE_NAME),
    ];
    match bounds.into_iter().find(|(range, limit, _)| range.end - range.start > *limit) {
        Some((_, _, name)) => Err(Error::OverLimit(name)),
        None => Ok(()),
    }
}

/// Byte 0 must be the local header of `header.json`; if what follows is JSON, it must be ours and of this version.
fn check_start(head: &[u8]) -> Result<(), Error> {
    let name = head.get(30..41);
    if !head.starts_with(&LOCAL_SIGNATURE) || u16_at(head, 26) != Some(11) || name != Some(HEADER_NAME.as_bytes()) {
        return Err(Error::NotAVolume("it does not begin with header.json"));
    }
    let Some((header, _)) = leading_json(head) else { return Ok(()) };
    if header.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(Error::NotAVolume("its header.json is of another format"));
    }
    match header.get("version") {
        Some(Value::Number(version)) if version.as_u64() != Some(VERSION) => {
            Err(Error::NewerVersion(version.to_string()))
        }
        _ => Ok(()),
    }
}

/// The first JSON value after the first local header and its length; it ends itself, so no length need be trusted.
fn leading_json(head: &[u8]) -> Option<(Value, u64)> {
    let mut values = serde_json::Deserializer::from_slice(head.get(41..)?).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset() as u64))
}

/// The length of `header.json`: the first of three statements after which an entry really begins.
///
/// The local header alone would do, but nothing signs it; a damaged one must not cost the volume.
fn header_len(head: &[u8]) -> u64 {
    let stated = u32_at(head, 18).unwrap_or(0);
    let again = u32_at(head, 22).unwrap_or(0);
    let by_content = leading_json(head).map_or(stated, |(_, len)| len);
    let entry_follows = |len: &u64| {
        let at = usize::try_from(HEADER_START + len).unwrap_or(usize::MAX);
        head.get(at..).is_some_and(|rest| rest.starts_with(&LOCAL_SIGNATURE))
    };
    [stated, again, by_content].into_iter().find(entry_follows).unwrap_or(stated)
}

/// What the last three directory records state, and how far before the end of the file they begin.
struct LastRecords {
    catalogue: Range<u64>,
    seal: Range<u64>,
    signature: Range<u64>,
    before_end: u64,
}

impl LastRecords {
    /// The plan, if the three contents lie side by side before the records.
    fn lead(self, size: u64) -> Option<Plan> {
        let Self { catalogue, seal, signature, before_end } = self;
        let adjacent = follows(&catalogue, &seal, SEAL_NAME) && follows(&seal, &signature, SIGNATURE_NAME);
        let inside = catalogue.start > HEADER_START && signature.end <= size.checked_sub(before_end)?;
        let plan = Plan { header: 0..0, catalogue, seal, signature, size_bytes: size, led_astray: false };
        (adjacent && inside).then_some(plan)
    }
}

/// Reads the last three directory records; they stand at a fixed distance before the end.
fn last_records(tail: &[u8]) -> Option<LastRecords> {
    [END_BYTES, END_BYTES + ZIP64_BYTES].into_iter().find_map(|end_len| {
        let before_end = end_len + LAST_RECORDS_BYTES;
        let records = ending(tail, before_end)?;
        let (catalogue, records) = read_record(records, CATALOGUE_NAME)?;
        let (seal, records) = read_record(records, SEAL_NAME)?;
        let (signature, _) = read_record(records, SIGNATURE_NAME)?;
        Some(LastRecords { catalogue, seal, signature, before_end })
    })
}

/// Content range of the entry of this name, and the records after it.
fn read_record<'a>(records: &'a [u8], name: &str) -> Option<(Range<u64>, &'a [u8])> {
    let name_end = usize::try_from(DIRECTORY_BYTES).ok()? + name.len();
    let named = records.get(46..name_end) == Some(name.as_bytes());
    if !records.starts_with(&DIRECTORY_SIGNATURE) || !named {
        return None;
    }
    let start = u32_at(records, 42)? + LOCAL_BYTES + name.len() as u64;
    Some((start..start + u32_at(records, 20)?, records.get(name_end..)?))
}

fn follows(before: &Range<u64>, next: &Range<u64>, name: &str) -> bool {
    before.end + LOCAL_BYTES + name.len() as u64 == next.start
}

/// The last `len` bytes of the tail.
fn ending(tail: &[u8], len: u64) -> Option<&[u8]> {
    tail.get(tail.len().checked_sub(usize::try_from(len).ok()?)?..)
}

fn first(bytes: &[u8], limit: u64) -> &[u8] {
    bytes.get(..usize::try_from(limit).unwrap_or(usize::MAX)).unwrap_or(bytes)
}

fn last(bytes: &[u8], limit: u64) -> &[u8] {
    ending(bytes, limit).unwrap_or(bytes)
}
