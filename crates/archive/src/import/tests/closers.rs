//! Two workers that close one import: however late the first one's request takes effect, the report is the one that its row
//! names.

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use super::*;
use crate::{Worker, job};

/// Every entry has its outcome, and a part of the placements is left to be closed.
async fn to_be_closed() -> (World, ImportId) {
    let mut world = world(None);
    world.archive.sizes = Sizes { step_mails: 4, batch_mails: 4, placements: 1, ..Sizes::default() };
    let (_, id) = world.begin().await;
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    while !world.archive.shards(&import).await.unwrap().iter().any(|shard| shard.done) {
        let job = world.memory.queue.take().unwrap();
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    }
    assert!(world.archive.find::<Report>(&id.0).await.unwrap().is_none());
    (world, id)
}

fn worker(name: &str, archive: Archive) -> Archive {
    let worker = Worker { process: name.into(), number: 0, alone: false, lease: Worker::LEASE };
    Archive { worker, ..archive }
}

/// Looks at the work so often; whether it has ended.
fn has_ended<T>(work: &mut Pin<Box<impl Future<Output = T>>>, looks: usize) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    (0..looks).any(|_| work.as_mut().poll(&mut context).is_ready())
}

#[tokio::test]
async fn a_request_that_comes_late_changes_no_report() {
    let mut taken_over = 0;
    for seed in 1..=8 {
        for looks in 0.. {
            let (world, id) = to_be_closed().await;
            let first = worker("first", Faults::none().mixed(seed).before(&world.archive));
            let mut closing = Box::pin(first.close_import(&id, Duration::MAX));
            if has_ended(&mut closing, looks) || world.archive.find::<Report>(&id.0).await.unwrap().is_some() {
                break;
            }
            // Its lease is over, its request still on the way; it takes effect, and nothing after it does.
            world.memory.clock.advance(Worker::LEASE + Duration::from_secs(1));
            worker("second", world.archive.clone()).close_import(&id, Duration::MAX).await.unwrap();
            has_ended(&mut closing, 1);
            drop(closing);
            let report = world.archive.need::<Report>(&id.0).await.unwrap().value;
            let contents = world.archive.report_contents(&report).await;
            assert!(contents.is_ok(), "seed {seed}, after {looks} looks: {contents:?}");
            assert_eq!(world.archive.import(&id).await.unwrap().state, ImportState::Finished);
            taken_over += 1;
        }
    }
    assert!(taken_over > 8, "only {taken_over}");
}
