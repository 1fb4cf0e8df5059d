//! A function: as many processes as invocations at a time, kept for the next ones, as Lambda does.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use super::runtime::Outcome;
use super::runtime::{Instance, Told};

pub(crate) struct Function {
    pub(crate) name: &'static str,
    program: PathBuf,
    environment: Vec<(String, String)>,
    /// What an invocation may take.
    pub(crate) time: Duration,
    idle: Mutex<Vec<Instance>>,
    room: Arc<Semaphore>,
    /// Process ids, and since when they are at work.
    at_work: Mutex<BTreeMap<u32, Instant>>,
    pub(crate) told: Arc<Told>,
}

impl Function {
    pub(crate) fn new(
        name: &'static str,
        environment: Vec<(String, String)>,
        time: Duration,
        at_a_time: usize,
    ) -> Self {
        let program = match name {
            "http" => env!("CARGO_BIN_EXE_http"),
            "import" => env!("CARGO_BIN_EXE_import"),
            "intake" => env!("CARGO_BIN_EXE_intake"),
            "login" => env!("CARGO_BIN_EXE_login"),
            "restructure" => env!("CARGO_BIN_EXE_restructure"),
            "sweep" => env!("CARGO_BIN_EXE_sweep"),
            _ => panic!("there is no function {name}"),
        };
        Self {
            name,
            program: program.into(),
            environment,
            time,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(at_a_time)),
            at_work: Mutex::default(),
            told: Arc::default(),
        }
    }

    /// Waits until another invocation may run.
    pub(crate) async fn room(&self) -> OwnedSemaphorePermit {
        self.room.clone().acquire_owned().await.unwrap()
    }

    pub(crate) async fn invoke(&self, payload: &Value) -> Outcome {
        let room = self.room().await;
        self.invoke_in(room, payload).await
    }

    /// Invokes it in a room that was taken before.
    pub(crate) async fn invoke_in(&self, room: OwnedSemaphorePermit, payload: &Value) -> Outcome {
        let idle = self.idle.lock().unwrap().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => Instance::start(&self.program, &self.environment, self.told.clone()).await,
        };
        let id = instance.id().unwrap_or_default();
        self.at_work.lock().unwrap().insert(id, Instant::now());
        let outcome = instance.invoke(payload, self.time).await;
        self.at_work.lock().unwrap().remove(&id);
        if matches!(outcome, Outcome::Answer(_) | Outcome::Failed(_)) {
            self.idle.lock().unwrap().push(instance);
        }
        drop(room);
        outcome
    }

    /// Whether a process has been at its invocation for so long.
    pub(crate) fn at_work_for(&self, time: Duration) -> bool {
        self.at_work.lock().unwrap().values().any(|begun| begun.elapsed() >= time)
    }

    /// Kills every process that is at work just now; answers how many.
    pub(crate) fn kill(&self) -> usize {
        let at_work: Vec<_> = self.at_work.lock().unwrap().keys().map(u32::to_string).collect();
        let killed = at_work.iter().filter(|id| Command::new("kill").args(["-9", id]).status().unwrap().success());
        killed.count()
    }

    /// The lines that hold this text.
    pub(crate) fn lines(&self, with: &str) -> Vec<String> {
        let lines = self.told.lines.lock().unwrap();
        lines.iter().map(Value::to_string).filter(|line| line.contains(with)).collect()
    }
}
