//! The report of an import, and its place in the queue of reports.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, Outcome, SliceRef};
use crate::{
    Archive, Error, ImportId, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    records::Record,
};

/// A report that waits for restructure, or has been worked through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) import: ImportId,
    /// The report object, which repeats all of this for people and for `rebuild`.
    pub(crate) key: ObjectKey,
    /// Hex SHA-256 of the report object.
    pub(crate) sha256: String,
    pub(crate) slices: Vec<SliceRef>,
    /// Every user archive that occurs.
    pub(crate) user_archives: std::collections::BTreeSet<String>,
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
    user_archives: &'a std::collections::BTreeSet<String>,
}

impl Archive {
    /// Writes report object and queue row; a repeat writes the same.
    pub(super) async fn file_report(&self, import: &Import, slices: Vec<SliceRef>) -> Result<()> {
        let mut user_archives = std::collections::BTreeSet::new();
        for slice in &slices {
            for entry in self.slice(slice).await? {
                if let Outcome::Imported(placed) | Outcome::AlreadyThere(placed) = entry.outcome {
                    user_archives.extend(placed.locations.into_iter().filter_map(|l| l.into_iter().next()));
                }
            }
        }
        let paper = Paper {
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
            slices: &slices,
            user_archives: &user_archives,
        };
        let json = serde_json::to_vec_pretty(&paper)
            .map_err(|e| Error::internal("a report cannot be written").caused_by(e))?;
        let key = ObjectKey::parse(format!("reports/{}.json", import.id))?;
        let sha256 = to_hex(&Sha256::digest(&json));
        self.objects.put(&key, json.into(), PutMode::Overwrite).await?;
        let known = self.find::<Report>(&import.id.0).await?.is_some_and(|report| report.value.done);
        if !known {
            self.put(Report { import: import.id.clone(), key, sha256, slices, user_archives, done: false }).await?;
            self.put(Waiting { import: import.id.clone() }).await?;
        }
        Ok(())
    }
}
