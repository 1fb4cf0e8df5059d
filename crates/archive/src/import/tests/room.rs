//! Imports beyond the capacity: they wait, are seen to, and begin when there is room.

use super::*;
use crate::{job, ports::Catalog as _, process::ProcessState};

/// An archive in which one import runs at a time, with turns of one mail; three volumes, each started by itself.
async fn three_started() -> (World, Vec<Started>) {
    let mut world = world(None);
    world.exported = export("mine", &samples(), 5, None);
    world.archive.sizes = Sizes { imports: Some(1), batch_mails: 1, ..Sizes::default() };
    let names = ["v0.mszip", "v1.mszip", "v2.mszip"];
    for (name, volume) in names.iter().zip(&world.exported.volumes) {
        world.upload(name, volume.clone()).await;
    }
    let mut started = Vec::new();
    for name in names {
        started.push(world.archive.start_imports(world.start(&[name], None)).await.unwrap());
        // Ids sort by seconds.
        world.memory.clock.advance(Duration::from_secs(1));
    }
    (world, started)
}

impl World {
    /// One turn without time: one mail, or one part of the closing.
    async fn turn(&self) {
        let job = self.memory.queue.take().unwrap();
        job::run(&self.archive, &job, Duration::ZERO).await.unwrap();
    }

    /// The states of imports and processes, in the order of their start.
    async fn states(&self, started: &[Started]) -> Vec<(ImportState, ProcessState)> {
        let mut states = Vec::new();
        for one in started {
            let import = self.archive.import(one.imports[0].id.as_ref().unwrap()).await.unwrap();
            states.push((import.state, self.archive.process(&one.process).await.unwrap().state));
        }
        states
    }

    async fn said(&self, started: &Started) -> Vec<String> {
        let lines = self.archive.process_lines(&started.process, None, 1000).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }
}

const WAITING: (ImportState, ProcessState) = (ImportState::Waiting, ProcessState::Waiting);
const RUNNING: (ImportState, ProcessState) = (ImportState::Running, ProcessState::Running);
const FINISHED: (ImportState, ProcessState) = (ImportState::Finished, ProcessState::Finished);

#[tokio::test]
async fn files_that_are_named_together_stand_and_wait_in_their_order() {
    let mut world = world(None);
    world.exported = export("mine", &samples(), 1, None);
    let names: Vec<String> = (0..world.exported.volumes.len()).map(|number| format!("v{number}.mszip")).collect();
    for (name, volume) in names.iter().zip(&world.exported.volumes) {
        world.upload(name, volume.clone()).await;
    }
    let together: Vec<&str> = names.iter().map(String::as_str).collect();
    let started = world.archive.start_imports(world.start(&together, None)).await.unwrap();
    let listed: Vec<String> = world.archive.imports().await.unwrap().into_iter().map(|import| import.file).collect();
    assert_eq!((&listed, started.imports.len()), (&names, 12), "all within one second");
}

#[tokio::test]
async fn beyond_the_capacity_an_import_waits_and_begins_when_there_is_room() {
    let (world, started) = three_started().await;
    assert_eq!(world.states(&started).await, [WAITING; 3]);
    for _ in 0..3 {
        world.turn().await;
    }
    assert_eq!(world.states(&started).await, [RUNNING, WAITING, WAITING]);
    let waits = "v1.mszip waits: 1 imports are at work, which is as many as may be";
    assert_eq!(world.said(&started[1]).await, [waits]);

    // The clock stands still: whoever waits does not come by itself, but is called.
    let mut seen = Vec::new();
    while !world.memory.queue.is_empty() {
        let Some(job) = world.memory.queue.take() else { break };
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
        let states = world.states(&started).await;
        assert!(states.iter().filter(|state| **state == RUNNING).count() <= 1, "{states:?}");
        if seen.last() != Some(&states) {
            seen.push(states);
        }
    }
    let finished = |count| seen.iter().position(|states| states.iter().filter(|it| **it == FINISHED).count() == count);
    assert!(finished(1) < finished(2) && finished(2) < finished(3) && finished(3).is_some(), "{seen:?}");
    assert_eq!(world.states(&started).await, [FINISHED; 3]);
    for one in &started[1..] {
        let lines = world.said(one).await;
        assert_eq!(lines.iter().filter(|line| line.contains(" waits: ")).count(), 1, "{lines:?}");
    }
    let room = world.memory.catalog.load("room", "imports").await.unwrap().unwrap();
    assert_eq!(room.body, serde_json::json!({ "inside": [], "told": [] }));
}

#[tokio::test]
async fn an_import_that_waits_can_be_cancelled() {
    let (world, started) = three_started().await;
    for _ in 0..3 {
        world.turn().await;
    }
    world.archive.cancel_import(started[1].imports[0].id.as_ref().unwrap()).await.unwrap();
    let cancelled = (ImportState::Cancelled, ProcessState::Cancelled);
    while world.states(&started).await[1] != cancelled {
        world.turn().await;
    }
    assert_eq!(world.states(&started).await, [RUNNING, cancelled, WAITING], "it needed no room to end");
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.states(&started).await, [FINISHED, cancelled, FINISHED]);
    assert_eq!(world.archive.uploads().await.unwrap().len(), 1, "the upload of the one that was cancelled stays");
}

/// Its worker died between the end and what follows it.
#[tokio::test]
async fn an_import_that_ended_without_leaving_keeps_nobody_out() {
    let (world, started) = three_started().await;
    for _ in 0..3 {
        world.turn().await;
    }
    // An archive without a bound does not know of the room.
    let unbounded = Archive { sizes: Sizes::default(), ..world.archive.clone() };
    let first = started[0].imports[0].id.as_ref().unwrap();
    while world.archive.import(first).await.unwrap().state != ImportState::Finished {
        let job = world.memory.queue.take().unwrap();
        job::run(&unbounded, &job, Duration::MAX).await.unwrap();
    }
    assert_eq!(world.states(&started).await, [FINISHED, WAITING, WAITING]);
    world.memory.clock.advance(Duration::from_secs(30));
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.states(&started).await, [FINISHED; 3]);
}

#[tokio::test]
async fn one_that_waits_for_long_is_not_taken_for_lost() {
    let (world, started) = three_started().await;
    for _ in 0..3 {
        world.turn().await;
    }
    let second = &started[1].imports[0].id.clone().unwrap();
    // The first one is alive and long: its jobs are kept back here.
    for _ in 0..60 {
        world.memory.clock.advance(Duration::from_secs(30));
        let jobs = world.memory.queue.drain();
        for job in &jobs {
            if matches!(job, job::Job::Import { import, .. } if import == second) {
                job::run(&world.archive, job, Duration::ZERO).await.unwrap();
            }
        }
        world.archive.sweep().await.unwrap();
    }
    assert_eq!(world.said(&started[1]).await.len(), 1, "nobody woke it");
    assert_eq!(world.states(&started).await[1], WAITING);
}

#[tokio::test]
async fn a_process_that_takes_over_an_import_runs_with_it() {
    let mut world = world(None);
    world.archive.sizes = Sizes { batch_mails: 1, ..Sizes::default() };
    let (first, _) = world.begin().await;
    world.turn().await;
    let second = world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap();
    let state = async |started: &Started| world.archive.process(&started.process).await.unwrap().state;
    assert_eq!((state(&first).await, state(&second).await), (ProcessState::Finished, ProcessState::Waiting));
    world.turn().await;
    assert_eq!(state(&second).await, ProcessState::Running);
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(state(&second).await, ProcessState::Finished);
}
