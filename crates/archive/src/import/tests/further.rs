//! Further volumes that start by themselves.

use super::*;
use crate::{
    job::{self, Job},
    ports::Catalog as _,
    process::Process,
    testing::volumes::export_again,
};

const NAMES: [&str; 3] = ["v0.mszip", "v1.mszip", "v2.mszip"];

/// An export of three volumes under a password.
fn world_of_three() -> World {
    let mut world = world(None);
    world.exported = export("mine", &samples(), 5, Some("secret"));
    world
}

impl World {
    async fn upload_volume(&self, at: usize) {
        self.upload(NAMES[at], self.exported.volumes[at].clone()).await;
    }

    /// Starts this volume and chooses that the others follow.
    async fn choose(&self, at: usize) -> Started {
        let start = StartImports { auto_start: true, ..self.start(&[NAMES[at]], Some("secret")) };
        let started = self.archive.start_imports(start).await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
        started
    }

    /// The volumes that were imported, in order, each as often as that was.
    async fn imported(&self) -> Vec<u64> {
        let mut volumes = Vec::new();
        for import in self.archive.imports().await.unwrap() {
            assert!(import.balanced, "{import:?}");
            volumes.extend(import.volume);
        }
        volumes.sort_unstable();
        volumes
    }

    async fn choices(&self) -> usize {
        self.archive.all::<super::super::further::Further>(None).await.unwrap().len()
    }

    async fn lines(&self, process: &ProcessId) -> Vec<String> {
        let lines = self.archive.process_lines(process, None, 1000).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    /// What the process of this volume's import has said.
    async fn lines_of(&self, volume: u64) -> Vec<String> {
        let imports = self.archive.imports().await.unwrap();
        let import = imports.into_iter().find(|import| import.volume == Some(volume)).unwrap();
        self.lines(&import.process.unwrap()).await
    }

    async fn import_processes(&self) -> Vec<Process> {
        let all = self.archive.processes(None, 100).await.unwrap();
        all.into_iter().filter(|process| process.kind == "import").collect()
    }
}

#[tokio::test]
async fn volumes_start_by_themselves_in_whatever_order_they_come() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let world = world_of_three();
        world.upload_volume(order[0]).await;
        world.choose(order[0]).await;
        assert_eq!(world.choices().await, 1);
        for at in &order[1..] {
            world.upload_volume(*at).await;
        }
        assert_eq!(world.imported().await, [1, 2, 3], "{order:?}");
        assert_eq!(world.choices().await, 0, "the key goes with the last missing volume");
        assert!(world.archive.uploads().await.unwrap().is_empty());
        let processes = world.import_processes().await;
        assert!(processes.len() == 3 && processes.iter().all(|process| process.state.ended() && process.by == "test"));
        let number = order[1] + 1;
        let lines = world.lines_of(number as u64).await;
        let said = format!("v{}.mszip: volume {number} of export \"mine\" starts by itself, as was chosen", order[1]);
        assert_eq!(lines.iter().filter(|line| **line == said).count(), 1, "{lines:?}");
    }
}

#[tokio::test]
async fn volumes_that_are_there_already_start_too() {
    let world = world_of_three();
    for at in [0, 1, 2] {
        world.upload_volume(at).await;
    }
    assert_eq!(world.imported().await, [0; 0]);
    world.choose(1).await;
    assert_eq!(world.imported().await, [1, 2, 3]);
    assert_eq!(world.choices().await, 0);
}

