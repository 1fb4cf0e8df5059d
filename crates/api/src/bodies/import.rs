//! Imports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UploadKind;

/// What to import, and into which mailbox.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartImports {
    /// Ids of uploads.
    #[serde(default)]
    pub uploads: Vec<String>,
    /// Absolute paths of files on the server's machine; only for the operator.
    #[serde(default)]
    pub files: Vec<String>,
    /// Made if it does not exist.
    pub mailbox: String,
    /// The export's certificate: PEM, or DER in base64. Needed for volumes.
    #[serde(default)]
    pub certificate: Option<String>,
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Further volumes of the same exports start by themselves, into the same mailbox: those that are uploaded already and
    /// those that arrive, until the last one is imported, an import of the export is cancelled, or none has come for seven
    /// days. Each has a process of its own; one that is refused is named in the log of this start and stays. The password
    /// is not kept.
    #[serde(default)]
    pub auto_start: bool,
    /// What is refused is named with state `refused` and the rest goes on; otherwise one refusal refuses all.
    #[serde(default)]
    pub each_alone: bool,
}

/// Imports that were accepted, and the process to watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Started {
    pub imports: Vec<Import>,
    pub process: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Queued.
    Waiting,
    Running,
    /// Every entry has its outcome, failed ones included.
    Finished,
    Failed,
    Cancelled,
    /// Never begun: file, certificate or password was refused.
    Refused,
}

/// One import of one file. When finished, `in_volume = imported + already_there + failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// Null if refused.
    pub id: Option<String>,
    pub process: Option<String>,
    pub file: String,
    pub kind: UploadKind,
    pub mailbox: Option<String>,
    pub state: ImportState,
    pub export_id: Option<String>,
    pub volume: Option<u64>,
    pub in_volume: u64,
    pub imported: u64,
    pub already_there: u64,
    /// The first ten thousand, in a list of imports the first hundred; then one with the code `more` that says how many more
    /// there are. The import's report names all.
    pub failed: Vec<FailedEntry>,
    pub not_mail: Vec<NotMail>,
    pub balanced: bool,
    /// Null unless refused or failed, as is `reason`.
    pub code: Option<String>,
    pub reason: Option<String>,
}

/// A mail that could not be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedEntry {
    /// From 1.
    pub number: u64,
    /// Member path or byte offset.
    pub locator: String,
    pub code: String,
    pub reason: String,
}

/// Something in a foreign archive that is no mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotMail {
    pub locator: String,
    pub reason: String,
}
