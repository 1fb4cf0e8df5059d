//! The contract of each port, as assertions. Each suite wants an adapter that holds nothing yet, and panics at the
//! first promise that is not kept.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, as a test does")]

mod catalog;
mod documents;
mod door;
mod keys;
mod messages;
mod objects;
mod placements;
mod queue;
mod schedules;

use std::fmt::Debug;

pub use catalog::catalog;
pub use documents::documents;
pub use door::door;
pub use keys::keys;
pub use messages::messages;
pub use objects::objects;
pub use placements::placements;
pub use queue::{Receiver, queue};
pub use schedules::schedules;

use crate::{ErrorKind, Result};

#[track_caller]
fn fails<T: Debug>(result: Result<T>, kind: ErrorKind) {
    match result {
        Ok(value) => panic!("{kind:?} expected, not {value:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
    }
}

/// Names that file systems, SQL, keys and sort orders have stumbled over.
const ODD_NAMES: [&str; 24] = [
    "a",
    "A",
    "a b",
    " ",
    " a",
    "a ",
    "a.",
    ".a",
    "...",
    "a.d",
    "a.tmp",
    "%",
    "%2F",
    "%25",
    "a%+",
    "a\\b",
    "a:b*?<>|\"'",
    "-rf",
    "#",
    "\u{e9}",
    "e\u{301}",
    "\u{212b}",
    "山田太郎",
    "\u{1f4ec}\u{202e}\u{feff}",
];

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use async_trait::async_trait;

    use super::*;
    use crate::{
        job::Job,
        testing::{Memory, MemoryQueue, SteppedClock},
    };

    #[tokio::test]
    async fn memory_keeps_every_contract() {
        let memory = Memory::new(1);
        objects(&*memory.objects).await;
        catalog(&*memory.catalog).await;
        schedules(&*memory.schedules).await;
        keys(&*memory.keys).await;
        let clock = memory.clock.clone();
        door(&*memory.door, &|| clock.advance(Duration::from_mins(1))).await;
    }

    struct Worker(Arc<MemoryQueue>, Arc<SteppedClock>);

    #[async_trait]
    impl Receiver for Worker {
        async fn take_due(&self) -> Result<Vec<Job>> {
            Ok(std::iter::from_fn(|| self.0.take()).collect())
        }
        async fn pass(&self, time: Duration) {
            self.1.advance(time);
        }
    }

    #[tokio::test]
    async fn the_queue_keeps_its_contract() {
        let memory = Memory::new(1);
        queue(&*memory.queue, &Worker(memory.queue.clone(), memory.clock.clone())).await;
    }
}
