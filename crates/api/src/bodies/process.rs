//! Processes and schedules.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// Long work that somebody watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Sorts by time of start.
    pub id: String,
    /// `import`, `restructure`, `preview`, `empty`, `check`, `sweep`.
    pub kind: String,
    /// What it is about, for people.
    pub title: String,
    pub state: ProcessState,
    /// The worst of its lines.
    pub severity: Severity,
    #[schema(format = DateTime)]
    pub started: Option<String>,
    #[schema(format = DateTime)]
    pub finished: Option<String>,
    /// Who asked for it; `schedule` for the clock.
    pub by: String,
    /// The document that the command of this kind prints; null until it has ended, and in a list where it is long.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    pub error: Option<Failure>,
}

/// The error that ended a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub kind: String,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

/// One line of a process's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// Sorts by time within the process; the cursor of the next page.
    pub seq: String,
    #[schema(format = DateTime)]
    pub at: Option<String>,
    pub severity: Severity,
    pub text: String,
}

/// Work that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessStarted {
    /// The process to watch.
    pub process: String,
}

/// What comes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    pub id: String,
    /// The work that it brings: `restructure`, `sweep`.
    pub kind: String,
    pub every_minutes: u32,
    pub enabled: bool,
    /// Null where nobody knows.
    #[schema(format = DateTime)]
    pub next_run: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditSchedule {
    pub enabled: bool,
}

/// Whether to do it, or to show what would be done.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartRestructure {
    /// Creates nothing.
    pub dry_run: bool,
}

/// How deep to look.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartCheck {
    /// Reads and hashes every object, instead of comparing what the catalogue says.
    pub read_data: bool,
    /// Puts right what can be put right without losing anything, and checks again; reads every object.
    pub repair: bool,
}
