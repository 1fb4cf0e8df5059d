//! Kills: what a run says in the end is what an undisturbed one says.

use std::time::Duration;

use crate::{
    Archive, ProcessId, Restructured,
    import::tests::{World, world},
    job::{self, Job},
    testing::faulty::Faults,
};

/// Twelve mails that take three batches, and a run that was asked for.
async fn begun() -> (World, ProcessId, Job) {
    let mut world = world(None);
    (world.archive.sizes.step_mails, world.archive.sizes.placements) = (4, 1);
    world.import(None).await;
    let process = world.archive.start_restructure("test").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    (world, process, job)
}

async fn result(archive: &Archive, process: &ProcessId) -> Restructured {
    serde_json::from_value(archive.process(process).await.unwrap().result.unwrap()).unwrap()
}

/// The run with these faults in its first turn; whoever is killed acknowledges nothing.
async fn ran(faults: &Faults) -> Restructured {
    let (world, process, job) = begun().await;
    if job::run(&faults.before(&world.archive), &job, Duration::MAX).await.is_err() {
        world.archive.send(&job).await.unwrap();
    }
    world.memory.work(&world.archive).await.unwrap();
    result(&world.archive, &process).await
}

#[tokio::test]
async fn a_kill_at_any_effect_leaves_the_counts_as_they_would_have_been() {
    let expected = ran(&Faults::none()).await;
    assert_eq!((expected.reports_processed, expected.mailboxes_created), (1, 3));
    assert_eq!((expected.folders_created, expected.placements_created), (5, 12));
    for after in [false, true] {
        for at in 0.. {
            let faults = Faults::at(at, after);
            let done = ran(&faults).await;
            if !faults.struck() {
                assert!(at > 12, "three batches have more effects than {at}");
                break;
            }
            assert_eq!(done, expected, "killed at effect {at}, after it: {after}");
        }
    }
}

/// Somebody else's run takes over: each counts what it has brought.
#[tokio::test]
async fn what_a_killed_run_has_placed_is_its_own() {
    let expected = ran(&Faults::none()).await;
    for at in 0..40 {
        let (world, first, job) = begun().await;
        let faults = Faults::at(at, true);
        let killed = job::run(&faults.before(&world.archive), &job, Duration::MAX).await.is_err();
        let second = world.archive.start_restructure("test").await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        if killed {
            world.archive.send(&job).await.unwrap();
        }
        world.memory.work(&world.archive).await.unwrap();
        let [first, second] = [result(&world.archive, &first).await, result(&world.archive, &second).await];
        let sum = |count: fn(&Restructured) -> u64| count(&first) + count(&second);
        assert_eq!(sum(|done| done.reports_processed), expected.reports_processed, "effect {at}");
        assert_eq!(sum(|done| done.mailboxes_created), expected.mailboxes_created, "effect {at}");
        assert_eq!(sum(|done| done.folders_created), expected.folders_created, "effect {at}");
        assert_eq!(sum(|done| done.placements_created), expected.placements_created, "effect {at}");
    }
}
