//! The queue in SQLite.

use std::{fmt, sync::Arc, time::Duration};

use archive::{
    Error, Result,
    job::Job,
    ports::{Clock, Queue},
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use tokio::sync::Notify;

use crate::{Database, database::Work};

/// The limit of the port: that of SQS.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// [`Jobs::wait`] returns at least so often, whatever the clocks do.
const MAX_WAIT: Duration = Duration::from_mins(1);
const MAX_DEAD: i64 = 1000;
/// A job that was cut off so often keeps its place.
const TRUSTED: i64 = 3;

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
pub struct Jobs {
    db: Database,
    clock: Arc<dyn Clock>,
    sent: Notify,
}

impl Jobs {
    /// Jobs that an earlier process had in hand are waiting again at once: it is gone, or it would hold the lock.
    pub fn new(db: Database, clock: Arc<dyn Clock>) -> Result<Self> {
        let now = clock.now();
        db.write_now(|tx| {
            free(tx, i64::MAX, now)?;
            bring_back(tx)
        })?;
        Ok(Self { db, clock, sent: Notify::new() })
    }

    /// The next job that is due, leased for `lease`; afterwards it is delivered again unless one of the words below
    /// came first.
    pub async fn receive(&self, lease: Duration) -> Result<Option<Received>> {
        let (now, boot) = (self.clock.now(), milliseconds(self.clock.boot()));
        let until = boot.saturating_add(milliseconds(lease));
        // Mostly there is nothing to do, and reading needs no sync of the disk.
        if self.db.read(next_times).await?.is_none_or(|times| !times.passed(now, boot)) {
            return Ok(None);
        }
        self.db.write(move |tx| receive(tx, now, boot, until)).await
    }

    /// Makes the lease of a job in hand last `lease` from now on. False if it is no longer in hand.
    pub async fn renew(&self, id: i64, lease: Duration) -> Result<bool> {
        let until = milliseconds(self.clock.boot()).saturating_add(milliseconds(lease));
        let sql = "UPDATE job SET lease = ?2 WHERE id = ?1 AND state = 1";
        self.db.write(move |tx| Ok(tx.prepare_cached(sql)?.execute([id, until])? > 0)).await
    }

    /// Ends a job in hand. One that waits again, because its lease ended, stays: it may have been sent anew meanwhile.
    pub async fn done(&self, id: i64) -> Result<()> {
        self.db
            .write(move |tx| Ok(tx.prepare_cached("DELETE FROM job WHERE id = ?1 AND state = 1")?.execute([id])?))
            .await?;
        Ok(())
    }

    /// Gives the job back, due after `delay` (at most 15 minutes).
    pub async fn retry(&self, id: i64, delay: Duration) -> Result<()> {
        let due = self.due(delay)?;
        self.db.write(move |tx| wait_again(tx, id, due)).await?;
        self.sent.notify_waiters();
        Ok(())
    }

    /// Gives the job up; it is kept as a dead letter.
    pub async fn bury(&self, id: i64, reason: &str) -> Result<()> {
        let reason = reason.to_owned();
        self.db.write(move |tx| bury(tx, id, &reason)).await
    }

    /// At most 1,000 dead letters, the oldest first.
    pub async fn dead(&self) -> Result<Vec<Dead>> {
        let sql = "SELECT id, body, attempts, reason FROM job WHERE state = 2 ORDER BY id LIMIT ?1";
        let dead = move |tx: &Transaction<'_>| {
            let mut select = tx.prepare_cached(sql)?;
            let rows = select.query_map([MAX_DEAD], |row| {
                let reason = row.get::<_, Option<String>>(3)?.unwrap_or_default();
                Ok(Dead { id: row.get(0)?, job: row.get(1)?, attempts: row.get(2)?, reason })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.db.read(dead).await
    }

    /// Lets every waiting job rest that is not wanted now, until it is brought back or the archive is opened again.
    pub async fn set_aside(&self, wanted: impl Fn(&Job) -> bool + Send + 'static) -> Result<()> {
        self.db.write(move |tx| set_aside(tx, &wanted)).await
    }

    /// Lets the jobs wait again that were set aside.
    pub async fn bring_back(&self) -> Result<()> {
        self.db.write(bring_back).await?;
        self.sent.notify_waiters();
        Ok(())
    }

    pub async fn counts(&self) -> Result<QueueCounts> {
        let sql = "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1),
                          count(*) FILTER (WHERE state = 2) FROM job";
        let counts = move |tx: &Transaction<'_>| {
            let number = |n: i64| n.cast_unsigned();
            let counts = tx.prepare_cached(sql)?.query_row([], |row| {
                let (waiting, leased, dead) = (number(row.get(0)?), number(row.get(1)?), number(row.get(2)?));
                Ok(QueueCounts { waiting, leased, dead })
            })?;
            Ok(counts)
        };
        self.db.read(counts).await
    }

    /// Returns when a job may be due; at the latest after a minute. Safe to drop.
    pub async fn wait(&self) -> Result<()> {
        // What is sent from here on is not missed, by whomever waits.
        let sent = self.sent.notified();
        let times = self.db.read(next_times).await?;
        let (now, boot) = (self.clock.now(), milliseconds(self.clock.boot()));
        let wait = times.map_or(MAX_WAIT, |times| times.left(now, boot).min(MAX_WAIT));
        // Only the time may come first, which is no error.
        let _ = tokio::time::timeout(wait, sent).await;
        Ok(())
    }

    fn due(&self, delay: Duration) -> Result<i64> {
        if delay > MAX_DELAY {
            return Err(Error::invalid(format!("a job waits at most 15 minutes, not {} seconds", delay.as_secs())));
        }
        // Rounded up: not before the delay has passed.
        Ok(self.clock.now().saturating_add(seconds(delay + Duration::from_nanos(999_999_999))))
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.db.fmt(f)
    }
}

#[async_trait]
impl Queue for Jobs {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        let due = self.due(delay)?;
        let body = serde_json::to_string(job).map_err(|e| Error::internal("job cannot be written").caused_by(e))?;
        self.db.write(move |tx| send(tx, &body, due)).await?;
        self.sent.notify_waiters();
        Ok(())
    }
}

/// When the next waiting job is due (Unix seconds), and when the next lease ends (milliseconds since boot).
#[derive(Clone, Copy)]
struct Times {
    due: Option<i64>,
    lease: Option<i64>,
}

impl Times {
    fn passed(self, now: i64, boot: i64) -> bool {
        self.left(now, boot).is_zero()
    }

    /// A job that seems due later than any can be was sent before the wall clock was set back: it is due.
    fn left(self, now: i64, boot: i64) -> Duration {
        let due =
            self.due.map(|due| due.saturating_sub(now)).filter(|left| *left <= seconds(MAX_DELAY) + 1).unwrap_or(0);
        let due = self.due.map(|_| Duration::from_secs(u64::try_from(due).unwrap_or(0)));
        let lease = self.lease.map(|end| Duration::from_millis(u64::try_from(end.saturating_sub(boot)).unwrap_or(0)));
        due.into_iter().chain(lease).min().unwrap_or(MAX_WAIT)
    }
}

fn next_times(tx: &Transaction<'_>) -> Work<Option<Times>> {
    let mut select = tx.prepare_cached(
        "SELECT (SELECT min(due) FROM job WHERE state = 0), (SELECT min(lease) FROM job WHERE state = 1)",
    )?;
    let times = select.query_row([], |row| Ok(Times { due: row.get(0)?, lease: row.get(1)? }))?;
    Ok((times.due.is_some() || times.lease.is_some()).then_some(times))
}

fn send(tx: &Transaction<'_>, body: &str, due: i64) -> Work<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO job (body, state, due) VALUES (?1, 0, ?2)
         ON CONFLICT (body) WHERE state = 0 DO UPDATE SET due = min(due, excluded.due)",
    )?;
    insert.execute(params![body, due])?;
    Ok(())
}

