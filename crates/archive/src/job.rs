//! The work that queues and schedules bring.

use serde::{Deserialize, Serialize};

use crate::{ImportId, ports::ObjectKey};

/// One piece of work; small, without secrets, safe to deliver twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// An object came into the upload store: look at it.
    Intake { upload: ObjectKey },
    /// Go on with one shard of an import.
    Import { import: ImportId, shard: u32 },
    /// Work through the queue of reports.
    Restructure,
    /// Delete what has expired, find uploads without a record.
    Sweep,
}
