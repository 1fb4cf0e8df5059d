//! Emptying: the mails of imports leave their target mailbox. They stay in the archive, and wherever else they lie.
//!
//! Look → decision (row of the desk) → its records, which `rebuild` goes by → placements, list by list → process. A crash
//! before the decision leaves the mailbox as it was; after it, whoever comes to the desk goes on. An import that would place
//! mails in that mailbox waits until it is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Mailbox,
    emptied::Decision,
    task::{Asked, Desk, Stage, Task},
};
use crate::{
    Archive, Conflict, Error, ErrorKind, MailHash, MailboxAddress, PlacementKey, ProcessId, Result,
    import::{Import, Report},
    job::Job,
    lease::Lease,
    ports::{MAX_ROWS_PER_CALL, Scope},
    process::{ProcessState, Severity},
    restructure::conflict_text,
};

/// A request that finds another worker at the desk looks again after so long.
const RETRY: Duration = Duration::from_secs(15);
/// So many mails or reports are named where one stands in the way.
const NAMED: usize = 10;

/// So many mails leave a list at a time: SQLite takes some tenths of a second for them, and nobody else can write meanwhile.
const CLEARED: usize = 20_000;

/// What leaves a mailbox, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emptying {
    pub address: MailboxAddress,
    /// Nothing was done.
    pub dry_run: bool,
    /// Distinct ones.
    pub mails: u64,
    pub placements: u64,
    /// Those that hold mails; they stay, empty.
    pub folders: u64,
}

enum Progress {
    More,
    Done,
}

impl Archive {
    /// Asks for a mailbox to be emptied of what imports have placed in it, or unless `confirmed` only what that would do.
    /// The process ends with the [`Emptying`] document, or says what stands in the way.
    pub async fn start_emptying(&self, mailbox: &MailboxAddress, confirmed: bool, by: &str) -> Result<ProcessId> {
        let mailbox = self.need::<Mailbox>(mailbox.folded()).await?.value;
        if let Some(archive) = &mailbox.user_archive {
            let text = format!("mailbox {} recreates user archive {archive:?}", mailbox.address);
            return Err(Error::invalid(text).hint("only the target mailbox of imports can be emptied"));
        }
        let title = if confirmed { "empty mailbox" } else { "show what emptying would do to mailbox" };
        let process = self.begin_process("empty", &format!("{title} {}", mailbox.address), by).await?.id;
        let (by, at, mailbox) = (by.to_owned(), self.clock.now(), mailbox.address);
        self.ask_to_empty(Asked { process: process.clone(), mailbox, confirmed, by, at }).await?;
        Ok(process)
    }

    pub(crate) async fn run_emptying(&self, process: &ProcessId, deadline: Duration) -> Result<()> {
        let stop = self.stop_before(deadline);
        let Some(asked) = self.find::<Asked>(&process.0).await?.map(|stored| stored.value) else { return Ok(()) };
        let again = Job::Empty { process: process.clone() };
        let Some(mut desk) = self.take_desk().await? else { return self.queue.send(&again, RETRY).await };
        match self.deal_with(&asked, &mut desk, stop).await {
            Ok(Progress::Done) => {
                desk.release(self, |_| {}).await?;
                self.drop_record::<Asked>(None, &process.0).await.map(drop)
            }
            Ok(Progress::More) => {
                desk.release(self, |_| {}).await?;
                self.send(&again).await
            }
            Err(error) => {
                // Let go for whoever tries next; if that fails too, the lease runs out by itself.
                let _ = desk.release(self, |_| {}).await;
                Err(error)
            }
        }
    }

    /// What lies on the desk comes first: somebody has left it there.
    async fn deal_with(&self, asked: &Asked, desk: &mut Lease<Desk>, stop: Duration) -> Result<Progress> {
        loop {
            if desk.value().task.is_none() {
                if self.has_ended(&asked.process).await? {
                    return Ok(Progress::Done);
                }
                desk.save(self, |desk| desk.task = Some(Task::from(asked))).await?;
            }
            if let Progress::More = self.go_on(desk, stop).await? {
                return Ok(Progress::More);
            }
        }
    }

    /// Whether an import must wait before it places mails in the mailbox, so that none of them goes with the old ones; then
    /// the work that it waits for is sent for again, should its job be lost. An emptying that begins later finds the import
    /// under way.
    pub(crate) async fn is_being_emptied(&self, mailbox: &MailboxAddress) -> Result<bool> {
        let Some(task) = self.emptying().await?.filter(|task| task.mailbox == *mailbox) else { return Ok(false) };
        self.send(&Job::Empty { process: task.process }).await?;
        Ok(true)
    }

