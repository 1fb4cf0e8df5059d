//! One catalogue that is emptied and filled again.

use std::time::Duration;

use super::*;
use crate::{
    ErrorKind, Worker,
    import::tests::{World, visible_state, world},
    job,
    ports::{Catalog as _, Expect},
    testing::faulty::Faults,
};

async fn busy() -> World {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    world
}

/// One of several who work on the archive.
fn beside(archive: &Archive) -> Archive {
    let worker = Worker { process: "command".into(), number: 0, alone: false, lease: Worker::LEASE };
    Archive { worker, ..archive.clone() }
}

#[tokio::test]
async fn rows_are_replaced_only_when_that_is_said() {
    let world = busy().await;
    let (before, rows) = (visible_state(&world.archive).await, world.memory.catalog.dump());
    let error = world.archive.rebuild_in_place(true, false, async |_| panic!("emptied")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.advice().is_some_and(|hint| hint.contains("--replace") && hint.contains("--dry-run")));
    assert_eq!(world.memory.catalog.dump(), rows);
    let empty = async |stays: &str| {
        world.memory.catalog.empty(stays);
        Ok(())
    };
    assert_eq!(world.archive.rebuild_in_place(true, true, empty).await.unwrap(), [""; 0]);
    assert_eq!(visible_state(&world.archive).await, before);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.errors.is_empty() && checked.balanced, "{checked:?}");
}

/// Wherever it is cut off, the same command without `--replace` ends it, and `check` says until then that it is needed.
#[tokio::test]
async fn one_that_was_cut_off_begins_again() {
    let expected = visible_state(&busy().await.archive).await;
    for at in 0..200 {
        let world = busy().await;
        let faults = Faults::at(at, at % 2 == 0);
        let killed = faults.before(&world.archive);
        let empty = async |stays: &str| {
            world.memory.catalog.empty(stays);
            Ok(())
        };
        let first = killed.rebuild_in_place(true, true, empty).await;
        if !faults.struck() {
            assert_eq!(first.unwrap(), [""; 0]);
            return;
        }
        if at > 0 && first.is_err() && world.archive.is_rebuild_unfinished().await.unwrap() {
            let errors = world.archive.check(false).await.unwrap().errors;
            assert!(errors.iter().any(|error| error.contains("made anew")), "effect {at}: {errors:?}");
        }
        let again = world.archive.rebuild_in_place(true, at == 0, empty).await;
        match again {
            Ok(faults) => assert_eq!(faults, [""; 0], "effect {at}"),
            // It had ended, and only the answer was lost.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "effect {at}: {error}"),
        }
        assert_eq!(visible_state(&world.archive).await, expected, "effect {at}");
        let checked = world.archive.check(true).await.unwrap();
        assert!(checked.errors.is_empty() && checked.balanced, "effect {at}: {checked:?}");
    }
    panic!("it never ends");
}

#[tokio::test]
async fn nobody_is_disturbed_at_work() {
    let world = world(None);
    world.begin().await;
    let job = world.memory.queue.take().unwrap();
    let mut function = beside(&world.archive);
    function.worker.process = "function".into();
    // It is killed with the shard in hand.
    let killed = Faults::at(1, true).before(&function);
    assert!(job::run(&killed, &job, Duration::MAX).await.is_err());
    let command = beside(&world.archive);
    // One row that cannot be read does not hide the others.
    world.memory.catalog.save("import", "!", &serde_json::json!("no such row"), Expect::Anything, None).await.unwrap();
    let error = command.rebuild_in_place(true, true, async |_| panic!("emptied")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("import"), "{error}");
    world.memory.clock.advance(Worker::LEASE + Duration::from_secs(1));
    let empty = async |stays: &str| {
        world.memory.catalog.empty(stays);
        Ok(())
    };
    assert_eq!(command.rebuild_in_place(true, true, empty).await.unwrap(), [""; 0]);
    assert!(command.check(true).await.unwrap().errors.is_empty());
}

/// Rows that nobody can read are what it is for.
#[tokio::test]
async fn a_damaged_catalogue_is_not_in_the_way() {
    let world = busy().await;
    let before = visible_state(&world.archive).await;
    let broken = serde_json::json!("no such row");
    for (partition, id) in [("import", "x"), ("turn", "restructure"), ("emptying", "desk")] {
        world.memory.catalog.save(partition, id, &broken, Expect::Anything, None).await.unwrap();
    }
    let empty = async |stays: &str| {
        world.memory.catalog.empty(stays);
        Ok(())
    };
    assert_eq!(world.archive.rebuild_in_place(true, true, empty).await.unwrap(), [""; 0]);
    assert_eq!(visible_state(&world.archive).await, before);
}
