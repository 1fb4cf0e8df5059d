//! An event source mapping: takes messages from a queue, gives them to a function in batches, and deletes those that it
//! has not named as failed.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Function, Outcome};

/// How messages are delivered; the ordinary way by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Each batch is delivered once more after it was done.
    pub(crate) twice: bool,
    /// Messages of a batch come in another order.
    pub(crate) shuffled: bool,
    /// Each message comes so late.
    pub(crate) late: Duration,
    /// The first so many notifications of an object are lost on their way.
    pub(crate) lost: usize,
}

pub(crate) struct Mapping {
    pub(crate) stack: Arc<aws::testing::Stack>,
    pub(crate) url: String,
    pub(crate) batch: i32,
    pub(crate) function: Arc<Function>,
    pub(crate) manner: Manner,
}

impl Mapping {
    /// For ever.
    pub(crate) async fn run(mut self) {
        loop {
            let room = self.function.room().await;
            let hidden = self.function.time * 2 + self.manner.late;
            let batch = match self.stack.receive(&self.url, self.batch, hidden).await {
                Ok(batch) => batch,
                Err(error) => {
                    eprintln!("{}: {error}", self.function.name);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let mut kept = Vec::new();
            for message in batch {
                if self.manner.lost > 0 && message.body.contains("ObjectCreated") {
                    self.manner.lost -= 1;
                    self.stack.delete(&self.url, &message.receipt).await.unwrap();
                } else {
                    kept.push(message);
                }
            }
            let mut batch = kept;
            if batch.is_empty() {
                continue;
            }
            let (stack, url, function, manner) =
                (self.stack.clone(), self.url.clone(), self.function.clone(), self.manner);
            tokio::spawn(async move {
                if manner.shuffled {
                    batch.sort_by_key(|message| message.id.bytes().rev().collect::<Vec<_>>());
                }
                tokio::time::sleep(manner.late).await;
                let event = event(&batch);
                let mut outcome = function.invoke_in(room, &event).await;
                if manner.twice {
                    outcome = function.invoke(&event).await;
                }
                settle(&stack, &url, &batch, &outcome).await;
            });
        }
    }
}

async fn settle(stack: &aws::testing::Stack, url: &str, batch: &[aws::testing::Received], outcome: &Outcome) {
    let failed = |message: &aws::testing::Received| match outcome {
        Outcome::Answer(answer) => {
            let failures = answer["batchItemFailures"].as_array().unwrap();
            failures.iter().any(|failure| failure["itemIdentifier"] == *message.id)
        }
        _ => true,
    };
    for message in batch {
        let told = match outcome {
            _ if !failed(message) => stack.delete(url, &message.receipt).await,
            // Lambda waits until the message shows by itself; nobody here has that much time.
            Outcome::Crashed | Outcome::TimedOut | Outcome::Failed(_) => stack.show(url, &message.receipt).await,
            Outcome::Answer(_) => Ok(()),
        };
        if let Err(error) = told {
            eprintln!("{url}: {error}");
        }
    }
}

fn event(batch: &[aws::testing::Received]) -> Value {
    let record = |message: &aws::testing::Received| {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": { "ApproximateReceiveCount": message.attempts, "SentTimestamp": "1767225600000" },
            "messageAttributes": {},
            "md5OfBody": "0",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:played",
            "awsRegion": "eu-central-1",
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() })
}
