//! Events lost, twice, late and in any order, for several workers at once: the end is that of an undisturbed run.

mod trouble;

use std::{future::poll_fn, pin::pin, task::Poll};

use futures::future::join_all;

use super::*;
use crate::{
    Worker,
    job::{self, Job, Verdict},
    ports::Clock as _,
    process::Process,
    testing::SeededRandom,
};

const VOLUMES: usize = 4;
const SMALL: Sizes = Sizes { shard_mails: 6, step_mails: 3, batch_mails: 2, imports: None, placements: 5 };

/// Numbers that follow from a seed.
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        crate::ports::Random::fill(&self.0, &mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % limit as u64).unwrap()
    }
}

/// Four volumes of twelve mails each, two of them copies of others in the volume.
fn four_volumes() -> World {
    let mails = (0..VOLUMES as u64).flat_map(|volume| {
        let user = ["anna/Inbox", "anna/Projekte/A", "bob", "@catchall/x"];
        (0..12u64).map(move |n| {
            let number = volume * 100 + if n < 10 { n } else { n - 7 };
            Sample::new(number, user[usize::try_from(n).unwrap() % 4])
        })
    });
    let mails: Vec<_> = mails.collect();
    let mut world = world(Some("secret"));
    world.exported = export("mine", &mails, 12, Some("secret"));
    world
}

fn name(at: usize) -> String {
    format!("v{at}.mszip")
}

/// What must be equal in the end: all that somebody sees, what each volume's import says, and what restructure did.
#[derive(Debug, PartialEq)]
struct End {
    visible: BTreeMap<String, String>,
    imports: Vec<ImportView>,
    results: Vec<serde_json::Value>,
    restructured: (u64, u64, u64, u64),
}

async fn end_of(world: &World) -> End {
    let archive = &world.archive;
    let mut imports = archive.imports().await.unwrap();
    imports.sort_by_key(|import| import.volume);
    for import in &mut imports {
        (import.id, import.process) = (None, None);
    }
    let (mut results, mut done) = (Vec::new(), Restructured::default());
    for process in processes(archive).await {
        assert!(process.state.ended(), "{process:?}");
        let result = process.result.unwrap_or_else(|| panic!("{:?}", process.error));
        if process.kind == "import" {
            results.extend(result["imports"].as_array().unwrap().iter().map(|import| {
                let mut import = import.clone();
                (import["id"], import["process"]) = (serde_json::Value::Null, serde_json::Value::Null);
                import
            }));
        } else {
            let run: Restructured = serde_json::from_value(result).unwrap();
            done.reports_processed += run.reports_processed;
            done.mailboxes_created += run.mailboxes_created;
            done.folders_created += run.folders_created;
            done.placements_created += run.placements_created;
        }
    }
    results.sort_by_key(|import| import["volume"].as_u64());
    let checked = archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.errors.is_empty(), "{checked:?}");
    let restructured = (done.reports_processed, done.mailboxes_created, done.folders_created, done.placements_created);
    End { visible: visible_state(archive).await, imports, results, restructured }
}

async fn processes(archive: &Archive) -> Vec<Process> {
    let mut all = Vec::new();
    for listed in archive.processes(None, 1000).await.unwrap() {
        all.push(archive.process(&listed.id).await.unwrap());
    }
    all
}

async fn upload_all(world: &World) {
    for at in 0..VOLUMES {
        let bytes = world.exported.volumes[at].clone();
        world.memory.uploads.put(&key(&name(at)), bytes, PutMode::Overwrite).await.unwrap();
    }
}

async fn start_all(world: &World) {
    let names: Vec<_> = (0..VOLUMES).map(name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    world.archive.start_imports(world.start(&names, Some("secret"))).await.unwrap();
}

async fn undisturbed() -> End {
    let world = four_volumes();
    upload_all(&world).await;
    world.archive.sweep().await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    start_all(&world).await;
    world.memory.work(&world.archive).await.unwrap();
    world.restructure().await;
    end_of(&world).await
}

/// Whether all has come to its end.
async fn is_over(world: &World) -> bool {
    let imports = world.archive.imports().await.unwrap();
    let all_finished = imports.len() == VOLUMES && imports.iter().all(|import| import.state.ended());
    all_finished
        && world.archive.all::<Import>(None).await.unwrap().iter().all(|import| import.finished.is_some())
        && world.archive.reports_waiting().await.unwrap() == 0
        && processes(&world.archive).await.iter().all(|process| process.state.ended())
}

/// Three functions at a queue that delivers each job 0 to 3 times, late and in any order.
struct Storm<'a> {
    world: &'a World,
    dice: Dice,
    workers: Vec<Archive>,
    /// Deliveries that are still to come, with the attempts before them.
    deliveries: Vec<(Job, u32)>,
    /// Whether workers are killed in the middle of their work.
    kills: bool,
}

