//! The inventory: what the objects alone say that the catalogue must hold. `rebuild` writes it down, `check` compares.
//!
//! What is few (imports, packs, lists) is held in memory; what is many (mails) lies in scratch files, in as many parts as
//! it takes for one of them to be small, each mail with all that is said of it in one part.

mod facts;
mod imports;
mod mails;
mod packs;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use facts::Facts;
use facts::{Claim, Fact};
use imports::readable;
pub(crate) use imports::{Ended, SLICES, counted_slices, open_imports};
pub(crate) use mails::{Known, Mail};
pub(crate) use packs::{FoundPack, scan_pack};
pub(crate) use scopes::Scopes;

use crate::{
    Archive, Error, ImportId, PackId, Result,
    import::{FailedEntry, Import, ImportState, Outcome, SliceEntry},
    ports::ObjectKey,
};

/// What the objects say.
pub(crate) struct Inventory {
    /// What cannot be read, in words.
    pub(crate) faults: Vec<String>,
    /// By import, those that have a report.
    pub(crate) imports: BTreeMap<ImportId, Ended>,
    pub(crate) packs: BTreeMap<PackId, FoundPack>,
    pub(crate) scopes: Scopes,
    /// Which shard of which import has made a pack.
    pub(crate) makers: BTreeMap<PackId, (ImportId, u32)>,
    /// Packs in which imports have found mails, with the import that brought them: it may have been cut off between its rows
    /// and its slice, and may never have gone on.
    pub(crate) counted_on: BTreeMap<PackId, ImportId>,
    /// Entries that failed, by import.
    pub(crate) failures: BTreeMap<ImportId, Vec<FailedEntry>>,
    /// Every object that was looked at and belongs to something.
    pub(crate) used: BTreeSet<ObjectKey>,
    /// Slices of imports without a report.
    pub(crate) unreported: bool,
    /// Reports, slices or records are damaged or missing: the catalogue may know more than the objects.
    pub(crate) is_damaged: bool,
    pub(crate) facts: Facts,
}

impl Inventory {
    /// True if every import says all that there is to say; older reports and slices do not.
    pub(crate) fn is_exact(&self) -> bool {
        !self.unreported && !self.is_damaged && self.imports.values().all(|ended| ended.row.is_some())
    }

    /// Whether another import has brought the same volume whole, into whatever mailbox.
    fn is_made_good(&self, ended: &Ended) -> bool {
        let Some(row) = &ended.row else { return false };
        let brings_it = |other: &Import| {
            let is_whole = other.state == ImportState::Finished && other.tally.failed == 0;
            is_whole && other.id != row.id && other.seal == row.seal
        };
        self.imports.values().filter_map(|other| other.row.as_ref()).any(brings_it)
    }

    fn fault(&mut self, error: Error) -> Result<()> {
        self.faults.push(readable(error)?);
        Ok(())
    }
}

impl Archive {
    /// Reads every report, slice and pack.
    pub(crate) async fn take_inventory(&self) -> Result<Inventory> {
        let mut faults = Vec::new();
        let imports = self.ended_imports(&mut faults).await?;
        let mut inventory = Inventory {
            faults,
            packs: BTreeMap::new(),
            scopes: Scopes::default(),
            makers: BTreeMap::new(),
            counted_on: BTreeMap::new(),
            failures: BTreeMap::new(),
            used: imports.values().flat_map(Ended::objects).cloned().collect(),
            unreported: false,
            is_damaged: false,
            facts: Facts::create(&self.scratch, imports.values().map(Ended::entries).sum())?,
            imports,
        };
        for id in inventory.imports.keys().cloned().collect::<Vec<_>>() {
            self.read_slices(&mut inventory, &id).await?;
        }
        self.read_lone_slices(&mut inventory).await?;
        inventory.is_damaged = !inventory.faults.is_empty();
        self.read_all_packs(&mut inventory).await?;
        inventory.facts.rewind()?;
        Ok(inventory)
    }

    async fn read_slices(&self, inventory: &mut Inventory, id: &ImportId) -> Result<()> {
        let Some(ended) = inventory.imports.get(id) else { return Ok(()) };
        let ended = ended.clone();
        if !inventory.is_made_good(&ended) {
            inventory.faults.extend(ended.gaps());
        }
        for slice in &ended.slices {
            inventory.scopes.add_target(&ended);
            let entries = match self.slice(slice).await {
                Err(error) => {
                    inventory.fault(error)?;
                    continue;
                }
                Ok(entries) => entries,
            };
            for entry in entries {
                let lists = match &entry.outcome {
                    Outcome::Imported(placed) | Outcome::AlreadyThere(placed) => inventory.scopes.of(&ended, placed),
                    Outcome::Failed { code, reason, locator } => {
                        let failed = FailedEntry::new(entry.number, code, reason, locator.as_deref());
                        inventory.failures.entry(id.clone()).or_default().push(failed);
                        continue;
                    }
                };
                inventory.claim((id, slice.shard()), entry, lists)?;
            }
        }
        Ok(())
    }

    /// Slices of imports that are under way tell of mails that lie in no list yet.
    async fn read_lone_slices(&self, inventory: &mut Inventory) -> Result<()> {
        for key in self.keys_below(SLICES).await? {
            if inventory.used.contains(&key) {
                continue;
            }
            match self.lone_slice(&key).await {
                // Left behind by a worker that was overtaken.
                Ok((_, file)) if inventory.imports.contains_key(&file.import.id) => {}
                Ok((_, file)) => {
                    inventory.unreported = true;
                    inventory.used.insert(key);
                    for entry in file.entries {
                        inventory.claim((&file.import.id, file.shard), entry, Vec::new())?;
                    }
                }
                Err(error) => inventory.fault(error)?,
            }
        }
        Ok(())
    }
}

impl Inventory {
    /// What an entry says of its mail; nothing if it failed.
    fn claim(&mut self, (import, shard): (&ImportId, u32), entry: SliceEntry, lists: Vec<u32>) -> Result<()> {
        let (imported, placed) = match entry.outcome {
            Outcome::Imported(placed) => (true, placed),
            Outcome::AlreadyThere(placed) => (false, placed),
            Outcome::Failed { .. } => return Ok(()),
        };
        if let Some(pack) = placed.pack.as_ref().filter(|pack| imported && !self.makers.contains_key(pack)) {
            self.makers.insert(pack.clone(), (import.clone(), shard));
        }
        if let (Some(pack), Some(first)) = (&placed.pack, &placed.first) {
            self.counted_on.entry(pack.clone()).or_insert_with(|| first.import.clone());
        }
        let claim = Claim { import: import.clone(), entry: entry.number, imported, lists, placed };
        self.facts.add(&Fact::Claim(claim))
    }
}

#[cfg(test)]
impl Inventory {
    /// The same in so many parts, as if it were of that many mails.
    pub(crate) fn spread_anew(&mut self, scratch: &std::path::Path, parts: usize) {
        let mut facts = Facts::of_parts(scratch, parts).unwrap();
        for part in 0..self.facts.parts() {
            self.facts.read(part).unwrap().iter().for_each(|fact| facts.add(fact).unwrap());
        }
        facts.rewind().unwrap();
        self.facts = facts;
    }
}