    /// Works on the task of the desk, if there is one. Its end, good or bad, is its process's end.
    async fn go_on(&self, desk: &mut Lease<Desk>, stop: Duration) -> Result<Progress> {
        let Some(task) = desk.value().task.clone() else { return Ok(Progress::Done) };
        let outcome = match self.work_on_task(task.clone(), desk, stop).await {
            Ok(None) => return Ok(Progress::More),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Ok(Some(emptying)) => Ok(emptying),
            Err(error) => Err(error),
        };
        // Whoever was overtaken has no say in what becomes of the process.
        desk.confirm(self).await?;
        let (severity, text) = match &outcome {
            Ok(emptying) => (Severity::Info, text_of(emptying)),
            Err(error) => (Severity::Error, error.to_string()),
        };
        if !self.has_ended(&task.process).await? {
            self.say(&task.process, severity, text).await?;
        }
        self.end_process(&task.process, ProcessState::Finished, outcome.map(|emptying| json!(emptying))).await?;
        desk.save(self, |desk| desk.task = None).await?;
        Ok(Progress::Done)
    }

    /// None if the time was up.
    async fn work_on_task(&self, mut task: Task, desk: &mut Lease<Desk>, stop: Duration) -> Result<Option<Emptying>> {
        loop {
            match task.stage.clone() {
                Stage::Asked => {
                    self.check_imports_into(&task.mailbox).await?;
                    task.stage = Stage::Looking { after: None, alone: 0, named: Vec::new() };
                }
                Stage::Looking { after, alone, named } => {
                    let Some(looked) = self.look_further(&task.mailbox, after, (alone, named)).await? else {
                        let emptying = self.decide(&mut task).await?;
                        if !task.confirmed {
                            return Ok(Some(emptying));
                        }
                        desk.save(self, |desk| desk.task = Some(task.clone())).await?;
                        continue;
                    };
                    task.stage = looked;
                }
                Stage::Decided { mails, placements, folders } => {
                    self.keep_decision(&task, mails, placements).await?;
                    if !self.clear_mailbox(&task.mailbox, desk, stop).await? {
                        return Ok(None);
                    }
                    let address = task.mailbox;
                    return Ok(Some(Emptying { address, dry_run: false, mails, placements, folders }));
                }
            }
            if self.clock.boot() >= stop {
                desk.save(self, |desk| desk.task = Some(task.clone())).await?;
                return Ok(None);
            }
            desk.renew(self).await?;
        }
    }

    /// Every import into the mailbox has ended, and restructure has placed all of its mails.
    async fn check_imports_into(&self, mailbox: &MailboxAddress) -> Result<()> {
        let (mut running, mut missing) = (Vec::new(), Vec::new());
        for import in self.imports_into(mailbox).await? {
            if import.finished.is_none() {
                running.push(name_of(&import));
            } else if !self.find::<Report>(&import.id.0).await?.is_none_or(|report| report.value.done) {
                missing.push(import);
            }
        }
        if !running.is_empty() {
            let text = format!("imports into mailbox {mailbox} are under way: {}", listed(&running));
            return Err(Error::conflict(text)
                .code("import_running")
                .hint("try again when they have ended, or cancel them: `postkahn imports list` shows them"));
        }
        if missing.is_empty() { Ok(()) } else { Err(self.placements_missing(mailbox, &missing).await?) }
    }

    async fn imports_into(&self, mailbox: &MailboxAddress) -> Result<Vec<Import>> {
        let imports = self.all::<Import>(None).await?;
        Ok(imports.into_iter().filter(|import| import.mailbox == *mailbox).collect())
    }

    async fn placements_missing(&self, mailbox: &MailboxAddress, imports: &[Import]) -> Result<Error> {
        let mut archives = std::collections::BTreeSet::new();
        for import in imports {
            let report = self.need::<Report>(&import.id.0).await?.value;
            archives.extend(self.report_contents(&report).await?.user_archives);
        }
        let (why, hint) = match self.plan_addresses(&archives).await {
            Ok(plan) if !plan.conflicts.is_empty() => {
                let conflict = |conflict: &Conflict| format!("{}: {}", conflict.address, conflict_text(conflict));
                let all: Vec<_> = plan.conflicts.iter().map(conflict).collect();
                (
                    format!("; in conflict: {}", listed(&all)),
                    "decide with `postkahn mapping set`, then `postkahn restructure`",
                )
            }
            _ => (String::new(), "run `postkahn restructure`, or wait for its schedule"),
        };
        let names: Vec<_> = imports.iter().map(name_of).collect();
        let text =
            format!("mails of mailbox {mailbox} are not placed in their own mailboxes yet: {}{why}", listed(&names));
        Ok(Error::conflict(text).code("placements_missing").hint(hint))
    }

