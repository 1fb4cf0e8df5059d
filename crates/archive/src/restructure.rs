//! Restructure: from the queue of reports to mailboxes, folders and placements.

mod figures;
mod place;
mod preview;
mod survey;
#[cfg(test)]
mod tests;
mod told;
mod turn;

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use figures::Figures;
pub(crate) use place::folder_path;
pub use preview::{MailboxPreview, Preview};
pub(crate) use told::{PLACEMENTS, Stage, Told, placed_by_name};
use turn::{Run, Turn};

use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, ProcessId, Result,
    import::{Report, Waiting},
    job::Job,
    lease::Lease,
    mailbox::Origin,
    mapping::{Conflict, Plan},
    process::{Process, ProcessState, Severity},
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

enum Progress {
    /// The time is up, reports are left.
    More,
    Done,
}

const TITLE: &str = "recreate the structure of the archive";
/// A run that finds another one at work looks again after so long.
const RETRY: Duration = Duration::from_secs(15);

impl Archive {
    /// Asks for a run now; the process shows what comes of it.
    pub async fn start_restructure(&self, by: &str) -> Result<ProcessId> {
        let process = ProcessId(self.sortable_id());
        // First: by this row the sweep finds a process that nobody has a job for.
        self.note_asked(&process).await?;
        self.begin_process_as(&process, "restructure", TITLE, by).await?;
        self.send(&Job::Restructure { process: Some(process.clone()) }).await?;
        Ok(process)
    }

    /// How many reports wait for a run.
    pub async fn reports_waiting(&self) -> Result<u64> {
        Ok(self.all::<Waiting>(None).await?.len() as u64)
    }

    /// Runs a schedule's job now: a run of restructure is asked for, a sweep is done before this answers.
    pub async fn run_schedule(&self, id: &str, by: &str) -> Result<ProcessId> {
        let found = self.schedules.list().await?.into_iter().find(|schedule| schedule.id == id);
        let schedule = found.ok_or_else(|| Error::not_found(format!("schedule {id:?} does not exist")))?;
        match schedule.job {
            Job::Sweep => self.sweep_now(by).await,
            _ => self.start_restructure(by).await,
        }
    }

    async fn sweep_now(&self, by: &str) -> Result<ProcessId> {
        let process = self.begin_process("sweep", "delete what has expired, find what was lost", by).await?.id;
        let swept = self.sweep().await.map(|()| json!({}));
        self.end_process(&process, ProcessState::Finished, swept).await?;
        Ok(process)
    }

