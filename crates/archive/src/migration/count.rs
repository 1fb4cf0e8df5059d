//! Counting an import again: its ledger, and beside each slice the rows that it speaks of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    Archive, EntryRef, ErrorKind, Flags, FolderPath, MailHash, MailboxAddress, PlacementKey, Result,
    import::{Import, Outcome, Placed, SliceEntry, SliceRef, Tally},
    mailbox::Emptied,
    ports::{MAX_ROWS_PER_CALL, Scope},
    restructure::{PLACEMENTS, Stage, folder_path},
};

/// So many faults are listed.
const FAULTS: usize = 100;

/// Places by mailbox, with the user archive that it recreates: by the ledger, and by the catalogue.
pub(super) type Places = BTreeMap<(Option<String>, MailboxAddress), (u64, u64)>;

/// What was counted.
#[derive(Default)]
pub(super) struct Counted {
    /// Entries of the ledger, each number once.
    pub(super) entries: u64,
    pub(super) ledger: Tally,
    /// By the rows of mails and of failed entries.
    pub(super) catalogue: Tally,
    pub(super) places: Places,
    /// How many mails each of these mailboxes has in all, by the catalogue's own counter.
    pub(super) mails: BTreeMap<MailboxAddress, u64>,
    /// What cannot be read, or stands where it should not.
    pub(super) faults: Vec<String>,
    /// The user archives that restructure has placed in whole.
    pub(super) recreated: BTreeSet<String>,
    /// The target was emptied of this import's mails since: what it has of them is not counted.
    pub(super) is_emptied: bool,
    last: Option<u64>,
}

/// Where the mails of an import lie.
struct Target<'a> {
    import: &'a Import,
    /// Under which addresses restructure has placed each user archive.
    addresses: BTreeMap<String, BTreeSet<MailboxAddress>>,
    is_emptied: bool,
}

/// The mails of one scope: date, flags, and how often the slice has them there.
type Keys = BTreeMap<MailHash, (Option<i64>, u64)>;

