//! Rebuild: the catalogue made anew from the objects alone.
//!
//! What comes back: mailboxes, and which of them were emptied; mapping, users, groups and grants; packs, imports and their
//! reports; mails with dates, flags and locations; folders and placements; results of processes that were too long for a
//! row. What does not: sessions, the process log, uploads (those that are there are found again), choices that further volumes
//! start by themselves, and whether the schedule was switched off. An import that was under way ends as failed, unless all of its
//! volume had come: what it had brought is placed, and its volume can be imported again.

mod in_place;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Archive, Error, ErrorKind, FolderPath, ImportId, MailboxAddress, PlacementKey, Result,
    import::{Import, ImportState, RESTRUCTURE, RESTRUCTURE_MINUTES, Waiting},
    inventory::{Ended, Inventory, Known, Mail, open_imports},
    job::Job,
    kept,
    mailbox::{Mailbox, Origin},
    ports::{Expect, MAX_ROWS_PER_CALL},
    process::{Failure, OUTCOMES},
    store::{Pack, PackState},
};

impl Archive {
    /// Fills an empty catalogue with what the objects say. Answers what of them cannot be read, in words; everything else
    /// is there.
    pub async fn rebuild(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        self.close_cut_off(&mut faults).await?;
        self.restore_records(&mut faults).await?;
        let mut inventory = self.take_inventory().await?;
        faults.append(&mut inventory.faults);
        self.restore_packs(&inventory).await?;
        self.restore_imports(&inventory).await?;
        self.restore_mails(&mut inventory, &mut faults).await?;
        self.restore_outcomes(&mut faults).await?;
        if !inventory.imports.is_empty() {
            self.create_schedule().await?;
        }
        let mut said = BTreeSet::new();
        faults.retain(|fault| said.insert(fault.clone()));
        Ok(faults)
    }

    /// One that is there stays as it is.
    async fn create_schedule(&self) -> Result<()> {
        self.schedules.create(RESTRUCTURE, RESTRUCTURE_MINUTES, &Job::Restructure { process: None }).await.map(drop)
    }

    /// Files the reports of imports that have none: their workers, keys and places in the queue are gone. A volume of which
    /// every entry is told has been imported.
    async fn close_cut_off(&self, faults: &mut Vec<String>) -> Result<()> {
        for (import, slices) in open_imports(self, faults).await? {
            let import = ended(import);
            let mut user_archives = BTreeSet::new();
            for slice in &slices {
                user_archives.extend(crate::import::user_archives(&self.slice(slice).await?));
            }
            self.write_report(&import, slices, user_archives).await?;
        }
        Ok(())
    }

