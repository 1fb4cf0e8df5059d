//! Imports by their reports, and where restructure has placed their mails.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Archive, Error, ImportId, MailboxAddress, Result,
    import::{Contents, Import, NotMail, REPORTS, Report, SliceRef},
    ports::ObjectKey,
    restructure::{PLACEMENTS, Stage, Told},
};

pub(crate) const SLICES: &str = "slices/";
const PAGE: usize = 1000;

/// An import that has a report.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) report: Report,
    pub(crate) slices: Vec<SliceRef>,
    pub(crate) user_archives: BTreeSet<String>,
    /// None in a report of version 1.
    pub(crate) row: Option<Import>,
    pub(crate) mailbox: MailboxAddress,
    pub(super) export_name: String,
    /// Whether the object is proof against its row.
    pub(crate) is_proven: bool,
    /// What a foreign file holds besides.
    pub(crate) not_mail: Vec<NotMail>,
    /// Under which addresses each user archive of it was placed.
    pub(crate) addresses: BTreeMap<String, BTreeSet<MailboxAddress>>,
    /// Mailboxes of plans that were carried out in part only, or are being carried out.
    pub(crate) in_part: BTreeSet<MailboxAddress>,
    /// Its mails were taken out of its target.
    pub(crate) is_emptied: bool,
    told: Vec<Told>,
    objects: Vec<ObjectKey>,
}

