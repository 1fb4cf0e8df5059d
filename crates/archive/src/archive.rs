//! The handle that everyone holds.

use std::{path::PathBuf, sync::Arc};

use crate::{
    Domain, FrontDoor, ViewRoom, VolumesInHand, Worker,
    ports::{Catalog, Clock, Keys, Objects, Queue, Random, Schedules},
};

/// The product with its surroundings plugged in. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    /// Packs, slices and reports: what is kept.
    pub objects: Arc<dyn Objects>,
    /// Uploads, by `USER/NAME`: what is deleted.
    pub uploads: Arc<dyn Objects>,
    /// Files beside the archive that an operator names on the command line; read only.
    pub files: Arc<dyn Objects>,
    pub catalog: Arc<dyn Catalog>,
    pub queue: Arc<dyn Queue>,
    pub schedules: Arc<dyn Schedules>,
    pub keys: Arc<dyn Keys>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Where SFTP clients connect, and how that is run.
    pub door: FrontDoor,
    /// A folder for mails too large for memory; its content is worth nothing after a restart.
    pub scratch: PathBuf,
    /// Which process this is.
    pub worker: Worker,
    /// The domain that recreated mailboxes get.
    pub domain: Option<Domain>,
    pub sizes: Sizes,
    pub in_hand: VolumesInHand,
    pub view_room: ViewRoom,
}

/// How much is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Mails per shard of an import: so many that opening the volume again costs little beside it.
    pub shard_mails: u64,
    /// Small mails that make a step, so that its rows and its slice stay small.
    pub step_mails: u64,
    /// Mails that are read and looked up together: as many keys as one `BatchGetItem` takes.
    pub batch_mails: usize,
    /// Imports that run side by side, the others wait; none where whoever delivers the jobs bounds that.
    pub imports: Option<u32>,
    /// Placements gathered before they are written: few large batches make short lists cheap to read.
    pub placements: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { shard_mails: 50_000, step_mails: 8192, batch_mails: 100, imports: None, placements: 200_000 }
    }
}

impl Archive {
    /// 32 lower-case hex digits that were never used before.
    pub(crate) fn random_id(&self) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        crate::hash::to_hex(&bytes)
    }

    /// An id that sorts by the time it was made: ten hex digits of Unix seconds, three of milliseconds, then randomness.
    pub(crate) fn sortable_id(&self) -> String {
        let (millis, mut bytes) = (self.clock.now_millis(), [0; 8]);
        self.random.fill(&mut bytes);
        let random = u64::from_be_bytes(bytes) >> 12;
        format!("{:010x}{:03x}{random:013x}", millis.div_euclid(1000), millis.rem_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
        time::Duration,
    };

    use crate::{Archive, ImportId, ports::Clock, testing::Memory};

    /// Each look is a millisecond later.
    struct Millis(AtomicI64);

    impl Clock for Millis {
        fn now(&self) -> i64 {
            self.0.load(Ordering::Relaxed).div_euclid(1000)
        }
        fn now_millis(&self) -> i64 {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
        fn boot(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn ids_sort_by_the_millisecond_and_tell_the_second() {
        let clock = Arc::new(Millis(AtomicI64::new(1_767_225_600_998)));
        let archive = Archive { clock, ..Memory::new(1).archive() };
        let ids: Vec<_> = (0..50).map(|_| archive.sortable_id()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 26), "{ids:?}");
        let begun = |id: &String| ImportId(id.clone()).begun();
        assert_eq!((begun(&ids[0]), begun(&ids[2])), (Some(1_767_225_600), Some(1_767_225_601)));
    }
}
