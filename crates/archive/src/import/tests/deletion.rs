//! When uploads go, by a clock that is moved by hand; and that nothing else goes with them.

use super::*;
use crate::ports::ObjectMeta;

const DAY: Duration = Duration::from_hours(24);
const ALMOST_A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600 - 1);
const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// The names of what lies in the upload store.
    async fn lying(&self) -> Vec<String> {
        let names = |meta: ObjectMeta| meta.key.as_str().trim_start_matches("anna/").to_owned();
        self.memory.uploads.list("", None, 100).await.unwrap().into_iter().map(names).collect()
    }

    async fn put_silently(&self, name: &str, bytes: Bytes) {
        self.memory.uploads.put(&key(name), bytes, PutMode::Overwrite).await.unwrap();
    }

    async fn sweep(&self) {
        self.archive.sweep().await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
    }

    async fn kept(&self) -> Vec<ObjectMeta> {
        self.memory.objects.list("", None, 1000).await.unwrap()
    }
}

#[tokio::test]
async fn every_upload_goes_after_seven_days_whatever_its_state_and_not_before() {
    let world = world(None);
    let volume = world.exported.volumes[0].clone();
    world.put_silently("pending.mszip", volume.clone()).await;
    world.archive.upload_landed(&key("pending.mszip")).await.unwrap();
    let look = world.memory.queue.drain();
    world.upload("ready.mszip", volume.clone()).await;
    world.upload("rejected.mszip", "no volume".into()).await;
    // Nobody told of it, and no sweep before its time comes saw it.
    world.put_silently("silent.mszip", volume).await;
    let all = ["pending.mszip", "ready.mszip", "rejected.mszip", "silent.mszip"];
    world.memory.clock.advance(ALMOST_A_WEEK);
    world.archive.sweep().await.unwrap();
    assert_eq!(world.lying().await, all);
    world.memory.clock.advance(SECOND);
    world.sweep().await;
    assert_eq!(world.lying().await, [""; 0]);
    assert!(world.archive.uploads().await.unwrap().is_empty());
    // An event that comes late brings nothing back.
    for job in look {
        crate::job::run(&world.archive, &job, Duration::MAX).await.unwrap();
    }
    assert!(world.archive.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_came_anew_has_seven_days_of_its_own() {
    let world = world(None);
    world.upload("v.mszip", "no volume".into()).await;
    world.memory.clock.advance(6 * DAY);
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    world.memory.clock.advance(ALMOST_A_WEEK);
    world.sweep().await;
    assert_eq!(world.lying().await, ["v.mszip"]);
    world.memory.clock.advance(SECOND);
    world.sweep().await;
    assert_eq!(world.lying().await, [""; 0]);
}

#[tokio::test]
async fn what_an_import_reads_stays_until_it_has_ended() {
    let world = world(None);
    let (_, id) = world.begin().await;
    world.memory.clock.advance(8 * DAY);
    world.archive.sweep().await.unwrap();
    assert_eq!(world.lying().await, ["v.mszip"]);
    world.archive.cancel_import(&id).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.lying().await, ["v.mszip"], "it did not all come in");
    world.sweep().await;
    assert_eq!(world.lying().await, [""; 0]);
}

#[tokio::test]
async fn an_upload_that_was_replaced_meanwhile_is_not_deleted_by_hand() {
    let world = world(None);
    world.upload("v.mszip", "no volume".into()).await;
    world.put_silently("v.mszip", world.exported.volumes[0].clone()).await;
    let error = world.archive.delete_upload("anna/v.mszip").await.unwrap_err();
    assert_eq!((error.kind(), world.lying().await), (ErrorKind::Conflict, vec!["v.mszip".to_owned()]));
    world.archive.upload_landed(&key("v.mszip")).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    world.archive.delete_upload("anna/v.mszip").await.unwrap();
    assert_eq!(world.lying().await, [""; 0]);
    assert_eq!(world.archive.delete_upload("anna/v.mszip").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_archive_is_never_touched() {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    let (objects, seen) = (world.kept().await, visible_state(&world.archive).await);
    // One goes by hand, one by time; both hold what the archive holds.
    for name in ["hand.mszip", "time.mszip"] {
        world.upload(name, world.exported.volumes[0].clone()).await;
    }
    world.archive.delete_upload("anna/hand.mszip").await.unwrap();
    for _ in 0..40 {
        world.memory.clock.advance(DAY);
        world.sweep().await;
    }
    assert_eq!(world.lying().await, [""; 0]);
    assert_eq!(world.kept().await, objects);
    assert_eq!(visible_state(&world.archive).await, seen);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.errors.is_empty(), "{checked:?}");
}
