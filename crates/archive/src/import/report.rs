//! The report of an import, and its place in the queue of reports.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, SliceRef, slice::SliceRow};
use crate::{
    Archive, Error, ImportId, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    records::Record,
};

/// A report that waits for restructure, or has been worked through. What it says is in its object: lists may be long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) import: ImportId,
    pub(crate) key: ObjectKey,
    /// Hex SHA-256 of the report object.
    pub(crate) sha256: String,
    pub(crate) done: bool,
}

impl Record for Report {
    const KIND: &'static str = "report";
    fn id(&self) -> String {
        self.import.to_string()
    }
}

/// Waiting reports have a row here too, so that finding them costs nothing when there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) import: ImportId,
}

impl Record for Waiting {
    const KIND: &'static str = "report-waiting";
    fn id(&self) -> String {
        self.import.to_string()
    }
}

/// What restructure and `check` need of a report object.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Contents {
    /// In the order of their entries.
    pub(crate) slices: Vec<SliceRef>,
    /// Every user archive that occurs.
    pub(crate) user_archives: BTreeSet<String>,
}

/// The report object.
#[derive(Serialize)]
struct Paper<'a> {
    import: &'a ImportId,
    file: &'a str,
    by: &'a str,
    started: i64,
    mailbox: &'a crate::MailboxAddress,
    export_id: &'a str,
    export_name: &'a str,
    volume: u64,
    seal_sha256: &'a str,
    in_volume: u64,
    tally: super::Tally,
    state: super::ImportState,
    slices: &'a [SliceRef],
    user_archives: &'a BTreeSet<String>,
}

impl Archive {
    /// Writes report object and queue row; a report that has its row stays as it is.
    pub(super) async fn file_report(&self, import: &Import, slices: Vec<SliceRef>, rows: &[SliceRow]) -> Result<()> {
        if let Some(report) = self.find::<Report>(&import.id.0).await? {
            return if report.value.done { Ok(()) } else { self.queue_report(import).await };
        }
        let contents = Contents { slices, user_archives: self.user_archives_of(rows).await? };
        let json = serde_json::to_vec_pretty(&Paper::of(import, &contents))
            .map_err(|e| Error::internal("a report cannot be written").caused_by(e))?;
        let key = ObjectKey::parse(format!("reports/{}.json", import.id))?;
        let sha256 = to_hex(&Sha256::digest(&json));
        self.objects.put(&key, json.into(), PutMode::Overwrite).await?;
        self.put(Report { import: import.id.clone(), key, sha256, done: false }).await?;
        self.queue_report(import).await
    }

    async fn queue_report(&self, import: &Import) -> Result<()> {
        self.put(Waiting { import: import.id.clone() }).await.map(drop)
    }

    /// Reads a report object back, verified.
    pub(crate) async fn report_contents(&self, report: &Report) -> Result<Contents> {
        let missing = || Error::corrupt(format!("{} is missing", report.key));
        let changed = || Error::corrupt(format!("{} has changed", report.key));
        let meta = self.objects.head(&report.key).await?.ok_or_else(missing)?;
        let json = self.objects.get(&report.key, 0..meta.size_bytes, None).await?;
        if to_hex(&Sha256::digest(&json)) != report.sha256 {
            return Err(changed());
        }
        serde_json::from_slice(&json).map_err(|e| changed().caused_by(e))
    }
}

impl<'a> Paper<'a> {
    fn of(import: &'a Import, contents: &'a Contents) -> Self {
        Self {
            import: &import.id,
            file: &import.file,
            by: &import.by,
            started: import.started,
            mailbox: &import.mailbox,
            export_id: &import.export_id,
            export_name: &import.export_name,
            volume: import.volume,
            seal_sha256: &import.seal,
            in_volume: import.mails,
            tally: import.tally,
            state: import.state,
            slices: &contents.slices,
            user_archives: &contents.user_archives,
        }
    }
}
