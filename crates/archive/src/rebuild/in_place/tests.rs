//! One catalogue that is emptied and filled again.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::{
    MailboxAddress, Worker,
    access::Grantee,
    import::tests::{World, visible_state, world},
    job::{self, Job},
    kept::Kept,
    ports::{ByteStream, Catalog as _, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
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
        if at > 1 && first.is_err() && world.archive.is_rebuild_unfinished().await.unwrap() {
            let errors = world.archive.check(false).await.unwrap().errors;
            assert!(errors.iter().any(|error| error.contains("made anew")), "effect {at}: {errors:?}");
        }
        // The first effects are the schedule and the word that a rebuild has begun.
        let again = world.archive.rebuild_in_place(true, at < 2, empty).await;
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

/// Objects whose bytes nobody may read.
struct Unreadable(Arc<dyn Objects>);

#[async_trait]
impl Objects for Unreadable {
    async fn get(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<Bytes> {
        Err(Error::denied(key.as_str()))
    }
    async fn stream(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<ByteStream> {
        Err(Error::denied(key.as_str()))
    }
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        self.0.head(key).await
    }
    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        self.0.put(key, bytes, mode).await
    }
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        self.0.create(key).await
    }
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        self.0.list(prefix, after, limit).await
    }
    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        self.0.delete(key, pinned).await
    }
}

/// What is missing for a rebuild is found while the rows are still there.
#[tokio::test]
async fn nothing_is_deleted_before_all_else_is_known_to_work() {
    let world = busy().await;
    let rows = world.memory.catalog.dump();
    let unreadable = Archive { objects: Arc::new(Unreadable(world.archive.objects.clone())), ..world.archive.clone() };
    let error = unreadable.rebuild_in_place(true, true, async |_| panic!("emptied")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("nothing was changed"), "{error}");
    assert_eq!(world.memory.catalog.dump(), rows);
    // The schedule is the first effect.
    let without_schedules =
        Archive { schedules: Faults::at(0, false).before(&world.archive).schedules, ..world.archive.clone() };
    let error = without_schedules.rebuild_in_place(true, true, async |_| panic!("emptied")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.memory.catalog.dump(), rows);
}

/// The rows of the kinds that objects tell of.
async fn kept_rows(archive: &Archive) -> BTreeMap<(&'static str, String), serde_json::Value> {
    let mut rows = BTreeMap::new();
    for kind in kept::KINDS {
        rows.extend(archive.documents(kind).await.unwrap().into_iter().map(|row| ((kind, row.id), row.body)));
    }
    rows
}

#[tokio::test]
async fn what_rows_alone_know_is_kept_before_they_go() {
    let world = busy().await;
    let archive = &world.archive;
    archive.create_first_user("the first one").await.unwrap();
    let anna = MailboxAddress::parse("anna@firma.example").unwrap();
    archive.grant(&anna, Grantee::User("admin".into())).await.unwrap();
    archive.set_mapping("bob", &anna).await.unwrap();
    archive.start_emptying(&MailboxAddress::parse("target@firma.example").unwrap(), true, "test").await.unwrap();
    world.memory.work(archive).await.unwrap();
    let before = kept_rows(archive).await;
    for kind in kept::KINDS {
        assert!(before.keys().any(|(of, _)| *of == kind), "{kind}");
    }
    for (number, (kind, id)) in before.keys().enumerate() {
        let key = Kept::key(kind, id).unwrap();
        if number % 2 == 0 {
            assert!(world.memory.objects.tamper(&key, |bytes| bytes[20] ^= 1));
        } else {
            archive.objects.delete(&key, None).await.unwrap();
        }
    }
    // What an object tells is not overruled by an older row, and what nobody can read is not kept.
    archive.add_mailbox(&MailboxAddress::parse("new@firma.example").unwrap()).await.unwrap();
    let (rows, seen) = (kept_rows(archive).await, visible_state(archive).await);
    let mut older = rows[&("mailbox", "new@firma.example".to_owned())].clone();
    older["created"] = 1.into();
    for (id, body) in [("new@firma.example", older), ("broken@firma.example", "no such row".into())] {
        archive.catalog.save("mailbox", id, &body, Expect::Anything, None).await.unwrap();
    }
    let empty = async |stays: &str| {
        world.memory.catalog.empty(stays);
        Ok(())
    };
    assert_eq!(archive.rebuild_in_place(true, true, empty).await.unwrap(), [""; 0]);
    assert_eq!(kept_rows(archive).await, rows);
    assert_eq!(visible_state(archive).await, seen);
}

#[tokio::test]
async fn functions_wait_until_the_catalogue_is_whole() {
    let world = world(None);
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    world.archive.put(Unfinished { since: 0 }).await.unwrap();
    assert!(!world.archive.is_new().await.unwrap());
    let refused = [
        job::run(&world.archive, &Job::Sweep, Duration::MAX).await.unwrap_err(),
        world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.advice().is_some_and(|hint| hint.contains("rebuild")), "{error}");
    }
    let empty = async |_: &str| Ok(());
    assert_eq!(world.archive.rebuild_in_place(true, false, empty).await.unwrap(), [""; 0]);
    job::run(&world.archive, &Job::Sweep, Duration::MAX).await.unwrap();
    assert!(world.archive.is_new().await.unwrap());
}

#[tokio::test]
async fn the_last_of_two_at_a_time_says_that_the_catalogue_is_whole() {
    let world = busy().await;
    let empty = async |stays: &str| {
        world.memory.catalog.empty(stays);
        world.archive.put(Unfinished { since: 0 }).await.map(drop)
    };
    let error = world.archive.rebuild_in_place(true, true, empty).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("another rebuild"), "{error}");
    assert!(world.archive.is_rebuild_unfinished().await.unwrap());
}

#[tokio::test]
async fn a_failure_midway_says_what_is_to_be_done() {
    let world = busy().await;
    let empty = async |_: &str| Err(Error::denied("table t").code("no_right").hint("get the right"));
    let error = world.archive.rebuild_in_place(true, true, empty).await.unwrap_err();
    assert_eq!((error.kind(), error.machine_code()), (ErrorKind::Denied, "no_right"));
    assert_eq!(error.to_string(), "the catalogue is not whole: table t");
    let hint = "get the right; then run the same command again before the functions are turned on";
    assert_eq!(error.advice(), Some(hint));
}
