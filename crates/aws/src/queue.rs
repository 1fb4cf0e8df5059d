//! Jobs in SQS: three queues, each with a function of its own behind it, and one for what was given up.
//!
//! A message's body is the JSON of a [`Job`], or, in the queue of uploads, what S3 sent there itself. Standard queues:
//! at least once, in no order. Sources: the pages of `SendMessage`, `ChangeMessageVisibility` and `ReceiveMessage` in the
//! SQS API reference.

use std::{fmt, time::Duration};

use archive::{Error, Result, job::Job, ports::Queue};
use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{Message, MessageAttributeValue},
};
use serde::Deserialize;

use crate::{Clients, QueueUrls, error};

/// The limit of SQS.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// The limit of SQS for hiding a message, from its receipt on.
const MAX_HIDDEN: Duration = Duration::from_hours(12);
/// Of one request; the limit of SQS.
const BATCH: usize = 10;
/// Waiting makes SQS ask all its servers; without, it may miss messages that are there.
const WAIT_SECONDS: i32 = 2;
/// Enough for a sentence.
const MAX_REASON_CHARS: usize = 300;
/// The attribute of a dead letter that says why it is one.
const REASON: &str = "reason";

/// The queues of an archive.
#[derive(Clone)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueName {
    Uploads,
    Imports,
    Tasks,
}

/// What came of sending dead letters again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    pub sent: usize,
    /// Neither jobs nor notifications; they stay, and show again after the queue's visibility time.
    pub unknown: usize,
}

impl QueueName {
    /// Where a job goes.
    pub fn of(job: &Job) -> Self {
        match job {
            Job::Intake { .. } => Self::Uploads,
            Job::Import { .. } => Self::Imports,
            Job::Restructure { .. } | Job::Preview { .. } | Job::Empty { .. } | Job::Check { .. } | Job::Sweep => {
                Self::Tasks
            }
        }
    }

    /// Where a body goes: a job's by its kind, a notification of S3 to the uploads. None for anything else.
    fn of_body(body: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Notification {
            #[serde(rename = "Records")]
            _records: Vec<serde_json::Value>,
        }
        let job = serde_json::from_str::<Job>(body).map(|job| Self::of(&job));
        job.or_else(|_| serde_json::from_str::<Notification>(body).map(|_| Self::Uploads)).ok()
    }
}

impl Queues {
    pub fn new(clients: &Clients, urls: QueueUrls) -> Self {
        Self { client: clients.sqs(), urls }
    }

    /// The queue's URL.
    pub fn url(&self, queue: QueueName) -> &str {
        match queue {
            QueueName::Uploads => &self.urls.uploads,
            QueueName::Imports => &self.urls.imports,
            QueueName::Tasks => &self.urls.tasks,
        }
    }

    /// Puts a message's body to the dead letters. `reason` goes beside it, as the message attribute `reason`.
    pub async fn bury(&self, body: &str, reason: &str) -> Result<()> {
        let reason = MessageAttributeValue::builder().data_type("String").string_value(plain(reason)).build();
        let reason = reason.map_err(|e| Error::internal("a reason cannot be written").caused_by(e))?;
        let send = self.client.send_message().queue_url(&self.urls.dead_letters).message_body(body);
        let buried = send.message_attributes(REASON, reason).send().await;
        buried.map(drop).map_err(|e| error::from_sdk("dead letter", &e))
    }

    /// Keeps a received message from being delivered again for so long (at most 12 hours), and lets it be after.
    pub async fn hide(&self, queue: QueueName, receipt_handle: &str, delay: Duration) -> Result<()> {
        let seconds = whole_seconds(delay.min(MAX_HIDDEN));
        let hide = self.client.change_message_visibility().queue_url(self.url(queue)).receipt_handle(receipt_handle);
        let hidden = hide.visibility_timeout(seconds).send().await;
        hidden.map(drop).map_err(|e| error::from_sdk(format_args!("message in {queue:?}"), &e))
    }

