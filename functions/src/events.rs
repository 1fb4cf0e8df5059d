//! What wakes a function: messages of a queue, or a job by itself.

use archive::{Error, Result, job::Job, ports::ObjectKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::notification::Notification;

/// The payload of an invocation.
#[derive(Debug)]
pub enum Event {
    /// A batch that Lambda took from a queue.
    Messages(Vec<Message>),
    /// What Scheduler sends, or somebody by hand.
    Job(Job),
}

/// One message of a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub message_id: String,
    pub receipt_handle: String,
    pub body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    /// A number as text.
    approximate_receive_count: Option<String>,
}

impl Message {
    /// How often the message was delivered, this time included.
    pub(crate) fn attempts(&self) -> u32 {
        self.attributes.approximate_receive_count.as_deref().and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

/// What Lambda is told of a batch: these messages are to be delivered again, the others are done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub(crate) batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(crate) item_identifier: String,
}

impl Event {
    /// How many messages it is, or one job.
    pub(crate) fn records(&self) -> usize {
        match self {
            Self::Messages(messages) => messages.len(),
            Self::Job(_) => 1,
        }
    }

    /// `Invalid` for a payload that is neither.
    pub fn parse(payload: Value) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Batch {
            records: Vec<Message>,
        }
        let wrong = |error| Error::invalid("the payload is neither a batch of messages nor a job").caused_by(error);
        if payload.get("Records").is_some() {
            return serde_json::from_value::<Batch>(payload).map(|batch| Self::Messages(batch.records)).map_err(wrong);
        }
        serde_json::from_value(payload).map(Self::Job).map_err(wrong)
    }
}

/// The jobs that a message's body stands for: itself, or one for each object that S3 tells of. `Invalid` if it is no job.
pub(crate) fn jobs(body: &str, is_marker: impl Fn(&ObjectKey) -> bool) -> Result<Vec<Job>> {
    let wrong = |error: serde_json::Error| Error::invalid("the message is no job").caused_by(error);
    let body: Value = serde_json::from_str(body).map_err(wrong)?;
    if body.get("job").is_some() {
        return serde_json::from_value(body).map(|job| vec![job]).map_err(wrong);
    }
    // Sent once, when the notification is set up.
    if body.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    serde_json::from_value(body).map(|told: Notification| told.jobs(is_marker)).map_err(wrong)
}
