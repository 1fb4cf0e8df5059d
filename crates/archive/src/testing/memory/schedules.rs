//! Schedules in memory, stepped by the test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::{SteppedClock, locked};
use crate::{
    Error, Result,
    job::Job,
    ports::{Clock, Schedule, Schedules},
};

pub struct MemorySchedules {
    schedules: Mutex<BTreeMap<String, Schedule>>,
    clock: Arc<dyn Clock>,
}

impl MemorySchedules {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { schedules: Mutex::default(), clock }
    }

    /// The jobs whose time has come, each schedule moved on to its next time.
    pub fn due(&self) -> Vec<Job> {
        let now = self.clock.now();
        let mut schedules = locked(&self.schedules);
        let due = schedules.values_mut().filter(|s| s.enabled && s.next_run.is_some_and(|at| at <= now));
        due.map(|schedule| {
            schedule.next_run = Some(after_one_period(now, schedule.every_minutes));
            schedule.job.clone()
        })
        .collect()
    }
}

impl Default for MemorySchedules {
    fn default() -> Self {
        Self::new(Arc::new(SteppedClock::default()))
    }
}

impl std::fmt::Debug for MemorySchedules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(locked(&self.schedules).values()).finish()
    }
}

fn after_one_period(now: i64, every_minutes: u32) -> i64 {
    now.saturating_add(i64::from(every_minutes) * 60)
}

#[async_trait]
impl Schedules for MemorySchedules {
    async fn create(&self, id: &str, every_minutes: u32, job: &Job) -> Result<bool> {
        if every_minutes == 0 {
            return Err(Error::invalid(format!("schedule {id} has no period")));
        }
        let mut schedules = locked(&self.schedules);
        if schedules.contains_key(id) {
            return Ok(false);
        }
        let next_run = Some(after_one_period(self.clock.now(), every_minutes));
        let schedule = Schedule { id: id.to_owned(), job: job.clone(), every_minutes, enabled: true, next_run };
        schedules.insert(id.to_owned(), schedule);
        Ok(true)
    }

    async fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        let mut schedules = locked(&self.schedules);
        let schedule = schedules.get_mut(id).ok_or_else(|| Error::not_found(format!("there is no schedule {id}")))?;
        if enabled && !schedule.enabled {
            schedule.next_run = Some(after_one_period(self.clock.now(), schedule.every_minutes));
        }
        schedule.enabled = enabled;
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        Ok(locked(&self.schedules).remove(id).is_some())
    }

    async fn list(&self) -> Result<Vec<Schedule>> {
        Ok(locked(&self.schedules).values().cloned().collect())
    }
}