impl<'a> Storm<'a> {
    /// The functions work on `archive`, which is the world's with or without something in front of it.
    fn over(world: &'a World, archive: &Archive, seed: u64, kills: bool) -> Self {
        let worker = |number: u64| {
            let mixed = Faults::none().mixed(seed * 10 + number).before(archive);
            Archive {
                worker: Worker { process: format!("function {number}"), number: 0, alone: false, lease: Worker::LEASE },
                ..mixed
            }
        };
        let workers = (0..3).map(worker).collect();
        Self { world, dice: Dice(SeededRandom::new(seed)), workers, deliveries: Vec::new(), kills }
    }

    /// What was sent comes 0 to 3 times.
    fn take_what_was_sent(&mut self) {
        while let Some(job) = self.world.memory.queue.take() {
            for _ in 0..self.dice.below(4) {
                self.deliveries.push((job.clone(), 0));
            }
        }
        self.deliveries.extend(self.world.memory.schedules.due().into_iter().map(|job| (job, 0)));
    }

    /// Up to three deliveries at once, whichever they are.
    async fn deliver(&mut self) {
        let mut turns = Vec::new();
        for worker in &self.workers {
            if self.deliveries.is_empty() || self.dice.below(4) == 0 {
                continue;
            }
            let (job, attempts) = self.deliveries.swap_remove(self.dice.below(self.deliveries.len()));
            let deadline = worker.clock.boot() + [Duration::ZERO, Duration::from_secs(5)][self.dice.below(2)];
            let polls = if self.kills && self.dice.below(4) == 0 { self.dice.below(60) } else { usize::MAX };
            turns.push(async move {
                let outcome = Box::pin(unless_killed(polls, job::run(worker, &job, deadline))).await;
                (job, attempts + 1, outcome)
            });
        }
        for (job, attempts, outcome) in join_all(turns).await {
            // Whoever is killed acknowledges nothing.
            let verdict = outcome.map_or(Verdict::Retry(Duration::ZERO), |outcome| job::verdict(&outcome, attempts));
            match verdict {
                Verdict::Done => {}
                Verdict::Retry(_) => self.deliveries.push((job, attempts)),
                Verdict::Bury(reason) => panic!("{job:?}: {reason}"),
            }
        }
    }

    async fn sweep(&self) {
        match self.workers[0].sweep().await {
            Err(error) if error.kind() != ErrorKind::Unavailable => panic!("{error}"),
            // What it has not come to, the next one does.
            _ => {}
        }
    }

    /// Until all has come to its end, with sweeps in between.
    async fn rage(&mut self) {
        for round in 0.. {
            if round == 5000 {
                let imports = self.world.archive.all::<Import>(None).await.unwrap();
                let open: Vec<_> = processes(&self.world.archive).await;
                let open: Vec<_> = open.into_iter().filter(|process| !process.state.ended()).collect();
                panic!("no end: {:?} {open:?} {imports:?}", self.deliveries);
            }
            self.take_what_was_sent();
            let is_idle = self.deliveries.is_empty();
            if is_idle && is_over(self.world).await {
                return;
            }
            if is_idle {
                self.world.memory.clock.advance(Duration::from_mins(20));
            }
            if is_idle || self.dice.below(20) == 0 {
                self.sweep().await;
            }
            self.deliver().await;
            if let Some(most) = self.world.archive.sizes.imports {
                let imports = self.world.archive.all::<Import>(None).await.unwrap();
                let at_work = |it: &&Import| it.state == ImportState::Running && it.finished.is_none();
                assert!(imports.iter().filter(at_work).count() <= most as usize, "{imports:?}");
            }
            self.world.memory.clock.advance(Duration::from_secs(self.dice.below(40) as u64));
        }
    }
}

/// None if the work took more looks than that.
async fn unless_killed<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Uploads, imports of four volumes at once, and restructure, in such a storm.
async fn storm(seed: u64, kills: bool) -> End {
    storm_over(SMALL, seed, kills).await
}

