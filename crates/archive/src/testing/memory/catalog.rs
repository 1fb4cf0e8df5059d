//! The catalogue in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::Mutex,
};

use async_trait::async_trait;
use serde_json::Value;

use super::locked;
use crate::{
    Error, FolderPath, MailHash, MailboxAddress, MessageRow, PlacementKey, Result,
    ports::{Catalog, Document, Expect, FolderCount, MAX_ROWS_PER_CALL, Recorded, Scope},
};

/// Documents, message rows and placements. Expired documents stay, which the port allows.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By partition and id.
    documents: BTreeMap<(String, String), Document>,
    messages: HashMap<MailHash, MessageRow>,
    /// A folder is there once it was created.
    scopes: BTreeMap<Scope, Placements>,
}

#[derive(Debug, Default)]
struct Placements {
    keys: BTreeSet<PlacementKey>,
    by_hash: HashMap<MailHash, PlacementKey>,
    runs: HashSet<String>,
}

impl Tables {
    fn record(&mut self, row: &MessageRow) -> Recorded {
        let kept = self.messages.entry(row.hash).or_insert_with(|| row.clone());
        kept.locations.extend(row.locations.iter().cloned());
        kept.flags = kept.flags.union(row.flags);
        kept.defects |= row.defects;
        Recorded { first: kept.first.clone(), pack: kept.pack.clone(), message_date: kept.message_date }
    }
}

impl Placements {
    /// True if the hash is new here.
    fn add(&mut self, key: PlacementKey) -> bool {
        let known = self.by_hash.get(&key.hash).copied();
        let key = known.map_or(key, |known| PlacementKey { flags: known.flags.union(key.flags), ..known });
        self.keys.replace(key);
        self.by_hash.insert(key.hash, key);
        known.is_none()
    }
}

/// Behind everyone's back, as somebody does who edits the file of the catalogue.
impl MemoryCatalog {
    /// Changes, adds or removes a message row.
    pub fn change_message(&self, hash: MailHash, change: impl FnOnce(&mut Option<MessageRow>)) {
        let mut tables = locked(&self.tables);
        let mut row = tables.messages.remove(&hash);
        change(&mut row);
        tables.messages.extend(row.map(|row| (hash, row)));
    }

    /// Takes a mail out of a list. False if it was not there.
    pub fn unplace(&self, scope: &Scope, hash: &MailHash) -> bool {
        let mut tables = locked(&self.tables);
        let Some(placements) = tables.scopes.get_mut(scope) else { return false };
        placements.by_hash.remove(hash).is_some_and(|key| placements.keys.remove(&key))
    }

    /// Takes out all but the documents of one partition.
    pub fn empty(&self, stays: &str) {
        let mut tables = locked(&self.tables);
        let documents =
            std::mem::take(&mut tables.documents).into_iter().filter(|((partition, _), _)| partition == stays);
        *tables = Tables { documents: documents.collect(), ..Tables::default() };
    }

    /// Every row, in words: documents by partition and id, message rows, lists with their mails.
    pub fn dump(&self) -> BTreeMap<String, String> {
        let tables = locked(&self.tables);
        let documents = tables.documents.iter().map(|((of, id), row)| (format!("{of} {id}"), row.body.to_string()));
        let messages = tables.messages.iter().map(|(hash, row)| (format!("message {hash}"), format!("{row:?}")));
        let places =
            |(scope, placements): (&Scope, &Placements)| (format!("list {scope:?}"), format!("{:?}", placements.keys));
        documents.chain(messages).chain(tables.scopes.iter().map(places)).collect()
    }
}

/// `Conflict` unless what is there is what the caller expects.
fn expected(partition: &str, id: &str, there: Option<&Document>, expect: Expect) -> Result<()> {
    let fits = match (expect, there) {
        (Expect::Anything, _) | (Expect::Absent, None) => true,
        (Expect::Version(version), Some(document)) => document.version == version,
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::conflict(format!("{partition} {id} was changed meanwhile"))) }
}

