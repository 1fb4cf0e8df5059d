//! An import as others see it.

use serde::{Deserialize, Serialize};

use super::{Import, ImportState, NotMail};
use crate::{Archive, ImportId, Result, process::Failure, records::Record, uploads::Kind};

/// A document lists so many failed entries, some 2 MB: a whole volume may fail, and the document lies in memory several times.
pub(super) const LISTED: usize = 10_000;
/// In a list of imports each one has so many.
const LISTED_EACH: usize = 100;
/// The code of the item that says how many more there are.
const MORE: &str = "more";
/// So many rows are read at a time.
const PAGE: usize = 1000;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The first ten thousand, in a list of imports the first hundred; then one that says how many more there are.
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
            let mut room = LISTED_EACH;
            views.push(self.view_within(import, &mut room).await?);
        }
        Ok(views)
    }

    pub(crate) async fn view_import(&self, import: Import) -> Result<ImportView> {
        let mut room = LISTED;
        self.view_within(import, &mut room).await
    }

    /// With every failed entry.
    pub(crate) async fn view_whole(&self, import: Import) -> Result<ImportView> {
        let mut room = usize::MAX;
        self.view_within(import, &mut room).await
    }

    /// Lists failed entries as long as there is room for them.
    pub(super) async fn view_within(&self, import: Import, room: &mut usize) -> Result<ImportView> {
        let (failed, failed_rows) = self.failures(&import, room).await?;
        // One that was cancelled, or has failed, has its sums once it is closed.
        let import = if import.finished.is_some() { import } else { self.counted(import).await? };
        let tally = import.tally;
        let not_mail = self.not_mail_of(&import).await?;
        let is_foreign = import.is_foreign();
        let balanced =
            import.state == ImportState::Finished && tally.total() == import.mails && failed_rows == tally.failed;
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
            reason: import.error.map(Failure::in_words),
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
    /// Keeps why entries failed; a repeat writes the same.
    pub(crate) async fn put_failures(&self, import: &ImportId, entries: Vec<FailedEntry>) -> Result<()> {
        let rows: Vec<_> = entries.into_iter().map(|entry| FailureRow { import: import.clone(), entry }).collect();
        self.put_all(Some(&import.0), &rows).await
    }

    /// As many failed entries of an import as there is room for, then one that says how many more there are; and how many
    /// rows all of them have.
    async fn failures(&self, import: &Import, room: &mut usize) -> Result<(Vec<FailedEntry>, u64)> {
        let mut listed: Vec<FailedEntry> = Vec::new();
        let (mut count, mut first_of_more, mut after) = (0, None, None::<String>);
        loop {
            let page = self.page_of::<FailureRow>(Some(&import.id.0), after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            count += page.len() as u64;
            after = page.last().map(|row| row.value.id());
            for FailureRow { entry, .. } in page.into_iter().map(|row| row.value) {
                if *room > 0 {
                    *room -= 1;
                    listed.push(entry);
                } else {
                    first_of_more = first_of_more.or(Some(entry.number));
                }
            }
            if is_last {
                break;
            }
        }
        if let Some(number) = first_of_more {
            let more = count - listed.len() as u64;
            let reason = format!("{more} more: `postkahn report {}` names each", import.id);
            listed.push(FailedEntry { number, locator: import.file.clone(), code: MORE.into(), reason });
        }
        Ok((listed, count))
    }
}
