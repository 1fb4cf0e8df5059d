//! Every adapter keeps the contract of its port.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use archive::{
    Result,
    job::Job,
    testing::{
        SteppedClock,
        suites::{self, Receiver},
    },
};
use async_trait::async_trait;
use local::{Database, Folder, Jobs, KeyFile, Sqlite, SystemClock, SystemRandom, Timetable};
use tempfile::TempDir;

fn database() -> (TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("catalogue.sqlite")).unwrap();
    (dir, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn folder() {
    let dir = tempfile::tempdir().unwrap();
    let store = Folder::open(&dir.path().join("objects")).unwrap();
    suites::objects(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog() {
    let (_dir, database) = database();
    suites::catalog(&Sqlite::new(database.clone(), Arc::new(SystemClock))).await;
    assert_eq!(database.faults().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn schedules() {
    let (_dir, database) = database();
    suites::schedules(&Timetable::new(database, Arc::new(SystemClock))).await;
}

#[tokio::test]
async fn keys() {
    let dir = tempfile::tempdir().unwrap();
    suites::keys(&KeyFile::open(&dir.path().join("archive.key"), &SystemRandom).unwrap()).await;
}

struct Worker(Arc<Jobs>, Arc<SteppedClock>);

#[async_trait]
impl Receiver for Worker {
    async fn take_due(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        while let Some(received) = self.0.receive(Duration::from_mins(1)).await? {
            self.0.done(received.id).await?;
            jobs.push(received.job);
        }
        Ok(jobs)
    }
    async fn pass(&self, time: Duration) {
        self.1.advance(time);
    }
}

#[tokio::test]
async fn queue() {
    let (_dir, database) = database();
    let clock = Arc::new(SteppedClock::default());
    let jobs = Arc::new(Jobs::new(database, clock.clone()).unwrap());
    suites::queue(&*jobs, &Worker(jobs.clone(), clock)).await;
}
