//! Placing the mails of one report in every location that they had.

use std::collections::BTreeMap;

use super::Turn;
use crate::{
    Archive, Flags, FolderPath, MailHash, MailboxAddress, PlacementKey, Result,
    import::{Outcome, Report, SliceRef},
    lease::Lease,
    mapping::Plan,
    ports::Scope,
};

/// Placements gathered before they are written: few large batches make short lists cheap to read.
const BATCH: usize = 200_000;

/// Mails of one list, each once, with date and flags.
type Mails = BTreeMap<MailHash, (Option<i64>, Flags)>;

/// The placements of some slices, by folder.
#[derive(Default)]
struct Gathered<'a> {
    folders: BTreeMap<(&'a MailboxAddress, FolderPath), Mails>,
    count: usize,
    first: u64,
}

impl Archive {
    /// Answers how many folders and placements were new. Repeating it changes nothing: each batch is named after the
    /// report and the entries that it begins with.
    pub(super) async fn place_report(
        &self,
        lease: &mut Lease<Turn>,
        plan: &Plan,
        report: &Report,
    ) -> Result<(u64, u64)> {
        let (mut folders, mut placements) = (0, 0);
        let mut gathered = Gathered::default();
        for slice in &report.slices {
            self.gather(plan, slice, &mut gathered).await?;
            if gathered.count >= BATCH {
                let (new_folders, new) = self.place_gathered(lease, report, std::mem::take(&mut gathered)).await?;
                (folders, placements) = (folders + new_folders, placements + new);
            }
        }
        let (new_folders, new) = self.place_gathered(lease, report, gathered).await?;
        Ok((folders + new_folders, placements + new))
    }

    async fn gather<'a>(&self, plan: &'a Plan, slice: &SliceRef, gathered: &mut Gathered<'a>) -> Result<()> {
        if gathered.count == 0 {
            gathered.first = slice.first;
        }
        for entry in self.slice(slice).await? {
            let (Outcome::Imported(placed) | Outcome::AlreadyThere(placed)) = entry.outcome else { continue };
            // Counted whether they are placed or not: where a batch ends must not depend on what the mapping says today.
            gathered.count += placed.locations.len();
            for location in placed.locations {
                let Some((archive, path)) = location.split_first() else { continue };
                let Some(address) = plan.addresses.get(archive) else { continue };
                let folder = gathered.folders.entry((address, folder_path(path))).or_default();
                let key = folder.entry(placed.hash).or_insert((placed.message_date, Flags::default()));
                key.1 = key.1.union(placed.flags);
            }
        }
        Ok(())
    }

    async fn place_gathered(
        &self,
        lease: &mut Lease<Turn>,
        report: &Report,
        gathered: Gathered<'_>,
    ) -> Result<(u64, u64)> {
        let run = format!("report {} {}", report.import, gathered.first);
        let (mut folders, mut placements) = (0, 0);
        let mut mailboxes: BTreeMap<&MailboxAddress, Mails> = BTreeMap::new();
        let mut paths: BTreeMap<&MailboxAddress, Vec<FolderPath>> = BTreeMap::new();
        for (address, path) in gathered.folders.keys() {
            paths.entry(address).or_default().push(path.clone());
        }
        for (address, paths) in paths {
            lease.renew(self).await?;
            folders += self.catalog.create_folders(address, &paths).await?;
        }
        for ((address, path), mails) in gathered.folders {
            lease.renew(self).await?;
            let whole = mailboxes.entry(address).or_default();
            for (hash, (date, flags)) in &mails {
                let key = whole.entry(*hash).or_insert((*date, Flags::default()));
                key.1 = key.1.union(*flags);
            }
            placements += self.catalog.place(&run, &Scope::Folder(address.clone(), path), &sorted(mails)).await?;
        }
        for (address, mails) in mailboxes {
            lease.renew(self).await?;
            self.catalog.place(&run, &Scope::Mailbox(address.clone()), &sorted(mails)).await?;
        }
        Ok((folders, placements))
    }
}

/// Folders lie at most so deep; what is deeper is folded into the last name, because parents of parents cost squares.
const MAX_DEPTH: usize = 500;

fn folder_path(path: &[String]) -> FolderPath {
    match path.split_at_checked(MAX_DEPTH) {
        Some((names, rest)) if !rest.is_empty() => {
            let mut names = names.to_vec();
            names.push(rest.join("/"));
            FolderPath(names)
        }
        _ => FolderPath(path.to_vec()),
    }
}

fn sorted(mails: Mails) -> Vec<PlacementKey> {
    let mut keys: Vec<_> = mails.into_iter().map(|(hash, (date, flags))| PlacementKey { date, hash, flags }).collect();
    keys.sort();
    keys
}
