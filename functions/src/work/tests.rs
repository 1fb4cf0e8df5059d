use std::sync::Mutex;

use archive::{ports::Queue, testing::Memory, uploads::UploadState};
use serde_json::{Value, json};

use super::*;

/// A queue's other side that remembers what it was told.
#[derive(Default)]
struct Told {
    hidden: Mutex<Vec<(String, Duration)>>,
    buried: Mutex<Vec<(String, String)>>,
    shown: Mutex<Vec<(String, UploadState)>>,
}

#[async_trait]
impl Source for Told {
    async fn hide(&self, message: &Message, delay: Duration) -> Result<()> {
        self.hidden.lock().unwrap().push((message.message_id.clone(), delay));
        Ok(())
    }

    async fn bury(&self, body: &str, reason: &str) -> Result<()> {
        self.buried.lock().unwrap().push((body.into(), reason.into()));
        Ok(())
    }

    fn is_marker(&self, key: &ObjectKey) -> bool {
        key.as_str().contains(".marker")
    }

    async fn show(&self, upload: &Upload) -> Result<()> {
        self.shown.lock().unwrap().push((upload.name().into(), upload.state));
        Ok(())
    }
}

/// A queue that cannot even fail.
struct Broken;

#[async_trait]
impl Queue for Broken {
    async fn send(&self, _: &Job, _: Duration) -> Result<()> {
        panic!("the queue is broken")
    }
}

struct World {
    memory: Memory,
    told: Arc<Told>,
    work: Work,
    time: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);

impl World {
    fn new() -> Self {
        let memory = Memory::new(1);
        let told = Arc::new(Told::default());
        let work = Work { archive: memory.archive(), source: told.clone() };
        Self { memory, told, work, time: MINUTE }
    }

    async fn upload(&self, name: &str) {
        let key = ObjectKey::parse(format!("clara/{name}")).unwrap();
        let bytes = "no volume at all".into();
        self.work.archive.uploads.put(&key, bytes, archive::ports::PutMode::Overwrite).await.unwrap();
    }

    /// The messages' ids are to be delivered again.
    async fn failures(&self, bodies: &[String], attempts: u32) -> Vec<String> {
        let message = |(number, body): (usize, &String)| {
            json!({ "messageId": number.to_string(), "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
                "attributes": { "ApproximateReceiveCount": attempts.to_string() } })
        };
        let records: Vec<Value> = bodies.iter().enumerate().map(message).collect();
        let event = Event::parse(json!({ "Records": records })).unwrap();
        let deadline = self.work.archive.clock.boot() + self.time;
        let answer = serde_json::to_value(self.work.handle(event, deadline).await.unwrap()).unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    fn buried(&self) -> Vec<(String, String)> {
        self.told.buried.lock().unwrap().clone()
    }
}

fn notification(keys: &[&str]) -> String {
    let record = |key: &&str| {
        json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "eu-central-1",
            "s3": { "bucket": { "name": "b" }, "object": { "key": key, "size": 16 } } })
    };
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() }).to_string()
}

#[tokio::test]
async fn every_object_that_came_in_is_looked_at() {
    let world = World::new();
    for name in ["a b.mszip", "ü%.mszip", "c.marker"] {
        world.upload(name).await;
    }
    let bodies = [
        notification(&["clara/a+b.mszip", "clara%2F%C3%BC%25.mszip"]),
        notification(&["clara/c.marker", "folder%2F", "%ff"]),
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" }).to_string(),
        json!({ "Records": [{ "eventName": "ObjectRemoved:Delete", "s3": { "object": { "key": "x" } } }] }).to_string(),
    ];
    assert_eq!(world.failures(&bodies, 1).await, [""; 0]);
    assert!(world.buried().is_empty());
    let uploads = world.work.archive.uploads().await.unwrap();
    assert_eq!(uploads.iter().map(Upload::name).collect::<Vec<_>>(), ["a b.mszip", "ü%.mszip"]);
}

