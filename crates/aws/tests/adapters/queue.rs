//! SQS: the contract of the port, and what the functions need beside it.

use std::time::Duration;

use archive::{
    ErrorKind, ImportId, Result,
    job::Job,
    ports::{ObjectKey, Queue},
    testing::suites::{self, Receiver},
};
use async_trait::async_trait;
use aws::{QueueName, QueueUrls, Queues, Redriven};
use aws_sdk_sqs::{Client, types::Message};
use futures::future::join_all;

use crate::support::{clients, emulators, name};

const NAMES: [QueueName; 3] = [QueueName::Uploads, QueueName::Imports, QueueName::Tasks];

struct Site {
    sqs: Client,
    queues: Queues,
    dead_letters: String,
}

impl Site {
    async fn make(endpoint: &str) -> Self {
        let sqs = clients(endpoint).sqs();
        let make = async |of: &str| sqs.create_queue().queue_name(name(of)).send().await.unwrap().queue_url.unwrap();
        let urls = QueueUrls {
            uploads: make("uploads").await,
            imports: make("imports").await,
            tasks: make("tasks").await,
            dead_letters: make("dead").await,
        };
        let dead_letters = urls.dead_letters.clone();
        Self { queues: Queues::new(&clients(endpoint), urls), sqs, dead_letters }
    }

    /// What can be received now; it stays received.
    async fn receive(&self, url: &str) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let receive = receive.message_attribute_names("All").wait_time_seconds(0);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    async fn finish(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle().unwrap();
        self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
    }

    async fn bodies(&self, queue: QueueName) -> Vec<String> {
        let messages = self.receive(self.queues.url(queue)).await;
        messages.into_iter().map(|message| message.body.unwrap()).collect()
    }
}

#[async_trait]
impl Receiver for Site {
    async fn take_due(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for queue in NAMES {
            let url = self.queues.url(queue);
            for message in self.receive(url).await {
                self.finish(url, &message).await;
                let job: Job = serde_json::from_str(message.body().unwrap()).unwrap();
                assert_eq!(QueueName::of(&job), queue);
                jobs.push(job);
            }
        }
        Ok(jobs)
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(hurried(time) + Duration::from_secs(1)).await;
    }
}

/// Nobody waits a quarter of an hour for a test: the order of delays stays, and the limit.
fn hurried(delay: Duration) -> Duration {
    match delay.as_secs() {
        0 => Duration::ZERO,
        1..=60 => Duration::from_secs(4),
        61..=900 => Duration::from_secs(10),
        _ => delay,
    }
}

struct Hurried<'a>(&'a Queues);

#[async_trait]
impl Queue for Hurried<'_> {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        self.0.send(job, hurried(delay)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_keep_the_contract() {
    // Most of it is waiting.
    let sites = emulators().into_iter().map(async |endpoint| {
        let site = Site::make(&endpoint).await;
        suites::queue(&Hurried(&site.queues), &site).await;
    });
    join_all(sites).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_sent_as_it_is() {
    for endpoint in emulators() {
        let site = Site::make(&endpoint).await;
        site.queues.send(&Job::Sweep, Duration::from_mins(15)).await.unwrap();
        let late = site.queues.send(&Job::Sweep, Duration::from_millis(900_001)).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(site.bodies(QueueName::Tasks).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_come_back_to_where_they_belong() {
    for endpoint in emulators() {
        let site = Site::make(&endpoint).await;
        let intake = Job::Intake { upload: ObjectKey::parse("anna/Ä \"1\".mszip").unwrap() };
        let jobs = [intake, Job::Import { import: ImportId("i1".into()), shard: 3 }, Job::Sweep];
        let bodies = jobs.map(|job| serde_json::to_string(&job).unwrap());
        let notification = r#"{"Records":[{"eventSource":"aws:s3","s3":{"object":{"key":"anna/a+b"}}}]}"#;
        for body in bodies.iter().map(String::as_str).chain([notification, "nonsense"]) {
            site.queues.bury(body, "gave up:\n\u{1} 5 times").await.unwrap();
        }
        let letter = site.receive(&site.dead_letters).await;
        assert_eq!(letter.len(), 5);
        for letter in &letter {
            let reason = letter.message_attributes().unwrap()["reason"].string_value().unwrap();
            assert_eq!(reason, "gave up:   5 times");
            let show = site.sqs.change_message_visibility().queue_url(&site.dead_letters).visibility_timeout(0);
            show.receipt_handle(letter.receipt_handle().unwrap()).send().await.unwrap();
        }

        assert_eq!(site.queues.redrive(0).await.unwrap(), Redriven::default());
        let first = site.queues.redrive(2).await.unwrap();
        assert_eq!(first.sent + first.unknown, 2);
        let rest = site.queues.redrive(100).await.unwrap();
        assert_eq!((first.sent + rest.sent, first.unknown + rest.unknown), (4, 1));
        let mut uploads = site.bodies(QueueName::Uploads).await;
        uploads.sort();
        assert_eq!(uploads, [notification, &bodies[0]]);
        assert_eq!(site.bodies(QueueName::Imports).await, [bodies[1].clone()]);
        assert_eq!(site.bodies(QueueName::Tasks).await, [bodies[2].clone()]);
        assert_eq!(site.queues.redrive(100).await.unwrap(), Redriven::default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_message_shows_again() {
    for endpoint in emulators() {
        let site = Site::make(&endpoint).await;
        site.queues.send(&Job::Sweep, Duration::ZERO).await.unwrap();
        let messages = site.receive(site.queues.url(QueueName::Tasks)).await;
        let handle = messages[0].receipt_handle().unwrap();
        site.queues.hide(QueueName::Tasks, handle, Duration::from_millis(7500)).await.unwrap();
        assert_eq!(site.bodies(QueueName::Tasks).await.len(), 0);
        let mut shown = 0;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            shown += site.bodies(QueueName::Tasks).await.len();
            if shown > 0 {
                break;
            }
        }
        assert_eq!(shown, 1);
        site.queues.hide(QueueName::Tasks, "no handle", Duration::ZERO).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_told_as_such() {
    for endpoint in emulators() {
        let site = Site::make(&endpoint).await;
        let urls = QueueUrls { tasks: format!("{}x", site.queues.url(QueueName::Tasks)), ..QueueUrls::default() };
        let error = Queues::new(&clients(&endpoint), urls).send(&Job::Sweep, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}
