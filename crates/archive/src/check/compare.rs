//! The whole catalogue against what the objects say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Findings, Remedy};
use crate::{
    Archive, ErrorKind, FolderPath, ImportId, MailboxAddress, Result,
    import::{FailedEntry, FailureRow, Import, ImportState, REPORTS, Report, Waiting},
    inventory::{Inventory, SLICES},
    kept::{self, Kept},
    mailbox::{Emptied, Mailbox},
    ports::Scope,
    records::Record,
    restructure::PLACEMENTS,
    store::Pack,
};

/// What the objects say, and how far the catalogue may differ from it.
pub(super) struct Comparison {
    pub(super) inventory: Inventory,
    /// Nothing is under way, so that the catalogue may not be ahead of the objects.
    pub(super) settled: bool,
    /// Mailboxes in which a run of restructure may not have come to every mail yet.
    in_part: BTreeSet<MailboxAddress>,
    /// A mail that is missing in a list may lie there under another date: placed once more, it would lie there twice.
    pub(super) places_nothing: bool,
}

impl Comparison {
    pub(super) fn is_in_part(&self, scope: &Scope) -> bool {
        match scope {
            Scope::All => false,
            Scope::Mailbox(mailbox) | Scope::Folder(mailbox, _) => self.in_part.contains(mailbox),
        }
    }
}

impl Archive {
    pub(super) async fn compare(&self, findings: &mut Findings) -> Result<Comparison> {
        let was_quiet = self.is_quiet().await?;
        let before = self.told_so_far().await?;
        let inventory = self.take_inventory().await?;
        let mut in_part: BTreeSet<_> =
            inventory.imports.values().flat_map(|ended| ended.in_part.iter().cloned()).collect();
        in_part.extend(self.emptied_by_rows_alone(&inventory).await?);
        let settled =
            was_quiet && inventory.is_exact() && self.is_quiet().await? && before == self.told_so_far().await?;
        let mut comparison = Comparison { inventory, settled, in_part, places_nothing: false };
        for fault in std::mem::take(&mut comparison.inventory.faults) {
            findings.error(fault);
        }
        if !self.is_mark_whole().await? {
            findings.error("store.json has changed".into());
        }
        self.compare_records(findings).await?;
        self.compare_packs(&comparison.inventory, findings).await?;
        self.compare_imports(&comparison, findings).await?;
        self.compare_folders(&comparison, findings).await?;
        self.compare_mails(&mut comparison, findings).await?;
        Ok(comparison)
    }

    /// Mailboxes that were emptied by what the catalogue says, while the object that should say it is damaged or gone.
    async fn emptied_by_rows_alone(&self, inventory: &Inventory) -> Result<BTreeSet<MailboxAddress>> {
        let is_told = |id: &ImportId| inventory.imports.get(id).is_none_or(|ended| ended.is_emptied);
        let rows = self.all::<Emptied>(None).await?.into_iter();
        let untold = rows.filter(|emptied| !emptied.imports.iter().all(is_told));
        Ok(untold.map(|emptied| emptied.mailbox).collect())
    }

    /// Whether no mailbox is being emptied, and every import has ended well: one that did not may have left more in the
    /// catalogue than its slices say.
    async fn is_quiet(&self) -> Result<bool> {
        if self.is_emptying().await? {
            return Ok(false);
        }
        let ended = |import: &Import| import.finished.is_some() && import.state == ImportState::Finished;
        Ok(self.all::<Import>(None).await?.iter().all(ended))
    }

    /// How many objects there are that change what a catalogue must hold.
    async fn told_so_far(&self) -> Result<[usize; 3]> {
        let count = async |prefix| self.keys_below(prefix).await.map(|keys| keys.len());
        Ok([count(REPORTS).await?, count(PLACEMENTS).await?, count(SLICES).await?])
    }