    /// Works through the queue of reports in the order of their imports.
    pub(crate) async fn run_restructure(&self, process: Option<&ProcessId>, deadline: Duration) -> Result<()> {
        let stop = self.stop_before(deadline);
        if let Some(id) = process
            && self.has_ended(id).await?
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
            None => self.scheduled_process(&mut lease).await?,
        };
        let mut run = lease.value().run(&process);
        match self.work_through(&process, &mut lease, &mut run, stop).await {
            Ok(Progress::More) => {
                run.pause();
                lease.release(self, |turn| turn.keep(&process, &run)).await?;
                self.send(&Job::Restructure { process: Some(process) }).await
            }
            Ok(Progress::Done) => {
                self.say_end(&process, &run.total).await?;
                self.end_process(&process, ProcessState::Finished, Ok(json!(run.total))).await?;
                lease.release(self, |turn| turn.forget(&process)).await
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                // Let go for whoever tries next; if that fails too, the lease runs out by itself.
                let _ = lease.release(self, |turn| turn.keep(&process, &run)).await;
                Err(error)
            }
            Err(error) => {
                // Whoever was overtaken has no say in what becomes of the process.
                lease.confirm(self).await?;
                self.say(&process, Severity::Error, error.to_string()).await?;
                self.end_process(&process, ProcessState::Failed, Err(error)).await?;
                lease.release(self, |turn| turn.forget(&process)).await
            }
        }
    }

    /// The process of a scheduled run: one that was cut off goes on.
    async fn scheduled_process(&self, lease: &mut Lease<Turn>) -> Result<ProcessId> {
        for process in lease.value().scheduled() {
            self.begin_process_as(&process, "restructure", TITLE, "schedule").await?;
            if !self.has_ended(&process).await? {
                return Ok(process);
            }
        }
        // Kept before it begins, so that none can begin and be forgotten.
        let (process, run) = (ProcessId(self.sortable_id()), Run { scheduled: true, ..Run::default() });
        lease.save(self, |turn| turn.keep(&process, &run)).await?;
        self.begin_process_as(&process, "restructure", TITLE, "schedule").await?;
        Ok(process)
    }

    pub(crate) async fn has_ended(&self, process: &ProcessId) -> Result<bool> {
        Ok(self.need::<Process>(&process.0).await?.value.state.ended())
    }

    /// Plans all waiting reports together, so that nothing is placed before a conflict with a later one is seen.
    async fn work_through(
        &self,
        process: &ProcessId,
        lease: &mut Lease<Turn>,
        run: &mut Run,
        stop: Duration,
    ) -> Result<Progress> {
        self.count_cut_off(lease).await?;
        *run = lease.value().run(process);
        let waiting = self.all::<Waiting>(None).await?;
        let mut archives = BTreeSet::new();
        for Waiting { import } in &waiting {
            let report = self.need::<Report>(&import.0).await?.value;
            archives.extend(self.report_contents(&report).await?.user_archives);
        }
        let plan = self.plan_addresses(&archives).await?;
        if run.is_new() {
            for conflict in &plan.conflicts {
                let text = format!("{} cannot be recreated: {}", conflict.address, conflict_text(conflict));
                self.say(process, Severity::Warning, text).await?;
            }
        }
        run.total.conflicts.clone_from(&plan.conflicts);
        run.total.reports_left = waiting.len() as u64;
        let todo: Vec<_> = waiting.into_iter().filter(|waiting| run.after.as_ref() < Some(&waiting.import)).collect();
        for (nth, Waiting { import }) in todo.iter().enumerate() {
            if !self.work_on_report(process, lease, &plan, import, run, stop).await? {
                return Ok(Progress::More);
            }
            if nth + 1 < todo.len() && self.clock.boot() >= stop {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    /// False if the time was up before all of the report was placed.
    async fn work_on_report(
        &self,
        process: &ProcessId,
        lease: &mut Lease<Turn>,
        plan: &Plan,
        import: &ImportId,
        run: &mut Run,
        stop: Duration,
    ) -> Result<bool> {
        let report = self.need::<Report>(&import.0).await?.value;
        let contents = self.report_contents(&report).await?;
        self.begin_report((process, lease), plan, (&report, &contents), run).await?;
        for archive in &contents.user_archives {
            if let Some(address) = plan.addresses.get(archive) {
                let mailboxes = u64::from(self.recreate(process, archive, address).await?);
                run.count(Figures { mailboxes, ..Figures::default() });
            }
        }
        if !self.place_report((process, lease), plan, (import, &contents), run, stop).await? {
            return Ok(false);
        }
        let (folders, placements) = run.at.as_ref().map_or((0, 0), |at| (at.folders, at.placements));
        let text = format!("report of import {import}: {folders} new folders, {placements} new placements");
        self.say(process, Severity::Info, text).await?;
        if contents.user_archives.iter().all(|archive| plan.addresses.contains_key(archive)) {
            self.finish_report(&report, run).await?;
        }
        (run.after, run.at) = (Some(import.clone()), None);
        lease.save(self, |turn| turn.keep(process, run)).await?;
        Ok(true)
    }

    async fn finish_report(&self, report: &Report, run: &mut Run) -> Result<()> {
        let done = |report: &mut Report| {
            report.done = true;
            Ok(())
        };
        self.update::<Report>(&report.import.0, done).await?;
        self.drop_record::<Waiting>(None, &report.import.0).await?;
        // One that was done already came back by a crash.
        run.count(Figures { reports: u64::from(!report.done), ..Figures::default() });
        run.total.reports_left -= 1;
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
        let until = if total.conflicts.is_empty() { "the next run" } else { "the mapping resolves the conflicts" };
        self.say(process, Severity::Warning, format!("{} reports are left until {until}", total.reports_left)).await
    }
}

/// What is in the way, and of whom.
pub(crate) fn conflict_text(conflict: &Conflict) -> String {
    let there = match conflict.mailbox {
        None => return format!("user archives {:?} would all become it", conflict.archives),
        Some(Origin::Hand) => "a mailbox of that address was made by hand",
        Some(Origin::Import) => "a mailbox of that address is the target of imports",
        Some(Origin::Restructure) => "a mailbox of that address recreates another user archive",
    };
    format!("{there}, and user archives {:?} want it", conflict.archives)
}
