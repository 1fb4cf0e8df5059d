//! Schedules in SQLite; the serve loop steps them.

use std::{fmt, sync::Arc};

use archive::{
    Error, Result,
    job::Job,
    ports::{Clock, Schedule, Schedules},
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{Database, database::Work, json::parsed};

const COLUMNS: &str = "SELECT id, job, every_minutes, enabled, next_run FROM schedule";

/// Jobs that come again and again. A period that passed while no process ran is made up for once, not many times.
pub struct Timetable {
    db: Database,
    clock: Arc<dyn Clock>,
}

impl Timetable {
    pub fn new(db: Database, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    /// The enabled schedules whose time has come by `now` (Unix seconds), each moved on to its next time. The caller
    /// sends their jobs.
    pub async fn due(&self, now: i64) -> Result<Vec<Schedule>> {
        let due = move |schedule: &Schedule| {
            let period = period(schedule.every_minutes);
            // A time further off than a period was set before the clock was set back.
            let left = schedule.next_run.map_or(0, |next| next.saturating_sub(now));
            schedule.enabled && (left <= 0 || left > period)
        };
        let is_due = move |schedules: Vec<Schedule>| schedules.into_iter().filter(due).collect::<Vec<_>>();
        if self.db.read(move |tx| all(tx).map(is_due)).await?.is_empty() {
            return Ok(Vec::new());
        }
        let step = move |tx: &Transaction<'_>| {
            let mut due = is_due(all(tx)?);
            for schedule in &mut due {
                let next = now.saturating_add(period(schedule.every_minutes));
                set_next(tx, &schedule.id, next)?;
                schedule.next_run = Some(next);
            }
            Ok(due)
        };
        self.db.write(step).await
    }

    /// The schedule, for running it now; its next time stays as it is. `NotFound` if there is none.
    pub async fn run_now(&self, id: &str) -> Result<Schedule> {
        let id = id.to_owned();
        self.db.read(move |tx| Ok(find(tx, &id)?.ok_or_else(|| unknown(&id))?)).await
    }
}

impl fmt::Debug for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.db.fmt(f)
    }
}

#[async_trait]
impl Schedules for Timetable {
    async fn create(&self, id: &str, every_minutes: u32, job: &Job) -> Result<bool> {
        if every_minutes == 0 {
            return Err(Error::invalid(format!("schedule {id} has no period")));
        }
        let job = serde_json::to_string(job).map_err(|e| Error::internal("job cannot be written").caused_by(e))?;
        let (id, next) = (id.to_owned(), self.clock.now().saturating_add(period(every_minutes)));
        let sql = "INSERT OR IGNORE INTO schedule (id, job, every_minutes, enabled, next_run)
                   VALUES (?1, ?2, ?3, 1, ?4)";
        self.db.write(move |tx| Ok(tx.execute(sql, params![id, job, every_minutes, next])? > 0)).await
    }

    async fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        let (id, now) = (id.to_owned(), self.clock.now());
        let set = move |tx: &Transaction<'_>| {
            let schedule = find(tx, &id)?.ok_or_else(|| unknown(&id))?;
            if enabled && !schedule.enabled {
                set_next(tx, &id, now.saturating_add(period(schedule.every_minutes)))?;
            }
            tx.execute("UPDATE schedule SET enabled = ?2 WHERE id = ?1", params![id, enabled])?;
            Ok(())
        };
        self.db.write(set).await
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.db.write(move |tx| Ok(tx.execute("DELETE FROM schedule WHERE id = ?1", [id])? > 0)).await
    }

    async fn list(&self) -> Result<Vec<Schedule>> {
        self.db.read(all).await
    }
}

fn all(tx: &Transaction<'_>) -> Work<Vec<Schedule>> {
    let mut select = tx.prepare_cached(&format!("{COLUMNS} ORDER BY id"))?;
    let rows: Vec<_> = select.query_map([], columns)?.collect::<Result<_, _>>()?;
    rows.into_iter().map(schedule).collect()
}

fn find(tx: &Transaction<'_>, id: &str) -> Work<Option<Schedule>> {
    let mut select = tx.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
    select.query_row([id], columns).optional()?.map(schedule).transpose()
}

fn set_next(tx: &Transaction<'_>, id: &str, next: i64) -> Work<()> {
    tx.execute("UPDATE schedule SET next_run = ?2 WHERE id = ?1", params![id, next])?;
    Ok(())
}

type Columns = (String, String, u32, bool, i64);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn schedule((id, job, every_minutes, enabled, next): Columns) -> Work<Schedule> {
    let job = parsed(&format!("schedule {id}"), &job)?;
    Ok(Schedule { id, job, every_minutes, enabled, next_run: Some(next) })
}

/// Seconds.
fn period(every_minutes: u32) -> i64 {
    i64::from(every_minutes) * 60
}

fn unknown(id: &str) -> Error {
    Error::not_found(format!("there is no schedule {id}"))
}

#[cfg(test)]
mod tests {
    use archive::{ErrorKind, testing::SteppedClock};

    use super::*;

    #[tokio::test]
    async fn a_schedule_comes_once_a_period() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(SteppedClock::at(0)));
        let timetable = Timetable::new(Database::open(&dir.path().join("c.sqlite")).unwrap(), clock);
        assert_eq!(timetable.run_now("sweep").await.unwrap_err().kind(), ErrorKind::NotFound);
        timetable.create("sweep", 15, &Job::Sweep).await.unwrap();
        let due = async |now| timetable.due(now).await.unwrap().len();
        assert_eq!((due(899).await, due(900).await, due(900).await, due(1799).await), (0, 1, 0, 0));
        assert_eq!(timetable.list().await.unwrap().pop().unwrap().next_run, Some(1800));
        assert_eq!((due(10_000).await, due(10_001).await), (1, 0), "what was missed comes once");
        timetable.set_enabled("sweep", false).await.unwrap();
        assert_eq!(due(20_000).await, 0);
        assert_eq!(timetable.run_now("sweep").await.unwrap().job, Job::Sweep);
        timetable.set_enabled("sweep", true).await.unwrap();
        assert_eq!((due(899).await, due(900).await), (0, 1), "enabled at 0 by the clock of the adapter");
        assert_eq!(due(-86_400).await, 1, "the clock was set back");
    }
}
