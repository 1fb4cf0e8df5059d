//! The work that queues and schedules bring.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Archive, Error, ImportId, ProcessId, Result, ports::ObjectKey, process::ProcessState};

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
    /// Compare catalogue and objects.
    Check { process: ProcessId, read_data: bool },
    /// Delete what has expired, find uploads without a record.
    Sweep,
}

impl Archive {
    /// Sends a job that should run as soon as somebody can.
    pub(crate) async fn send(&self, job: &Job) -> Result<()> {
        self.queue.send(job, Duration::ZERO).await
    }
}

/// A job was given up: whatever waits for it ends with the error, instead of waiting for ever.
pub async fn give_up(archive: &Archive, job: &Job, error: Error) -> Result<()> {
    match job {
        Job::Import { import, .. } => archive.give_up_import(import, &error).await,
        Job::Restructure { process: Some(process) } | Job::Check { process, .. } => {
            archive.end_process(process, ProcessState::Failed, Err(error)).await
        }
        Job::Restructure { process: None } | Job::Intake { .. } | Job::Sweep => Ok(()),
    }
}

/// Does one job until it is done or `deadline` (on [`crate::ports::Clock::boot`]) nears; what is left then sends itself
/// on. An error says by its kind whether the same job should be delivered again.
pub async fn run(archive: &Archive, job: &Job, deadline: Duration) -> Result<()> {
    match job {
        Job::Intake { upload } => archive.look_at_upload(upload).await,
        Job::Import { import, shard } => archive.run_import(import, *shard, deadline).await,
        Job::Restructure { process } => archive.run_restructure(process.as_ref(), deadline).await,
        Job::Check { process, read_data } => archive.run_check(process, *read_data).await,
        Job::Sweep => archive.sweep().await,
    }
}