impl Ended {
    fn new(report: Report, contents: Contents) -> Self {
        Self {
            report,
            mailbox: contents.mailbox,
            export_name: contents.export_name,
            is_proven: contents.is_proven,
            not_mail: contents.not_mail,
            slices: contents.slices,
            user_archives: contents.user_archives,
            row: contents.row,
            addresses: BTreeMap::new(),
            in_part: BTreeSet::new(),
            is_emptied: false,
            told: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Sums up what restructure has told.
    fn settle(&mut self) {
        for told in &self.told {
            for (archive, address) in &told.addresses {
                self.addresses.entry(archive.clone()).or_default().insert(address.clone());
            }
            let is_done = self.told.iter().any(|other| other.plan == told.plan && other.stage == Stage::Done);
            if !is_done {
                self.in_part.extend(told.addresses.values().cloned());
            }
        }
        let covers = |told: &Told| self.user_archives.iter().all(|archive| told.addresses.contains_key(archive));
        self.report.done = self.is_foreign() || self.told.iter().any(|told| told.stage == Stage::Done && covers(told));
    }

    /// Restructure has nothing to do with it.
    pub(super) fn is_foreign(&self) -> bool {
        self.row.as_ref().is_some_and(Import::is_foreign)
    }

    /// The entries of which no slice tells, in words.
    pub(super) fn gaps(&self) -> Vec<String> {
        let Some(import) = &self.row else { return Vec::new() };
        let mut next = Next::default();
        self.slices.iter().filter_map(|slice| next.step(import, slice).err()).collect()
    }

    pub(super) fn entries(&self) -> u64 {
        self.slices.iter().map(|slice| slice.entries).sum()
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectKey> {
        let slices = self.slices.iter().map(|slice| &slice.key);
        slices.chain(&self.objects).chain([&self.report.key])
    }
}

impl Archive {
    /// Every import that has a report, with what restructure has told of it. What cannot be read is a fault.
    pub(super) async fn ended_imports(&self, faults: &mut Vec<String>) -> Result<BTreeMap<ImportId, Ended>> {
        let mut imports = BTreeMap::new();
        for key in self.keys_below(REPORTS).await? {
            match self.lone_report(&key).await {
                Ok((report, contents)) => {
                    imports.insert(report.import.clone(), Ended::new(report, contents));
                }
                Err(error) => faults.push(readable(error)?),
            }
        }
        for key in self.keys_below(PLACEMENTS).await? {
            match self.told(&key).await {
                Ok(told) => {
                    if let Some(ended) = imports.get_mut(&told.import) {
                        ended.objects.push(key);
                        ended.told.push(told);
                    }
                }
                Err(error) => faults.push(readable(error)?),
            }
        }
        for import in self.emptied_by_objects().await? {
            if let Some(ended) = imports.get_mut(&import) {
                ended.is_emptied = true;
            }
        }
        imports.values_mut().for_each(Ended::settle);
        Ok(imports)
    }

    pub(crate) async fn keys_below(&self, prefix: &str) -> Result<Vec<ObjectKey>> {
        let mut keys: Vec<ObjectKey> = Vec::new();
        loop {
            let page = self.objects.list(prefix, keys.last(), PAGE).await?;
            if page.is_empty() {
                return Ok(keys);
            }
            keys.extend(page.into_iter().map(|meta| meta.key));
        }
    }
}

/// The text of an error that is the object's own; any other is handed up.
pub(super) fn readable(error: Error) -> Result<String> {
    match error.kind() {
        crate::ErrorKind::Corrupt | crate::ErrorKind::NotFound => Ok(error.to_string()),
        _ => Err(error),
    }
}

/// The slices of imports without a readable report, as their checkpoints would count them: of each shard those that follow each
/// other, of several that begin alike the one with the highest fence. One that is missing between them is a fault.
pub(crate) async fn open_imports(archive: &Archive, faults: &mut Vec<String>) -> Result<Vec<(Import, Vec<SliceRef>)>> {
    let mut reported = BTreeSet::new();
    for key in archive.keys_below(REPORTS).await? {
        match archive.lone_report(&key).await {
            Ok(_) => drop(reported.insert(key)),
            Err(error) => faults.push(readable(error)?),
        }
    }
    let mut open: BTreeMap<ImportId, Open> = BTreeMap::new();
    for key in archive.keys_below(SLICES).await? {
        let import = key.as_str().strip_prefix(SLICES).and_then(|rest| rest.split_once('/')).map(|(import, _)| import);
        let Some(import) = import else { continue };
        if reported.contains(&ObjectKey::parse(format!("{REPORTS}{import}.json"))?) {
            continue;
        }
        match archive.lone_slice(&key).await {
            Ok((slice, file)) => {
                let tally = tally_of(&file.entries);
                let import = open.entry(file.import.id.clone()).or_insert_with(|| Open::new(file.import));
                import.add(file.shard, file.fence, slice, tally);
            }
            Err(error) => faults.push(readable(error)?),
        }
    }
    Ok(open.into_values().map(|open| open.close(faults)).collect())
}

/// The slices of one import, as [`open_imports`] has them; none if they do not count what its row says.
pub(crate) async fn counted_slices(archive: &Archive, row: &Import) -> Result<Option<Vec<SliceRef>>> {
    let mut open = Open::new(row.clone());
    for key in archive.keys_below(&format!("{SLICES}{}/", row.id)).await? {
        match archive.lone_slice(&key).await {
            Ok((slice, file)) => open.add(file.shard, file.fence, slice, tally_of(&file.entries)),
            Err(error) => drop(readable(error)?),
        }
    }
    let (counted, slices) = open.close(&mut Vec::new());
    Ok((counted == *row).then_some(slices))
}

type Tally = crate::import::Tally;

fn tally_of(entries: &[crate::import::SliceEntry]) -> Tally {
    use crate::import::Outcome;
    entries.iter().fold(Tally::default(), |sum, entry| match entry.outcome {
        Outcome::Imported(_) => sum.plus(Tally { imported: 1, ..Tally::default() }),
        Outcome::AlreadyThere(_) => sum.plus(Tally { already_there: 1, ..Tally::default() }),
        Outcome::Failed { .. } => sum.plus(Tally { failed: 1, ..Tally::default() }),
    })
}

/// An import that was cut off.
struct Open {
    import: Import,
    /// By shard and first entry: fence, slice, and what it counts.
    slices: BTreeMap<(u32, u64), (u64, SliceRef, Tally)>,
}

impl Open {
    fn new(import: Import) -> Self {
        Self { import, slices: BTreeMap::new() }
    }

    fn add(&mut self, shard: u32, fence: u64, slice: SliceRef, tally: Tally) {
        let there = self.slices.entry((shard, slice.first)).or_insert_with(|| (fence, slice.clone(), tally));
        if there.0 < fence {
            *there = (fence, slice, tally);
        }
    }

    fn close(self, faults: &mut Vec<String>) -> (Import, Vec<SliceRef>) {
        let mut import = self.import;
        let (mut slices, mut next, mut tally) = (Vec::new(), Next::default(), Tally::default());
        for (_, slice, counts) in self.slices.into_values() {
            if next.is_behind(&import, &slice) {
                continue;
            }
            faults.extend(next.step(&import, &slice).err());
            tally = tally.plus(counts);
            slices.push(slice);
        }
        import.tally = tally;
        if import.is_foreign() {
            import.mails = tally.total();
        }
        (import, slices)
    }
}

/// Which entry of each shard comes next: a slice begins where the one before it ended.
#[derive(Default)]
struct Next(BTreeMap<u32, u64>);

impl Next {
    fn of(&mut self, import: &Import, slice: &SliceRef) -> &mut u64 {
        let shard = slice.shard();
        self.0.entry(shard).or_insert_with(|| import.shard_entries(shard).start)
    }

    /// True of what a worker wrote that was overtaken.
    fn is_behind(&mut self, import: &Import, slice: &SliceRef) -> bool {
        slice.first < *self.of(import, slice)
    }

    /// Goes to the end of the slice; the error says what is missing before it.
    fn step(&mut self, import: &Import, slice: &SliceRef) -> Result<(), String> {
        let at = std::mem::replace(self.of(import, slice), slice.end());
        if slice.first <= at {
            return Ok(());
        }
        let (id, last) = (&import.id, slice.first - 1);
        Err(format!("import {id}: no slice tells of its entries {at} to {last}; import {} again", import.file))
    }
}
