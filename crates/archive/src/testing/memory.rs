//! The twins: each port, in memory.

mod catalog;
mod clock;
mod door;
mod keys;
mod objects;
mod queue;
mod random;
mod schedules;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use catalog::MemoryCatalog;
pub use clock::SteppedClock;
pub use door::MemoryDoor;
pub use keys::MemoryKeys;
pub use objects::MemoryObjects;
pub use queue::MemoryQueue;
pub use random::SeededRandom;
pub use schedules::MemorySchedules;

use crate::{Archive, DoorMode, FrontDoor, Result, Sizes, ViewRoom, VolumesInHand, Worker};

/// One of each, on one clock.
#[derive(Clone, Debug)]
pub struct Memory {
    pub objects: Arc<MemoryObjects>,
    pub uploads: Arc<MemoryObjects>,
    pub files: Arc<MemoryObjects>,
    pub catalog: Arc<MemoryCatalog>,
    pub queue: Arc<MemoryQueue>,
    pub schedules: Arc<MemorySchedules>,
    pub keys: Arc<MemoryKeys>,
    pub clock: Arc<SteppedClock>,
    pub random: Arc<SeededRandom>,
    pub door: Arc<MemoryDoor>,
    scratch: Arc<tempfile::TempDir>,
}

impl Memory {
    #[expect(clippy::expect_used, reason = "a test's fixture")]
    /// Equal seeds give equal bytes from `random`.
    pub fn new(seed: u64) -> Self {
        let clock = Arc::new(SteppedClock::default());
        let store = || Arc::new(MemoryObjects::new(clock.clone()));
        Self {
            objects: store(),
            uploads: store(),
            files: store(),
            catalog: Arc::default(),
            queue: Arc::new(MemoryQueue::new(clock.clone())),
            schedules: Arc::new(MemorySchedules::new(clock.clone())),
            keys: Arc::default(),
            random: Arc::new(SeededRandom::new(seed)),
            door: Arc::new(MemoryDoor::new(clock.clone())),
            scratch: Arc::new(tempfile::tempdir().expect("a temporary folder can be made")),
            clock,
        }
    }

    /// The same objects under an empty catalogue, queue and timetable.
    #[must_use]
    pub fn without_catalogue(&self) -> Self {
        let clock = self.clock.clone();
        let queue = Arc::new(MemoryQueue::new(clock.clone()));
        Self { catalog: Arc::default(), queue, schedules: Arc::new(MemorySchedules::new(clock)), ..self.clone() }
    }

    /// The product over these twins.
    pub fn archive(&self) -> Archive {
        Archive {
            objects: self.objects.clone(),
            uploads: self.uploads.clone(),
            files: self.files.clone(),
            catalog: self.catalog.clone(),
            queue: self.queue.clone(),
            schedules: self.schedules.clone(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            door: FrontDoor { mode: DoorMode::OnDemand, port: self.door.clone() },
            scratch: self.scratch.path().to_owned(),
            worker: Worker { process: "memory".into(), number: 0, alone: true, lease: Worker::LEASE },
            domain: None,
            sizes: Sizes::default(),
            in_hand: VolumesInHand::default(),
            view_room: ViewRoom::default(),
        }
    }

    /// Does every job that is due, and those that they send, until none is left.
    pub async fn work(&self, archive: &Archive) -> Result<()> {
        while let Some(job) = self.queue.take() {
            crate::job::run(archive, &job, Duration::MAX).await?;
        }
        Ok(())
    }
}

/// A test that panicked with the lock in hand leaves state that others may still look at.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
