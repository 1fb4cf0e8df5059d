//! The work that queues and schedules bring.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Archive, Depth, Error, ErrorKind, ImportId, ProcessId, Result, ports::ObjectKey, process::ProcessState};

/// A job that fails without a known reason is given up after so many attempts.
const MAX_ATTEMPTS: u32 = 5;
/// Nobody waits longer before the next attempt: the longest delay of SQS.
const MAX_DELAY: Duration = Duration::from_mins(15);

/// Time kept before a deadline for writing what was read.
const MARGIN: Duration = Duration::from_secs(10);

/// One piece of work; small, without secrets, safe to deliver twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// An object came into the upload store: look at it.
    Intake { upload: ObjectKey },
    /// Go on with one shard of an import.
    Import { import: ImportId, shard: u32 },
    /// Work through the queue of reports; with a process if somebody watches.
    Restructure { process: Option<ProcessId> },
    /// Show what a run of restructure would do.
    Preview { process: ProcessId },
    /// Take the mails of imports out of their target mailbox, as somebody has asked for.
    Empty { process: ProcessId },
    /// Compare catalogue and objects.
    Check {
        process: ProcessId,
        read_data: bool,
        #[serde(default)]
        repair: bool,
    },
    /// Delete what has expired, find uploads without a record.
    Sweep,
}

impl Archive {
    /// Sends a job that should run as soon as somebody can.
    pub(crate) async fn send(&self, job: &Job) -> Result<()> {
        self.queue.send(job, Duration::ZERO).await
    }

    /// When a turn that begins now takes in nothing more, so that it ends by `deadline`. Of a short turn a third is kept
    /// for writing, not all of it.
    pub(crate) fn stop_before(&self, deadline: Duration) -> Duration {
        let left = deadline.saturating_sub(self.clock.boot());
        deadline.saturating_sub(MARGIN.min(left / 3))
    }

    /// The outcome of work that cannot be parted into turns. None if it has not come to its end shortly before `deadline`; it
    /// is dropped wherever it is then.
    pub(crate) async fn in_time<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
        let left = self.stop_before(deadline).saturating_sub(self.clock.boot());
        if left.is_zero() {
            return None;
        }
        tokio::time::timeout(left, work).await.ok()
    }
}

impl Job {
    /// Whether it stops by itself when its time is nearly up, and goes on from there in another turn. Who can give the
    /// others all the time they need should.
    pub fn keeps_its_place(&self) -> bool {
        !matches!(self, Self::Check { .. } | Self::Preview { .. })
    }
}

/// A job was given up: whatever waits for it ends with the error, instead of waiting for ever.
pub async fn give_up(archive: &Archive, job: &Job, error: Error) -> Result<()> {
    match job {
        Job::Import { import, .. } => archive.give_up_import(import, &error).await,
        Job::Restructure { process: Some(process) } | Job::Preview { process } | Job::Check { process, .. } => {
            fail_process(archive, process, error).await
        }
        Job::Empty { process } => {
            fail_process(archive, process, error).await?;
            archive.give_up_emptying(process).await
        }
        Job::Restructure { process: None } | Job::Intake { .. } | Job::Sweep => Ok(()),
    }
}

/// Nobody waits for one that is gone, as all are that ran before a rebuild.
async fn fail_process(archive: &Archive, process: &ProcessId, error: Error) -> Result<()> {
    match archive.end_process(process, ProcessState::Failed, Err(error)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        ended => ended,
    }
}

/// Does one job until it is done or `deadline` (on [`crate::ports::Clock::boot`]) nears; what is left then sends itself
/// on. An error says by its kind whether the same job should be delivered again. `Unavailable` while the catalogue is being
/// made anew.
pub async fn run(archive: &Archive, job: &Job, deadline: Duration) -> Result<()> {
    archive.need_whole_catalogue().await?;
    match job {
        Job::Intake { upload } => archive.look_at_upload(upload).await,
        Job::Import { import, shard } => archive.run_import(import, *shard, deadline).await,
        Job::Restructure { process } => archive.run_restructure(process.as_ref(), deadline).await,
        Job::Preview { process } => archive.run_preview(process, deadline).await,
        Job::Empty { process } => archive.run_emptying(process, deadline).await,
        Job::Check { process, read_data, repair } => {
            archive.run_check(process, Depth { read_data: *read_data, repair: *repair }, deadline).await
        }
        Job::Sweep => archive.sweep().await,
    }
}

/// What becomes of a job after an attempt at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done; take it from the queue.
    Done,
    /// Deliver it again, not before so long.
    Retry(Duration),
    /// Put it aside for a person to see: [`give_up`], then to the dead letters, with the reason.
    Bury(String),
}

/// The column "worker" of the table of errors. `attempts` counts from 1, the one that had this outcome included.
pub fn verdict(outcome: &Result<()>, attempts: u32) -> Verdict {
    let Err(error) = outcome else { return Verdict::Done };
    let back_off = Duration::from_secs(1 << attempts.min(10)).min(MAX_DELAY);
    match error.kind() {
        // Soon, and a little later each time: SQS gives up after so many deliveries.
        ErrorKind::Conflict => Verdict::Retry(Duration::from_secs(u64::from(attempts.clamp(1, 30)))),
        ErrorKind::Unavailable => Verdict::Retry(back_off),
        ErrorKind::Internal if attempts < MAX_ATTEMPTS => Verdict::Retry(back_off),
        ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Internal => {
            Verdict::Bury(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_does_not_end_is_dropped_in_time() {
        let archive = crate::testing::archive();
        let deadline = archive.clock.boot() + Duration::from_millis(30);
        assert_eq!(archive.in_time(deadline, std::future::pending::<()>()).await, None);
        assert_eq!(archive.in_time(Duration::ZERO, std::future::ready(1)).await, None);
        assert_eq!(archive.in_time(deadline, std::future::ready(1)).await, Some(1));
        assert_eq!(archive.in_time(Duration::MAX, std::future::ready(1)).await, Some(1));
    }

    #[tokio::test]
    async fn a_job_whose_process_is_gone_is_given_up_like_any_other() {
        let archive = crate::testing::archive();
        let process = ProcessId("gone".into());
        let check = Job::Check { process: process.clone(), read_data: false, repair: false };
        for job in [check, Job::Preview { process: process.clone() }, Job::Empty { process }] {
            give_up(&archive, &job, Error::not_found("process")).await.unwrap();
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_put_aside() {
        assert_eq!(verdict(&Ok(()), 1), Verdict::Done);
        assert_eq!(verdict(&Err(Error::conflict("row")), 1), Verdict::Retry(Duration::from_secs(1)));
        assert_eq!(verdict(&Err(Error::conflict("row")), u32::MAX), Verdict::Retry(Duration::from_secs(30)));
        assert_eq!(verdict(&Err(Error::unavailable("disk")), 3), Verdict::Retry(Duration::from_secs(8)));
        assert_eq!(verdict(&Err(Error::unavailable("disk")), u32::MAX), Verdict::Retry(MAX_DELAY));
        assert!(matches!(verdict(&Err(Error::internal("x")), 1), Verdict::Retry(_)));
        assert!(matches!(verdict(&Err(Error::internal("x")), MAX_ATTEMPTS), Verdict::Bury(_)));
        for error in [Error::corrupt("pack"), Error::invalid("pack"), Error::denied("pack"), Error::not_found("pack")] {
            assert_eq!(verdict(&Err(error), 1), Verdict::Bury("pack".into()));
        }
    }
}
