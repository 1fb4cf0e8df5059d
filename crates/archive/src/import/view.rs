//! An import as others see it.

use serde::{Deserialize, Serialize};

use super::{Import, ImportState, NotMail};
use crate::{Archive, ImportId, Result, records::Record, uploads::Kind};

/// One entry that could not be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedEntry {
    /// The mail's number in its export, or in its foreign file; from 1.
    pub number: u64,
    /// Member path or byte offset.
    pub locator: String,
    pub code: String,
    pub reason: String,
}

/// A failed entry as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailureRow {
    pub(crate) import: ImportId,
    #[serde(flatten)]
    pub(crate) entry: FailedEntry,
}

impl Record for FailureRow {
    const KIND: &'static str = "failure";
    fn id(&self) -> String {
        format!("{:011}", self.entry.number)
    }
    fn parent(&self) -> Option<String> {
        Some(self.import.to_string())
    }
}

/// `in_volume = imported + already_there + failed` once it has finished, and `balanced` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportView {
    /// None if refused.
    pub id: Option<ImportId>,
    pub process: Option<crate::ProcessId>,
    pub file: String,
    pub kind: Kind,
    pub mailbox: Option<crate::MailboxAddress>,
    pub state: ImportState,
    pub export_id: Option<String>,
    pub volume: Option<u64>,
    pub in_volume: u64,
    pub imported: u64,
    pub already_there: u64,
    pub failed: Vec<FailedEntry>,
    pub not_mail: Vec<NotMail>,
    pub balanced: bool,
    pub code: Option<String>,
    pub reason: Option<String>,
}

impl Archive {
    pub async fn import(&self, id: &ImportId) -> Result<ImportView> {
        let import = self.need::<Import>(&id.0).await?.value;
        self.view_import(import).await
    }

    /// Every import, in the order of their start.
    pub async fn imports(&self) -> Result<Vec<ImportView>> {
        let mut views = Vec::new();
        for import in self.all::<Import>(None).await? {
            views.push(self.view_import(import).await?);
        }
        Ok(views)
    }

    pub(crate) async fn view_import(&self, import: Import) -> Result<ImportView> {
        let failed: Vec<FailedEntry> =
            self.all::<FailureRow>(Some(&import.id.0)).await?.into_iter().map(|row| row.entry).collect();
        // One that was cancelled, or has failed, has its sums once it is closed.
        let import = if import.finished.is_some() { import } else { self.counted(import).await? };
        let tally = import.tally;
        let not_mail = self.not_mail_of(&import).await?;
        let is_foreign = import.is_foreign();
        let balanced = import.state == ImportState::Finished
            && tally.total() == import.mails
            && failed.len() as u64 == tally.failed;
        Ok(ImportView {
            id: Some(import.id),
            process: Some(import.process),
            file: import.file,
            kind: import.kind,
            mailbox: Some(import.mailbox),
            state: import.state,
            export_id: (!is_foreign).then_some(import.export_id),
            volume: (!is_foreign).then_some(import.volume),
            in_volume: if is_foreign { tally.total() } else { import.mails },
            imported: tally.imported,
            already_there: tally.already_there,
            failed,
            not_mail,
            balanced,
            code: import.error.as_ref().map(|e| e.code.clone()),
            reason: import.error.map(|e| e.message),
        })
    }
}

impl FailedEntry {
    /// An entry of a volume, unless `locator` says where it lies in a foreign file.
    pub(crate) fn new(number: u64, code: &str, reason: &str, locator: Option<&str>) -> Self {
        let locator = locator.map_or_else(|| Self::member_of(number), str::to_owned);
        Self { number, locator, code: code.into(), reason: reason.into() }
    }

    /// A damaged entry of a volume.
    pub(super) fn damaged(number: u64, reason: String) -> Self {
        Self { number, locator: Self::member_of(number), code: "mail_damaged".into(), reason }
    }

    /// The member of a volume that has the mail.
    pub(super) fn member_of(number: u64) -> String {
        format!("mail/{number:011}")
    }
}

impl Archive {
    /// Keeps why an entry failed; a repeat writes the same.
    pub(super) async fn note_failure(&self, import: &Import, entry: FailedEntry) -> Result<()> {
        self.put(FailureRow { import: import.id.clone(), entry }).await.map(drop)
    }
}
