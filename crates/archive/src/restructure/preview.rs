//! Preview: what a run of restructure would create now, without creating it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Restructured, conflict_text,
    survey::{Part, Surveyed},
};
use crate::{
    Archive, Error, ErrorKind, FolderPath, MailboxAddress, ProcessId, Result,
    import::{Contents, Report, Waiting},
    job::Job,
    mailbox::{Mailbox, Origin},
    mapping::Plan,
    ports::MAX_ROWS_PER_CALL,
    process::{ProcessState, Severity},
};

/// The figures of the run that would come, and the mailboxes that it would fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Always true; it tells this document from that of a run.
    pub dry_run: bool,
    #[serde(flatten)]
    pub total: Restructured,
    /// By address, those in which a user archive would be placed.
    pub mailboxes: Vec<MailboxPreview>,
}

/// A mailbox as the waiting reports want it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxPreview {
    pub address: MailboxAddress,
    pub user_archive: String,
    /// Whether the mailbox is there already.
    pub exists: bool,
    /// Distinct mails that the reports place in it, those included that lie there.
    pub mails: u64,
    pub folders_created: u64,
    pub placements_created: u64,
    /// What a run would find in its place.
    pub placements_there: u64,
}

fn too_long() -> Error {
    Error::invalid("the preview needs more time than one function has, and was ended; nothing was changed")
        .code("preview_too_long")
        .hint("run restructure itself, which goes on over many turns")
}

impl Archive {
    /// Asks for a preview; its process ends with the [`Preview`] document.
    pub async fn start_preview(&self, by: &str) -> Result<ProcessId> {
        let title = "show what recreating the structure would do";
        let process = self.begin_process("preview", title, by).await?.id;
        self.send(&Job::Preview { process: process.clone() }).await?;
        Ok(process)
    }

    /// A preview keeps no place: one that does not come to its end before the deadline fails, and says what does.
    pub(crate) async fn run_preview(&self, process: &ProcessId, deadline: Duration) -> Result<()> {
        if self.has_ended(process).await? {
            return Ok(());
        }
        let previewed = self.in_time(deadline, Box::pin(self.preview_restructure())).await;
        match previewed.unwrap_or_else(|| Err(too_long())) {
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            previewed => {
                for conflict in previewed.iter().flat_map(|preview| &preview.total.conflicts) {
                    let text = format!("{} could not be recreated: {}", conflict.address, conflict_text(conflict));
                    self.say(process, Severity::Warning, text).await?;
                }
                self.end_process(process, ProcessState::Finished, previewed.map(|preview| json!(preview))).await
            }
        }
    }

    /// What a run would do with all waiting reports, apart from what imports and others bring until then.
    pub async fn preview_restructure(&self) -> Result<Preview> {
        let mut reports = Vec::new();
        for Waiting { import } in self.all::<Waiting>(None).await? {
            let report = self.need::<Report>(&import.0).await?.value;
            reports.push(self.report_contents(&report).await?);
        }
        let archives: BTreeSet<String> = reports.iter().flat_map(|report| report.user_archives.clone()).collect();
        let plan = self.plan_addresses(&archives).await?;
        let is_whole = |report: &Contents| report.user_archives.iter().all(|name| plan.addresses.contains_key(name));
        let processed = reports.iter().filter(|report| is_whole(report)).count() as u64;
        let left = reports.len() as u64 - processed;
        let part = |contents| Part { contents, addresses: plan.addresses.clone() };
        let surveyed = self.survey(&reports.into_iter().map(part).collect::<Vec<_>>()).await?;
        let mailboxes = self.preview_mailboxes(&plan, surveyed).await?;
        let sum = |of: fn(&MailboxPreview) -> u64| mailboxes.iter().map(of).sum();
        let total = Restructured {
            reports_processed: processed,
            reports_left: left,
            mailboxes_created: sum(|mailbox| u64::from(!mailbox.exists)),
            folders_created: sum(|mailbox| mailbox.folders_created),
            placements_created: sum(|mailbox| mailbox.placements_created),
            conflicts: plan.conflicts,
        };
        Ok(Preview { dry_run: true, total, mailboxes })
    }

    async fn preview_mailboxes(
        &self,
        plan: &Plan,
        mut surveyed: BTreeMap<MailboxAddress, Surveyed>,
    ) -> Result<Vec<MailboxPreview>> {
        let mut mailboxes = Vec::new();
        for (archive, address) in &plan.addresses {
            let there = self.find::<Mailbox>(address.folded()).await?;
            let Surveyed { folders, mails, placements, there: placed } = surveyed.remove(address).unwrap_or_default();
            mailboxes.push(MailboxPreview {
                address: address.clone(),
                user_archive: archive.clone(),
                exists: there.is_some_and(|mailbox| mailbox.value.origin == Origin::Restructure),
                mails,
                folders_created: self.count_new_folders(address, &folders).await?,
                placements_created: placements - placed,
                placements_there: placed,
            });
        }
        mailboxes.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(mailboxes)
    }

    /// How many of these folders and their parents the mailbox does not have.
    async fn count_new_folders(&self, mailbox: &MailboxAddress, folders: &BTreeSet<FolderPath>) -> Result<u64> {
        let (mut all, mut new) = (FolderPath::each_with_parents(folders), 0);
        loop {
            let some: Vec<_> = all.by_ref().take(MAX_ROWS_PER_CALL).collect();
            if some.is_empty() {
                return Ok(new);
            }
            let there = self.catalog.has_folders(mailbox, &some).await?;
            new += there.into_iter().filter(|there| !there).count() as u64;
        }
    }
}
