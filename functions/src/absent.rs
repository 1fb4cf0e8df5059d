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
pub(crate) struct Absent {
    pub(crate) function: &'static str,
}

impl Absent {
    fn error<T>(self, what: &str) -> Result<T> {
        Err(Error::internal(format!("function {} has no {what}", self.function)))
    }
}

#[async_trait]
impl Queue for Absent {
    async fn send(&self, _: &Job, _: Duration) -> Result<()> {
        self.error("queue")
    }
}

#[async_trait]
impl Schedules for Absent {
    async fn create(&self, _: &str, _: u32, _: &Job) -> Result<bool> {
        self.error("schedules")
    }
    async fn set_enabled(&self, _: &str, _: bool) -> Result<()> {
        self.error("schedules")
    }
    async fn delete(&self, _: &str) -> Result<bool> {
        self.error("schedules")
    }
    async fn list(&self) -> Result<Vec<Schedule>> {
        self.error("schedules")
    }
}
