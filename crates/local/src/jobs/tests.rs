use archive::testing::SteppedClock;
use tempfile::TempDir;

use super::*;

const LEASE: Duration = Duration::from_mins(5);

struct Bench {
    dir: TempDir,
    clock: Arc<SteppedClock>,
    jobs: Jobs,
}

impl Bench {
    fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(SteppedClock::default()));
        let jobs = open(&dir, &clock);
        Self { dir, clock, jobs }
    }
    /// As after a crash: nothing is given back.
    fn restart(self) -> Self {
        let Self { dir, clock, jobs } = self;
        drop(jobs);
        let jobs = open(&dir, &clock);
        Self { dir, clock, jobs }
    }
    async fn send(&self, job: &Job) {
        self.jobs.send(job, Duration::ZERO).await.unwrap();
    }
    async fn receive(&self) -> Option<Received> {
        self.jobs.receive(LEASE).await.unwrap()
    }
    async fn counts(&self) -> (u64, u64, u64) {
        let counts = self.jobs.counts().await.unwrap();
        (counts.waiting, counts.leased, counts.dead)
    }
}

fn open(dir: &TempDir, clock: &Arc<SteppedClock>) -> Jobs {
    Jobs::new(Database::open(&dir.path().join("c.sqlite")).unwrap(), clock.clone()).unwrap()
}

#[tokio::test]
async fn a_job_whose_lease_ended_comes_again() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    let first = bench.receive().await.unwrap();
    assert_eq!((first.attempts, bench.counts().await), (1, (0, 1, 0)));
    bench.clock.advance(LEASE.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(bench.receive().await, None);
    assert!(bench.jobs.renew(first.id, LEASE).await.unwrap());
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(bench.receive().await, None);
    bench.clock.advance(LEASE);
    assert_eq!(bench.receive().await, Some(Received { attempts: 2, ..first.clone() }));
    bench.jobs.done(first.id).await.unwrap();
    assert_eq!(bench.counts().await, (0, 0, 0));
    assert!(!bench.jobs.renew(first.id, LEASE).await.unwrap());
}

#[tokio::test]
async fn a_job_in_hand_at_a_crash_comes_again_at_once() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    bench.receive().await.unwrap();
    bench.send(&Job::Sweep).await;
    let bench = bench.restart();
    assert_eq!(bench.counts().await, (1, 0, 0), "both are one");
    assert_eq!(bench.receive().await.unwrap().attempts, 2);
}

#[tokio::test]
async fn a_job_cut_off_keeps_its_place_unless_it_may_be_the_reason() {
    let mut bench = Bench::new();
    let import = |shard| Job::Import { import: archive::ImportId("i".into()), shard };
    let (first, second) = (import(0), import(1));
    bench.send(&first).await;
    bench.send(&second).await;
    for crashes in 0..4 {
        let received = bench.receive().await.unwrap();
        assert_eq!((received.job, received.attempts), (first.clone(), crashes + 1));
        bench.clock.advance(Duration::from_secs(1));
        bench = bench.restart();
    }
    assert_eq!(bench.receive().await.unwrap().job, second, "others are not kept waiting for ever");
    assert_eq!(bench.receive().await.unwrap().job, first);
}

