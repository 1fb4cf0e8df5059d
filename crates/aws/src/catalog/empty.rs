//! The whole table, read and emptied, so that a catalogue can be made anew in it.

use std::collections::BTreeMap;

use archive::Result;
use serde::Serialize;

use super::{
    documents,
    item::{Item, Key, size_bytes},
    table::Table,
};

/// What a table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// How many documents, by kind: `import`, `session`.
    pub documents: BTreeMap<String, u64>,
    /// Items of mails, one for each and some for their locations.
    pub mails: u64,
    /// Items of lists.
    pub lists: u64,
}

impl Rows {
    /// All of them.
    pub fn count(&self) -> u64 {
        self.documents.values().sum::<u64>() + self.mails + self.lists
    }

    fn add(&mut self, key: &Key) {
        if let Some(partition) = key.pk.strip_prefix(documents::PREFIX) {
            let kind = partition.split('/').next().unwrap_or_default();
            *self.documents.entry(kind.to_owned()).or_default() += 1;
        } else if key.pk.starts_with("M#") || key.pk.starts_with("L#") {
            self.mails += 1;
        } else {
            self.lists += 1;
        }
    }
}

pub(super) async fn has_rows(table: &Table) -> Result<bool> {
    let mut from = None;
    loop {
        let (items, next) = table.scan(from).await?;
        if !items.is_empty() || next.is_none() {
            return Ok(!items.is_empty());
        }
        from = next;
    }
}

pub(super) async fn rows(table: &Table) -> Result<Rows> {
    let (mut rows, mut from) = (Rows::default(), None);
    loop {
        let (items, next) = table.scan(from).await?;
        for item in &items {
            rows.add(&Key::of(item)?);
        }
        if next.is_none() {
            return Ok(rows);
        }
        from = next;
    }
}

/// A page is deleted before the next one is read, so that the memory holds one.
pub(super) async fn empty(table: &Table, stays: &str, deleted: &mut (dyn FnMut(u64) + Send)) -> Result<()> {
    let stays = format!("{}{stays}", documents::PREFIX);
    let (mut count, mut from) = (0, None);
    loop {
        let (items, next) = table.scan(from).await?;
        let keys = items.iter().map(sized).filter(|key| key.as_ref().map_or(true, |(key, _)| key.pk != stays));
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        count += keys.len() as u64;
        table.batch_delete(keys).await?;
        deleted(count);
        if next.is_none() {
            return Ok(());
        }
        from = next;
    }
}

fn sized(item: &Item) -> Result<(Key, usize)> {
    Ok((Key::of(item)?, size_bytes(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_what_they_are_of() {
        let mut rows = Rows::default();
        for pk in ["D#import", "D#shard/0a", "D#shard/0b", "M#ab", "L#cd", "B#*", "R#ef"] {
            rows.add(&Key::new(pk, "-"));
        }
        assert_eq!(rows.documents, BTreeMap::from([("import".into(), 1), ("shard".into(), 2)]));
        assert_eq!((rows.mails, rows.lists, rows.count()), (2, 2, 7));
    }
}