#[tokio::test]
async fn what_is_no_job_goes_to_the_dead_letters_alone() {
    let world = World::new();
    world.upload("a").await;
    let wrong = ["", "{}", "no json", r#"{"job":"sail"}"#].map(str::to_owned);
    let right = json!({ "job": "intake", "upload": "clara/a" }).to_string();
    let bodies = [wrong.as_slice(), &[right]].concat();
    assert_eq!(world.failures(&bodies, 1).await, [""; 0]);
    let buried = world.buried();
    assert_eq!(buried.iter().map(|(body, _)| body.clone()).collect::<Vec<_>>(), wrong);
    assert!(buried.iter().all(|(_, reason)| reason.starts_with("the message is no job")), "{buried:?}");
    assert_eq!(world.work.archive.uploads().await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_uploaded_it_sees_the_state() {
    let world = World::new();
    world.upload("a").await;
    let body = json!({ "job": "intake", "upload": "clara/a" }).to_string();
    for _ in 0..2 {
        assert_eq!(world.failures(std::slice::from_ref(&body), 1).await, [""; 0]);
    }
    let states = [UploadState::Pending, UploadState::Rejected].map(|state| ("a".to_owned(), state));
    assert_eq!(*world.told.shown.lock().unwrap(), states);
}

#[tokio::test]
async fn a_panic_fails_its_own_message_and_is_given_up_in_the_end() {
    let mut world = World::new();
    world.work.archive.queue = Arc::new(Broken);
    for name in ["a", "b"] {
        world.upload(name).await;
    }
    let body = |key: &str| json!({ "job": "intake", "upload": key }).to_string();
    assert_eq!(world.failures(&[body("clara/a"), body("clara/gone")], 1).await, ["0"]);
    assert_eq!(*world.told.hidden.lock().unwrap(), [("0".to_owned(), Duration::from_secs(2))]);
    assert_eq!(world.failures(&[body("clara/b"), body("clara/gone")], 5).await, [""; 0]);
    assert_eq!(world.buried().iter().map(|(body, _)| body.clone()).collect::<Vec<_>>(), [body("clara/b")]);
}

#[tokio::test]
async fn what_was_not_begun_in_time_comes_again_at_once() {
    let world = World::new();
    for name in ["a", "b"] {
        world.upload(name).await;
    }
    let slow = Arc::new(Slow(world.memory.clone()));
    let mut work = world.work.clone();
    work.archive.queue = slow;
    let world = World { work, ..world };
    let bodies = ["clara/a", "clara/b"].map(|key| json!({ "job": "intake", "upload": key }).to_string());
    assert_eq!(world.failures(&bodies, 1).await, ["1"]);
    assert_eq!(*world.told.hidden.lock().unwrap(), [("1".to_owned(), Duration::ZERO)]);
}

/// A queue that takes most of the time there is.
struct Slow(Memory);

#[async_trait]
impl Queue for Slow {
    async fn send(&self, _: &Job, _: Duration) -> Result<()> {
        self.0.clock.advance(MINUTE / 2);
        Ok(())
    }
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_before_the_function_is() {
    let world = World::new();
    world.upload("a").await;
    let mut work = world.work.clone();
    work.archive.queue = Arc::new(Endless);
    let time = RESERVE + Duration::from_millis(200);
    let world = World { work, time, ..world };
    let failures = async { world.failures(&[json!({ "job": "intake", "upload": "clara/a" }).to_string()], 1).await };
    assert_eq!(tokio::time::timeout(time, failures).await.unwrap(), ["0"]);
}

struct Endless;

#[async_trait]
impl Queue for Endless {
    async fn send(&self, _: &Job, _: Duration) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_job_by_itself_is_done_or_an_error() {
    let world = World::new();
    let deadline = world.work.archive.clock.boot() + MINUTE;
    world.upload("a").await;
    let sweep = Event::parse(json!({ "job": "sweep" })).unwrap();
    world.work.handle(sweep, deadline).await.unwrap();
    assert_eq!(world.work.archive.uploads().await.unwrap().len(), 1);
    let unknown = Event::parse(json!({ "job": "check", "process": "none", "read_data": false })).unwrap();
    assert!(world.work.handle(unknown, deadline).await.is_err());
    for wrong in [json!({ "Records": [{}] }), json!({ "job": "sail" }), json!(null)] {
        assert!(Event::parse(wrong.clone()).is_err(), "{wrong}");
    }
}
