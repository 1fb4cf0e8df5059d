//! Slices: what each step of an import did to each entry, for the report, for restructure and for `rebuild`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::shard::{Shard, SliceRef};
use crate::{
    Archive, Error, Flags, Location, MailHash, Result,
    hash::to_hex,
    lease::Lease,
    ports::{ObjectKey, PutMode},
};

/// A slice is refused beyond this, raw: far above what a step can make.
const MAX_BYTES: u64 = 1 << 30;

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Imported(Placed),
    AlreadyThere(Placed),
    Failed { code: String, reason: String },
}

/// An entry whose mail is in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) hash: MailHash,
    pub(crate) size_bytes: u64,
    /// The message date that counts in the archive, Unix seconds.
    pub(crate) message_date: Option<i64>,
    pub(crate) message_date_source: Option<String>,
    pub(crate) archive_date: Option<i64>,
    pub(crate) locations: Vec<Location>,
    pub(crate) flags: Flags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SliceEntry {
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

impl Archive {
    /// Writes the slice of a step. The fence in its key keeps a worker that was overtaken from writing over it.
    pub(super) async fn put_slice(&self, lease: &Lease<Shard>, entries: &[SliceEntry]) -> Result<SliceRef> {
        let (import, shard, fence) = (&lease.value().import, lease.value().number, lease.fence());
        let first = entries.first().map_or(0, |entry| entry.number);
        let json =
            serde_json::to_vec(entries).map_err(|e| Error::internal("a slice cannot be written").caused_by(e))?;
        let packed =
            zstd::bulk::compress(&json, 3).map_err(|e| Error::internal("a slice cannot be packed").caused_by(e))?;
        let key = ObjectKey::parse(format!("slices/{import}/{shard:06}-{first:011}-{fence}.json.zst"))?;
        let sha256 = to_hex(&Sha256::digest(&packed));
        self.objects.put(&key, packed.into(), PutMode::Overwrite).await?;
        Ok(SliceRef { key, sha256, first, entries: entries.len() as u64 })
    }

    /// Reads a slice back, verified.
    pub(crate) async fn slice(&self, slice: &SliceRef) -> Result<Vec<SliceEntry>> {
        let damaged = || Error::corrupt(format!("slice {} is damaged", slice.key));
        let meta = self
            .objects
            .head(&slice.key)
            .await?
            .ok_or_else(|| Error::corrupt(format!("slice {} is missing", slice.key)))?;
        let packed: Bytes = self.objects.get(&slice.key, 0..meta.size_bytes, None).await?;
        if to_hex(&Sha256::digest(&packed)) != slice.sha256 {
            return Err(damaged());
        }
        let limit = zstd::zstd_safe::get_frame_content_size(&packed).ok().flatten().filter(|size| *size <= MAX_BYTES);
        let limit = limit.and_then(|size| usize::try_from(size).ok()).ok_or_else(damaged)?;
        let json = zstd::bulk::decompress(&packed, limit).map_err(|e| damaged().caused_by(e))?;
        serde_json::from_slice(&json).map_err(|e| damaged().caused_by(e))
    }
}
