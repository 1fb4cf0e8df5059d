//! Turns that end early: each makes progress, and together they do what one long turn does.

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{job, ports::Clock, testing::SteppedClock};

/// A clock on which every look at it takes time.
struct Ticking {
    clock: Arc<SteppedClock>,
    tick: Duration,
}

impl Clock for Ticking {
    fn now(&self) -> i64 {
        self.clock.now()
    }
    fn boot(&self) -> Duration {
        self.clock.advance(self.tick);
        self.clock.boot()
    }
}

/// Batches and lists of one mail.
const SMALLEST: Sizes = Sizes { shard_mails: 5, step_mails: 8192, batch_mails: 1, imports: None, placements: 1 };

/// Works with turns of this length until nothing is due; answers how many there were.
async fn turns(world: &World, length: Duration) -> usize {
    let mut turns = 0;
    while let Some(job) = world.memory.queue.take() {
        let deadline = world.memory.clock.boot() + length;
        job::run(&world.archive, &job, deadline).await.unwrap();
        turns += 1;
        assert!(turns < 500, "no progress: {job:?}");
    }
    turns
}

async fn finished(world: &World, id: &ImportId) -> ImportView {
    let view = world.archive.import(id).await.unwrap();
    assert_eq!(view.state, ImportState::Finished);
    view
}

#[tokio::test]
async fn turns_without_any_time_do_one_batch_each() {
    let undisturbed = world(None);
    undisturbed.import(None).await;
    let expected = undisturbed.restructure().await;
    let mut world = world(None);
    world.archive.sizes = SMALLEST;
    let (_, id) = world.begin().await;
    let count = turns(&world, Duration::ZERO).await;
    let view = finished(&world, &id).await;
    assert_eq!((view.imported, view.already_there), (10, 2));
    // One turn a mail, one more a batch of the closing, which the turn that finds the last shard done begins.
    assert_eq!(count, 12 + 11);
    let process = world.archive.start_restructure("test").await.unwrap();
    assert_eq!(turns(&world, Duration::ZERO).await, 12, "one batch a turn");
    let result = world.archive.process(&process).await.unwrap().result.unwrap();
    assert_eq!(result, serde_json::json!(expected), "the turns count together");
    assert_eq!(visible_state(&world.archive).await, visible_state(&undisturbed.archive).await);
    assert!(world.archive.check(true).await.unwrap().balanced);
}