    /// What people have decided, row by row.
    async fn compare_records(&self, findings: &mut Findings) -> Result<()> {
        let mut told: BTreeMap<(String, String), Option<Value>> = BTreeMap::new();
        let mut damaged = BTreeSet::new();
        for key in self.keys_below(kept::PREFIX).await? {
            findings.expected.insert(key.to_string());
            match self.kept(&key).await {
                Ok(kept) => drop(told.insert((kept.kind, kept.id), kept.body)),
                Err(e) if e.kind() == ErrorKind::Corrupt => {
                    findings.error(e.to_string());
                    damaged.insert(key);
                }
                Err(e) => return Err(e),
            }
        }
        for kind in kept::KINDS {
            for row in self.documents(kind).await? {
                let kept = told.remove(&(kind.to_owned(), row.id.clone()));
                let agrees = kept.as_ref().is_some_and(|body| body.as_ref() == Some(&row.body));
                if agrees || self.is_as_kept(kind, &row.id).await? {
                    continue;
                }
                let keep = || Remedy::Keep { kind, id: row.id.clone() };
                let (what, remedy) = match kept {
                    Some(Some(_)) => {
                        ("its row differs from its object", Remedy::Told { kind: kind.into(), id: row.id.clone() })
                    }
                    Some(None) => ("it was removed, and its row is still there", Remedy::Rebuild),
                    None if damaged.contains(&Kept::key(kind, &row.id)?) => ("its object is damaged", keep()),
                    None => ("no object tells of it", keep()),
                };
                let text = format!("{kind} {:?}: {what}", row.id);
                findings.differ(text, remedy);
            }
        }
        for ((kind, id), body) in told {
            if body.is_none() || self.is_as_kept(&kind, &id).await? {
                continue;
            }
            let text = format!("{kind} {id:?}: it is missing in the catalogue");
            findings.differ(text, Remedy::Told { kind, id });
        }
        Ok(())
    }

    /// Whether object and row of a record agree at this moment: either may have changed since it was read.
    async fn is_as_kept(&self, kind: &str, id: &str) -> Result<bool> {
        let row = self.catalog.load(kind, id).await?.map(|row| row.body);
        match self.kept(&Kept::key(kind, id)?).await {
            Ok(kept) => Ok(kept.body == row),
            Err(e) if e.kind() == ErrorKind::Corrupt => Ok(false),
            Err(e) => Err(e),
        }
    }

    async fn compare_packs(&self, inventory: &Inventory, findings: &mut Findings) -> Result<()> {
        for told in inventory.pack_rows().filter(|told| inventory.makers.contains_key(&told.id)) {
            let row = self.find::<Pack>(&told.id.0).await?.map(|stored| stored.value);
            let differs = row.as_ref().is_none_or(|row| Pack { fence: told.fence, ..row.clone() } != told);
            if differs && inventory.packs.get(&told.id).is_some_and(|found| found.is_sound) {
                let what = if row.is_some() { "its row differs from its object" } else { "it has no row" };
                findings.differ(format!("pack {}: {what}", told.id), Remedy::of(&told));
            }
        }
        Ok(())
    }

    async fn compare_imports(&self, comparison: &Comparison, findings: &mut Findings) -> Result<()> {
        let inventory = &comparison.inventory;
        let live = self.live_imports().await?;
        for (id, ended) in &inventory.imports {
            let report = self.find::<Report>(&id.0).await?.map(|stored| stored.value);
            if !ended.is_proven && report.as_ref().is_some_and(|row| row.sha256 != ended.report.sha256) {
                findings.error(format!("report of import {id}: its object has changed"));
                continue;
            }
            if let Some(told) = &ended.row {
                let row = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
                // What closes the import writes its report first; whoever does is known until the import has ended.
                let is_closing = live.contains(id) && row.as_ref().is_some_and(|row| row.finished.is_none());
                let agrees = row.as_ref().is_some_and(|row| is_told_by(row, told));
                if !is_closing && !agrees {
                    let what = if row.is_some() { "its row differs from its report" } else { "it has no row" };
                    findings.differ(format!("import {id}: {what}"), Remedy::of(told));
                }
                if self.listed_not_mail(told).await? != ended.not_mail {
                    let text = format!("import {id}: its rows of what is no mail are not what its report says");
                    findings.differ(text, Remedy::Rebuild);
                }
            }
            let told = &ended.report;
            let agrees = |row: &Report| row.sha256 == told.sha256 && row.key == told.key && row.filed == told.filed;
            if !report.as_ref().is_some_and(agrees) {
                let what = if report.is_some() { "its row differs from its object" } else { "it has no row" };
                findings.differ(format!("report of import {id}: {what}"), Remedy::of(told));
            }
            let waiting = self.find::<Waiting>(&id.0).await?.map(|stored| stored.value);
            let is_another = waiting.as_ref().is_some_and(|waiting| waiting.import != *id);
            let waits = waiting.is_some();
            let is_done = report.is_some_and(|report| report.done);
            if ended.row.is_some() && comparison.settled && (is_done != told.done || waits == is_done || is_another) {
                let what = if told.done { "is done" } else { "waits" };
                let text = format!("report of import {id}: it {what}, and its rows do not say so");
                findings.differ(text, Remedy::Queue(told.clone()));
            }
            self.compare_failures(inventory, id, findings).await?;
        }
        let rows = self.all::<Import>(None).await?;
        for import in rows.iter().filter(|row| row.state == ImportState::Finished && row.finished.is_some()) {
            // Where its row is, it was said already that its object is lost.
            if !inventory.imports.contains_key(&import.id) && self.find::<Report>(&import.id.0).await?.is_none() {
                findings.differ(format!("import {}: no report tells of it", import.id), Remedy::Rebuild);
            }
        }
        Ok(())
    }

