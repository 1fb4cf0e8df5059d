//! One process of a function, and the Lambda runtime API (2018-06-01) that it asks for work.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path as PathPart, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Child,
    sync::{mpsc, oneshot},
};

/// What an invocation ended with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Answer(Value),
    /// The function said that it failed.
    Failed(Value),
    /// The process ended before it answered.
    Crashed,
    /// It did not answer in time, and was killed.
    TimedOut,
}

/// What all processes of a function have told.
#[derive(Default)]
pub(crate) struct Told {
    /// JSON lines; what is none is a string.
    pub(crate) lines: Mutex<Vec<Value>>,
    pub(crate) usage: Mutex<aws::Usage>,
    /// The most memory that one of them ever held.
    pub(crate) peak_kib: AtomicU32,
}

impl Told {
    fn line(&self, text: String) {
        let line = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Ok(usage) = serde_json::from_value::<aws::Usage>(line["meter"].clone()) {
            *self.usage.lock().unwrap() += &usage;
        }
        self.lines.lock().unwrap().push(line);
    }
}

struct Call {
    id: String,
    payload: Vec<u8>,
    deadline: SystemTime,
}

struct Api {
    calls: tokio::sync::Mutex<mpsc::Receiver<Call>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

/// A process and its endpoint.
pub(crate) struct Instance {
    process: Child,
    api: Arc<Api>,
    calls: mpsc::Sender<Call>,
    told: Arc<Told>,
    count: u32,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
    }
}

impl Instance {
    pub(crate) async fn start(program: &Path, environment: &[(String, String)], told: Arc<Told>) -> Self {
        let (calls, received) = mpsc::channel(1);
        let api = Arc::new(Api { calls: tokio::sync::Mutex::new(received), waiting: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route(
                "/2018-06-01/runtime/init/error",
                post(|body: Bytes| async move {
                    eprintln!("init error: {}", String::from_utf8_lossy(&body));
                    StatusCode::ACCEPTED
                }),
            )
            .with_state(api.clone());
        tokio::spawn(api::serve(listener, router, std::future::pending()));

        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().cloned());
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let stdout = process.stdout.take().unwrap().into_owned_fd().unwrap();
        let stderr = process.stderr.take().unwrap().into_owned_fd().unwrap();
        for output in [stdout, stderr] {
            let told = told.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(fs::File::from(output)).split(b'\n').map_while(Result::ok) {
                    told.line(String::from_utf8_lossy(&line).into_owned());
                }
            });
        }
        Self { process, api, calls, told, count: 0 }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Gives it one invocation with so much time.
    #[expect(clippy::disallowed_methods, reason = "Lambda tells the deadline by the wall clock")]
    pub(crate) async fn invoke(&mut self, payload: &Value, time: Duration) -> Outcome {
        self.count += 1;
        let id = format!("{}-{}", self.process.id().unwrap_or_default(), self.count);
        let (answer, answered) = oneshot::channel();
        self.api.waiting.lock().unwrap().insert(id.clone(), answer);
        let call = Call { id, payload: payload.to_string().into(), deadline: SystemTime::now() + time };
        let outcome = tokio::select! {
            biased;
            outcome = async {
                if self.calls.send(call).await.is_err() { return Outcome::Crashed }
                answered.await.unwrap_or(Outcome::Crashed)
            } => outcome,
            _ = self.process.wait() => Outcome::Crashed,
            // The start counts apart, as on Lambda; a little more than the time, for a busy machine.
            () = tokio::time::sleep(time + Duration::from_secs(2)) => {
                let _ = self.process.kill().await;
                Outcome::TimedOut
            }
        };
        self.note_memory();
        outcome
    }

    fn note_memory(&self) {
        let Some(id) = self.process.id() else { return };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()) {
            self.told.peak_kib.fetch_max(kib, Ordering::Relaxed);
        }
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(call) = api.calls.lock().await.recv().await else { return StatusCode::GONE.into_response() };
    let deadline = call.deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", call.id),
        ("lambda-runtime-deadline-ms", deadline),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:000000000000:function:played".into()),
        ("content-type", "application/json".into()),
    ];
    (headers, call.payload).into_response()
}

async fn response(State(api): State<Arc<Api>>, PathPart(id): PathPart<String>, body: Bytes) -> StatusCode {
    // Lambda's own limit on what a function answers.
    if body.len() > 6_291_556 {
        answer(&api, &id, Outcome::Failed(json!("response too large")));
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    answer(&api, &id, Outcome::Answer(serde_json::from_slice(&body).unwrap()));
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<Api>>, PathPart(id): PathPart<String>, body: Bytes) -> StatusCode {
    answer(&api, &id, Outcome::Failed(serde_json::from_slice(&body).unwrap_or_default()));
    StatusCode::ACCEPTED
}

fn answer(api: &Api, id: &str, outcome: Outcome) {
    if let Some(waiting) = api.waiting.lock().unwrap().remove(id) {
        let _ = waiting.send(outcome);
    }
}
