//! From an invocation to jobs done, within its time.

use std::{sync::Arc, time::Duration};

use archive::{
    Archive, Error, ErrorKind, Result,
    job::{self, Job, Verdict},
    ports::ObjectKey,
    uploads::Upload,
};
use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::events::{Answer, Event, Failure, Message, jobs};

/// A job that is still at work so shortly before the end is cut off, which is safe: there is time left to say so.
const RESERVE: Duration = Duration::from_millis(500);

/// The queue that the messages came from, and where those go that nobody can do.
#[async_trait]
pub trait Source: Send + Sync {
    /// Keeps the message from being delivered again for so long.
    async fn hide(&self, message: &Message, delay: Duration) -> Result<()>;
    /// Puts a body to the dead letters, with the reason.
    async fn bury(&self, body: &str, reason: &str) -> Result<()>;
    /// Whether a key of the upload store is a marker of ours and no upload.
    fn is_marker(&self, key: &ObjectKey) -> bool;
    /// Shows the state of an upload to whoever uploaded it.
    async fn show(&self, upload: &Upload) -> Result<()>;
}

/// One function at work.
#[derive(Clone)]
pub struct Work {
    pub archive: Archive,
    pub source: Arc<dyn Source>,
}

/// What became of a message.
enum Settled {
    Done,
    /// Deliver it again.
    Again(Duration),
}

impl Work {
    /// Does what woke us until `deadline` on the boot clock. Messages that failed, or were not begun in time, are named
    /// in the answer; a job by itself that failed is an error.
    pub async fn handle(&self, event: Event, deadline: Duration) -> Result<Answer> {
        match event {
            Event::Messages(messages) => Ok(self.batch(messages, deadline).await),
            Event::Job(job) => self.attempt(&job, deadline).await.map(|()| Answer::default()),
        }
    }

    /// One message after the other. Another one begins in the first half of the time only, or it would be cut off and
    /// count as an attempt.
    async fn batch(&self, messages: Vec<Message>, deadline: Duration) -> Answer {
        let begun = self.archive.clock.boot();
        let half = begun + deadline.saturating_sub(begun) / 2;
        let mut answer = Answer::default();
        for (number, message) in messages.into_iter().enumerate() {
            let settled = if number > 0 && self.archive.clock.boot() >= half {
                Settled::Again(Duration::ZERO)
            } else {
                self.message(&message, deadline).await
            };
            if let Settled::Again(delay) = settled {
                if let Err(error) = self.source.hide(&message, delay).await {
                    tracing::warn!("a message comes again at its own time: {error}");
                }
                answer.batch_item_failures.push(Failure { item_identifier: message.message_id });
            }
        }
        answer
    }

    async fn message(&self, message: &Message, deadline: Duration) -> Settled {
        let jobs = match jobs(&message.body, |key| self.source.is_marker(key)) {
            Ok(jobs) => jobs,
            Err(error) => return self.bury(message, &message.body, &error.to_string()).await,
        };
        let mut settled = Settled::Done;
        for job in jobs {
            match (self.job(message, job, deadline).await, &settled) {
                (Settled::Again(delay), Settled::Done) => settled = Settled::Again(delay),
                (Settled::Again(delay), Settled::Again(other)) => settled = Settled::Again(delay.max(*other)),
                (Settled::Done, _) => {}
            }
        }
        settled
    }

    async fn job(&self, message: &Message, job: Job, deadline: Duration) -> Settled {
        let outcome = self.attempt(&job, deadline).await;
        match job::verdict(&outcome, message.attempts()) {
            Verdict::Done => Settled::Done,
            Verdict::Retry(delay) => Settled::Again(delay),
            Verdict::Bury(reason) => {
                if let Err(error) = self.give_up(&job, outcome).await {
                    tracing::error!(?job, "a job cannot be given up: {error}");
                    return Settled::Again(Duration::from_mins(1));
                }
                let body = serde_json::to_string(&job).unwrap_or_else(|_| message.body.clone());
                self.bury(message, &body, &reason).await
            }
        }
    }

    async fn give_up(&self, job: &Job, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) => job::give_up(&self.archive, job, error).await,
            Ok(()) => Ok(()),
        }
    }

    async fn bury(&self, message: &Message, body: &str, reason: &str) -> Settled {
        tracing::error!(message = message.message_id, reason, "a message goes to the dead letters");
        match self.source.bury(body, reason).await {
            Ok(()) => Settled::Done,
            Err(error) => {
                tracing::error!(message = message.message_id, "the dead letters cannot be written: {error}");
                Settled::Again(Duration::from_mins(1))
            }
        }
    }

    /// Does the job in a task of its own: a panic ends that job, not the function.
    async fn attempt(&self, job: &Job, deadline: Duration) -> Result<()> {
        let end = deadline.saturating_sub(RESERVE);
        let left = end.saturating_sub(self.archive.clock.boot());
        let (archive, task) = (self.archive.clone(), job.clone());
        let source = self.source.clone();
        let mut step = AbortOnDrop(tokio::spawn(async move {
            job::run(&archive, &task, end).await?;
            show(&archive, &*source, &task).await
        }));
        let outcome = match tokio::time::timeout(left, &mut step.0).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(broken)) => Err(Error::internal("the job broke off").caused_by(broken)),
            Err(_) => Err(Error::unavailable("the time was up before the job could stop by itself")),
        };
        if let Err(error) = &outcome {
            tracing::warn!(?job, kind = error.kind().as_str(), "a job failed: {error}");
        }
        outcome
    }
}

/// A look at an upload changes what is shown of it; one that is gone by then has taken its markers along.
async fn show(archive: &Archive, source: &dyn Source, job: &Job) -> Result<()> {
    let Job::Intake { upload } = job else { return Ok(()) };
    match archive.upload(upload.as_str()).await {
        Ok(upload) => source.show(&upload).await,
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

struct AbortOnDrop(JoinHandle<Result<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
