//! Runs: sorted keys in items of up to a thousand, each found by its last key.
//!
//! Item `R#<run>` / `<last key in hex>`, body: keys of 44 bytes (40 that sort, 4 of flags). A batch's run is named after
//! what is in it, so that whoever writes it again finds it there. A merged run has a name that nobody else ever writes under.

use archive::{Error, Flags, PlacementKey, Result, hash::to_hex};
use sha2::{Digest as _, Sha256};

use super::{
    head::{Id, Run, SortKey},
    item::{Item, Key, SK, bytes, damaged, need_bytes, need_text, size_bytes},
    table::{Condition, Range, Table, side_by_side},
};

/// Keys of one item: 44 KB, so that a page reads little and a write of 22 keys costs one unit.
pub(super) const KEYS_PER_ITEM: usize = 1000;
/// Items of one read: 23 of them fill the 1 MB at which a query ends.
pub(super) const ITEMS_PER_READ: usize = 23;

const KEYS: &str = "k";
const KEY_BYTES: usize = 44;

/// One item of a run.
pub(super) struct Block {
    key: Key,
    pub(super) keys: Vec<PlacementKey>,
    /// As it was read, for a change that must meet no other.
    stored: Vec<u8>,
}

/// Names a run by its list and its keys.
pub(super) struct Naming(Sha256);

impl Naming {
    pub(super) fn new(list: &Key) -> Self {
        Self(Sha256::new_with_prefix(format!("{}\0{}\0", list.pk, list.sk)))
    }
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    pub(super) fn id(self) -> Id {
        let digest: [u8; 32] = self.0.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

fn partition(run: &Id) -> String {
    format!("R#{}", to_hex(run))
}

/// Writes keys, sorted, as items of a run that nobody else writes.
pub(super) async fn write(table: &Table, run: &Id, keys: &[PlacementKey]) -> Result<()> {
    table.batch_put(items(run, keys)).await
}

/// Writes keys, sorted, as items of a run. Those that are there stay: somebody may have changed flags in them since.
pub(super) async fn add(table: &Table, run: &Id, keys: &[PlacementKey]) -> Result<()> {
    let puts = items(run, keys).into_iter().map(|item| table.put(item, Some(Condition::absent())));
    side_by_side(puts.collect()).await.map(drop)
}

fn items(run: &Id, keys: &[PlacementKey]) -> Vec<Item> {
    let item = |keys: &[PlacementKey]| {
        let last = keys.last().map(PlacementKey::cursor).unwrap_or_default();
        let mut item = Key::new(partition(run), last).item();
        item.insert(KEYS.into(), bytes(encode(keys)));
        item
    };
    keys.chunks(KEYS_PER_ITEM).map(item).collect()
}

/// The next blocks of the run that hold keys at or after `from`, or strictly after it; at most `limit`.
pub(super) async fn read(table: &Table, run: &Id, from: From<'_>, limit: usize) -> Result<Vec<Block>> {
    let sort_key = match from {
        From::Start => String::new(),
        From::At(key) | From::After(key) => to_hex(key),
    };
    let range = match from {
        From::Start => Range::All,
        From::At(_) => Range::From(&sort_key),
        From::After(_) => Range::After(&sort_key),
    };
    table.query(&partition(run), range, limit).await?.iter().map(Block::parse).collect()
}

#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    Start,
    /// The block in which this key lies or would lie.
    At(&'a SortKey),
    /// The blocks that hold keys behind this one.
    After(&'a SortKey),
}

/// Deletes the items of a run.
pub(super) async fn delete(table: &Table, run: &Id) -> Result<()> {
    let mut from: Option<String> = None;
    loop {
        let range = from.as_deref().map_or(Range::All, Range::After);
        let items = table.query(&partition(run), range, ITEMS_PER_READ).await?;
        let Some(last) = items.last() else { return Ok(()) };
        from = Some(need_text(last, SK)?.to_owned());
        let keys = items.iter().map(|item| Ok((Key::of(item)?, size_bytes(item))));
        table.batch_delete(keys.collect::<Result<_>>()?).await?;
    }
}

impl Block {
    fn parse(item: &Item) -> Result<Self> {
        let stored = need_bytes(item, KEYS)?.to_vec();
        let keys = decode(&stored).ok_or_else(|| damaged(item, KEYS))?;
        Ok(Self { key: Key::of(item)?, keys, stored })
    }

    /// Writes the block with other flags; false if somebody else changed it meanwhile.
    pub(super) async fn rewrite(&self, table: &Table) -> Result<bool> {
        let mut item = self.key.item();
        item.insert(KEYS.into(), bytes(encode(&self.keys)));
        let unchanged = Condition::new("#k = :stored", [(":stored", bytes(self.stored.clone()))]);
        table.put(item, Some(unchanged)).await
    }
}

/// What the head says of a run; none of no keys.
pub(super) fn describe(name: Id, id: Id, keys: &[PlacementKey]) -> Result<Run> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Err(Error::internal("a run without keys"));
    };
    Ok(Run { name, id, first: first.sort_bytes(), last: last.sort_bytes(), keys: keys.len() as u64 })
}

pub(super) fn encode(keys: &[PlacementKey]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(keys.len() * KEY_BYTES);
    for key in keys {
        encoded.extend_from_slice(&key.sort_bytes());
        encoded.extend_from_slice(&key.flags.0.to_be_bytes());
    }
    encoded
}

fn decode(stored: &[u8]) -> Option<Vec<PlacementKey>> {
    let (chunks, rest) = stored.as_chunks::<KEY_BYTES>();
    if !rest.is_empty() || chunks.is_empty() {
        return None;
    }
    let key = |chunk: &[u8; KEY_BYTES]| {
        let (sort, flags) = (chunk.first_chunk::<40>()?, chunk.last_chunk::<4>()?);
        let key = PlacementKey::from_sort_bytes(sort);
        Some(PlacementKey { flags: Flags(u32::from_be_bytes(*flags)), ..key })
    };
    chunks.iter().map(key).collect()
}
