use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;

use super::*;
use crate::{
    ports::{ByteStream, Clock as _, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
    testing::Memory,
};

const DAY: Duration = Duration::from_hours(24);

fn world() -> (Memory, Archive) {
    let memory = Memory::new(1);
    let archive = memory.archive();
    (memory, archive)
}

fn run_as(archive: &Archive, mode: DoorMode) -> Archive {
    let door = FrontDoor { mode, ..archive.door.clone() };
    Archive { door, ..archive.clone() }
}

#[tokio::test]
async fn the_door_opens_for_days_and_closes_by_itself() {
    let (memory, archive) = world();
    let before = archive.door().await.unwrap();
    assert_eq!((before.state, before.host.clone(), before.closes), (DoorState::Closed, None, None));

    let opened = archive.open_door(7, "anna").await.unwrap();
    assert_eq!(opened.state, DoorState::Opening);
    assert_eq!(opened.closes, Some(memory.clock.now() + 7 * DAY_SECONDS));
    assert_eq!(opened.by.as_deref(), Some("anna"));
    memory.clock.advance(Duration::from_mins(1));
    let open = archive.door().await.unwrap();
    assert_eq!(open.state, DoorState::Open);
    assert!(open.host.is_some() && open.fingerprint.is_some());

    memory.clock.advance(Duration::from_mins(7 * 24 * 60 - 2));
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Open, "a minute is left");
    memory.clock.advance(Duration::from_mins(1));
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap(), before);
    assert_eq!(memory.door.servers().await.unwrap(), []);
}

#[tokio::test]
async fn opening_again_prolongs_and_never_shortens() {
    let (memory, archive) = world();
    let first = archive.open_door(7, "anna").await.unwrap();
    memory.clock.advance(DAY);
    assert_eq!(archive.open_door(1, "ben").await.unwrap().closes, first.closes);
    let prolonged = archive.open_door(30, "ben").await.unwrap();
    assert_eq!(prolonged.closes, Some(memory.clock.now() + 30 * DAY_SECONDS));
    assert_eq!(prolonged.by.as_deref(), Some("ben"));
    assert_eq!(memory.door.made(), 1);
}

#[tokio::test]
async fn days_are_one_to_thirty() {
    let (memory, archive) = world();
    for days in [0, 31, u32::MAX] {
        assert_eq!(archive.open_door(days, "anna").await.unwrap_err().kind(), ErrorKind::Invalid, "{days}");
    }
    assert_eq!(memory.door.made(), 0);
}

#[tokio::test]
async fn requests_at_the_same_time_make_one_server() {
    let (memory, archive) = world();
    let opened = futures::future::join_all((1..=10).map(|days| archive.open_door(days, "anna"))).await.into_iter();
    assert!(opened.map(Result::unwrap).all(|status| status.state == DoorState::Opening));
    assert_eq!(memory.door.made(), 1);
    let status = archive.door().await.unwrap();
    assert_eq!(status.closes, Some(memory.clock.now() + 10 * DAY_SECONDS));
}

#[tokio::test]
async fn closing_while_it_opens_leaves_nothing() {
    let (memory, archive) = world();
    let (opened, closed) = tokio::join!(archive.open_door(7, "anna"), archive.close_door("ben"));
    closed.unwrap();
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(memory.door.servers().await.unwrap(), []);
    assert_eq!(archive.door().await.unwrap().state, DoorState::Closed);
    assert!(archive.open_door(1, "anna").await.is_ok());
}

#[tokio::test]
async fn closing_twice_is_closing_once() {
    let (memory, archive) = world();
    archive.open_door(7, "anna").await.unwrap();
    for _ in 0..2 {
        assert_eq!(archive.close_door("anna").await.unwrap().state, DoorState::Closed);
    }
    assert_eq!(memory.door.servers().await.unwrap(), []);
}

#[tokio::test]
async fn a_server_that_nobody_remembers_is_shown_and_removed() {
    let (memory, archive) = world();
    memory.door.make_stray();
    memory.clock.advance(Duration::from_mins(1));
    assert_eq!(archive.door().await.unwrap().state, DoorState::Open);
    archive.sweep().await.unwrap();
    assert_eq!(memory.door.servers().await.unwrap(), []);
}

