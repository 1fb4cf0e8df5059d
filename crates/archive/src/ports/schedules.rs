//! Jobs that come again and again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Result, job::Job};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Short ASCII name, unique: `restructure`.
    pub id: String,
    pub job: Job,
    pub every_minutes: u32,
    pub enabled: bool,
    /// Unix seconds UTC of the next run, where the adapter knows it.
    pub next_run: Option<i64>,
}

#[async_trait]
pub trait Schedules: Send + Sync {
    /// Creates the schedule, enabled, first run after one period. False if one of that id exists, which stays as it is.
    async fn create(&self, id: &str, every_minutes: u32, job: &Job) -> Result<bool>;
    /// `NotFound` if there is none.
    async fn set_enabled(&self, id: &str, enabled: bool) -> Result<()>;
    /// False if there was none.
    async fn delete(&self, id: &str) -> Result<bool>;
    async fn list(&self) -> Result<Vec<Schedule>>;
}
