//! Merging: many runs of about one size become one, so that a page of a long list reads few runs.

use std::collections::{BTreeMap, VecDeque};

use archive::{Error, PlacementKey, Result, ports::Scope};

use super::{
    head::{self, Head, Id, Retired, Run, SortKey},
    run::{self, From, ITEMS_PER_READ, KEYS_PER_ITEM, Naming},
    table::Table,
};

/// So many runs of one size are merged.
const MOST_OF_A_SIZE: usize = 8;
/// A run of so many keys is not merged any more: a hundred million mails are then less than a hundred runs. By
/// reckoning, a thousand write units a second, the largest merge takes some minutes; none was timed on AWS.
const LARGEST: u64 = 1 << 20;
/// Items of a merged run are deleted after so many seconds: nobody reads a list for so long from one head.
const KEPT_SECONDS: i64 = 3600;
/// Items of each run that wait in memory.
const READ_AHEAD: usize = 8;

/// Merges runs of the list if there are many of a size. Whoever changes the list meanwhile comes first: the merge is
/// then lost, and waits for the next batch.
pub(super) async fn if_due(table: &Table, scope: &Scope, now: i64) -> Result<()> {
    let Some(head) = Head::load(table, scope).await? else { return Ok(()) };
    let Some(runs) = due(&head.runs) else { return Ok(()) };
    let gone: Vec<_> = head.retired.iter().filter(|run| run.since + KEPT_SECONDS <= now).copied().collect();
    for retired in &gone {
        run::delete(table, &retired.id).await?;
    }
    let merged = merge(table, scope, &runs).await?;
    let id = merged.id;
    let mut next = head.clone();
    next.runs.retain(|run| !runs.contains(run));
    next.runs.push(merged);
    next.retired.retain(|retired| !gone.contains(retired) && next.runs.iter().all(|run| run.id != retired.id));
    next.retired.extend(runs.iter().map(|run| Retired { id: run.id, since: now }));
    if !head.swap(table, scope, next).await? {
        // No head will ever name it.
        run::delete(table, &id).await?;
    }
    Ok(())
}

/// The runs of the smallest size of which there are many.
fn due(runs: &[Run]) -> Option<Vec<Run>> {
    let mut by_size: BTreeMap<u32, Vec<Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.keys < LARGEST) {
        by_size.entry(run.keys.max(1).ilog2() / MOST_OF_A_SIZE.ilog2()).or_default().push(run.clone());
    }
    by_size.into_values().find(|runs| runs.len() >= MOST_OF_A_SIZE)
}

/// Writes the keys of all these runs as one. Two workers that merge the same runs write two: flags that change in the one that
/// the head names are not written over by the other.
pub(super) async fn merge(table: &Table, scope: &Scope, runs: &[Run]) -> Result<Run> {
    let mut naming = Naming::new(&head::key(scope));
    for run in runs {
        naming.add(&run.id);
    }
    naming.add(&table.unique());
    let id = naming.id();
    let mut readers: Vec<Reader> = runs.iter().map(|run| Reader::new(run.id)).collect();
    let (mut keys, mut block) = (0, Vec::with_capacity(KEYS_PER_ITEM * ITEMS_PER_READ));
    while let Some(next) = smallest(table, &mut readers).await? {
        keys += 1;
        block.push(next);
        if block.len() == KEYS_PER_ITEM * ITEMS_PER_READ {
            run::write(table, &id, &block).await?;
            block.clear();
        }
    }
    run::write(table, &id, &block).await?;
    let (first, last) = (runs.iter().map(|run| run.first).min(), runs.iter().map(|run| run.last).max());
    match (first, last) {
        (Some(first), Some(last)) if keys == runs.iter().map(|run| run.keys).sum::<u64>() => {
            Ok(Run { name: [0; 16], id, first, last, keys })
        }
        _ => Err(Error::corrupt("the runs of a list of mails do not hold what its head says")),
    }
}

/// The smallest key that no reader has given yet.
async fn smallest(table: &Table, readers: &mut [Reader]) -> Result<Option<PlacementKey>> {
    for reader in &mut *readers {
        reader.fill(table).await?;
    }
    let next = readers.iter_mut().filter(|reader| !reader.waiting.is_empty());
    let next = next.min_by_key(|reader| reader.waiting.front().copied());
    Ok(next.and_then(|reader| reader.waiting.pop_front()))
}

/// Reads one run in order.
struct Reader {
    run: Id,
    waiting: VecDeque<PlacementKey>,
    /// The last key that was read.
    read: Option<SortKey>,
    ended: bool,
}

impl Reader {
    fn new(run: Id) -> Self {
        Self { run, waiting: VecDeque::new(), read: None, ended: false }
    }

    async fn fill(&mut self, table: &Table) -> Result<()> {
        if self.ended || !self.waiting.is_empty() {
            return Ok(());
        }
        let from = self.read.as_ref().map_or(From::Start, From::After);
        let blocks = run::read(table, &self.run, from, READ_AHEAD).await?;
        self.waiting.extend(blocks.into_iter().flat_map(|block| block.keys));
        self.ended = self.waiting.is_empty();
        self.read = self.waiting.back().map(PlacementKey::sort_bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u8, keys: u64) -> Run {
        Run { name: [id; 16], id: [id; 16], first: [0; 40], last: [9; 40], keys }
    }

    #[test]
    fn many_small_runs_are_merged_before_large_ones_and_the_largest_never() {
        let few: Vec<_> = (0..7).map(|id| run(id, 5)).collect();
        assert_eq!(due(&few), None);
        let small: Vec<_> = (0..8).map(|id| run(id, 1 + u64::from(id) % 7)).collect();
        let large: Vec<_> = (10..18).map(|id| run(id, 100_000)).collect();
        assert_eq!(due(&[large.clone(), small.clone()].concat()), Some(small));
        assert_eq!(due(&large), Some(large));
        let largest: Vec<_> = (0..20).map(|id| run(id, LARGEST)).collect();
        assert_eq!(due(&largest), None);
    }
}