#[tokio::test]
async fn what_a_crash_left_is_taken_for_the_door_that_was_promised() {
    let (memory, archive) = world();
    let closes = memory.clock.now() + DAY_SECONDS;
    archive.promise(closes, "anna").await.unwrap().unwrap();
    let stray = memory.door.make_stray();
    archive.sweep().await.unwrap();
    assert_eq!(memory.door.servers().await.unwrap().len(), 1, "whoever opens may still be at it");
    memory.clock.advance(Duration::from_mins(6));
    archive.sweep().await.unwrap();
    let known = archive.find::<Promise>(ID).await.unwrap().unwrap().value;
    assert_eq!((known.server, known.claim), (Some(stray), None));
    assert_eq!(archive.door().await.unwrap().closes, Some(closes));
    archive.open_door(1, "anna").await.unwrap();
    assert_eq!(memory.door.made(), 1);
}

#[tokio::test]
async fn servers_beside_the_promised_one_are_removed() {
    let (memory, archive) = world();
    memory.door.make_stray();
    archive.open_door(2, "anna").await.unwrap();
    memory.door.make_stray();
    archive.sweep().await.unwrap();
    let left = memory.door.servers().await.unwrap();
    let known = archive.find::<Promise>(ID).await.unwrap().unwrap().value;
    assert_eq!(left.into_iter().map(|server| server.id).collect::<Vec<_>>(), [known.server.unwrap()]);
}

#[tokio::test]
async fn a_server_that_was_removed_by_hand_is_no_open_door() {
    let (memory, archive) = world();
    archive.open_door(7, "anna").await.unwrap();
    let id = memory.door.servers().await.unwrap().remove(0).id;
    memory.door.close(&id).await.unwrap();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Closed);
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap().closes, None);
    archive.open_door(7, "anna").await.unwrap();
    let id = memory.door.servers().await.unwrap().remove(0).id;
    memory.door.close(&id).await.unwrap();
    assert_eq!(archive.open_door(1, "ben").await.unwrap().state, DoorState::Opening, "it is made anew");
}

