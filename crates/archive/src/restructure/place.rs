//! Placing the mails of one report in every location that they had.

use std::{collections::BTreeMap, time::Duration};

use super::{
    told::{Stage, Told, plan_of},
    turn::{Place, Run, Turn},
};
use crate::{
    Archive, FolderPath, ImportId, MailboxAddress, ProcessId, Result,
    import::{Contents, Mails, Placed},
    lease::Lease,
    mapping::Plan,
    ports::Scope,
};

/// The placements of some slices, by folder.
#[derive(Default)]
struct Gathered<'a>(BTreeMap<(&'a MailboxAddress, FolderPath), Mails>);

impl Archive {
    /// Batch by batch from where the run has come to; false if the time was up before all was placed. One batch at least
    /// is placed in any case. Repeating one changes nothing: it is named after the report and its entries.
    pub(super) async fn place_report(
        &self,
        (process, lease): (&ProcessId, &mut Lease<Turn>),
        plan: &Plan,
        (import, contents): (&ImportId, &Contents),
        run: &mut Run,
        stop: Duration,
    ) -> Result<bool> {
        let begun = begin(plan, import, contents);
        let told = Told::of(plan, import, contents, &begun.plan);
        self.tell(&told, Stage::Begun).await?;
        let mut at = run.at.take().filter(|at| (&at.import, &at.plan) == (import, &begun.plan)).unwrap_or(begun);
        loop {
            let mut gathered = Gathered::default();
            let taken = self.take_batch(&contents.slices, at.next, stop, |placed| gathered.add(plan, placed)).await?;
            let Some(entries) = taken else { break };
            let name = format!("report {import} {}-{}", entries.start, entries.end);
            let (folders, placements) = self.place_gathered(lease, &name, gathered).await?;
            at.next = entries.end;
            at.folders += folders;
            at.placements += placements;
            run.total.folders_created += folders;
            run.total.placements_created += placements;
            run.at = Some(at.clone());
            lease.save(self, |turn| turn.keep(process, run)).await?;
            let is_last = contents.slices.last().is_none_or(|slice| slice.end() <= at.next);
            if !is_last && self.clock.boot() >= stop {
                return Ok(false);
            }
        }
        self.tell(&told, Stage::Done).await?;
        run.at = Some(at);
        Ok(true)
    }

    async fn place_gathered(&self, lease: &mut Lease<Turn>, run: &str, gathered: Gathered<'_>) -> Result<(u64, u64)> {
        let (mut folders, mut placements) = (0, 0);
        let mut mailboxes: BTreeMap<&MailboxAddress, Mails> = BTreeMap::new();
        let mut paths: BTreeMap<&MailboxAddress, Vec<FolderPath>> = BTreeMap::new();
        for (address, path) in gathered.0.keys() {
            paths.entry(address).or_default().push(path.clone());
        }
        for (address, paths) in paths {
            lease.renew(self).await?;
            folders += self.catalog.create_folders(address, &paths).await?;
        }
        for ((address, path), mails) in gathered.0 {
            lease.renew(self).await?;
            mailboxes.entry(address).or_default().add_all(&mails);
            let scope = Scope::Folder(address.clone(), path);
            placements += self.catalog.place(run, &scope, &mails.into_keys()).await?;
        }
        for (address, mails) in mailboxes {
            lease.renew(self).await?;
            self.catalog.place(run, &Scope::Mailbox(address.clone()), &mails.into_keys()).await?;
        }
        Ok((folders, placements))
    }
}

impl Told {
    fn of(plan: &Plan, import: &ImportId, contents: &Contents, name: &str) -> Self {
        let addresses = addresses(plan, contents).map(|(archive, address)| (archive.clone(), address.clone()));
        Self::new(import.clone(), name, addresses.collect())
    }
}

/// The beginning of a report, under these addresses.
fn begin(plan: &Plan, import: &ImportId, contents: &Contents) -> Place {
    let plan = plan_of(addresses(plan, contents));
    Place { import: import.clone(), plan, next: 0, folders: 0, placements: 0 }
}

/// Those of the report's own user archives.
fn addresses<'a>(plan: &'a Plan, contents: &Contents) -> impl Iterator<Item = (&'a String, &'a MailboxAddress)> {
    plan.addresses.iter().filter(|(archive, _)| contents.user_archives.contains(*archive))
}

impl<'a> Gathered<'a> {
    /// Counts the mail's locations whether they are placed or not: where a batch ends must not depend on what the mapping
    /// says today.
    fn add(&mut self, plan: &'a Plan, placed: Placed) -> usize {
        let count = placed.locations.len();
        for location in placed.locations {
            let Some((archive, path)) = location.split_first() else { continue };
            let Some(address) = plan.addresses.get(archive) else { continue };
            let mails = self.0.entry((address, folder_path(path))).or_default();
            mails.add(placed.hash, placed.message_date, placed.flags);
        }
        count
    }
}

/// Folders lie at most so deep, and what is deeper in one more: each folder above a mail has a row with its whole path, so
/// that depth costs squares. People do not go to a tenth of it.
const MAX_DEPTH: usize = 100;

/// The folder of a mail by its path below the user archive: the names as they are; from [`MAX_DEPTH`] on, what is left of them
/// with `/` between. No two paths become one: of these, `~` and `/` are written `~0` and `~1`.
pub(crate) fn folder_path(path: &[String]) -> FolderPath {
    match path.split_at_checked(MAX_DEPTH) {
        Some((names, rest)) if !rest.is_empty() => {
            let rest: Vec<_> = rest.iter().map(|name| name.replace('~', "~0").replace('/', "~1")).collect();
            FolderPath(names.iter().cloned().chain([rest.join("/")]).collect())
        }
        _ => FolderPath(path.to_vec()),
    }
}
