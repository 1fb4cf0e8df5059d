//! Message rows: one item for each mail, the first writer's body kept, sets united.
//!
//! `m` is set once, by whoever is first; `at`, `f` and `x` are sets that grow. All of it is one `UpdateItem` that may be
//! repeated. A mail that lies in more places than `at` takes has the others in items `L#<bucket>` of its partition.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use archive::{
    EntryRef, Error, Flags, ImportId, Location, MailHash, MessageRow, PackId, Place, Result, ports::Recorded,
};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde::{Deserialize, Serialize};

use super::{
    item::{Item, Key, bits, damaged, get_bits, get_blobs, need_text, number, text},
    locations::{self, LocationId, Locations},
    table::{Condition, Range, Table, Update, side_by_side},
};

/// So many location ids lie in the row itself: 16 KB of the 400.
const MOST_IN_ROW: usize = 1024;
/// So many in one item beside it: 256 KB.
const MOST_IN_BUCKET: usize = 16 * 1024;

const BODY: &str = "m";
const LOCATIONS: &str = "at";
const FLAGS: &str = "f";
const DEFECTS: &str = "x";
/// There are items beside the row.
const MORE: &str = "more";

/// What the first writer says. Short names: a row of up to 1 KB costs one unit.
#[derive(Serialize, Deserialize)]
struct Body {
    size: u64,
    pack: String,
    off: u64,
    len: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    src: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arch: Option<i64>,
    imp: i64,
    by: String,
    n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subj: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mid: Option<String>,
}

impl Body {
    fn of(row: &MessageRow) -> Self {
        Self {
            size: row.size_bytes,
            pack: row.pack.0.clone(),
            off: row.offset,
            len: row.stored_bytes,
            date: row.message_date,
            src: row.message_date_source.clone(),
            arch: row.archive_date,
            imp: row.import_date,
            by: row.first.import.0.clone(),
            n: row.first.entry,
            subj: row.subject.clone(),
            from: row.from.clone(),
            mid: row.message_id.clone(),
        }
    }

    fn parse(item: &Item) -> Result<Self> {
        serde_json::from_str(need_text(item, BODY)?).map_err(|e| damaged(item, BODY).caused_by(e))
    }

    fn recorded(self) -> Recorded {
        let first = EntryRef { import: ImportId(self.by), entry: self.n };
        Recorded { first, pack: PackId(self.pack), message_date: self.date }
    }

    fn row(self, hash: MailHash, item: &Item, locations: BTreeSet<Location>) -> MessageRow {
        MessageRow {
            hash,
            size_bytes: self.size,
            pack: PackId(self.pack),
            offset: self.off,
            stored_bytes: self.len,
            message_date: self.date,
            message_date_source: self.src,
            archive_date: self.arch,
            import_date: self.imp,
            first: EntryRef { import: ImportId(self.by), entry: self.n },
            defects: get_bits(item, DEFECTS),
            subject: self.subj,
            from: self.from,
            message_id: self.mid,
            locations,
            flags: Flags(u32::try_from(get_bits(item, FLAGS)).unwrap_or_default()),
        }
    }
}

fn key(hash: &MailHash) -> Key {
    Key::new(format!("M#{hash}"), "-")
}

/// Writes each row, new or known; the locations have their items before any row names them.
pub(super) async fn record(table: &Table, locations: &Locations, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
    let rows_of = united(rows);
    let ids = locations.write(table, rows_of.values().flat_map(|row| &row.locations)).await?;
    let writes = rows_of.values().map(|row| {
        let at: Vec<_> = row.locations.iter().filter_map(|path| ids.get(path).copied()).collect();
        async move { Ok((row.hash, write(table, row, &at).await?)) }
    });
    let recorded: HashMap<_, _> = side_by_side(writes.collect()).await?.into_iter().collect();
    let answer = |row: &MessageRow| recorded.get(&row.hash).cloned();
    rows.iter().map(|row| answer(row).ok_or_else(|| Error::internal("a row was not written"))).collect()
}

/// The rows by hash: a mail that is there twice is one write, the first of its rows with what all of them add.
fn united(rows: &[MessageRow]) -> BTreeMap<MailHash, MessageRow> {
    let mut by_hash: BTreeMap<MailHash, MessageRow> = BTreeMap::new();
    for row in rows {
        let kept = by_hash.entry(row.hash).or_insert_with(|| row.clone());
        kept.locations.extend(row.locations.iter().cloned());
        kept.flags = kept.flags.union(row.flags);
        kept.defects |= row.defects;
    }
    by_hash
}

async fn write(table: &Table, row: &MessageRow, at: &[LocationId]) -> Result<Recorded> {
    let item = if at.len() <= MOST_IN_ROW { write_row(table, row, at, false).await? } else { None };
    let item = if let Some(item) = item {
        item
    } else {
        write_beside(table, &row.hash, at).await?;
        let item = write_row(table, row, &[], true).await?;
        item.ok_or_else(|| Error::internal("an update without condition was refused"))?
    };
    Ok(Body::parse(&item)?.recorded())
}

