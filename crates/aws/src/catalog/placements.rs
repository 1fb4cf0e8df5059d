//! Placements: a list is a head and some runs; a batch that is placed becomes a run, and is there once the head says so.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use archive::{
    Error, ErrorKind, FolderPath, MailboxAddress, PlacementKey, Result,
    ports::{FolderCount, Scope},
};
use sha2::{Digest as _, Sha256};

use super::{
    head::{self, Head, Id, Run, WHOLE},
    item::{SK, get_text},
    merge,
    run::{self, Block, From, ITEMS_PER_READ, KEYS_PER_ITEM, Naming},
    table::{Condition, Range, Table, side_by_side},
};

/// A change of a head by compare-and-set is tried so often.
pub(super) const MAX_TRIES: u32 = 20;

/// Makes the folders and their parents; answers how many were new.
pub(super) async fn create_folders(table: &Table, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
    let wanted: BTreeSet<FolderPath> = paths.iter().flat_map(FolderPath::with_parents).collect();
    let key = |path: &FolderPath| head::key(&Scope::Folder(mailbox.clone(), path.clone()));
    let keys: Vec<_> = wanted.iter().map(key).collect();
    let there = table.batch_get(&keys, false).await?;
    let missing = wanted.into_iter().zip(keys).filter(|(_, key)| !there.contains_key(key));
    let made = missing.map(|(path, key)| async move {
        let head = Head { path: Some(path), version: 1, ..Head::default() };
        table.put(head.item(&key)?, Some(Condition::absent())).await
    });
    let made = side_by_side(made.collect()).await?;
    Ok(made.into_iter().filter(|new| *new).count() as u64)
}

/// The folders of a mailbox in order of their paths.
pub(super) async fn folders(table: &Table, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
    let items = table.query(&head::partition(mailbox.folded()), Range::Prefix("F#"), usize::MAX).await?;
    let heads = items.iter().filter(|item| get_text(item, SK) != Some(WHOLE)).map(Head::parse);
    let mut folders = Vec::with_capacity(items.len());
    for head in heads {
        let head = head?;
        let path = head.path.ok_or_else(|| Error::corrupt(format!("a folder of {mailbox} has no path")))?;
        folders.push(FolderCount { path, mails: head.count });
    }
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(folders)
}

/// How many folders the mailbox has: their heads come after that of the whole mailbox.
pub(super) async fn count_folders(table: &Table, mailbox: &MailboxAddress) -> Result<u64> {
    table.count_after(&head::partition(mailbox.folded()), WHOLE).await
}

/// Which of these folders the mailbox has.
pub(super) async fn has_folders(table: &Table, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
    let key = |path: &FolderPath| head::key(&Scope::Folder(mailbox.clone(), path.clone()));
    let keys: Vec<_> = paths.iter().map(key).collect();
    let there = table.batch_get(&keys, true).await?;
    Ok(keys.iter().map(|key| there.contains_key(key)).collect())
}

pub(super) async fn count(table: &Table, scope: &Scope) -> Result<u64> {
    Ok(Head::load(table, scope).await?.map_or(0, |head| head.count))
}

/// Adds the keys that no run of the list holds as a run of their own; answers how many these are. `now` in Unix seconds.
pub(super) async fn place(table: &Table, name: &str, scope: &Scope, keys: &[PlacementKey], now: i64) -> Result<u64> {
    if !keys.is_sorted_by(|a, b| a < b) {
        return Err(Error::invalid(format!("the keys of run {name} are not in order")));
    }
    let name = id_of(name);
    let mut compared = Compared::new(keys);
    for round in 0..MAX_TRIES {
        pause(round).await;
        let head = placeable(Head::load(table, scope).await?, scope)?;
        if head.runs.iter().any(|run| run.name == name) {
            return Ok(0);
        }
        match compared.with(table, &head).await {
            Err(e) if e.kind() == ErrorKind::Conflict => continue,
            compared => compared?,
        }
        let fresh = compared.fresh();
        if fresh.is_empty() && !compared.flags_changed {
            return Ok(0);
        }
        if add(table, scope, &head, name, &fresh).await? {
            merge::if_due(table, scope, now).await?;
            return Ok(fresh.len() as u64);
        }
    }
    Err(Error::unavailable("a list of mails is being changed by others all the time").hint("try again later"))
}

/// A folder must have been made; other lists begin with their first batch.
fn placeable(head: Option<Head>, scope: &Scope) -> Result<Head> {
    match (head, scope) {
        (Some(head), _) => Ok(head),
        (None, Scope::Folder(mailbox, path)) => {
            Err(Error::not_found(format!("mailbox {mailbox} has no folder {:?}", path.0)))
        }
        (None, Scope::All | Scope::Mailbox(_)) => Ok(Head::default()),
    }
}

/// The run's items, then the head that names it. Flags that changed in older runs count as a change of the head too, so
/// that whoever merges these runs meanwhile does it again.
async fn add(table: &Table, scope: &Scope, head: &Head, name: Id, fresh: &[PlacementKey]) -> Result<bool> {
    let mut next = head.clone();
    if !fresh.is_empty() {
        let mut naming = Naming::new(&head::key(scope));
        naming.add(&name);
        fresh.chunks(KEYS_PER_ITEM).for_each(|keys| naming.add(&run::encode(keys)));
        let id = naming.id();
        run::add(table, &id, fresh).await?;
        // One that was taken out and comes again is written anew, and must not be deleted by a later merge.
        next.retired.retain(|retired| retired.id != id);
        next.runs.push(run::describe(name, id, fresh)?);
        next.count += fresh.len() as u64;
    }
    head.swap(table, scope, next).await
}

