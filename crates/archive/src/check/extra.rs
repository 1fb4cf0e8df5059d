//! Mails in lists where no object places them.
//!
//! What the lists hold goes into scratch files as what the objects say does, all of one mail into one part: so only one part
//! of what the objects say is in memory at a time, however long a list is.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::Path,
};

use super::{Comparison, Findings, Remedy};
use crate::{Archive, Error, MailHash, PlacementKey, Result, inventory::Inventory, ports::MAX_ROWS_PER_CALL};

impl Archive {
    /// Looks into the lists that hold more than `counts` says, which is how many mails the objects place in each.
    pub(super) async fn find_extra_places(
        &self,
        comparison: &mut Comparison,
        counts: &BTreeMap<u32, u64>,
        findings: &mut Findings,
    ) -> Result<()> {
        let mut fuller = BTreeSet::new();
        for (place, scope) in comparison.inventory.scopes.iter() {
            if self.catalog.count(scope).await? > counts.get(&place).copied().unwrap_or_default() {
                fuller.insert(place);
            }
        }
        if fuller.is_empty() {
            return Ok(());
        }
        let mut listed = self.spread_lists(&comparison.inventory, &fuller).await?;
        for part in 0..comparison.inventory.facts.parts() {
            let mut told: HashSet<(u32, MailHash)> = HashSet::new();
            for mail in comparison.inventory.mails(part)? {
                told.extend(mail.places.keys().filter(|place| fuller.contains(place)).map(|place| (*place, mail.hash)));
            }
            listed.each(part, |place, hash| {
                if let Some(scope) = comparison.inventory.scopes.get(place).filter(|_| !told.contains(&(place, hash))) {
                    let text = format!("mail {hash}: no object places it in {scope}");
                    findings.differ(text, Remedy::Rebuild);
                }
            })?;
        }
        Ok(())
    }

    async fn spread_lists(&self, inventory: &Inventory, lists: &BTreeSet<u32>) -> Result<Listed> {
        let mut listed = Listed::create(&self.scratch, inventory.facts.parts())?;
        for place in lists {
            let Some(scope) = inventory.scopes.get(*place) else { continue };
            let mut after = None::<PlacementKey>;
            loop {
                let keys = self.catalog.page(scope, after.as_ref(), MAX_ROWS_PER_CALL).await?;
                let Some(last) = keys.last() else { break };
                after = Some(*last);
                for key in &keys {
                    listed.add(inventory.facts.part_of(&key.hash), *place, &key.hash)?;
                }
            }
        }
        Ok(listed)
    }
}

/// What some lists hold, in scratch files: list and mail.
struct Listed {
    parts: Vec<BufWriter<File>>,
}

fn failed(error: io::Error) -> Error {
    Error::unavailable("a scratch file fails").caused_by(error)
}

impl Listed {
    fn create(scratch: &Path, parts: usize) -> Result<Self> {
        let part = |_| tempfile::tempfile_in(scratch).map(BufWriter::new).map_err(failed);
        Ok(Self { parts: (0..parts).map(part).collect::<Result<_>>()? })
    }

    fn add(&mut self, part: usize, place: u32, hash: &MailHash) -> Result<()> {
        let Some(part) = self.parts.get_mut(part) else { return Ok(()) };
        part.write_all(&place.to_be_bytes()).and_then(|()| part.write_all(&hash.0)).map_err(failed)
    }

    /// Hands on what is in one part, in the order in which it came.
    fn each(&mut self, part: usize, mut take: impl FnMut(u32, MailHash)) -> Result<()> {
        let Some(part) = self.parts.get_mut(part) else { return Ok(()) };
        // What was added is written out first.
        part.rewind().map_err(failed)?;
        let mut records = BufReader::new(part.get_ref());
        loop {
            let (mut place, mut hash) = ([0; 4], [0; 32]);
            match records.read_exact(&mut place).and_then(|()| records.read_exact(&mut hash)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                read => read.map_err(failed)?,
            }
            take(u32::from_be_bytes(place), MailHash(hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FolderPath, MailboxAddress, check::gallery, ports::Scope, testing::volumes::Sample};

    /// So many parts have what a few mails never fill.
    const PARTS: usize = 5;

    async fn place_by_hand(archive: &Archive, numbers: impl Iterator<Item = u64>) -> usize {
        let anna = MailboxAddress::parse("anna@firma.example").unwrap();
        let inbox = Scope::Folder(anna, FolderPath(vec!["Inbox".into()]));
        let mut keys = Vec::new();
        for number in numbers {
            let row = archive.catalog.locate(&[Sample::new(number, "").hash()]).await.unwrap().remove(0).unwrap();
            keys.push(PlacementKey { date: row.message_date, hash: row.hash, flags: crate::Flags::default() });
        }
        keys.sort();
        usize::try_from(archive.catalog.place("by hand", &inbox, &keys).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn mails_in_lists_too_many_are_found_in_whatever_parts_they_are() {
        let world = gallery::sound().await;
        assert_eq!(place_by_hand(&world.archive, [11, 40].into_iter()).await, 2);
        let mut whole = Findings::default();
        let mut comparison = world.archive.compare(&mut whole).await.unwrap();
        assert_eq!((comparison.inventory.facts.parts(), whole.report.errors.len()), (1, 2));
        comparison.inventory.spread_anew(&world.archive.scratch, PARTS);
        let mut in_parts = Findings::default();
        world.archive.compare_mails(&mut comparison, &mut in_parts).await.unwrap();
        let sorted = |findings: Findings| findings.report.errors.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(sorted(in_parts), sorted(whole));
    }

    #[test]
    fn what_was_added_to_a_part_comes_back_in_its_order() {
        let scratch = tempfile::tempdir().unwrap();
        let mut listed = Listed::create(scratch.path(), 3).unwrap();
        let hash = |number: u32| MailHash::of(&number.to_be_bytes());
        for number in 0..10_000_u32 {
            listed.add((number % 3) as usize, number, &hash(number)).unwrap();
        }
        for part in 0..3_u32 {
            let mut found = Vec::new();
            listed.each(part as usize, |place, hash| found.push((place, hash))).unwrap();
            let added: Vec<_> = (0..10_000).filter(|number| number % 3 == part).map(|it| (it, hash(it))).collect();
            assert_eq!(found, added);
        }
    }
}
