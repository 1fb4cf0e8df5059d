//! Several slices taken together, so that lists grow by few large batches.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use super::{Outcome, Placed, SliceRef};
use crate::{Archive, Flags, MailHash, PlacementKey, Result};

/// Mails of one list, each once, with date and flags.
#[derive(Default)]
pub(crate) struct Mails(BTreeMap<MailHash, (Option<i64>, Flags)>);

impl Mails {
    pub(crate) fn add(&mut self, hash: MailHash, date: Option<i64>, flags: Flags) {
        let known = self.0.entry(hash).or_insert((date, Flags::default()));
        known.1 = known.1.union(flags);
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        others.0.iter().for_each(|(hash, (date, flags))| self.add(*hash, *date, *flags));
    }

    /// In the order of a list.
    pub(crate) fn into_keys(self) -> Vec<PlacementKey> {
        let key = |(hash, (date, flags))| PlacementKey { date, hash, flags };
        let mut keys: Vec<_> = self.0.into_iter().map(key).collect();
        keys.sort();
        keys
    }
}

impl Archive {
    /// Hands over the mails of the slices from entry `from` on, until `take` has counted enough of them or the boot clock
    /// shows `stop`, but of one slice at least. Answers which entries these were; none if nothing is left.
    ///
    /// Where a batch ends may depend on the time. Whoever writes it must name it by both ends, so that a repeat that
    /// ends elsewhere is another batch.
    pub(crate) async fn take_batch(
        &self,
        slices: &[SliceRef],
        from: u64,
        stop: Duration,
        mut take: impl FnMut(Placed) -> usize + Send,
    ) -> Result<Option<Range<u64>>> {
        let (mut entries, mut count) = (None::<Range<u64>>, 0);
        for slice in slices.iter().filter(|slice| slice.first >= from) {
            for entry in self.slice(slice).await? {
                if let Outcome::Imported(placed) | Outcome::AlreadyThere(placed) = entry.outcome {
                    count += take(placed);
                }
            }
            entries = Some(entries.map_or(slice.first, |entries| entries.start)..slice.end());
            if count >= self.sizes.placements || self.clock.boot() >= stop {
                break;
            }
        }
        Ok(entries)
    }
}
