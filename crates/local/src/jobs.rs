//! The queue in SQLite.

use std::{sync::Arc, time::Duration};

use archive::{Result, job::Job, ports::Clock};

use crate::Database;

/// A job in hand, until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub job: Job,
    pub id: i64,
    /// How often it was received, this time included.
    pub attempts: u32,
}

/// A job that was given up; kept until somebody looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The job as JSON: it may come from a newer version of this program.
    pub job: String,
    pub id: i64,
    pub attempts: u32,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    pub waiting: u64,
    pub leased: u64,
    pub dead: u64,
}

/// Jobs, delivered at least once. Identical jobs that wait are one.
#[derive(Debug)]
pub struct Jobs {}

impl Jobs {
    /// Jobs that an earlier process had in hand are waiting again at once: it is gone, or it would hold the lock.
    pub fn new(db: Arc<Database>, clock: Arc<dyn Clock>) -> Result<Self> {
        todo!()
    }
    /// The next job that is due, leased for `lease`; afterwards it is delivered again unless one of the words below
    /// came first.
    pub async fn receive(&self, lease: Duration) -> Result<Option<Received>> {
        todo!()
    }
    /// Makes the lease of a job in hand last `lease` from now on. False if it is no longer in hand.
    pub async fn renew(&self, id: i64, lease: Duration) -> Result<bool> {
        todo!()
    }
    pub async fn done(&self, id: i64) -> Result<()> {
        todo!()
    }
    /// Gives the job back, due after `delay` (at most 15 minutes).
    pub async fn retry(&self, id: i64, delay: Duration) -> Result<()> {
        todo!()
    }
    /// Gives the job up; it is kept as a dead letter.
    pub async fn bury(&self, id: i64, reason: &str) -> Result<()> {
        todo!()
    }
    /// At most 1,000 dead letters, the oldest first.
    pub async fn dead(&self) -> Result<Vec<Dead>> {
        todo!()
    }
    pub async fn counts(&self) -> Result<QueueCounts> {
        todo!()
    }
    /// Returns when a job may be due; at the latest after a minute. Safe to drop.
    pub async fn wait(&self) -> Result<()> {
        todo!()
    }
}