#[tokio::test]
async fn of_an_export_that_was_imported_before_none_follows_and_the_log_says_so() {
    let world = world_of_three();
    for round in 0..2 {
        for at in [0, 1, 2] {
            world.upload_volume(at).await;
        }
        let started = world.choose(1).await;
        let lines = world.lines(&started.process).await;
        let said = "every volume of export \"mine\" was imported into target@firma.example before: \
                    no further one starts by itself";
        assert_eq!(lines.iter().filter(|line| *line == said).count(), round, "{lines:?}");
        assert_eq!(world.choices().await, 0);
    }
    assert_eq!(world.imported().await, [1, 2, 2, 3]);
    assert_eq!(world.archive.uploads().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_that_comes_twice_starts_once() {
    let world = world_of_three();
    world.upload_volume(0).await;
    world.choose(0).await;
    // The upload stays, because an entry of it is damaged: nothing but the mark keeps it from starting again.
    let mut bytes = world.exported.volumes[1].to_vec();
    let name = b"mail/00000000006";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    bytes[at] ^= 1;
    world.upload(NAMES[1], bytes.into()).await;
    for _ in 0..2 {
        world.archive.upload_landed(&key(NAMES[1])).await.unwrap();
        job::run(&world.archive, &Job::Intake { upload: key(NAMES[1]) }, Duration::MAX).await.unwrap();
        world.archive.sweep().await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
    }
    assert_eq!(world.imported().await, [1, 2]);
    assert_eq!(world.import_processes().await.len(), 2);
    assert_eq!(world.archive.uploads().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_volume_of_another_export_under_the_same_name_is_refused_and_stays() {
    let world = world_of_three();
    world.upload_volume(0).await;
    let started = world.choose(0).await;
    let other = export_again(8, "mine", &samples(), 5, Some("other"));
    world.upload(NAMES[1], other.volumes[1].clone()).await;
    job::run(&world.archive, &Job::Intake { upload: key(NAMES[1]) }, Duration::MAX).await.unwrap();
    assert_eq!(world.imported().await, [1]);
    let upload = world.archive.upload("anna/v1.mszip").await.unwrap();
    assert_eq!((upload.state, &upload.import), (UploadState::Ready, &None));
    let lines = world.lines(&started.process).await;
    let refusals: Vec<_> = lines.iter().filter(|line| line.contains("does not start by itself")).collect();
    assert_eq!(refusals.len(), 1, "{lines:?}");
    assert!(refusals[0].starts_with("anna/v1.mszip does not start by itself: ") && refusals[0].ends_with("; it stays"));
    let process = world.archive.process(&started.process).await.unwrap();
    assert_eq!(process.severity, crate::process::Severity::Warning);
    // The right one, in its place, starts.
    world.upload_volume(1).await;
    world.upload_volume(2).await;
    assert_eq!(world.imported().await, [1, 2, 3]);
}

/// Of an export whose last volume came damaged, the whole one is still to come.
#[tokio::test]
async fn a_whole_copy_of_a_damaged_volume_starts_by_itself() {
    let world = world_of_three();
    let mut damaged = world.exported.volumes[2].to_vec();
    let name = b"mail/00000000011";
    let at = damaged.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    damaged[at] ^= 1;
    world.upload("damaged.mszip", damaged.into()).await;
    for at in 0..2 {
        world.upload_volume(at).await;
    }
    world.choose(0).await;
    assert_eq!((world.imported().await, world.choices().await), (vec![1, 2, 3], 1));
    world.upload_volume(2).await;
    assert_eq!((world.imported().await, world.choices().await), (vec![1, 2, 3, 3], 0));
    assert!(world.archive.check(true).await.unwrap().balanced);
    let left = world.archive.uploads().await.unwrap();
    assert_eq!((left.len(), left[0].name()), (1, "damaged.mszip"));
}

#[tokio::test]
async fn after_a_cancel_no_further_volume_starts() {
    let world = world_of_three();
    world.upload_volume(0).await;
    let start = StartImports { auto_start: true, ..world.start(&[NAMES[0]], Some("secret")) };
    let started = world.archive.start_imports(start).await.unwrap();
    world.archive.cancel_import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.choices().await, 0);
    world.upload_volume(1).await;
    assert_eq!(world.archive.imports().await.unwrap().len(), 1);
    // Chosen again, all of them start.
    world.choose(0).await;
    world.upload_volume(2).await;
    let finished = world.archive.imports().await.unwrap().into_iter().filter(|it| it.state == ImportState::Finished);
    assert_eq!(finished.count(), 3);
}

#[tokio::test]
async fn a_choice_expires_seven_days_after_its_last_use() {
    let world = world_of_three();
    world.upload_volume(0).await;
    world.choose(0).await;
    world.memory.clock.advance(Duration::from_hours(6 * 24));
    world.upload_volume(1).await;
    assert_eq!(world.imported().await, [1, 2]);
    world.memory.clock.advance(Duration::from_hours(6 * 24));
    world.archive.sweep().await.unwrap();
    assert_eq!(world.choices().await, 1, "its last use was six days ago");
    world.memory.clock.advance(Duration::from_hours(24));
    world.upload_volume(2).await;
    assert_eq!(world.imported().await, [1, 2]);
    world.archive.sweep().await.unwrap();
    assert_eq!(world.choices().await, 0);
}

#[tokio::test]
async fn the_password_is_nowhere_and_the_key_is_wrapped() {
    let world = world_of_three();
    world.upload_volume(0).await;
    world.choose(0).await;
    let documents = world.memory.catalog.list("auto-start", None, 10).await.unwrap();
    let text = documents[0].body.to_string();
    assert!(!text.contains("secret") && text.contains("wrapped_key"), "{text}");
    let certificate = volume::Certificate::parse(&world.exported.certificate).unwrap();
    let located = {
        world.upload_volume(1).await;
        world.memory.uploads.put(&key("again"), world.exported.volumes[1].clone(), PutMode::Overwrite).await.unwrap();
        Located::find(&world.archive, &Source::Upload(key("again")), None).await.unwrap()
    };
    let verified = located.verify(Some(&certificate)).await.unwrap();
    let opened = verified.unlock(volume::Secret::Password("secret")).unwrap();
    let plain = crate::hash::to_hex(opened.content_key().unwrap().as_bytes());
    assert!(!text.contains(&plain));
}

/// Kills at each durable effect between the second volume's event and the end of its import.
#[tokio::test]
async fn a_kill_at_any_effect_starts_a_further_volume_once() {
    for after in [false, true] {
        for at in 0.. {
            let world = world_of_three();
            world.upload_volume(0).await;
            world.choose(0).await;
            world
                .memory
                .uploads
                .put(&key(NAMES[1]), world.exported.volumes[1].clone(), PutMode::Overwrite)
                .await
                .unwrap();
            world.archive.upload_landed(&key(NAMES[1])).await.unwrap();
            let faults = Faults::at(at, after);
            try_jobs(&world, &faults.before(&world.archive), Duration::MAX).await;
            try_jobs(&world, &world.archive, Duration::MAX).await;
            let effect = format!("killed at effect {at}, after: {after}");
            assert_eq!(world.imported().await, [1, 2], "{effect}");
            let processes = world.import_processes().await;
            let all_ended = processes.iter().all(|process| process.state.ended());
            assert!(processes.len() == 2 && all_ended, "{effect}: {processes:?}");
            let lines = world.lines_of(2).await;
            assert_eq!(lines.iter().filter(|line| line.contains("starts by itself")).count(), 1, "{effect}");
            assert!(world.archive.uploads().await.unwrap().is_empty(), "{effect}");
            if !faults.struck() {
                break;
            }
            assert!(at < 500);
        }
    }
}

/// Two workers with the same event, each between the other's steps.
#[tokio::test]
async fn two_workers_with_one_event_start_one_import() {
    let world = world_of_three();
    world.upload_volume(0).await;
    world.choose(0).await;
    world.memory.uploads.put(&key(NAMES[1]), world.exported.volumes[1].clone(), PutMode::Overwrite).await.unwrap();
    world.archive.upload_landed(&key(NAMES[1])).await.unwrap();
    let event = world.memory.queue.take().unwrap();
    let other = another(&world.archive);
    let outcomes = futures::future::join(
        Box::pin(job::run(&world.archive, &event, Duration::MAX)),
        Box::pin(job::run(&other, &event, Duration::MAX)),
    );
    for outcome in <[_; 2]>::from(outcomes.await) {
        let kind = outcome.err().map(|error| error.kind());
        assert!(matches!(kind, None | Some(ErrorKind::Conflict)), "{kind:?}");
    }
    job::run(&world.archive, &event, Duration::MAX).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!((world.imported().await, world.import_processes().await.len()), (vec![1, 2], 2));
}
