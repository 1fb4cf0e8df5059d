//! Restructure: from the queue of reports to mailboxes, folders and placements.

mod place;

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Archive, Error, ErrorKind, MailboxAddress, ProcessId, Result,
    import::{Report, Waiting},
    job::Job,
    lease::{Holder, Lease, Leased},
    mailbox::Origin,
    mapping::{Conflict, Plan},
    process::{ProcessState, Severity},
    records::Record,
};

/// What a run has done. Placements and folders count where they are new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restructured {
    pub reports_processed: u64,
    pub reports_left: u64,
    pub mailboxes_created: u64,
    pub folders_created: u64,
    pub placements_created: u64,
    pub conflicts: Vec<Conflict>,
}

/// One run at a time: the row that it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Turn {
    holder: Option<Holder>,
    /// What a process had done when its time was up; the next turn goes on counting.
    so_far: Option<(ProcessId, Restructured)>,
}

impl Record for Turn {
    const KIND: &'static str = "turn";
    fn id(&self) -> String {
        "restructure".into()
    }
}

impl Leased for Turn {
    fn holder(&mut self) -> &mut Option<Holder> {
        &mut self.holder
    }
}

enum Progress {
    /// The time is up, reports are left.
    More,
    Done,
}

/// A run that finds another one at work looks again after so long.
const RETRY: Duration = Duration::from_secs(15);

impl Archive {
    /// Asks for a run now; the process shows what comes of it.
    pub async fn start_restructure(&self, by: &str) -> Result<ProcessId> {
        let process = self.begin_process("restructure", "recreate the structure of the archive", by).await?;
        self.send(&Job::Restructure { process: Some(process.id.clone()) }).await?;
        Ok(process.id)
    }

    /// How many reports wait for a run.
    pub async fn reports_waiting(&self) -> Result<u64> {
        Ok(self.all::<Waiting>(None).await?.len() as u64)
    }

    /// Runs a schedule's job now.
    pub async fn run_schedule(&self, id: &str, by: &str) -> Result<ProcessId> {
        let known = self.schedules.list().await?.into_iter().any(|schedule| schedule.id == id);
        if !known {
            return Err(Error::not_found(format!("schedule {id:?} does not exist")));
        }
        self.start_restructure(by).await
    }

    /// Works through the queue of reports in the order of their imports.
    pub(crate) async fn run_restructure(&self, process: Option<&ProcessId>, deadline: Duration) -> Result<()> {
        if let Some(id) = process
            && self.process(id).await?.state.ended()
        {
            return Ok(());
        }
        let Some(mut lease) = self.take_turn().await? else {
            // Whoever is at work does all of it; only somebody who waits for an answer needs a run of their own.
            let Some(process) = process else { return Ok(()) };
            return self.queue.send(&Job::Restructure { process: Some(process.clone()) }, RETRY).await;
        };
        let process = match process {
            Some(id) => id.clone(),
            None => self.begin_process("restructure", "recreate the structure of the archive", "schedule").await?.id,
        };
        let before = lease.value().so_far.clone().filter(|(of, _)| *of == process);
        let mut total = before.map_or_else(Restructured::default, |(_, total)| total);
        let outcome = self.work_through(&process, &mut lease, &mut total, deadline).await;
        let more = matches!(outcome, Ok(Progress::More));
        lease.release(self, |turn| turn.so_far = more.then(|| (process.clone(), total.clone()))).await?;
        match outcome {
            Ok(Progress::More) => self.send(&Job::Restructure { process: Some(process) }).await,
            Ok(Progress::Done) => {
                self.say_end(&process, &total).await?;
                self.end_process(&process, ProcessState::Finished, Ok(json!(total))).await
            }
            Err(e) if matches!(e.kind(), ErrorKind::Unavailable) => Err(e),
            Err(error) => {
                self.say(&process, Severity::Error, error.to_string()).await?;
                self.end_process(&process, ProcessState::Failed, Err(error)).await
            }
        }
    }