    async fn restore_records(&self, faults: &mut Vec<String>) -> Result<()> {
        for key in self.keys_below(kept::PREFIX).await? {
            match self.kept(&key).await {
                Ok(kept) => {
                    if let Some(body) = kept.body {
                        self.catalog.save(&kept.kind, &kept.id, &body, Expect::Anything, None).await?;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Corrupt => faults.push(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    async fn restore_packs(&self, inventory: &Inventory) -> Result<()> {
        for pack in inventory.pack_rows() {
            self.put(pack).await?;
        }
        Ok(())
    }

    async fn restore_imports(&self, inventory: &Inventory) -> Result<()> {
        for (id, ended) in &inventory.imports {
            if let Some(row) = &ended.row {
                self.put(row.clone()).await?;
            }
            self.put_failures(id, inventory.failures.get(id).cloned().unwrap_or_default()).await?;
            self.put_not_mail(id, 0, &ended.not_mail).await?;
            self.put(ended.report.clone()).await?;
            if !ended.report.done {
                self.put(Waiting { import: id.clone() }).await?;
            }
            for mailbox in ended.mailboxes() {
                self.restore_mailbox(mailbox).await?;
            }
        }
        Ok(())
    }

    /// A mailbox whose own object is missing: what imports say of it must do.
    async fn restore_mailbox(&self, mailbox: Mailbox) -> Result<()> {
        match self.add(&mailbox).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
    }

    async fn restore_mails(&self, inventory: &mut Inventory, faults: &mut Vec<String>) -> Result<()> {
        for (mailbox, folders) in inventory.scopes.folders() {
            let folders: Vec<FolderPath> = folders.into_iter().collect();
            for some in folders.chunks(MAX_ROWS_PER_CALL) {
                self.catalog.create_folders(mailbox, some).await?;
            }
        }
        let mut unnamed = 0;
        for part in 0..inventory.facts.parts() {
            let (mut mails, foundlings) = inventory.split(part)?;
            if inventory.is_damaged {
                mails.extend(foundlings);
            } else {
                unnamed += foundlings.len();
            }
            let mut rows = Vec::new();
            let mut lists: BTreeMap<u32, Vec<PlacementKey>> = BTreeMap::new();
            for Mail { hash, known, places, date } in mails {
                match known {
                    Known::Row { row, .. } => rows.push(*row),
                    Known::Lost(why) => {
                        faults.push(format!("mail {hash}: {why}"));
                        continue;
                    }
                }
                for (place, flags) in places {
                    lists.entry(place).or_default().push(PlacementKey { date, hash, flags });
                }
            }
            for rows in rows.chunks(MAX_ROWS_PER_CALL) {
                self.catalog.record(rows).await?;
            }
            for (place, mut keys) in lists {
                keys.sort();
                if let Some(scope) = inventory.scopes.get(place) {
                    self.catalog.place(&format!("rebuild {part}"), scope, &keys).await?;
                }
            }
        }
        if unnamed > 0 {
            tracing::warn!(
                "{unnamed} mails lie in packs and no import speaks of them: a worker died before it had said so, or the slices \
                 that did are lost; importing their volumes again brings them back"
            );
        }
        Ok(())
    }

    async fn restore_outcomes(&self, faults: &mut Vec<String>) -> Result<()> {
        for key in self.keys_below(OUTCOMES).await? {
            match self.lone_outcome(&key).await {
                Ok(Some(process)) => drop(self.put(process).await?),
                Ok(None) => {}
                Err(e) if e.kind() == ErrorKind::Corrupt => faults.push(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// An import that has no report, as it ends.
fn ended(import: Import) -> Import {
    let told = import.tally.total();
    if !import.is_foreign() && told == import.mails {
        return Import { state: ImportState::Finished, ..import };
    }
    tracing::warn!(import = %import.id, "{} has no report: {told} of its mails are told of; import it again", import.file);
    let error = Error::conflict("it was under way when the catalogue was made anew, or its report is gone")
        .code("cut_off")
        .hint("import the volume again");
    Import { state: ImportState::Failed, error: Some(Failure::from(&error)), ..import }
}

impl Inventory {
    /// The rows of the packs that slices speak of; of all packs, where slices are damaged. Their fence is of no use any more, and not told.
    pub(crate) fn pack_rows(&self) -> impl Iterator<Item = Pack> {
        self.packs.iter().filter_map(|(id, found)| {
            let maker = self.makers.get(id).cloned();
            let maker = maker.or_else(|| self.counted_on.get(id).map(|import| (import.clone(), 0)));
            let (import, shard) = maker.or_else(|| self.is_damaged.then(|| (ImportId("unknown".into()), 0)))?;
            let (size_bytes, mails, sha256) = (found.size_bytes, found.mails, found.sha256.clone());
            Some(Pack { id: id.clone(), state: PackState::Kept, import, shard, fence: 0, size_bytes, mails, sha256 })
        })
    }
}

impl Ended {
    /// The mailboxes that it has needed.
    fn mailboxes(&self) -> Vec<Mailbox> {
        let created = self.row.as_ref().map_or(self.report.filed, |row| row.started);
        let mailbox = |address: &MailboxAddress, origin, user_archive: Option<&String>| Mailbox {
            address: address.clone(),
            origin,
            user_archive: user_archive.cloned(),
            created,
        };
        let target = mailbox(&self.mailbox, Origin::Import, None);
        let recreated = self.addresses.iter().flat_map(|(archive, addresses)| {
            addresses.iter().map(move |address| mailbox(address, Origin::Restructure, Some(archive)))
        });
        std::iter::once(target).chain(recreated).collect()
    }
}
