//! Migration reports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FailedEntry, ImportState, NotMail, UploadKind};

/// What is counted: all entries, and each of their three outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    InVolume,
    Imported,
    AlreadyThere,
    Failed,
}

/// One quantity, counted from sources that do not know of each other; null where one does not know it, or was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sum {
    pub quantity: Quantity,
    /// What the exporter has signed.
    pub seal: Option<u64>,
    /// What the workers have counted on their way.
    pub checkpoints: Option<u64>,
    /// The entries with this outcome in the objects that keep the outcomes.
    pub ledger: Option<u64>,
    /// Rows of mails and of failed entries that agree with the ledger.
    pub catalogue: Option<u64>,
    /// Whether all of them are equal; null where ledger and catalogue were not counted.
    pub closes: Option<bool>,
}

/// The entries of imports that have places in one mailbox: a copy counts like the mail itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailboxSum {
    pub mailbox: String,
    /// Null for the target of the import.
    pub user_archive: Option<String>,
    pub ledger: u64,
    /// Those of them whose mail lies there by the catalogue.
    pub catalogue: u64,
    /// How many mails the mailbox has now, whoever brought them, each once.
    pub mails: Option<u64>,
    pub closes: bool,
}

/// What the signed header and seal of a volume say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeFacts {
    pub export_id: String,
    pub export_name: String,
    pub number: u64,
    /// How many the export has; null before its last one has come in.
    pub of: Option<u64>,
    /// The number of its first mail in the export.
    pub first_mail: u64,
    /// Mails that the source could not deliver while this volume was written.
    pub skipped: u64,
    /// SHA-256 of the seal in lower-case hex.
    pub seal_sha256: String,
    /// SHA-256 of the certificate's DER in lower-case hex.
    pub certificate_sha256: String,
}

/// The object that names those with the outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerObject {
    pub key: String,
    pub sha256: String,
    #[schema(format = DateTime)]
    pub filed: Option<String>,
}

/// An object that names entries with their outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SliceObject {
    pub key: String,
    pub sha256: String,
    pub first: u64,
    pub entries: u64,
}

/// The migration report of one import, for an auditor. When finished, `in_volume = imported + already_there + failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    pub format: String,
    pub version: u32,
    pub generator: String,
    /// When it was drawn up.
    #[schema(format = DateTime)]
    pub made: Option<String>,
    pub import: String,
    pub process: String,
    /// Who started it.
    pub by: String,
    /// In whose upload home the file lay; null for a file of the operator.
    pub uploaded_by: Option<String>,
    #[schema(format = DateTime)]
    pub started: Option<String>,
    #[schema(format = DateTime)]
    pub finished: Option<String>,
    pub state: ImportState,
    pub code: Option<String>,
    pub reason: Option<String>,
    pub file: String,
    pub kind: UploadKind,
    pub size_bytes: u64,
    /// Of the file as it was read.
    pub etag: String,
    pub mailbox: String,
    /// The mailbox was emptied of this import's mails since: its places there are not counted. Null if nothing was counted.
    pub mailbox_emptied: Option<bool>,
    /// Null of a foreign file.
    pub volume: Option<VolumeFacts>,
    pub in_volume: u64,
    pub imported: u64,
    pub already_there: u64,
    pub failed: Vec<FailedEntry>,
    pub not_mail: Vec<NotMail>,
    /// Null before the import has ended.
    pub ledger: Option<LedgerObject>,
    pub slices: Vec<SliceObject>,
    pub sums: Vec<Sum>,
    pub mailboxes: Vec<MailboxSum>,
    /// User archives that restructure has not placed yet.
    pub not_recreated: Vec<String>,
    /// What does not close, mail by mail, and what cannot be read.
    pub faults: Vec<String>,
    /// Finished, and everything closes; null if there was no time to count.
    pub balanced: Option<bool>,
}

/// What an import is to its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It brought the volume, and counts.
    Counted,
    /// The volume came in again.
    Doubled,
    /// Another volume of the same number, under the same certificate.
    Conflict,
    /// The export's id under another certificate, or its certificate on another export.
    Foreign,
    /// It has not finished, failed or was cancelled.
    Unfinished,
}

/// One import of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportImport {
    pub standing: Standing,
    /// A later volume was started before it; no harm.
    pub reordered: bool,
    /// Without its slices; its sums are there if it counts.
    pub report: ImportReport,
}

/// The migration report of an export, for an auditor: `in_volumes = imported + already_there + failed` over the imports
/// that count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportReport {
    pub format: String,
    pub version: u32,
    pub generator: String,
    /// When it was drawn up.
    #[schema(format = DateTime)]
    pub made: Option<String>,
    pub export_id: String,
    pub export_name: String,
    pub certificate_sha256: String,
    /// Null before the last one was imported.
    pub volumes: Option<u64>,
    pub missing_volumes: Vec<u64>,
    /// In the order of their volumes, then of their start; what is foreign comes last.
    pub imports: Vec<ExportImport>,
    pub in_volumes: u64,
    pub imported: u64,
    pub already_there: u64,
    /// How many; each is named in the report of its import.
    pub failed: u64,
    /// Mails that the source could not deliver, as the last volume's seal counts them; null before that was imported.
    pub skipped: Option<u64>,
    pub sums: Vec<Sum>,
    pub mailboxes: Vec<MailboxSum>,
    pub not_recreated: Vec<String>,
    pub faults: Vec<String>,
    /// Everything closes that came in; null if there was no time to count.
    pub balanced: Option<bool>,
    /// Every volume was imported, and everything closes.
    pub complete: bool,
}

/// An export of which something was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Export {
    pub export_id: String,
    pub export_name: String,
    /// Null before the last one was imported.
    pub volumes: Option<u64>,
    /// Each once.
    pub imported_volumes: Vec<u64>,
}
