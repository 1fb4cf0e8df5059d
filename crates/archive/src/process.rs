//! The process log: long work that somebody watches.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    Archive, Error, ErrorKind, ProcessId, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    records::Record,
};

/// A result longer than this is put as an object: a row of DynamoDB holds 400 KB, and costs by the KB.
const ROW_BYTES: usize = 64 << 10;

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
    /// Asked for; nobody has begun to work on it.
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

impl Failure {
    /// What went wrong and what to do about it, in one line.
    pub(crate) fn in_words(self) -> String {
        match self.hint {
            Some(hint) => format!("{}: {hint}", self.message),
            None => self.message,
        }
    }
}

/// One piece of long work, with the outcome once it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub id: ProcessId,
    /// `import`, `restructure`, `preview`, `empty`, `check`, `sweep`.
    pub kind: String,
    /// What it is about, for people: file names, a mailbox.
    pub title: String,
    pub state: ProcessState,
    pub severity: Severity,
    pub started: i64,
    pub finished: Option<i64>,
    /// Who asked for it; `schedule` for the clock.
    pub by: String,
    /// None until it has ended, and in lists where it is long.
    pub result: Option<Value>,
    /// Where a long result is.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    pub error: Option<Failure>,
    /// What it works on, in the order asked for.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A result that is an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub key: ObjectKey,
    /// Hex SHA-256 of the object.
    pub sha256: String,
}

pub(crate) const OUTCOMES: &str = "outcomes/";
const FORMAT: &str = "postkahn outcome";
const VERSION: u32 = 2;

/// The object of a long result.
#[derive(Serialize, Deserialize)]
struct OutcomeFile {
    format: String,
    version: u32,
    /// As it ended, without its result.
    process: Process,
    result: Value,
}

/// One of several things that a process works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Import(crate::ImportId),
    /// The number of its [`RefusedPart`].
    Refused(u32),
}

/// What came of a part that was refused; in a row of its own, because they may be many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RefusedPart {
    pub(crate) process: ProcessId,
    pub(crate) number: u32,
    pub(crate) view: Value,
}

impl Record for RefusedPart {
    const KIND: &'static str = "refused";
    fn id(&self) -> String {
        Self::id_of(self.number)
    }
    fn parent(&self) -> Option<String> {
        Some(self.process.to_string())
    }
}

