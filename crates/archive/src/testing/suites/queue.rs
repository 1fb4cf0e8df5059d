//! The contract of a queue.

use std::time::Duration;

use async_trait::async_trait;

use super::fails;
use crate::{
    ErrorKind, ImportId, Result,
    job::Job,
    ports::{ObjectKey, Queue},
};

/// The other end of the queue, which is no port.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Receives every job that is due and finishes it.
    async fn take_due(&self) -> Result<Vec<Job>>;
    /// Lets so much time pass for the queue.
    async fn pass(&self, time: Duration);
}

/// Everything that [`Queue`] promises.
pub async fn queue(queue: &dyn Queue, receiver: &dyn Receiver) {
    assert_eq!(receiver.take_due().await.unwrap(), []);
    every_job_arrives_as_it_was_sent(queue, receiver).await;
    no_job_comes_before_its_time(queue, receiver).await;
    a_job_may_come_again(queue, receiver).await;
}

async fn every_job_arrives_as_it_was_sent(queue: &dyn Queue, receiver: &dyn Receiver) {
    let upload = ObjectKey::parse("anna/Ärger \"50%\" #1.mszip").unwrap();
    let jobs = [
        Job::Intake { upload },
        Job::Import { import: ImportId("i1".into()), shard: 0 },
        Job::Import { import: ImportId("i1".into()), shard: u32::MAX },
        Job::Restructure { process: None },
        Job::Sweep,
    ];
    for job in &jobs {
        queue.send(job, Duration::ZERO).await.unwrap();
    }
    let taken = receiver.take_due().await.unwrap();
    assert!(jobs.iter().all(|job| taken.contains(job)), "{taken:?}");
    assert_eq!(receiver.take_due().await.unwrap(), []);
}

async fn no_job_comes_before_its_time(queue: &dyn Queue, receiver: &dyn Receiver) {
    queue.send(&Job::Sweep, Duration::from_mins(15)).await.unwrap();
    queue.send(&Job::Restructure { process: None }, Duration::from_secs(10)).await.unwrap();
    assert_eq!(receiver.take_due().await.unwrap(), []);
    receiver.pass(Duration::from_secs(11)).await;
    assert_eq!(receiver.take_due().await.unwrap(), [Job::Restructure { process: None }]);
    receiver.pass(Duration::from_mins(15)).await;
    assert_eq!(receiver.take_due().await.unwrap(), [Job::Sweep]);
    fails(queue.send(&Job::Sweep, Duration::from_secs(901)).await, ErrorKind::Invalid);
}

async fn a_job_may_come_again(queue: &dyn Queue, receiver: &dyn Receiver) {
    for _ in 0..2 {
        queue.send(&Job::Sweep, Duration::ZERO).await.unwrap();
        queue.send(&Job::Sweep, Duration::ZERO).await.unwrap();
        let taken = receiver.take_due().await.unwrap();
        assert!(matches!(taken.as_slice(), [Job::Sweep] | [Job::Sweep, Job::Sweep]), "{taken:?}");
    }
    // What waits longer does not hold back what is due.
    queue.send(&Job::Sweep, Duration::from_mins(10)).await.unwrap();
    queue.send(&Job::Sweep, Duration::ZERO).await.unwrap();
    assert_eq!(receiver.take_due().await.unwrap(), [Job::Sweep]);
    receiver.pass(Duration::from_mins(15)).await;
    receiver.take_due().await.unwrap();
    assert_eq!(receiver.take_due().await.unwrap(), []);
}
