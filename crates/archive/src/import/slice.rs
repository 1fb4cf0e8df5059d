//! Slices: what each step of an import did to each entry, for the report, for restructure and for `rebuild`.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, shard::Shard};
use crate::{
    Archive, EntryRef, Error, ErrorKind, Flags, FolderPath, ImportId, Location, MailHash, PackId, Result,
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

    /// The shard, as the key says.
    pub(crate) fn shard(&self) -> u32 {
        let name = self.key.as_str().rsplit('/').next().unwrap_or_default();
        name.split('-').next().and_then(|shard| shard.parse().ok()).unwrap_or_default()
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
    Failed {
        code: String,
        reason: String,
        /// Where the entry lies in a foreign file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locator: Option<String>,
    },
}

impl Outcome {
    /// The mail of an entry that has not failed.
    pub(crate) fn placed(self) -> Option<Placed> {
        match self {
            Self::Imported(placed) | Self::AlreadyThere(placed) => Some(placed),
            Self::Failed { .. } => None,
        }
    }
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
    /// Where it lies in the target mailbox. None for a mail of a volume, which lies in the folder of its export.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) folders: Vec<FolderPath>,
    /// Where the bytes lie that count; slices of version 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pack: Option<PackId>,
    /// The entry that has brought the mail, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<EntryRef>,
}

const FORMAT: &str = "postkahn slice";
const VERSION: u32 = 2;

/// A slice object, unpacked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SliceFile {
    format: String,
    version: u32,
    /// The import as it was then, without its key: enough to close it where its row is lost.
    pub(crate) import: Import,
    pub(crate) shard: u32,
    pub(crate) fence: u64,
    pub(crate) entries: Vec<SliceEntry>,
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
    pub(super) async fn put_slice(
        &self,
        import: &Import,
        lease: &Lease<Shard>,
        entries: Vec<SliceEntry>,
    ) -> Result<()> {
        let (shard, fence) = (lease.value().number, lease.fence());
        let first = entries.first().map_or(0, |entry| entry.number);
        let row = Import { wrapped_key: None, ..import.clone() };
        let file = SliceFile { format: FORMAT.into(), version: VERSION, import: row, shard, fence, entries };
        let (packed, key) = (file.pack()?, file.key(first)?);
        let (import, entries) = (&import.id, file.entries);
        let sha256 = to_hex(&Sha256::digest(&packed));
        self.objects.put(&key, packed.into(), PutMode::Overwrite).await?;
        let slice = SliceRef { key, sha256, first, entries: entries.len() as u64 };
        let names = user_archives(&entries);
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

    /// Those of them that can be read, gaps or not: what an import that failed has left.
    pub(super) async fn readable_slice_rows(&self, import: &Import) -> Result<Vec<SliceRow>> {
        let mut rows = Vec::new();
        for shard in self.shards(import).await? {
            let of_shard = self.all::<SliceRow>(Some(&SliceRow::parent_of(&import.id, shard.number))).await?;
            for row in of_shard.into_iter().filter(|row| row.slice.first < shard.next) {
                match self.slice(&row.slice).await {
                    Err(e) if e.kind() == ErrorKind::Corrupt => {}
                    read => rows.push(read.map(|_| row)?),
                }
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
        let packed = self.slice_object(&slice.key).await?;
        if to_hex(&Sha256::digest(&packed)) != slice.sha256 {
            return Err(damaged(&slice.key));
        }
        unpack(&packed).and_then(|json| entries_of(&json)).ok_or_else(|| damaged(&slice.key))
    }

    /// Reads a slice that nothing speaks of, with the name that a report would give it; `Corrupt` unless it is whole and
    /// of version 2. Where it lies tells what it is of.
    pub(crate) async fn lone_slice(&self, key: &ObjectKey) -> Result<(SliceRef, SliceFile)> {
        let packed = self.slice_object(key).await?;
        let file = unpack(&packed).and_then(|json| file_of(&json)).ok_or_else(|| damaged(key))?;
        let first = file.entries.first().map_or(0, |entry| entry.number);
        if *key != file.key(first)? {
            return Err(damaged(key));
        }
        let sha256 = to_hex(&Sha256::digest(&packed));
        Ok((SliceRef { key: key.clone(), sha256, first, entries: file.entries.len() as u64 }, file))
    }

    async fn slice_object(&self, key: &ObjectKey) -> Result<Bytes> {
        let meta = self.objects.head(key).await?;
        let meta = meta.ok_or_else(|| Error::corrupt(format!("slice {key} is missing")))?;
        self.objects.get(key, 0..meta.size_bytes, None).await
    }
}

#[cfg(test)]
impl Archive {
    /// Writes a slice as a worker does that another one has overtaken.
    pub(crate) async fn put_slice_again(&self, file: SliceFile, fence: u64) {
        let file = SliceFile { fence, ..file };
        let first = file.entries.first().map_or(0, |entry| entry.number);
        let packed = file.pack().unwrap();
        self.objects.put(&file.key(first).unwrap(), packed.into(), PutMode::IfAbsent).await.unwrap();
    }
}

impl SliceFile {
    fn key(&self, first: u64) -> Result<ObjectKey> {
        let Self { import, shard, fence, .. } = self;
        ObjectKey::parse(format!("slices/{}/{shard:06}-{first:011}-{fence}.json.zst", import.id))
    }

    fn pack(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|e| Error::internal("a slice cannot be written").caused_by(e))?;
        zstd::bulk::compress(&json, 3).map_err(|e| Error::internal("a slice cannot be packed").caused_by(e))
    }
}

fn damaged(key: &ObjectKey) -> Error {
    Error::corrupt(format!("slice {key} is damaged"))
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().filter(|size| *size <= MAX_BYTES)?;
    zstd::bulk::decompress(packed, usize::try_from(size).ok()?).ok()
}

/// Version 1 was the bare list.
fn entries_of(json: &[u8]) -> Option<Vec<SliceEntry>> {
    match json.first() {
        Some(b'[') => serde_json::from_slice(json).ok(),
        _ => file_of(json).map(|file| file.entries),
    }
}

fn file_of(json: &[u8]) -> Option<SliceFile> {
    let file: SliceFile = serde_json::from_slice(json).ok()?;
    (file.format == FORMAT && file.version == VERSION).then_some(file)
}

/// Every user archive that occurs.
pub(crate) fn user_archives(entries: &[SliceEntry]) -> BTreeSet<String> {
    let placed = entries.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Imported(placed) | Outcome::AlreadyThere(placed) => Some(placed),
        Outcome::Failed { .. } => None,
    });
    placed.flat_map(|placed| &placed.locations).filter_map(|location| location.first().cloned()).collect()
}