    async fn take_turn(&self) -> Result<Option<Lease<Turn>>> {
        let turn = match self.find::<Turn>("restructure").await? {
            Some(turn) => turn,
            None => match self.add(&Turn { holder: None, so_far: None }).await {
                Err(e) if e.kind() == ErrorKind::Conflict => self.need::<Turn>("restructure").await?,
                added => added?,
            },
        };
        Lease::take(self, turn).await
    }

    /// Plans all waiting reports together, so that nothing is placed before a conflict with a later one is seen.
    async fn work_through(
        &self,
        process: &ProcessId,
        lease: &mut Lease<Turn>,
        total: &mut Restructured,
        deadline: Duration,
    ) -> Result<Progress> {
        let mut reports = Vec::new();
        for waiting in self.all::<Waiting>(None).await? {
            reports.push(self.need::<Report>(&waiting.import.0).await?.value);
        }
        let archives: BTreeSet<String> =
            reports.iter().flat_map(|report| report.user_archives.iter().cloned()).collect();
        let plan = self.plan_addresses(&archives).await?;
        for conflict in &plan.conflicts {
            let text = format!("{} cannot be recreated: {}", conflict.address, conflict_text(conflict));
            self.say(process, Severity::Warning, text).await?;
        }
        total.conflicts.clone_from(&plan.conflicts);
        total.reports_left = reports.len() as u64;
        for report in reports {
            if self.clock.boot() >= deadline {
                return Ok(Progress::More);
            }
            lease.renew(self).await?;
            self.work_on_report(process, lease, &plan, report, total).await?;
        }
        Ok(Progress::Done)
    }

    async fn work_on_report(
        &self,
        process: &ProcessId,
        lease: &mut Lease<Turn>,
        plan: &Plan,
        report: Report,
        total: &mut Restructured,
    ) -> Result<()> {
        for archive in &report.user_archives {
            if let Some(address) = plan.addresses.get(archive) {
                total.mailboxes_created += u64::from(self.recreate(process, archive, address).await?);
            }
        }
        let (folders, placements) = self.place_report(lease, plan, &report).await?;
        total.folders_created += folders;
        total.placements_created += placements;
        let text = format!("report of import {}: {folders} new folders, {placements} new placements", report.import);
        self.say(process, Severity::Info, text).await?;
        if report.user_archives.iter().all(|archive| plan.addresses.contains_key(archive)) {
            self.update::<Report>(&report.import.0, |report: &mut Report| {
                report.done = true;
                Ok(())
            })
            .await?;
            self.drop_record::<Waiting>(None, &report.import.0).await?;
            total.reports_processed += 1;
            total.reports_left -= 1;
        }
        Ok(())
    }

    /// True if the mailbox is new. It carries no permissions.
    async fn recreate(&self, process: &ProcessId, archive: &str, address: &MailboxAddress) -> Result<bool> {
        let (mailbox, new) = self.ensure_mailbox(address, Origin::Restructure, Some(archive)).await?;
        if mailbox.user_archive.as_deref() != Some(archive) {
            return Err(Error::conflict(format!("mailbox {address} came between: it is not user archive {archive:?}")));
        }
        if new {
            self.say(process, Severity::Info, format!("mailbox {address} recreates user archive {archive:?}")).await?;
        }
        Ok(new)
    }

    async fn say_end(&self, process: &ProcessId, total: &Restructured) -> Result<()> {
        if total.reports_left == 0 {
            return self.say(process, Severity::Info, "no more reports to process").await;
        }
        let text = format!("{} reports are left until the mapping resolves the conflicts", total.reports_left);
        self.say(process, Severity::Warning, text).await
    }
}

fn conflict_text(conflict: &Conflict) -> String {
    match conflict.archives.as_slice() {
        [one] => format!("a mailbox of that address is there already, and user archive {one:?} is not its origin"),
        all => format!("user archives {all:?} would all become it"),
    }
}
