//! Ports that a function was not given: whoever asks them has found a mistake of ours.

use std::time::Duration;

use archive::{
    Error, Result,
    job::Job,
    ports::{Queue, Schedule, Schedules},
};
use async_trait::async_trait;

/// Stands for what is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent;

fn error<T>(what: &str) -> Result<T> {
    Err(Error::internal(format!("no {what} set for this function")))
}

#[async_trait]
impl Queue for Absent {
    async fn send(&self, _: &Job, _: Duration) -> Result<()> {
        error("queue is")
    }
}

#[async_trait]
impl Schedules for Absent {
    async fn create(&self, _: &str, _: u32, _: &Job) -> Result<bool> {
        error("schedules are")
    }
    async fn set_enabled(&self, _: &str, _: bool) -> Result<()> {
        error("schedules are")
    }
    async fn delete(&self, _: &str) -> Result<bool> {
        error("schedules are")
    }
    async fn list(&self) -> Result<Vec<Schedule>> {
        error("schedules are")
    }
}