#[tokio::test]
async fn a_server_that_failed_is_shown_and_replaced() {
    let (memory, archive) = world();
    archive.open_door(7, "anna").await.unwrap();
    memory.door.fail(&memory.door.servers().await.unwrap().remove(0).id);
    assert_eq!(archive.door().await.unwrap().state, DoorState::Failed);
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Failed, "nobody opens it behind one's back");
    assert_eq!(archive.open_door(7, "anna").await.unwrap().state, DoorState::Opening);
    assert_eq!(memory.door.servers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_no_server_can_be_made_nothing_is_promised() {
    let (memory, archive) = world();
    memory.door.refuse(true);
    assert_eq!(archive.open_door(7, "anna").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(archive.door().await.unwrap().closes, None);
    memory.door.refuse(false);
    archive.open_door(7, "anna").await.unwrap();
}

#[tokio::test]
async fn a_door_that_is_always_open_is_kept_so() {
    let (memory, archive) = world();
    archive.open_door(1, "anna").await.unwrap();
    memory.door.fail(&memory.door.servers().await.unwrap().remove(0).id);
    let archive = run_as(&archive, DoorMode::Always);
    for _ in 0..2 {
        archive.sweep().await.unwrap();
        memory.clock.advance(DAY * 2);
        let status = archive.door().await.unwrap();
        assert_eq!((status.state, status.closes), (DoorState::Open, None));
    }
    assert_eq!(memory.door.servers().await.unwrap().len(), 1);
    for refused in [archive.open_door(1, "anna").await, archive.close_door("anna").await] {
        assert_eq!(refused.unwrap_err().machine_code(), "door_always_open");
    }
}

/// A store so large that its list never ends.
struct Endless;

#[async_trait]
impl Objects for Endless {
    async fn list(&self, _: &str, _: Option<&ObjectKey>, _: usize) -> Result<Vec<ObjectMeta>> {
        std::future::pending().await
    }
    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(None)
    }
    async fn get(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<Bytes> {
        Err(Error::not_found(key.as_str()))
    }
    async fn stream(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<ByteStream> {
        Err(Error::not_found(key.as_str()))
    }
    async fn put(&self, key: &ObjectKey, _: Bytes, _: PutMode) -> Result<ETag> {
        Err(Error::denied(key.as_str()))
    }
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        Err(Error::denied(key.as_str()))
    }
    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<bool> {
        Ok(false)
    }
}

#[tokio::test]
async fn a_sweep_that_is_cut_off_at_the_uploads_has_closed_the_door() {
    let (memory, archive) = world();
    archive.open_door(1, "anna").await.unwrap();
    memory.clock.advance(DAY);
    let archive = Archive { uploads: Arc::new(Endless), ..archive };
    assert!(archive.sweep().now_or_never().is_none(), "it ended");
    assert_eq!(memory.door.servers().await.unwrap(), []);
}

#[tokio::test]
async fn sweeps_at_the_same_time_open_one_door() {
    let (memory, archive) = world();
    let archive = run_as(&archive, DoorMode::Always);
    let swept = futures::future::join_all((0..5).map(|_| archive.sweep())).await;
    assert!(swept.into_iter().all(|swept| swept.is_ok()));
    assert_eq!(memory.door.made(), 1);
}

#[tokio::test]
async fn an_archive_without_a_door_closes_what_an_earlier_setting_left() {
    let (memory, archive) = world();
    archive.open_door(30, "anna").await.unwrap();
    let archive = run_as(&archive, DoorMode::None);
    assert_eq!(archive.open_door(1, "anna").await.unwrap_err().machine_code(), "no_door");
    archive.sweep().await.unwrap();
    assert_eq!(memory.door.servers().await.unwrap(), []);
    assert_eq!(archive.door().await.unwrap().state, DoorState::Closed);
}

#[tokio::test]
async fn a_sweep_where_no_door_can_be_seen_forgets_none() {
    let (memory, archive) = world();
    archive.open_door(7, "anna").await.unwrap();
    memory.clock.advance(Duration::from_hours(1));
    Archive { door: FrontDoor::none(), ..archive.clone() }.sweep().await.unwrap();
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Open);
}

#[tokio::test]
async fn the_sweep_is_run_by_hand_as_its_schedule_runs_it() {
    let (memory, archive) = world();
    archive.schedules.create("sweep", 60, &crate::job::Job::Sweep).await.unwrap();
    archive.open_door(1, "anna").await.unwrap();
    memory.clock.advance(2 * DAY);
    let process = archive.run_schedule("sweep", "anna").await.unwrap();
    let process = archive.process(&process).await.unwrap();
    assert_eq!((process.kind.as_str(), process.state), ("sweep", crate::process::ProcessState::Finished));
    assert_eq!(memory.door.servers().await.unwrap(), []);
}

#[tokio::test]
async fn the_own_server_is_a_door_that_stands() {
    let (_, archive) = world();
    let port = Arc::new(StandingDoor::at("127.0.0.1", 2022, "SHA256:abc"));
    let archive = Archive { door: FrontDoor { mode: DoorMode::Always, port }, ..archive };
    archive.sweep().await.unwrap();
    let status = archive.door().await.unwrap();
    assert_eq!((status.state, status.host.as_deref(), status.port), (DoorState::Open, Some("127.0.0.1"), 2022));
    assert_eq!(status.price, None);
    let nowhere = Archive { door: FrontDoor::none(), ..archive };
    nowhere.sweep().await.unwrap();
    assert_eq!(nowhere.door().await.unwrap().state, DoorState::Closed);
}

/// Stops the archive at each effect of opening and of closing, before and after it took place; later sweeps and another
/// try end as an undisturbed run does.
#[tokio::test]
async fn a_crash_at_any_effect_is_repaired() {
    for after in [false, true] {
        for at in 0..8 {
            let (memory, archive) = world();
            let faults = crate::testing::faulty::Faults::at(at, after);
            let crashing = faults.before(&archive);
            let opened = crashing.open_door(7, "anna").await.is_ok();
            let closed = opened && crashing.close_door("anna").await.is_ok();
            assert_eq!(faults.struck(), !closed, "{at} {after}");
            memory.clock.advance(Duration::from_mins(6));
            archive.sweep().await.unwrap();
            let servers = memory.door.servers().await.unwrap().len();
            let is_open = archive.door().await.unwrap().closes.is_some();
            assert_eq!(servers, usize::from(is_open), "{at} {after}");
            archive.open_door(7, "anna").await.unwrap();
            assert_eq!(memory.door.servers().await.unwrap().len(), 1, "{at} {after}");
            archive.close_door("anna").await.unwrap();
            assert_eq!(memory.door.servers().await.unwrap(), [], "{at} {after}");
        }
    }
}

#[test]
fn a_mode_is_one_of_three_words() {
    let modes = ["none", "on-demand", "always"].map(|word| word.parse::<DoorMode>().unwrap());
    assert_eq!(modes, [DoorMode::None, DoorMode::OnDemand, DoorMode::Always]);
    assert!("vpc".parse::<DoorMode>().is_err() && "".parse::<DoorMode>().is_err());
}