async fn storm_over(sizes: Sizes, seed: u64, kills: bool) -> End {
    let mut world = four_volumes();
    world.archive.sizes = sizes;
    upload_all(&world).await;
    let mut storm = Storm::over(&world, &world.archive, seed, kills);
    while world.archive.uploads().await.unwrap().iter().filter(|it| it.state == UploadState::Ready).count() < VOLUMES {
        storm.sweep().await;
        storm.take_what_was_sent();
        storm.deliver().await;
    }
    start_all(&world).await;
    storm.rage().await;
    end_of(&world).await
}

#[tokio::test]
async fn events_lost_doubled_late_and_shuffled_change_nothing_in_the_end() {
    let expected = undisturbed().await;
    assert_eq!(expected.imports.iter().map(|it| (it.imported, it.already_there)).collect::<Vec<_>>(), [(10, 2); 4]);
    for seed in 1..=25 {
        assert_eq!(storm(seed, false).await, expected, "seed {seed}");
    }
}

/// What the runs of restructure count together included, whoever of them was killed where.
#[tokio::test]
async fn with_workers_killed_as_well_the_end_is_the_same() {
    let expected = undisturbed().await;
    for seed in 1..=25 {
        assert_eq!(storm(seed, true).await, expected, "seed {seed}");
    }
}

/// Never more imports are at work than may be, and those that wait come in like the others.
#[tokio::test]
async fn where_few_may_run_the_others_wait_and_the_end_is_the_same() {
    let expected = undisturbed().await;
    for seed in 1..=16 {
        let sizes = Sizes { imports: Some(1 + u32::from(seed % 2 == 0)), ..SMALL };
        assert_eq!(storm_over(sizes, seed, seed > 8).await, expected, "seed {seed}");
    }
}

/// Nothing but the hourly sweep and the schedule: every second message is lost, and every one that tells of an upload.
#[tokio::test]
async fn lost_messages_are_made_good_by_sweeps() {
    let expected = undisturbed().await;
    for seed in 1..=25 {
        let mut world = four_volumes();
        world.archive.sizes = SMALL;
        upload_all(&world).await;
        let dice = Dice(SeededRandom::new(seed));
        let (mut started, mut hours) = (false, 0);
        while !started || !is_over(&world).await {
            world.archive.sweep().await.unwrap();
            if hours == 0 {
                world.archive.start_restructure("test").await.unwrap();
            }
            while let Some(job) = world.memory.queue.take() {
                if dice.below(2) == 0 {
                    job::run(&world.archive, &job, world.memory.clock.boot()).await.unwrap();
                }
            }
            let ready = world.archive.uploads().await.unwrap();
            if !started && ready.iter().filter(|it| it.state == UploadState::Ready).count() == VOLUMES {
                start_all(&world).await;
                started = true;
            }
            for job in world.memory.schedules.due() {
                job::run(&world.archive, &job, Duration::MAX).await.unwrap();
            }
            world.memory.clock.advance(Duration::from_hours(1));
            hours += 1;
            assert!(hours < 160, "seed {seed}: no end before the uploads expire");
        }
        assert_eq!(end_of(&world).await, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn ten_imports_that_end_together_create_the_schedule_once() {
    let mut world = world(None);
    let mails: Vec<_> = (1..=30).map(|n| Sample::new(n, "anna/Inbox")).collect();
    world.exported = export("mine", &mails, 3, None);
    for at in 0..10 {
        world.upload(&name(at), world.exported.volumes[at].clone()).await;
    }
    for at in 0..10 {
        world.archive.start_imports(world.start(&[&name(at)], None)).await.unwrap();
    }
    let jobs = world.memory.queue.drain();
    assert_eq!(jobs.len(), 10);
    let workers: Vec<_> = (0..10)
        .map(|number| {
            let mixed = Faults::none().mixed(number).before(&world.archive);
            Archive {
                worker: Worker { process: format!("function {number}"), number: 0, alone: false, lease: Worker::LEASE },
                ..mixed
            }
        })
        .collect();
    let turns = workers.iter().zip(&jobs).map(|(worker, job)| Box::pin(job::run(worker, job, Duration::MAX)));
    for outcome in join_all(turns).await {
        outcome.unwrap();
    }
    let schedules = world.archive.schedules.list().await.unwrap();
    assert_eq!(schedules.iter().map(|schedule| schedule.id.as_str()).collect::<Vec<_>>(), ["restructure"]);
    let mut said = 0;
    for process in processes(&world.archive).await {
        assert!(process.state.ended());
        let lines = world.archive.process_lines(&process.id, None, 1000).await.unwrap();
        said += lines.iter().filter(|line| line.text.contains("was created")).count();
    }
    assert_eq!(said, 1);
}
