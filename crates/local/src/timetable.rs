//! Schedules in SQLite; the serve loop steps them.

use std::sync::Arc;

use archive::{Result, ports::{Clock, Schedule}};

use crate::Database;

/// Jobs that come again and again. A period that passed while no process ran is made up for once, not many times.
#[derive(Debug)]
pub struct Timetable {}

impl Timetable {
    pub fn new(db: Arc<Database>, clock: Arc<dyn Clock>) -> Self {
        todo!()
    }
    /// The enabled schedules whose time has come by `now` (Unix seconds), each moved on to its next time. The caller
    /// sends their jobs.
    pub async fn due(&self, now: i64) -> Result<Vec<Schedule>> {
        todo!()
    }
    /// The schedule, for running it now; its next time stays as it is. `NotFound` if there is none.
    pub async fn run_now(&self, id: &str) -> Result<Schedule> {
        todo!()
    }
}
