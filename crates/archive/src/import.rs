//! Import: from a volume or a foreign file in the upload store into one mailbox, each entry with exactly one outcome.

mod batch;
mod chain;
mod claim;
mod close;
mod entries;
mod foreign;
mod further;
mod in_hand;
mod not_mail;
mod open;
mod ranged;
mod read;
mod record;
mod reference;
mod report;
mod room;
mod run;
mod shard;
mod slice;
mod start;
mod starting;
mod step;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod unlock;
mod view;
mod wake;
mod walk;

pub(crate) use batch::Mails;
pub(crate) use close::{RESTRUCTURE, RESTRUCTURE_MINUTES};
pub(crate) use foreign::Foreign;
pub use further::SelfStart;
pub use in_hand::VolumesInHand;
pub use not_mail::NotMail;
pub(crate) use open::Located;
pub(crate) use read::summarize;
pub(crate) use record::Texts;
pub(crate) use report::{Contents, Ledger, REPORTS, Report, Waiting};
use serde::{Deserialize, Serialize};
pub(crate) use slice::{Outcome, Placed, SliceEntry, SliceRef, user_archives};
pub use start::{StartImports, Started};
pub(crate) use view::FailureRow;
pub use view::{FailedEntry, ImportView};
pub(crate) use wake::LOST_SECONDS;

use crate::{
    ImportId, MailboxAddress, ProcessId,
    ports::{ETag, ObjectKey},
    records::Record,
    uploads::Kind,
};

/// The code of the error that ends an import whose source is no longer the one that was checked.
const SOURCE_CHANGED: &str = "source_changed";
/// That of one that refuses an upload which another import reads.
const IN_USE: &str = "upload_in_use";
/// That of one that refuses a volume because another one of its number is there.
const VOLUME_CONFLICT: &str = "volume_conflict";

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An object of the upload store; deleted when all of it was imported.
    Upload(ObjectKey),
    /// A file that an operator named: its absolute path without the leading slash. Kept.
    File(ObjectKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Queued.
    Waiting,
    Running,
    /// Every entry has its outcome, failed ones included.
    Finished,
    /// Ended early by something that is not one mail's fault.
    Failed,
    Cancelled,
    /// Never begun: the file, certificate or password was refused.
    Refused,
}

impl ImportState {
    pub fn ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled | Self::Refused)
    }
}

/// What became of the entries so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub imported: u64,
    pub already_there: u64,
    pub failed: u64,
}

impl Tally {
    pub fn total(self) -> u64 {
        self.imported + self.already_there + self.failed
    }
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            imported: self.imported + other.imported,
            already_there: self.already_there + other.already_there,
            failed: self.failed + other.failed,
        }
    }
}

/// One import of one volume, or of one foreign file: a ZIP, an mbox or a single mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Import {
    pub id: ImportId,
    pub process: ProcessId,
    /// The processes of earlier starts that were cut off, the last ones: they end with the import at the latest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ProcessId>,
    pub source: Source,
    pub etag: ETag,
    pub size_bytes: u64,
    /// File name, for people.
    pub file: String,
    pub kind: Kind,
    pub mailbox: MailboxAddress,
    pub state: ImportState,
    /// Empty if foreign, as is the name.
    pub export_id: String,
    pub export_name: String,
    /// 0 if foreign.
    pub volume: u64,
    /// Whether it is the last volume of its export.
    #[serde(default)]
    pub last: bool,
    /// Hex SHA-256 of `seal.json`: every later step is pinned to it. If foreign, that of the source and its version.
    pub seal: String,
    /// The seal of the volume before it, as its own seal names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_seal: Option<String>,
    /// Mails that the source could not deliver, as the seal counts them; of all volumes, as the last one does.
    #[serde(default)]
    pub skipped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_skipped: Option<u64>,
    /// The certificate, DER in hex: each worker verifies the signature again.
    pub certificate: String,
    /// The content key, wrapped by the `Keys` port, in hex; removed when the import ends.
    pub wrapped_key: Option<String>,
    pub first_mail: u64,
    /// If foreign, they are counted at the end.
    pub mails: u64,
    /// What is in a foreign file besides; counted at the end.
    #[serde(default)]
    pub not_mail: u64,
    /// Mails per shard; the last one has the rest.
    pub shard_mails: u64,
    pub shards_done: std::collections::BTreeSet<u32>,
    pub started: i64,
    /// When somebody last did something to this row.
    #[serde(default)]
    pub touched: i64,
    pub finished: Option<i64>,
    pub by: String,
    pub tally: Tally,
    pub error: Option<crate::process::Failure>,
}

impl Import {
    /// A ZIP, an mbox or a single mail.
    pub(crate) fn is_foreign(&self) -> bool {
        self.kind != Kind::Volume
    }
}

impl Record for Import {
    const KIND: &'static str = "import";
    fn id(&self) -> String {
        self.id.to_string()
    }
}