#[tokio::test]
async fn each_turn_tells_how_far_the_whole_volume_is() {
    let mut world = world(None);
    world.archive.sizes = SMALLEST;
    let (started, id) = world.begin().await;
    turns(&world, Duration::ZERO).await;
    finished(&world, &id).await;
    let lines = world.archive.process_lines(&started.process, None, 1000).await.unwrap();
    let told = lines.iter().filter_map(|line| line.text.split_once(" of 12 mails: ")).map(|(done, _)| done);
    // All are said in one instant, so that nothing orders them.
    let done: BTreeSet<u64> = told.map(|done| done.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(done, (1..=12).collect(), "whichever shard has the turn");
}

#[tokio::test]
async fn a_cancelled_import_says_at_once_what_it_has() {
    let mut world = world(None);
    world.archive.sizes = SMALLEST;
    let (_, id) = world.begin().await;
    for _ in 0..4 {
        let job = world.memory.queue.take().unwrap();
        job::run(&world.archive, &job, world.memory.clock.boot()).await.unwrap();
    }
    let before = world.archive.import(&id).await.unwrap();
    let cancelled = world.archive.cancel_import(&id).await.unwrap();
    assert_eq!(cancelled.imported + cancelled.already_there, 4);
    turns(&world, Duration::ZERO).await;
    let after = world.archive.import(&id).await.unwrap();
    assert_eq!([&cancelled, &after].map(|view| view.imported), [before.imported; 2]);
    assert_eq!(after.state, ImportState::Cancelled);
}

#[tokio::test]
async fn a_turn_of_five_seconds_does_more_than_one_batch() {
    let mut world = world(None);
    world.archive.sizes = Sizes { shard_mails: 100, ..SMALLEST };
    let tick = Duration::from_millis(400);
    world.archive.clock = Arc::new(Ticking { clock: world.memory.clock.clone(), tick });
    let (_, id) = world.begin().await;
    let count = turns(&world, Duration::from_secs(5)).await;
    finished(&world, &id).await;
    assert!((2..=8).contains(&count), "{count} turns for 12 mails and 12 batches of the closing");
}

#[test]
fn the_margin_is_ten_seconds_and_at_most_a_third_of_the_time() {
    let archive = crate::testing::archive();
    let now = archive.clock.boot();
    let working = |seconds| archive.stop_before(now + Duration::from_secs(seconds)).saturating_sub(now);
    assert_eq!(working(900), Duration::from_secs(890));
    assert_eq!(working(30), Duration::from_secs(20));
    assert_eq!(working(6), Duration::from_secs(4));
    assert_eq!(archive.stop_before(Duration::ZERO), Duration::ZERO);
}

/// Two reports; in the first, two archives want one address.
async fn with_a_conflict() -> World {
    let mut world = world(None);
    world.archive.sizes = Sizes { step_mails: 1, ..SMALLEST };
    let mails = [Sample::new(1, "Anna/a"), Sample::new(2, "anna/b"), Sample::new(3, "bob/c"), Sample::new(4, "eva/d")];
    world.exported = export("mine", &mails, 2, None);
    for at in [0, 1] {
        let name = format!("v{at}.mszip");
        world.upload(&name, world.exported.volumes[at].clone()).await;
        world.archive.start_imports(world.start(&[&name], None)).await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        world.memory.clock.advance(Duration::from_secs(1));
    }
    world
}

#[tokio::test]
async fn a_report_in_conflict_does_not_hold_up_those_after_it() {
    let world = with_a_conflict().await;
    let process = world.archive.start_restructure("test").await.unwrap();
    assert_eq!(turns(&world, Duration::ZERO).await, 4);
    let process = world.archive.process(&process).await.unwrap();
    let done: Restructured = serde_json::from_value(process.result.unwrap()).unwrap();
    assert_eq!((done.reports_processed, done.reports_left, done.placements_created), (1, 1, 2));
    assert_eq!(done.conflicts.len(), 1);
}

#[tokio::test]
async fn a_mapping_that_comes_between_two_turns_leaves_nothing_out() {
    let world = with_a_conflict().await;
    let process = world.archive.start_restructure("test").await.unwrap();
    let first = world.memory.queue.take().unwrap();
    job::run(&world.archive, &first, Duration::ZERO).await.unwrap();
    let address = MailboxAddress::parse("big-anna@firma.example").unwrap();
    world.archive.set_mapping("Anna", &address).await.unwrap();
    turns(&world, Duration::ZERO).await;
    let process = world.archive.process(&process).await.unwrap();
    let done: Restructured = serde_json::from_value(process.result.unwrap()).unwrap();
    assert_eq!((done.reports_processed, done.reports_left, done.placements_created), (2, 0, 4));
    assert_eq!(world.archive.mailbox(&address).await.unwrap().mails, 1, "the first batch was placed again");
}

#[tokio::test]
async fn a_scheduled_run_that_was_cut_off_goes_on_in_its_process() {
    let world = with_a_conflict().await;
    let tick = job::Job::Restructure { process: None };
    job::run(&world.archive, &tick, Duration::ZERO).await.unwrap();
    // Its job is lost; the clock brings the next one.
    world.memory.queue.drain();
    job::run(&world.archive, &tick, Duration::MAX).await.unwrap();
    let all = world.archive.processes(None, 100).await.unwrap();
    let runs: Vec<_> = all.iter().filter(|process| process.kind == "restructure").collect();
    assert_eq!((runs.len(), runs[0].state.ended()), (1, true));
    assert_eq!(runs[0].result.as_ref().unwrap()["placements_created"], 2);
}