    /// Looks for the next mails in other mailboxes; none if there are no more.
    async fn look_further(
        &self,
        mailbox: &MailboxAddress,
        after: Option<String>,
        (mut alone, mut named): (u64, Vec<MailHash>),
    ) -> Result<Option<Stage>> {
        let after = after.as_deref().map(PlacementKey::from_cursor).transpose()?;
        let keys = self.catalog.page(&Scope::Mailbox(mailbox.clone()), after.as_ref(), MAX_ROWS_PER_CALL).await?;
        let Some(last) = keys.last() else {
            if alone > 0 {
                return Err(only_here(mailbox, alone, &named));
            }
            return Ok(None);
        };
        let others: Vec<_> =
            self.all::<Mailbox>(None).await?.into_iter().filter(|row| row.address != *mailbox).collect();
        let lone = self.in_none_of(&others, &keys).await?;
        alone += lone.len() as u64;
        named.extend(lone.iter().map(|key| key.hash).take(NAMED.saturating_sub(named.len())));
        Ok(Some(Stage::Looking { after: Some(last.cursor()), alone, named }))
    }

    /// Counts what there is: the decision says it, however often the rest is cut off.
    async fn decide(&self, task: &mut Task) -> Result<Emptying> {
        let address = task.mailbox.clone();
        let mails = self.catalog.count(&Scope::Mailbox(address.clone())).await?;
        let folders = self.catalog.folders(&address).await?;
        let placements = folders.iter().map(|folder| folder.mails).sum();
        let folders = folders.iter().filter(|folder| folder.mails > 0).count() as u64;
        task.stage = Stage::Decided { mails, placements, folders };
        Ok(Emptying { address, dry_run: !task.confirmed, mails, placements, folders })
    }

    /// The imports are those that were there when it was decided: no later one has placed a mail in this mailbox.
    async fn keep_decision(&self, task: &Task, mails: u64, placements: u64) -> Result<()> {
        let Task { process, mailbox, by, at, .. } = task;
        let before = self.emptied_before(mailbox, process).await?;
        let imports = self.imports_into(mailbox).await?.into_iter();
        let ended = imports.filter(|import| import.finished.is_some() && !before.contains(&import.id));
        let decision = Decision { process, mailbox, by, at: *at, mails, placements };
        self.keep_emptied(&decision, ended.map(|import| import.id).collect()).await
    }

    /// Folders first, then the list of the whole mailbox; false if the time was up. One batch at least goes in any case.
    async fn clear_mailbox(&self, mailbox: &MailboxAddress, desk: &mut Lease<Desk>, stop: Duration) -> Result<bool> {
        let batch = self.sizes.placements.min(CLEARED);
        let folders = self.catalog.folders(mailbox).await?.into_iter();
        let folders = folders.map(|folder| Scope::Folder(mailbox.clone(), folder.path));
        for scope in folders.chain([Scope::Mailbox(mailbox.clone())]) {
            desk.renew(self).await?;
            while self.catalog.clear(&scope, batch).await? > 0 {
                if self.clock.boot() >= stop {
                    return Ok(false);
                }
                desk.renew(self).await?;
            }
        }
        Ok(true)
    }
}

fn only_here(mailbox: &MailboxAddress, alone: u64, named: &[MailHash]) -> Error {
    let first: Vec<_> = named.iter().map(ToString::to_string).collect();
    let more = alone.saturating_sub(first.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("{alone} mails lie in no mailbox but {mailbox}: {}{more}", first.join(", "));
    Error::conflict(text).code("only_here").hint("emptied, they would be in nobody's mailbox any more")
}

/// An import, for people.
fn name_of(import: &Import) -> String {
    format!("{} (import {})", import.file, import.id)
}

/// The first of them, and how many there are besides.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

fn text_of(emptying: &Emptying) -> String {
    let Emptying { address, dry_run, mails, placements, .. } = emptying;
    let verb = if *dry_run { "would leave" } else { "have left" };
    format!("{mails} mails ({placements} placements) {verb} mailbox {address}; they stay in the archive")
}
