//! Slices: what each step of an import did to each entry, for the report, for restructure and for `rebuild`.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, shard::Shard};
use crate::{
    Archive, Error, ErrorKind, Flags, ImportId, Location, MailHash, Result,
    hash::to_hex,
    lease::Lease,
    ports::{ObjectKey, PutMode},
    records::{Record, Stored},
};

/// A slice is refused beyond this, raw: far above what a step can make.
const MAX_BYTES: u64 = 1 << 30;

/// A row keeps at most so many bytes of names: a row of DynamoDB holds 400 KB, and costs by the KB.
const NAMES_BYTES: usize = 32 << 10;

/// A slice object, one for each step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SliceRef {
    pub(crate) key: ObjectKey,
    /// Hex SHA-256 of the object.
    pub(crate) sha256: String,
    pub(crate) first: u64,
    pub(crate) entries: u64,
}

impl SliceRef {
    /// The entry after its last one.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries
    }
}

/// A slice's row: written before the checkpoint that counts it. A row that no checkpoint counts begins where its shard
/// stands, and the next step there writes over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SliceRow {
    import: ImportId,
    shard: u32,
    fence: u64,
    pub(super) slice: SliceRef,
    /// The user archives that occur in it; none if they are too many for a row.
    pub(super) user_archives: Option<BTreeSet<String>>,
}

impl SliceRow {
    fn parent_of(import: &ImportId, shard: u32) -> String {
        format!("{import}/{shard:06}")
    }
}

impl Record for SliceRow {
    const KIND: &'static str = "slice";
    fn id(&self) -> String {
        format!("{:011}", self.slice.first)
    }
    fn parent(&self) -> Option<String> {
        Some(Self::parent_of(&self.import, self.shard))
    }
}

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
    /// Writes the slice of a step and its row. The fence in its key, and in the row, keeps a worker that was overtaken from
    /// writing over them.
    pub(super) async fn put_slice(&self, lease: &Lease<Shard>, entries: &[SliceEntry]) -> Result<()> {
        let (import, shard, fence) = (&lease.value().import, lease.value().number, lease.fence());
        let first = entries.first().map_or(0, |entry| entry.number);
        let json =
            serde_json::to_vec(entries).map_err(|e| Error::internal("a slice cannot be written").caused_by(e))?;
        let packed =
            zstd::bulk::compress(&json, 3).map_err(|e| Error::internal("a slice cannot be packed").caused_by(e))?;
        let key = ObjectKey::parse(format!("slices/{import}/{shard:06}-{first:011}-{fence}.json.zst"))?;
        let sha256 = to_hex(&Sha256::digest(&packed));
        self.objects.put(&key, packed.into(), PutMode::Overwrite).await?;
        let slice = SliceRef { key, sha256, first, entries: entries.len() as u64 };
        let names = user_archives(entries);
        let user_archives = (names.iter().map(String::len).sum::<usize>() <= NAMES_BYTES).then_some(names);
        self.note_slice(SliceRow { import: import.clone(), shard, fence, slice, user_archives }).await
    }

    async fn note_slice(&self, row: SliceRow) -> Result<()> {
        match self.add(&row).await {
            Err(e) if e.kind() == ErrorKind::Conflict => {}
            added => return added.map(drop),
        }
        let parent = SliceRow::parent_of(&row.import, row.shard);
        let overtaken =
            || Error::conflict(format!("another worker is at shard {} of import {}", row.shard, row.import));
        let there = self.find_in::<SliceRow>(&parent, &row.id()).await?.ok_or_else(overtaken)?;
        if there.value.fence > row.fence {
            return Err(overtaken());
        }
        self.save(Stored { value: row, version: there.version }).await.map(drop)
    }

    /// The slices that checkpoints count, in order. A gap would be entries without an outcome.
    pub(super) async fn slice_rows(&self, import: &Import) -> Result<Vec<SliceRow>> {
        let mut rows: Vec<SliceRow> = Vec::new();
        for shard in self.shards(import).await? {
            let of_shard = self.all::<SliceRow>(Some(&SliceRow::parent_of(&import.id, shard.number))).await?;
            let mut at = shard.entries.start;
            for row in of_shard.into_iter().filter(|row| row.slice.first < shard.next) {
                if row.slice.first != at {
                    break;
                }
                at = row.slice.end();
                rows.push(row);
            }
            if at != shard.next {
                let text = format!("import {}: the slice of entry {at} is missing", import.id);
                return Err(Error::corrupt(text));
            }
        }
        Ok(rows)
    }

    /// Every user archive that occurs in the slices.
    pub(super) async fn user_archives_of(&self, rows: &[SliceRow]) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for row in rows {
            match &row.user_archives {
                Some(names) => all.extend(names.iter().cloned()),
                None => all.extend(user_archives(&self.slice(&row.slice).await?)),
            }
        }
        Ok(all)
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

fn user_archives(entries: &[SliceEntry]) -> BTreeSet<String> {
    let placed = entries.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Imported(placed) | Outcome::AlreadyThere(placed) => Some(placed),
        Outcome::Failed { .. } => None,
    });
    placed.flat_map(|placed| &placed.locations).filter_map(|location| location.first().cloned()).collect()
}