    async fn compare_failures(&self, inventory: &Inventory, id: &ImportId, findings: &mut Findings) -> Result<()> {
        let told: BTreeMap<u64, &FailedEntry> =
            inventory.failures.get(id).into_iter().flatten().map(|entry| (entry.number, entry)).collect();
        let rows = self.all::<FailureRow>(Some(&id.0)).await?.into_iter();
        let mut rows: BTreeMap<u64, FailureRow> = rows.map(|row| (row.entry.number, row)).collect();
        for (number, entry) in told {
            let row = FailureRow { import: id.clone(), entry: entry.clone() };
            if rows.remove(&number).as_ref() != Some(&row) {
                let text = format!("import {id}: the row of its failed entry {number} is not what its slice says");
                findings.differ(text, Remedy::of(&row));
            }
        }
        for number in rows.into_keys() {
            findings.differ(format!("import {id}: no slice says that entry {number} failed"), Remedy::Rebuild);
        }
        Ok(())
    }

    /// Each mailbox has the folders that the objects say, and no other.
    async fn compare_folders(&self, comparison: &Comparison, findings: &mut Findings) -> Result<()> {
        let mut told = comparison.inventory.scopes.folders();
        let mailboxes = self.all::<Mailbox>(None).await?;
        let known: BTreeSet<_> = mailboxes.iter().map(|mailbox| &mailbox.address).chain(told.keys().copied()).collect();
        for mailbox in known.into_iter().cloned().collect::<Vec<_>>() {
            let told = told.remove(&mailbox).unwrap_or_default();
            let mut there: BTreeSet<FolderPath> =
                self.catalog.folders(&mailbox).await?.into_iter().map(|folder| folder.path).collect();
            for path in FolderPath::each_with_parents(&told) {
                if !there.remove(&path) && !comparison.in_part.contains(&mailbox) {
                    let text = format!("folder {:?} of {mailbox}: it is missing in the catalogue", path.0);
                    findings.differ(text, Remedy::Folder(mailbox.clone(), path));
                }
            }
            for path in there.into_iter().filter(|_| comparison.settled) {
                findings.differ(format!("folder {:?} of {mailbox}: no object tells of it", path.0), Remedy::Rebuild);
            }
            let whole = Scope::Mailbox(mailbox.clone());
            if told.is_empty() && comparison.settled && self.catalog.count(&whole).await? > 0 {
                findings.differ(format!("mailbox {mailbox}: no object places a mail in it"), Remedy::Rebuild);
            }
        }
        Ok(())
    }
}

/// Apart from who has worked on it last, and on which file: a worker may end after the report was written, and the next one
/// goes on.
fn is_told_by(row: &Import, told: &Import) -> bool {
    let Import { process, earlier, source, etag, touched, .. } = told.clone();
    Import { process, earlier, source, etag, touched, ..row.clone() } == *told
}

impl Remedy {
    /// The row is written as it should be.
    fn of<T: Record>(told: &T) -> Self {
        let body = serde_json::to_value(told).unwrap_or_default();
        let partition = told.parent().map_or_else(|| T::KIND.to_owned(), |parent| format!("{}/{parent}", T::KIND));
        Self::Row { partition, id: told.id(), body }
    }
}