impl RefusedPart {
    pub(crate) fn id_of(number: u32) -> String {
        format!("{number:06}")
    }
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
        let process = self.new_process(ProcessId(self.sortable_id()), kind, title, by);
        Ok(self.add(&process).await?.value)
    }

    /// Somebody works on it: it does not wait any more. What is worked on may be older than its process, where that is begun
    /// under an id that was given to it before.
    pub(crate) async fn note_process_running(&self, id: &ProcessId) -> Result<()> {
        if self.find::<Process>(&id.0).await?.is_none_or(|there| there.value.state != ProcessState::Waiting) {
            return Ok(());
        }
        let run = |process: &mut Process| {
            if process.state == ProcessState::Waiting {
                process.state = ProcessState::Running;
            }
            Ok(())
        };
        self.update::<Process>(&id.0, run).await.map(drop)
    }

    /// Begins a process under an id that was given to it before; one that has begun goes on.
    pub(crate) async fn begin_process_as(&self, id: &ProcessId, kind: &str, title: &str, by: &str) -> Result<()> {
        self.begin_once(self.new_process(id.clone(), kind, title, by)).await
    }

    /// The same for one that waits until somebody works on it, see [`Self::note_process_running`].
    pub(crate) async fn begin_waiting_as(&self, id: &ProcessId, kind: &str, title: &str, by: &str) -> Result<()> {
        let process = self.new_process(id.clone(), kind, title, by);
        self.begin_once(Process { state: ProcessState::Waiting, ..process }).await
    }

    async fn begin_once(&self, process: Process) -> Result<()> {
        match self.add(&process).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
    }

    fn new_process(&self, id: ProcessId, kind: &str, title: &str, by: &str) -> Process {
        Process {
            id,
            kind: kind.into(),
            title: title.into(),
            state: ProcessState::Running,
            severity: Severity::Info,
            started: self.clock.now(),
            finished: None,
            by: by.into(),
            result: None,
            outcome: None,
            error: None,
            parts: Vec::new(),
        }
    }

    /// Adds a line to the log; a line worse than all before it raises the severity of the process.
    pub(crate) async fn say(&self, process: &ProcessId, severity: Severity, text: impl Into<String>) -> Result<()> {
        self.say_at(process, &self.line_id(), severity, text).await
    }

    /// Adds a line in a place that was given to it before: however often it is said, it stands there once.
    pub(crate) async fn say_at(
        &self,
        process: &ProcessId,
        seq: &str,
        severity: Severity,
        text: impl Into<String>,
    ) -> Result<()> {
        let (at, text) = (self.clock.now(), text.into());
        let line = Line { process: process.clone(), seq: seq.to_owned(), at, severity, text };
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

    /// A place in a log for a line that is said now.
    pub(crate) fn line_id(&self) -> String {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        format!("{:010x}{:016x}{}", self.clock.now(), self.clock.boot().as_nanos(), to_hex(&bytes))
    }

    /// Ends the process with its outcome; one that has ended stays as it is.
    pub(crate) async fn end_process(&self, id: &ProcessId, state: ProcessState, outcome: Result<Value>) -> Result<()> {
        let now = self.clock.now();
        let put_aside = match &outcome {
            Ok(result) => self.put_aside(id, (state, now), result).await?,
            Err(_) => None,
        };
        let end = |process: &mut Process| {
            if !process.state.ended() {
                process.finished = Some(now);
                process.state = if outcome.is_ok() { state } else { ProcessState::Failed };
                process.error = outcome.as_ref().err().map(Failure::from);
                process.outcome.clone_from(&put_aside);
                process.result = outcome.as_ref().ok().filter(|_| put_aside.is_none()).cloned();
            }
            Ok(())
        };
        self.update::<Process>(&id.0, end).await.map(drop)
    }

    /// Writes a result that is too long for a row. Its hash is in its key, because of two workers that end a process with
    /// different results only one is believed.
    async fn put_aside(
        &self,
        id: &ProcessId,
        (state, now): (ProcessState, i64),
        result: &Value,
    ) -> Result<Option<Outcome>> {
        let bytes = result.to_string().len();
        if bytes <= ROW_BYTES {
            return Ok(None);
        }
        let process = self.need::<Process>(&id.0).await?.value;
        let process = Process { state, finished: Some(now), result: None, ..process };
        let file = OutcomeFile { format: FORMAT.into(), version: VERSION, process, result: result.clone() };
        let json = serde_json::to_vec(&file)
            .map_err(|e| Error::internal("the result of a process cannot be written").caused_by(e))?;
        let sha256 = to_hex(&Sha256::digest(&json));
        let key = ObjectKey::parse(format!("{OUTCOMES}{id}-{}.json", sha256.get(..8).unwrap_or_default()))?;
        self.objects.put(&key, json.into(), PutMode::Overwrite).await?;
        Ok(Some(Outcome { key, sha256 }))
    }

    /// Reads a long result back, verified.
    pub(crate) async fn outcome(&self, outcome: &Outcome) -> Result<Value> {
        let (sha256, json) = self.outcome_object(&outcome.key).await?;
        let changed = || Error::corrupt(format!("{} has changed", outcome.key));
        if sha256 != outcome.sha256 {
            return Err(changed());
        }
        let value: Value = serde_json::from_slice(&json).map_err(|e| changed().caused_by(e))?;
        // Version 1 was the bare result.
        match value {
            Value::Object(mut file) if file.get("format").is_some_and(|format| format == FORMAT) => {
                file.remove("result").ok_or_else(changed)
            }
            result => Ok(result),
        }
    }

    /// Reads a long result that no row speaks of, as the process that it ended. None if it is of version 1, which does not
    /// say that.
    pub(crate) async fn lone_outcome(&self, key: &ObjectKey) -> Result<Option<Process>> {
        let (sha256, json) = self.outcome_object(key).await?;
        let Ok(file) = serde_json::from_slice::<OutcomeFile>(&json) else { return Ok(None) };
        let is_ours = file.format == FORMAT && file.version == VERSION;
        let outcome = Some(Outcome { key: key.clone(), sha256 });
        Ok(is_ours.then_some(Process { outcome, ..file.process }))
    }

    async fn outcome_object(&self, key: &ObjectKey) -> Result<(String, bytes::Bytes)> {
        let meta = self.objects.head(key).await?.ok_or_else(|| Error::corrupt(format!("{key} is missing")))?;
        let json = self.objects.get(key, 0..meta.size_bytes, None).await?;
        Ok((to_hex(&Sha256::digest(&json)), json))
    }

    /// Processes by id, which is by time of start, without long results; `after` is the last id of the page before.
    pub async fn processes(&self, after: Option<&str>, limit: usize) -> Result<Vec<Process>> {
        Ok(self.page_of::<Process>(None, after, limit).await?.into_iter().map(|stored| stored.value).collect())
    }

    /// The process with its whole result.
    pub async fn process(&self, id: &ProcessId) -> Result<Process> {
        let mut process = self.need::<Process>(&id.0).await?.value;
        if let Some(outcome) = &process.outcome {
            process.result = Some(self.outcome(outcome).await?);
        }
        Ok(process)
    }

    /// Lines of a process in order; `after` is the `seq` of the last one seen.
    pub async fn process_lines(&self, id: &ProcessId, after: Option<&str>, limit: usize) -> Result<Vec<Line>> {
        Ok(self.page_of::<Line>(Some(&id.0), after, limit).await?.into_iter().map(|stored| stored.value).collect())
    }
}
