//! Placing the mails of one report in every location that they had.

use std::{collections::BTreeMap, time::Duration};

use super::{
    figures::Figures,
    told::{Stage, Told, plan_of},
    turn::{Place, Run, Turn},
};
use crate::{
    Archive, FolderPath, ImportId, MailboxAddress, ProcessId, Result,
    import::{Contents, Mails, Placed, Report},
    lease::Lease,
    mapping::Plan,
    ports::Scope,
};

/// The placements of some slices, by folder.
#[derive(Default)]
struct Gathered<'a>(BTreeMap<(&'a MailboxAddress, FolderPath), Mails>);

impl Archive {
    /// Where the run is in the report, kept together with what its mailboxes hold before more comes into them.
    pub(super) async fn begin_report(
        &self,
        (process, lease): (&ProcessId, &mut Lease<Turn>),
        plan: &Plan,
        (report, contents): (&Report, &Contents),
        run: &mut Run,
    ) -> Result<()> {
        let begun = begin(plan, &report.import, contents);
        let at = run.at.clone().filter(|at| (&at.import, &at.plan) == (&begun.import, &begun.plan)).unwrap_or(begun);
        let counted = Some(self.figures(lease, report, &contents.user_archives).await?);
        run.at = Some(Place { counted, ..at });
        lease.save(self, |turn| turn.keep(process, run)).await
    }

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
        let told = Told::of(plan, import, contents, &plan_of(addresses(plan, contents)));
        self.tell(&told, Stage::Begun).await?;
        loop {
            let mut gathered = Gathered::default();
            let take = |placed| gathered.add(plan, placed);
            let Some(entries) = self.take_batch(&contents.slices, run.next(), stop, take).await? else { break };
            let name = format!("report {import} {}-{}", entries.start, entries.end);
            let new = self.place_gathered(lease, &name, gathered).await?;
            run.go_on(entries.end, new);
            lease.save(self, |turn| turn.keep(process, run)).await?;
            let is_last = contents.slices.last().is_none_or(|slice| slice.end() <= entries.end);
            if !is_last && self.clock.boot() >= stop {
                return Ok(false);
            }
        }
        self.tell(&told, Stage::Done).await?;
        Ok(true)
    }

    async fn place_gathered(&self, lease: &mut Lease<Turn>, run: &str, gathered: Gathered<'_>) -> Result<Figures> {
        let mut new = Figures::default();
        let mut mailboxes: BTreeMap<&MailboxAddress, Mails> = BTreeMap::new();
        let mut paths: BTreeMap<&MailboxAddress, Vec<FolderPath>> = BTreeMap::new();
        for (address, path) in gathered.0.keys() {
            paths.entry(address).or_default().push(path.clone());
        }
        for (address, paths) in paths {
            lease.renew(self).await?;
            new.folders += self.catalog.create_folders(address, &paths).await?;
        }
        for ((address, path), mails) in gathered.0 {
            lease.renew(self).await?;
            mailboxes.entry(address).or_default().add_all(&mails);
            let scope = Scope::Folder(address.clone(), path);
            new.placements += self.catalog.place(run, &scope, &mails.into_keys()).await?;
        }
        for (address, mails) in mailboxes {
            lease.renew(self).await?;
            self.catalog.place(run, &Scope::Mailbox(address.clone()), &mails.into_keys()).await?;
        }
        Ok(new)
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
    Place { import: import.clone(), plan, next: 0, folders: 0, placements: 0, counted: None }
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
