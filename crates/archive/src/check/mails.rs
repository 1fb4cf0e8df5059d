//! Rows of mails and their places against what the objects say.

use std::collections::{BTreeMap, BTreeSet};

use super::{Comparison, Findings, Remedy};
use crate::{
    Archive, Flags, MailHash, MessageRow, PlacementKey, Result,
    inventory::{Known, Mail},
    ports::MAX_ROWS_PER_CALL,
};

impl Archive {
    /// Every mail has the row and the places that the objects say, and neither rows nor lists hold more.
    pub(super) async fn compare_mails(&self, comparison: &mut Comparison, findings: &mut Findings) -> Result<()> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        let mut unlisted = BTreeSet::new();
        if comparison.settled {
            unlisted.extend(self.catalog.unlisted(MAX_ROWS_PER_CALL).await?);
        }
        let misplaced: BTreeSet<_> = self.catalog.misplaced(MAX_ROWS_PER_CALL).await?.into_iter().collect();
        for hash in &misplaced {
            let text = format!("mail {hash}: it lies in a list under another date than its own");
            findings.differ(text, Remedy::Rebuild);
        }
        // There may be more of them.
        comparison.places_nothing |= misplaced.len() >= MAX_ROWS_PER_CALL;
        for part in 0..comparison.inventory.facts.parts() {
            let mails = comparison.inventory.mails(part)?;
            let mut misdated = misplaced.clone();
            for some in mails.chunks(MAX_ROWS_PER_CALL) {
                misdated.extend(self.compare_rows(some, comparison.settled, findings).await?);
            }
            let mut lists: BTreeMap<u32, Vec<PlacementKey>> = BTreeMap::new();
            for mail in &mails {
                unlisted.remove(&mail.hash);
                for (place, flags) in &mail.places {
                    *counts.entry(*place).or_default() += 1;
                    if matches!(mail.known, Known::Lost(_)) {
                        // Said already; a rebuild leaves it out everywhere.
                        continue;
                    }
                    let key = PlacementKey { date: mail.date, hash: mail.hash, flags: *flags };
                    lists.entry(*place).or_default().push(key);
                }
            }
            for (place, keys) in lists {
                self.compare_places(comparison, place, keys, &misdated, findings).await?;
            }
        }
        for hash in unlisted {
            findings.differ(format!("mail {hash}: no object tells of it"), Remedy::Rebuild);
        }
        if comparison.settled {
            self.find_extra_places(comparison, &counts, findings).await?;
        }
        Ok(())
    }

    /// Answers which rows have another date: their mails are placed by that one.
    async fn compare_rows(&self, mails: &[Mail], settled: bool, findings: &mut Findings) -> Result<Vec<MailHash>> {
        let mut misdated = Vec::new();
        let hashes: Vec<MailHash> = mails.iter().map(|mail| mail.hash).collect();
        for (mail, row) in mails.iter().zip(self.catalog.locate(&hashes).await?) {
            match (&mail.known, row) {
                (Known::Lost(why), _) => findings.differ(format!("mail {}: {why}", mail.hash), Remedy::Import),
                (Known::Row { row: expected, .. }, None) => {
                    let remedy = Remedy::Record(expected.clone());
                    findings.differ(format!("mail {}: it is missing in the catalogue", mail.hash), remedy);
                }
                (Known::Row { row: expected, exact }, Some(row)) => {
                    misdated.extend((row.message_date != expected.message_date).then_some(mail.hash));
                    for (what, remedy) in differences(&row, expected, *exact, settled) {
                        findings.differ(format!("mail {}: {what} in the catalogue", mail.hash), remedy);
                    }
                }
            }
        }
        Ok(misdated)
    }

    async fn compare_places(
        &self,
        comparison: &Comparison,
        place: u32,
        mut keys: Vec<PlacementKey>,
        misdated: &BTreeSet<MailHash>,
        findings: &mut Findings,
    ) -> Result<()> {
        let Some(scope) = comparison.inventory.scopes.get(place) else { return Ok(()) };
        keys.sort();
        for some in keys.chunks(MAX_ROWS_PER_CALL) {
            for (key, placed) in some.iter().zip(self.catalog.placed(scope, some).await?) {
                let what = match placed {
                    // A run of restructure that was cut off may not have come to it yet.
                    None if comparison.is_in_part(scope) => continue,
                    // Placed once more, it would lie there twice.
                    None if misdated.contains(&key.hash) => "it has another date",
                    None => "it is missing",
                    Some(placed) if lacks(placed.flags, key.flags) => "it lacks a flag",
                    Some(placed) if comparison.settled && placed.flags != key.flags => "it has a flag too many",
                    Some(_) => continue,
                };
                let remedy = match what {
                    "it is missing" | "it lacks a flag" if !comparison.places_nothing => {
                        Remedy::Place(scope.clone(), *key)
                    }
                    _ => Remedy::Rebuild,
                };
                findings.differ(format!("mail {}: {what} in {scope}", key.hash), remedy);
            }
        }
        Ok(())
    }
}

fn lacks(is: Flags, wanted: Flags) -> bool {
    is.union(wanted) != is
}

/// What is wrong with a row. Imports that are under way may have added to it already.
fn differences(row: &MessageRow, told: &MessageRow, exact: bool, settled: bool) -> Vec<(&'static str, Remedy)> {
    let texts = |row: &MessageRow| (row.subject.clone(), row.from.clone(), row.message_id.clone());
    let fixed = [
        (row.size_bytes == told.size_bytes, "it has another size"),
        (!exact || row.first == told.first, "another entry has brought it"),
        (row.message_date == told.message_date, "it has another message date"),
        (!exact || row.message_date_source == told.message_date_source, "its date has another source"),
        (!exact || row.archive_date == told.archive_date, "it has another archive date"),
        (!exact || row.import_date == told.import_date, "it has another import date"),
        (row.place() == told.place() || !exact && row.pack != told.pack, "it lies elsewhere"),
        (texts(row) == texts(told), "it has other texts than its header"),
        (row.defects & told.defects == told.defects, "it lacks a defect"),
        (row.defects | told.defects == told.defects, "it has a defect too many"),
        (!settled || row.locations.is_subset(&told.locations), "it has a location too many"),
        (!settled || !lacks(told.flags, row.flags), "it has a flag too many"),
    ];
    let more = [
        (told.locations.is_subset(&row.locations), "it lacks a location"),
        (!lacks(row.flags, told.flags), "it lacks a flag"),
    ];
    let fixed = fixed.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| (what, Remedy::Rebuild));
    let more = more.into_iter().filter(|(holds, _)| !holds);
    fixed.chain(more.map(|(_, what)| (what, Remedy::Record(Box::new(told.clone()))))).collect()
}