impl Archive {
    /// Counts slice by slice, so that memory does not grow with the import. None if the boot clock shows `until` before
    /// all was counted.
    pub(super) async fn count_ledger(
        &self,
        import: &Import,
        slices: &[SliceRef],
        failed_rows: u64,
        until: Option<Duration>,
    ) -> Result<Option<Counted>> {
        let mut counted = Counted::default();
        let emptied = self.all::<Emptied>(None).await?;
        counted.is_emptied = emptied.iter().any(|emptied| emptied.imports.contains(&import.id));
        let addresses = self.placed_addresses(import, &mut counted).await?;
        let target = Target { import, addresses, is_emptied: counted.is_emptied };
        counted.catalogue.failed = failed_rows;
        counted.recreated = target.addresses.keys().cloned().collect();
        for slice in slices {
            if self.is_late(until) {
                return Ok(None);
            }
            match self.slice(slice).await {
                Ok(entries) => {
                    counted.count(import, &entries);
                    if !self.count_rows(import, &entries, until, &mut counted).await?
                        || !self.count_places(&target, &entries, until, &mut counted).await?
                    {
                        return Ok(None);
                    }
                }
                Err(e) if is_lasting(e.kind()) => counted.fault(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        for (_, mailbox) in counted.places.keys().cloned().collect::<Vec<_>>() {
            let mails = self.catalog.count(&Scope::Mailbox(mailbox.clone())).await?;
            counted.mails.insert(mailbox, mails);
        }
        Ok(Some(counted))
    }

    fn is_late(&self, until: Option<Duration>) -> bool {
        until.is_some_and(|until| self.clock.boot() >= until)
    }

    /// Under which addresses the user archives of an import were placed, in whole.
    async fn placed_addresses(
        &self,
        import: &Import,
        counted: &mut Counted,
    ) -> Result<BTreeMap<String, BTreeSet<MailboxAddress>>> {
        let mut addresses: BTreeMap<String, BTreeSet<MailboxAddress>> = BTreeMap::new();
        for key in self.keys_below(&format!("{PLACEMENTS}{}-", import.id)).await? {
            match self.told(&key).await {
                Ok(told) if told.stage == Stage::Done => {
                    for (archive, address) in told.addresses {
                        addresses.entry(archive).or_default().insert(address);
                    }
                }
                Ok(_) => {}
                Err(e) if is_lasting(e.kind()) => counted.fault(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        Ok(addresses)
    }

    /// Whom the rows of the mails name as the one that has brought them. False if the time was up.
    async fn count_rows(
        &self,
        import: &Import,
        entries: &[SliceEntry],
        until: Option<Duration>,
        counted: &mut Counted,
    ) -> Result<bool> {
        let placed: Vec<_> = entries.iter().filter_map(|entry| Some((entry.number, placed_of(entry)?))).collect();
        for part in placed.chunks(MAX_ROWS_PER_CALL) {
            if self.is_late(until) {
                return Ok(false);
            }
            // Each mail once: a row with thousands of places is long, and copies are many.
            let hashes: BTreeSet<_> = part.iter().map(|(_, placed)| placed.hash).collect();
            let hashes: Vec<_> = hashes.into_iter().collect();
            let rows = self.catalog.locate(&hashes).await?.into_iter().map(|row| row.map(|row| row.first));
            let firsts: BTreeMap<_, _> = hashes.iter().copied().zip(rows).collect();
            for (number, placed) in part {
                match firsts.get(&placed.hash).cloned().flatten() {
                    Some(first) if first == EntryRef { import: import.id.clone(), entry: *number } => {
                        counted.catalogue.imported += 1;
                    }
                    Some(_) => counted.catalogue.already_there += 1,
                    None => counted.fault(format!("entry {number}: mail {} has no row in the catalogue", placed.hash)),
                }
            }
        }
        Ok(true)
    }

    /// Which places the catalogue has. False if the time was up.
    async fn count_places(
        &self,
        target: &Target<'_>,
        entries: &[SliceEntry],
        until: Option<Duration>,
        counted: &mut Counted,
    ) -> Result<bool> {
        let mut scopes: BTreeMap<(Option<String>, MailboxAddress, FolderPath), Keys> = BTreeMap::new();
        for placed in entries.iter().filter_map(placed_of) {
            for place in target.places(placed) {
                let known = scopes.entry(place).or_default().entry(placed.hash);
                known.or_insert((placed.message_date, 0)).1 += 1;
            }
        }
        for ((archive, mailbox, folder), mails) in scopes {
            if self.is_late(until) {
                return Ok(false);
            }
            let mut keys: Vec<_> = mails
                .iter()
                .map(|(hash, (date, _))| PlacementKey { date: *date, hash: *hash, flags: Flags::default() })
                .collect();
            keys.sort();
            let there = self.catalog.placed(&Scope::Folder(mailbox.clone(), folder.clone()), &keys).await?;
            let missing = keys.iter().zip(there).filter(|(_, there)| there.is_none()).map(|(key, _)| key.hash);
            let missing: Vec<_> = missing.collect();
            for hash in &missing {
                counted.fault(format!("mail {hash}: it is missing in folder {:?} of {mailbox}", folder.0));
            }
            let count = |hash| mails.get(hash).map_or(0, |(_, count)| *count);
            let (all, lost) = (mails.keys().map(count).sum::<u64>(), missing.iter().map(count).sum::<u64>());
            let sum = counted.places.entry((archive, mailbox)).or_default();
            *sum = (sum.0 + all, sum.1 + all - lost);
        }
        Ok(true)
    }
}

impl Counted {
    fn fault(&mut self, text: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(text);
        }
    }

    /// Counts outcomes. A number that comes again, or lies outside of the volume, is no entry.
    fn count(&mut self, import: &Import, entries: &[SliceEntry]) {
        let is_inside = |number: u64| {
            import.is_foreign() || (import.first_mail..import.first_mail + import.mails).contains(&number)
        };
        for entry in entries {
            if self.last.is_some_and(|last| entry.number <= last) || !is_inside(entry.number) {
                self.fault(format!("entry {} stands where it should not in the ledger", entry.number));
                continue;
            }
            self.last = Some(entry.number);
            self.entries += 1;
            match entry.outcome {
                Outcome::Imported(_) => self.ledger.imported += 1,
                Outcome::AlreadyThere(_) => self.ledger.already_there += 1,
                Outcome::Failed { .. } => self.ledger.failed += 1,
            }
        }
    }
}

impl Target<'_> {
    /// Where a mail lies: in the target mailbox until that is emptied, and in every place that restructure has given it.
    /// Each once.
    fn places(&self, mail: &Placed) -> BTreeSet<(Option<String>, MailboxAddress, FolderPath)> {
        let mut places = BTreeSet::new();
        if !self.is_emptied {
            let folders = self.folders(mail).into_iter();
            places.extend(folders.map(|folder| (None, self.import.mailbox.clone(), folder)));
        }
        for location in &mail.locations {
            let Some((archive, path)) = location.split_first() else { continue };
            for address in self.addresses.get(archive).into_iter().flatten() {
                places.insert((Some(archive.clone()), address.clone(), folder_path(path)));
            }
        }
        places
    }

    /// The folders of the target: the mails of a volume lie in the one of their export.
    fn folders(&self, mail: &Placed) -> Vec<FolderPath> {
        if self.import.is_foreign() {
            return mail.folders.clone();
        }
        vec![FolderPath(vec![self.import.export_name.clone()])]
    }
}

fn placed_of(entry: &SliceEntry) -> Option<&Placed> {
    match &entry.outcome {
        Outcome::Imported(placed) | Outcome::AlreadyThere(placed) => Some(placed),
        Outcome::Failed { .. } => None,
    }
}

/// What says something of the archive itself; other errors say that it could not be looked at.
pub(super) fn is_lasting(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::NotFound)
}