    /// Sends at most `limit` dead letters again, each to where it belongs, and removes it only then. One that is cut
    /// off in between is done twice, which every job bears.
    pub async fn redrive(&self, limit: usize) -> Result<Redriven> {
        let mut redriven = Redriven::default();
        while redriven.sent + redriven.unknown < limit {
            let letters = self.dead_letters(limit - redriven.sent - redriven.unknown).await?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                let body = letter.body.as_deref().unwrap_or_default();
                let Some(queue) = QueueName::of_body(body) else {
                    redriven.unknown += 1;
                    continue;
                };
                self.send_body(queue, body, Duration::ZERO).await?;
                self.forget(&letter).await?;
                redriven.sent += 1;
            }
        }
        Ok(redriven)
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<Message>> {
        let count = i32::try_from(limit.min(BATCH)).unwrap_or(1);
        let receive = self.client.receive_message().queue_url(&self.urls.dead_letters);
        let received = receive.max_number_of_messages(count).wait_time_seconds(WAIT_SECONDS).send().await;
        Ok(received.map_err(|e| error::from_sdk("dead letters", &e))?.messages.unwrap_or_default())
    }

    async fn forget(&self, letter: &Message) -> Result<()> {
        let delete = self.client.delete_message().queue_url(&self.urls.dead_letters);
        let deleted = delete.set_receipt_handle(letter.receipt_handle.clone()).send().await;
        deleted.map(drop).map_err(|e| error::from_sdk("dead letter", &e))
    }

    async fn send_body(&self, queue: QueueName, body: &str, delay: Duration) -> Result<()> {
        let send = self.client.send_message().queue_url(self.url(queue)).message_body(body);
        let done = send.delay_seconds(whole_seconds(delay)).send().await;
        done.map(drop).map_err(|e| error::from_sdk(format_args!("queue of {queue:?}"), &e))
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.urls.fmt(f)
    }
}

#[async_trait]
impl Queue for Queues {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        if delay > MAX_DELAY {
            return Err(Error::invalid(format!("a job waits at most 15 minutes, not {} seconds", delay.as_secs())));
        }
        let body = serde_json::to_string(job).map_err(|e| Error::internal("job cannot be written").caused_by(e))?;
        self.send_body(QueueName::of(job), &body, delay).await
    }
}

/// Rounded up: not before the delay has passed.
fn whole_seconds(delay: Duration) -> i32 {
    i32::try_from((delay + Duration::from_nanos(999_999_999)).as_secs()).unwrap_or(i32::MAX)
}

/// An attribute's value is never empty and has no control characters.
fn plain(reason: &str) -> String {
    let printable = |c: char| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c };
    let text: String = reason.chars().take(MAX_REASON_CHARS).map(printable).collect();
    if text.trim().is_empty() { "unknown".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_find_their_queue() {
        for (body, queue) in [
            (r#"{"job":"intake","upload":"anna/a.zip"}"#, Some(QueueName::Uploads)),
            (r#"{"job":"import","import":"i1","shard":0}"#, Some(QueueName::Imports)),
            (r#"{"job":"restructure","process":null}"#, Some(QueueName::Tasks)),
            (r#"{"job":"sweep"}"#, Some(QueueName::Tasks)),
            (r#"{"Records":[{"eventSource":"aws:s3"}]}"#, Some(QueueName::Uploads)),
            (r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#, None),
            (r#"{"job":"dance"}"#, None),
            ("", None),
        ] {
            assert_eq!(QueueName::of_body(body), queue, "{body}");
        }
    }

    #[test]
    fn a_delay_is_never_cut_short() {
        for (milliseconds, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (900_000, 900)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }

    #[test]
    fn a_reason_is_one_short_line() {
        assert_eq!(plain("a\nb\0"), "a b ");
        assert_eq!((plain(""), plain("\r\n")), ("unknown".into(), "unknown".into()));
        assert_eq!(plain(&"ä".repeat(1000)).chars().count(), 300);
    }
}