/// A batch beside the runs of its list: which of its keys are there already.
struct Compared<'a> {
    keys: &'a [PlacementKey],
    there: Vec<bool>,
    /// Runs do not change but for flags: what was compared once need not be again.
    runs: HashSet<Id>,
    flags_changed: bool,
}

impl<'a> Compared<'a> {
    fn new(keys: &'a [PlacementKey]) -> Self {
        Self { keys, there: vec![false; keys.len()], runs: HashSet::new(), flags_changed: false }
    }

    fn fresh(&self) -> Vec<PlacementKey> {
        self.keys.iter().zip(&self.there).filter(|(_, there)| !**there).map(|(key, _)| *key).collect()
    }

    async fn with(&mut self, table: &Table, head: &Head) -> Result<()> {
        for run in &head.runs {
            if run.overlaps(self.keys) && !self.runs.contains(&run.id) {
                self.with_run(table, run).await?;
                self.runs.insert(run.id);
            }
        }
        Ok(())
    }

    /// Reads the blocks in which keys of the batch would lie, and passes over those between.
    async fn with_run(&mut self, table: &Table, run: &Run) -> Result<()> {
        let mut at = self.keys.partition_point(|key| key.sort_bytes() < run.first);
        while let Some(next) = self.keys.get(at).filter(|key| key.sort_bytes() <= run.last) {
            // Many keys lie in neighbouring blocks, few lie far apart.
            let limit = ((self.keys.len() - at) / 8).clamp(1, ITEMS_PER_READ);
            let blocks = run::read(table, &run.id, From::At(&next.sort_bytes()), limit).await?;
            if blocks.is_empty() {
                return Err(Error::corrupt("a run of a list of mails ends before its last key"));
            }
            for block in blocks {
                at = self.with_block(table, block).await?;
            }
        }
        Ok(())
    }

    /// Answers the first key of the batch that comes after the block.
    async fn with_block(&mut self, table: &Table, mut block: Block) -> Result<usize> {
        let mut changed = false;
        for stored in &mut block.keys {
            let Ok(at) = self.keys.binary_search(stored) else { continue };
            let (Some(key), Some(there)) = (self.keys.get(at), self.there.get_mut(at)) else { continue };
            *there = true;
            let flags = stored.flags.union(key.flags);
            changed |= flags != stored.flags;
            stored.flags = flags;
        }
        if changed {
            self.flags_changed = true;
            if !block.rewrite(table).await? {
                return Err(Error::conflict("flags in a list of mails are being changed by somebody else"));
            }
        }
        let last = block.keys.last();
        Ok(last.map_or(self.keys.len(), |last| self.keys.partition_point(|key| key <= last)))
    }
}

/// The next keys of the list.
pub(super) async fn page(
    table: &Table,
    scope: &Scope,
    after: Option<&PlacementKey>,
    limit: usize,
) -> Result<Vec<PlacementKey>> {
    let Some(head) = Head::load(table, scope).await?.filter(|_| limit > 0) else { return Ok(Vec::new()) };
    let cursor = after.map(PlacementKey::sort_bytes);
    let mut runs: Vec<_> = head.runs.iter().filter(|run| cursor.is_none_or(|cursor| run.last > cursor)).collect();
    runs.sort_by_key(|run| run.first);
    let mut page: Vec<PlacementKey> = Vec::new();
    for run in runs {
        // All runs from here on begin behind the page.
        if page.len() >= limit && page.last().is_some_and(|last| last.sort_bytes() < run.first) {
            break;
        }
        page.extend(keys_after(table, run, after, limit).await?);
        page.sort();
        page.truncate(limit);
    }
    Ok(page)
}

async fn keys_after(table: &Table, run: &Run, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
    let mut keys: Vec<PlacementKey> = Vec::new();
    let mut from = after.map(PlacementKey::sort_bytes);
    while keys.len() < limit {
        let blocks = (limit - keys.len()).div_ceil(KEYS_PER_ITEM).min(ITEMS_PER_READ);
        let blocks = run::read(table, &run.id, from.as_ref().map_or(From::Start, From::After), blocks).await?;
        let Some(last) = blocks.last().and_then(|block| block.keys.last()) else { break };
        from = Some(last.sort_bytes());
        let behind = |key: &PlacementKey| after.is_none_or(|after| key > after);
        keys.extend(blocks.into_iter().flat_map(|block| block.keys).filter(behind));
    }
    keys.truncate(limit);
    Ok(keys)
}

/// Which of these keys lie in the list.
pub(super) async fn placed(table: &Table, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
    let Some(head) = Head::load(table, scope).await? else { return Ok(vec![None; keys.len()]) };
    let mut sorted = keys.to_vec();
    sorted.sort();
    sorted.dedup();
    let mut found = Vec::new();
    for run in head.runs.iter().filter(|run| run.overlaps(&sorted)) {
        let mut at = sorted.partition_point(|key| key.sort_bytes() < run.first);
        while let Some(next) = sorted.get(at) {
            let blocks = run::read(table, &run.id, From::At(&next.sort_bytes()), 1).await?;
            let Some(block) = blocks.first() else { break };
            found.extend(block.keys.iter().filter(|key| sorted.binary_search(key).is_ok()));
            at = block.keys.last().map_or(sorted.len(), |last| sorted.partition_point(|key| key <= last));
        }
    }
    found.sort();
    let find = |key: &PlacementKey| found.binary_search(key).ok().and_then(|at| found.get(at)).copied();
    Ok(keys.iter().map(find).collect())
}

/// What names a batch, in 16 bytes.
fn id_of(name: &str) -> Id {
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A little longer each time: whoever came first has the head only for a moment.
pub(super) async fn pause(round: u32) {
    if round > 0 {
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 20)).await;
    }
}