#[tokio::test]
async fn identical_jobs_that_wait_are_one() {
    let bench = Bench::new();
    bench.jobs.send(&Job::Sweep, Duration::from_mins(10)).await.unwrap();
    bench.send(&Job::Sweep).await;
    bench.jobs.send(&Job::Sweep, Duration::from_mins(10)).await.unwrap();
    assert_eq!(bench.counts().await, (1, 0, 0));
    let in_hand = bench.receive().await.unwrap();
    // What is sent while one is in hand may tell of something that it has passed already.
    bench.send(&Job::Sweep).await;
    assert_eq!(bench.counts().await, (1, 1, 0));
    bench.jobs.retry(in_hand.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(bench.counts().await, (1, 0, 0));
    let again = bench.receive().await.unwrap();
    assert_eq!(again.attempts, 2);
    bench.jobs.done(again.id).await.unwrap();
    assert_eq!(bench.counts().await, (0, 0, 0));
}

#[tokio::test]
async fn a_retry_waits() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    let received = bench.receive().await.unwrap();
    let late = bench.jobs.retry(received.id, Duration::from_mins(16)).await;
    assert_eq!(late.unwrap_err().kind(), archive::ErrorKind::Invalid);
    bench.jobs.retry(received.id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(bench.receive().await, None);
    // One that ends late, after its job was given back, takes nothing away.
    bench.jobs.done(received.id).await.unwrap();
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(bench.receive().await.unwrap().attempts, 2);
}

#[tokio::test]
async fn dead_letters_are_kept_and_do_not_come_again() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    let received = bench.receive().await.unwrap();
    bench.jobs.bury(received.id, "no such thing").await.unwrap();
    let bench = bench.restart();
    bench.clock.advance(LEASE * 2);
    assert_eq!(bench.receive().await, None);
    let dead = Dead { job: r#"{"job":"sweep"}"#.into(), id: received.id, attempts: 1, reason: "no such thing".into() };
    assert_eq!(bench.jobs.dead().await.unwrap(), [dead]);
    bench.send(&Job::Sweep).await;
    assert_eq!(bench.counts().await, (1, 0, 1));
}

#[tokio::test]
async fn a_job_of_a_newer_version_is_buried_and_holds_nobody_up() {
    let bench = Bench::new();
    bench.jobs.db.write(|tx| send(tx, r#"{"job":"from the future"}"#, 0)).await.unwrap();
    bench.send(&Job::Sweep).await;
    assert_eq!(bench.receive().await.unwrap().job, Job::Sweep);
    assert_eq!(bench.counts().await, (0, 1, 1));
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_nothing_for_long() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    bench.clock.jump(bench.clock.now() - 86_400);
    assert!(bench.receive().await.is_some());
}

#[tokio::test]
async fn everybody_who_waits_hears_of_a_job() {
    let bench = Bench::new();
    let sent = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.send(&Job::Sweep).await;
        bench.send(&Job::Restructure { process: None }).await;
    };
    let waits = async { tokio::join!(bench.jobs.wait(), bench.jobs.wait()) };
    let (waited, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), waits), sent);
    let (first, second) = waited.unwrap();
    first.and(second).unwrap();
}

#[tokio::test]
async fn waiting_ends_when_a_job_is_sent() {
    let bench = Bench::new();
    let long = Duration::from_secs(20);
    let sent = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.send(&Job::Sweep).await;
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(long, bench.jobs.wait()), sent);
    waited.unwrap().unwrap();
    // One that is due already is not waited for, however often one asks.
    for _ in 0..3 {
        tokio::time::timeout(long, bench.jobs.wait()).await.unwrap().unwrap();
    }
    bench.receive().await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(100), bench.jobs.wait()).await;
    assert!(waited.is_err(), "nothing is due");
}

#[tokio::test]
async fn jobs_set_aside_rest_until_they_are_brought_back_or_the_archive_is_opened_again() {
    let bench = Bench::new();
    bench.send(&Job::Sweep).await;
    bench.send(&Job::Restructure { process: None }).await;
    bench.jobs.set_aside(|job| *job == Job::Sweep).await.unwrap();
    assert_eq!(bench.receive().await.unwrap().job, Job::Sweep);
    assert_eq!(bench.receive().await, None);
    bench.send(&Job::Restructure { process: None }).await;
    bench.jobs.bring_back().await.unwrap();
    assert_eq!(bench.receive().await.unwrap().job, Job::Restructure { process: None });
    assert_eq!(bench.receive().await, None, "sent twice, it is one");
    bench.send(&Job::Restructure { process: None }).await;
    bench.jobs.set_aside(|_| false).await.unwrap();
    let bench = bench.restart();
    assert!(bench.receive().await.is_some());
}