fn receive(tx: &Transaction<'_>, now: i64, boot: i64, until: i64) -> Work<Option<Received>> {
    free(tx, boot, now)?;
    let latest = now.saturating_add(seconds(MAX_DELAY) + 1);
    let mut select = tx.prepare_cached(
        "SELECT id, body, attempts FROM job WHERE state = 0 AND (due <= ?1 OR due > ?2) ORDER BY due, id LIMIT 1",
    )?;
    let next = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?));
    while let Some((id, body, before)) = select.query_row([now, latest], next).optional()? {
        let attempts = before.saturating_add(1);
        let Ok(job) = serde_json::from_str(&body) else {
            bury(tx, id, "this version of the program does not know the job")?;
            continue;
        };
        tx.prepare_cached("UPDATE job SET state = 1, lease = ?2, attempts = ?3 WHERE id = ?1")?
            .execute(params![id, until, attempts])?;
        return Ok(Some(Received { job, id, attempts }));
    }
    Ok(None)
}

/// Lets jobs wait again whose lease ended by `boot`, each in its old place, so that what was begun first also ends first;
/// behind all others if it was cut off again and again, and may be the reason.
fn free(tx: &Transaction<'_>, boot: i64, now: i64) -> Work<()> {
    let sql = "SELECT id, iif(attempts > ?2, ?3, due) FROM job WHERE state = 1 AND lease <= ?1 ORDER BY id";
    let mut select = tx.prepare_cached(sql)?;
    let ended = select.query_map([boot, TRUSTED, now], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ended: Vec<(i64, i64)> = ended.collect::<Result<_, _>>()?;
    ended.into_iter().try_for_each(|(id, due)| wait_again(tx, id, due))
}

/// A job in hand waits again. If it was sent anew meanwhile, the two become one.
fn wait_again(tx: &Transaction<'_>, id: i64, due: i64) -> Work<()> {
    let mut select = tx.prepare_cached("SELECT body, attempts FROM job WHERE id = ?1 AND state = 1")?;
    let in_hand = select.query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?))).optional()?;
    let Some((body, attempts)) = in_hand else { return Ok(()) };
    let mut unite = tx.prepare_cached(
        "UPDATE job SET due = min(due, ?2), attempts = max(attempts, ?3) WHERE body = ?1 AND state = 0",
    )?;
    if unite.execute(params![body, due, attempts])? > 0 {
        tx.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([id])?;
    } else {
        tx.prepare_cached("UPDATE job SET state = 0, lease = NULL, due = ?2 WHERE id = ?1")?.execute([id, due])?;
    }
    Ok(())
}

fn set_aside(tx: &Transaction<'_>, wanted: &dyn Fn(&Job) -> bool) -> Work<()> {
    let mut select = tx.prepare_cached("SELECT id, body FROM job WHERE state = 0")?;
    let waiting: Vec<(i64, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut rest = tx.prepare_cached("UPDATE job SET state = 3 WHERE id = ?1")?;
    for (id, body) in waiting {
        if !serde_json::from_str(&body).is_ok_and(|job| wanted(&job)) {
            rest.execute([id])?;
        }
    }
    Ok(())
}

/// A job that was sent anew meanwhile is one.
fn bring_back(tx: &Transaction<'_>) -> Work<()> {
    tx.execute("DELETE FROM job WHERE state = 3 AND body IN (SELECT body FROM job WHERE state = 0)", [])?;
    tx.execute("UPDATE OR IGNORE job SET state = 0 WHERE state = 3", [])?;
    Ok(())
}

fn bury(tx: &Transaction<'_>, id: i64, reason: &str) -> Work<()> {
    let mut update = tx.prepare_cached("UPDATE job SET state = 2, lease = NULL, reason = ?2 WHERE id = ?1")?;
    update.execute(params![id, reason])?;
    Ok(())
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
