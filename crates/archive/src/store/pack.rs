//! The pack format, version 1, and a pack's row in the catalogue.
//!
//! ```text
//! magic      8 bytes   "PKPACK1\n"
//! records    each      SHA-256 of the raw mail (32) ‖ raw length (u64 LE) ‖ frame length (u64 LE) ‖ zstd frame
//! index      each      SHA-256 (32) ‖ raw length (u64 LE) ‖ frame length (u64 LE) ‖ offset of the frame (u64 LE)
//! footer     48 bytes  count (u64 LE) ‖ SHA-256 of all bytes before this hash (32) ‖ "PKINDEX1"
//! ```
//! Records stand in front of their frames so that a scan from the front rebuilds the index; the index stands at the end
//! so that one read of the tail finds everything.

use serde::{Deserialize, Serialize};

use crate::{Error, ImportId, MailHash, PackId, Result, ports::ObjectKey, records::Record};

pub(crate) const PACKS: &str = "packs/";
pub(crate) const MAGIC: &[u8; 8] = b"PKPACK1\n";
const INDEX_MAGIC: &[u8; 8] = b"PKINDEX1";
/// Length of what stands in front of each frame.
pub(crate) const RECORD_BYTES: u64 = RecordHeader::BYTES as u64;
pub(crate) const INDEX_ENTRY_BYTES: u64 = 56;
pub(crate) const FOOTER_BYTES: u64 = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackState {
    /// Being written, or left behind by a worker that died.
    Open,
    /// Durable; rows may point into it.
    Kept,
    /// Given up: nothing may point into it any more.
    Condemned,
}

/// A pack's row: made before the object, kept after it, pointed to only then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pack {
    pub(crate) id: PackId,
    pub(crate) state: PackState,
    pub(crate) import: ImportId,
    pub(crate) shard: u32,
    pub(crate) fence: u64,
    pub(crate) size_bytes: u64,
    pub(crate) mails: u64,
    /// Hex SHA-256 over all bytes before the footer's hash, as the footer has it.
    pub(crate) sha256: Option<String>,
}

impl Record for Pack {
    const KIND: &'static str = "pack";
    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// Where a pack lies in the object store; spread over 256 prefixes.
pub(crate) fn pack_key(id: &PackId) -> Result<ObjectKey> {
    let spread = id.0.get(..2).unwrap_or("00");
    ObjectKey::parse(format!("{PACKS}{spread}/{id}.pack"))
}

/// What stands in front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) hash: MailHash,
    pub(crate) size_bytes: u64,
    pub(crate) stored_bytes: u64,
}

impl RecordHeader {
    pub(crate) const BYTES: usize = 48;

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [&self.hash.0[..], &self.size_bytes.to_le_bytes(), &self.stored_bytes.to_le_bytes()].concat()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (stored, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            hash: MailHash(*hash),
            size_bytes: u64::from_le_bytes(*size),
            stored_bytes: u64::from_le_bytes(*stored),
        })
    }
}

/// One mail of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackRecord {
    pub(crate) header: RecordHeader,
    /// Where the frame begins.
    pub(crate) offset: u64,
}

impl PackRecord {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [&self.header.to_bytes()[..], &self.offset.to_le_bytes()].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, offset) = bytes.split_first_chunk::<48>()?;
        Some(Self { header: RecordHeader::parse(header)?, offset: u64::from_le_bytes(*offset.first_chunk()?) })
    }
}

/// The footer and the place of the index that it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) count: u64,
    pub(crate) sha256: [u8; 32],
}

impl Trailer {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [&self.count.to_le_bytes()[..], &self.sha256, INDEX_MAGIC].concat()
    }

    /// Reads the last [`FOOTER_BYTES`] of a pack.
    pub(crate) fn parse(footer: &[u8]) -> Option<Self> {
        let (count, rest) = footer.split_first_chunk::<8>()?;
        let (sha256, magic) = rest.split_first_chunk::<32>()?;
        (magic == INDEX_MAGIC).then_some(Self { count: u64::from_le_bytes(*count), sha256: *sha256 })
    }
}

/// Reads the index of a pack.
pub(crate) fn parse_index(bytes: &[u8]) -> Result<Vec<PackRecord>> {
    let entries = bytes.chunks(usize::try_from(INDEX_ENTRY_BYTES).unwrap_or(56));
    entries
        .map(PackRecord::parse)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::corrupt("the index of a pack is cut off"))
}