/// The row with these locations; none if they do not fit into it.
async fn write_row(table: &Table, row: &MessageRow, at: &[LocationId], more: bool) -> Result<Option<Item>> {
    let body = serde_json::to_string(&Body::of(row));
    let body = body.map_err(|e| Error::internal("a row cannot be written").caused_by(e))?;
    let mut set = "SET #m = if_not_exists(#m, :m)".to_owned();
    let mut values = vec![(":m", text(body))];
    if more {
        set.push_str(", #more = :more");
        values.push((":more", AttributeValue::Bool(true)));
    }
    let mut added = Vec::new();
    let sets = [
        ("#at :at", ":at", blobs(at)),
        ("#f :f", ":f", bits(u64::from(row.flags.0))),
        ("#x :x", ":x", bits(row.defects)),
    ];
    for (add, name, value) in sets {
        if let Some(value) = value {
            added.push(add);
            values.push((name, value));
        }
    }
    if !added.is_empty() {
        set = format!("{set} ADD {}", added.join(", "));
    }
    let condition = (!at.is_empty()).then(|| room_for(at, MOST_IN_ROW));
    table.update(Update { key: key(&row.hash), expression: set, condition, values }).await
}

/// The locations in items of their own, each by the first byte of its id: who repeats it writes the same.
async fn write_beside(table: &Table, hash: &MailHash, at: &[LocationId]) -> Result<()> {
    let mut buckets: BTreeMap<u8, Vec<LocationId>> = BTreeMap::new();
    for id in at {
        buckets.entry(id[0]).or_default().push(*id);
    }
    for (bucket, ids) in buckets {
        let Some(value) = blobs(&ids) else { continue };
        let update = Update {
            key: Key::new(format!("M#{hash}"), format!("L#{bucket:02x}")),
            expression: "ADD #at :at".into(),
            condition: Some(room_for(&ids, MOST_IN_BUCKET)),
            values: vec![(":at", value)],
        };
        if table.update(update).await?.is_none() {
            return Err(Error::invalid(format!("mail {hash} lies in too many places")).code("over_limit"));
        }
    }
    Ok(())
}

/// That the set has room for all of them. If it has not, even those that it holds go beside it: readers unite both.
fn room_for(at: &[LocationId], most: usize) -> Condition {
    let room = number(most.saturating_sub(at.len()));
    Condition::new("attribute_not_exists(#at) OR size(#at) <= :room", [(":room", room)])
}

fn blobs(ids: &[LocationId]) -> Option<AttributeValue> {
    (!ids.is_empty()).then(|| AttributeValue::Bs(ids.iter().map(|id| Blob::new(id.to_vec())).collect()))
}

/// Where the bytes lie; eventually consistent, which the port allows, at half the price.
pub(super) async fn known(table: &Table, hashes: &[MailHash]) -> Result<Vec<Option<Place>>> {
    let keys: Vec<_> = hashes.iter().map(key).collect();
    let items = table.batch_get(&keys, false).await?;
    let place = |key: &Key| match items.get(key) {
        None => Ok(None),
        Some(item) => {
            let body = Body::parse(item)?;
            Ok(Some(Place { pack: PackId(body.pack), offset: body.off, stored_bytes: body.len }))
        }
    };
    keys.iter().map(place).collect()
}

/// The whole rows, with their locations.
pub(super) async fn locate(table: &Table, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
    let keys: Vec<_> = hashes.iter().map(key).collect();
    let items = table.batch_get(&keys, true).await?;
    let at_of = items.iter().map(|(key, item)| async move { Ok((key, places(table, key, item).await?)) });
    let at_of: HashMap<&Key, BTreeSet<LocationId>> = side_by_side(at_of.collect()).await?.into_iter().collect();
    let paths = locations::read(table, &at_of.values().flatten().copied().collect()).await?;
    let row = |(hash, key): (&MailHash, &Key)| match items.get(key) {
        None => Ok(None),
        Some(item) => {
            let at = at_of.get(key).into_iter().flatten().filter_map(|id| paths.get(id).cloned()).collect();
            Ok(Some(Body::parse(item)?.row(*hash, item, at)))
        }
    };
    hashes.iter().zip(&keys).map(row).collect()
}

/// The ids of all locations of a mail: those in its row, and those beside it.
async fn places(table: &Table, key: &Key, item: &Item) -> Result<BTreeSet<LocationId>> {
    let mut ids: BTreeSet<LocationId> = ids(item)?;
    if item.contains_key(MORE) {
        for beside in table.query(&key.pk, Range::Prefix("L#"), usize::MAX).await? {
            ids.extend(self::ids(&beside)?);
        }
    }
    Ok(ids)
}

fn ids(item: &Item) -> Result<BTreeSet<LocationId>> {
    let id = |blob: &Blob| blob.as_ref().try_into().map_err(|_| damaged(item, LOCATIONS));
    get_blobs(item, LOCATIONS).iter().map(id).collect()
}
