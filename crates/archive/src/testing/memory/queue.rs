//! A queue in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::{SteppedClock, locked};
use crate::{
    Error, Result,
    job::Job,
    ports::{Clock, Queue},
};

/// The limit of the port: that of SQS.
const MAX_DELAY: Duration = Duration::from_mins(15);

/// Jobs in the order in which they become due.
pub struct MemoryQueue {
    /// Unix seconds from which the job is due, job.
    jobs: Mutex<Vec<(i64, Job)>>,
    clock: Arc<dyn Clock>,
}

impl MemoryQueue {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { jobs: Mutex::default(), clock }
    }

    /// Takes the job that has been due longest, if one is.
    pub fn take(&self) -> Option<Job> {
        let now = self.clock.now();
        let mut jobs = locked(&self.jobs);
        let (at, _) = jobs.iter().enumerate().filter(|(_, (due, _))| *due <= now).min_by_key(|(_, (due, _))| *due)?;
        Some(jobs.remove(at).1)
    }

    /// Takes every job, due or not, in the order in which they were sent.
    pub fn drain(&self) -> Vec<Job> {
        locked(&self.jobs).drain(..).map(|(_, job)| job).collect()
    }

    /// How many jobs wait, due or not.
    pub fn len(&self) -> usize {
        locked(&self.jobs).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new(Arc::new(SteppedClock::default()))
    }
}

impl std::fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(locked(&self.jobs).iter()).finish()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        if delay > MAX_DELAY {
            return Err(Error::invalid(format!("a job waits at most 15 minutes, not {} seconds", delay.as_secs())));
        }
        let due = self.clock.now().saturating_add(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX));
        locked(&self.jobs).push((due, job.clone()));
        Ok(())
    }
}