fn bounded(rows: usize) -> Result<()> {
    if rows > MAX_ROWS_PER_CALL {
        return Err(Error::invalid(format!("{rows} rows in one call, more than {MAX_ROWS_PER_CALL}")));
    }
    Ok(())
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        Ok(locked(&self.tables).documents.get(&(partition.to_owned(), id.to_owned())).cloned())
    }

    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, _: Option<i64>) -> Result<u64> {
        let mut tables = locked(&self.tables);
        let key = (partition.to_owned(), id.to_owned());
        let there = tables.documents.get(&key);
        expected(partition, id, there, expect)?;
        let version = there.map_or(0, |document| document.version) + 1;
        tables.documents.insert(key, Document { id: id.to_owned(), version, body: body.clone() });
        Ok(version)
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        let tables = locked(&self.tables);
        let from = (partition.to_owned(), after.unwrap_or_default().to_owned());
        let from = if after.is_some() { Bound::Excluded(from) } else { Bound::Included(from) };
        let rest = tables.documents.range((from, Bound::Unbounded));
        let ours = rest.take_while(|((of, _), _)| of == partition);
        Ok(ours.take(limit).map(|(_, document)| document.clone()).collect())
    }

    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        let mut tables = locked(&self.tables);
        let key = (partition.to_owned(), id.to_owned());
        let Some(there) = tables.documents.get(&key) else { return Ok(false) };
        expected(partition, id, Some(there), expect)?;
        Ok(tables.documents.remove(&key).is_some())
    }

    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        bounded(rows.len())?;
        let mut tables = locked(&self.tables);
        Ok(rows.iter().map(|row| tables.record(row)).collect())
    }

    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        bounded(hashes.len())?;
        let tables = locked(&self.tables);
        Ok(hashes.iter().map(|hash| tables.messages.get(hash).cloned()).collect())
    }

    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
        let mut tables = locked(&self.tables);
        let before = tables.scopes.len();
        for path in paths.iter().flat_map(FolderPath::with_parents) {
            tables.scopes.entry(Scope::Folder(mailbox.clone(), path)).or_default();
        }
        Ok((tables.scopes.len() - before) as u64)
    }

    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(Error::invalid(format!("the keys of run {run} are not in order")));
        }
        let mut tables = locked(&self.tables);
        let placements = match scope {
            Scope::Folder(mailbox, path) => tables
                .scopes
                .get_mut(scope)
                .ok_or_else(|| Error::not_found(format!("mailbox {mailbox} has no folder {:?}", path.0)))?,
            Scope::All | Scope::Mailbox(_) => tables.scopes.entry(scope.clone()).or_default(),
        };
        if !placements.runs.insert(run.to_owned()) {
            return Ok(0);
        }
        Ok(keys.iter().filter(|key| placements.add(**key)).count() as u64)
    }

    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64> {
        let mut tables = locked(&self.tables);
        let Some(placements) = tables.scopes.get_mut(scope) else { return Ok(0) };
        placements.runs.clear();
        let mut cleared = 0;
        while cleared < limit.max(1)
            && let Some(key) = placements.keys.pop_first()
        {
            placements.by_hash.remove(&key.hash);
            cleared += 1;
        }
        Ok(cleared as u64)
    }

    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        let tables = locked(&self.tables);
        let Some(placements) = tables.scopes.get(scope) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(placements.keys.range((from, Bound::Unbounded)).take(limit).copied().collect())
    }

    async fn count(&self, scope: &Scope) -> Result<u64> {
        Ok(locked(&self.tables).scopes.get(scope).map_or(0, |placements| placements.keys.len() as u64))
    }

    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        let tables = locked(&self.tables);
        let of = |(scope, placements): (&Scope, &Placements)| match scope {
            Scope::Folder(owner, path) if owner == mailbox => {
                Some(FolderCount { path: path.clone(), mails: placements.keys.len() as u64 })
            }
            _ => None,
        };
        Ok(tables.scopes.iter().filter_map(of).collect())
    }

    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64> {
        let tables = locked(&self.tables);
        let is_own = |scope: &&Scope| matches!(scope, Scope::Folder(owner, _) if owner == mailbox);
        Ok(tables.scopes.keys().filter(is_own).count() as u64)
    }

    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
        let tables = locked(&self.tables);
        let has = |path: &FolderPath| tables.scopes.contains_key(&Scope::Folder(mailbox.clone(), path.clone()));
        Ok(paths.iter().map(has).collect())
    }

    async fn faults(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn unlisted(&self, limit: usize) -> Result<Vec<MailHash>> {
        let tables = locked(&self.tables);
        let all = tables.scopes.get(&Scope::All);
        let is_unlisted = |hash: &&MailHash| all.is_none_or(|placements| !placements.by_hash.contains_key(*hash));
        Ok(tables.messages.keys().filter(is_unlisted).take(limit).copied().collect())
    }

    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        let tables = locked(&self.tables);
        let placements = tables.scopes.get(scope);
        // Under another date it lies elsewhere.
        let find = |key: &PlacementKey| placements?.by_hash.get(&key.hash).copied().filter(|it| it.date == key.date);
        Ok(keys.iter().map(find).collect())
    }
}
