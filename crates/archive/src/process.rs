//! The process log: long work that somebody watches.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Archive, Error, ProcessId, Result, records::Record};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// Asked for; waits for capacity.
    Waiting,
    Running,
    /// Ended by itself; `result` has the outcome.
    Finished,
    /// Ended by an error; `error` says which.
    Failed,
    Cancelled,
}

impl ProcessState {
    pub fn ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// An error as a process keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: String,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().into(),
            code: error.machine_code().into(),
            message: error.to_string(),
            hint: error.advice().map(str::to_owned),
        }
    }
}

/// One piece of long work, with the outcome once it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub id: ProcessId,
    /// `import`, `restructure`, `check`.
    pub kind: String,
    /// What it is about, for people: file names, a mailbox.
    pub title: String,
    pub state: ProcessState,
    pub severity: Severity,
    pub started: i64,
    pub finished: Option<i64>,
    /// Who asked for it; `schedule` for the clock.
    pub by: String,
    pub result: Option<Value>,
    pub error: Option<Failure>,
    /// What it works on, in the order asked for: an id, or the view of what was refused.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// One of several things that a process works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Import(crate::ImportId),
    Refused(Value),
}

impl Record for Process {
    const KIND: &'static str = "process";
    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// One line of a process's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub process: ProcessId,
    /// Sorts by time within the process.
    pub seq: String,
    pub at: i64,
    pub severity: Severity,
    pub text: String,
}

impl Record for Line {
    const KIND: &'static str = "line";
    fn id(&self) -> String {
        self.seq.clone()
    }
    fn parent(&self) -> Option<String> {
        Some(self.process.to_string())
    }
}

impl Archive {
    pub(crate) async fn begin_process(&self, kind: &str, title: &str, by: &str) -> Result<Process> {
        let process = Process {
            id: ProcessId(self.sortable_id()),
            kind: kind.into(),
            title: title.into(),
            state: ProcessState::Running,
            severity: Severity::Info,
            started: self.clock.now(),
            finished: None,
            by: by.into(),
            result: None,
            error: None,
            parts: Vec::new(),
        };
        Ok(self.add(&process).await?.value)
    }

    /// Adds a line to the log; a line worse than all before it raises the severity of the process.
    pub(crate) async fn say(&self, process: &ProcessId, severity: Severity, text: impl Into<String>) -> Result<()> {
        let (at, text) = (self.clock.now(), text.into());
        let line = Line { process: process.clone(), seq: self.line_id(), at, severity, text };
        self.put(line).await?;
        if severity > Severity::Info {
            let raise = |process: &mut Process| {
                process.severity = process.severity.max(severity);
                Ok(())
            };
            self.update::<Process>(&process.0, raise).await?;
        }
        Ok(())
    }

    fn line_id(&self) -> String {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        format!("{:010x}{:016x}{}", self.clock.now(), self.clock.boot().as_nanos(), crate::hash::to_hex(&bytes))
    }

    /// Ends the process with its outcome; one that has ended stays as it is.
    pub(crate) async fn end_process(&self, id: &ProcessId, state: ProcessState, outcome: Result<Value>) -> Result<()> {
        let now = self.clock.now();
        let end = |process: &mut Process| {
            if !process.state.ended() {
                process.finished = Some(now);
                process.state = if outcome.is_ok() { state } else { ProcessState::Failed };
                process.error = outcome.as_ref().err().map(Failure::from);
                process.result = outcome.as_ref().ok().cloned();
            }
            Ok(())
        };
        self.update::<Process>(&id.0, end).await.map(drop)
    }

    /// Processes by id, which is by time of start; `after` is the last id of the page before.
    pub async fn processes(&self, after: Option<&str>, limit: usize) -> Result<Vec<Process>> {
        Ok(self.page_of::<Process>(None, after, limit).await?.into_iter().map(|stored| stored.value).collect())
    }

    pub async fn process(&self, id: &ProcessId) -> Result<Process> {
        Ok(self.need::<Process>(&id.0).await?.value)
    }

    /// Lines of a process in order; `after` is the `seq` of the last one seen.
    pub async fn process_lines(&self, id: &ProcessId, after: Option<&str>, limit: usize) -> Result<Vec<Line>> {
        Ok(self.page_of::<Line>(Some(&id.0), after, limit).await?.into_iter().map(|stored| stored.value).collect())
    }
}
