//! Message rows against the slices, which say what each import did.

use super::Findings;
use crate::{
    Archive, MailHash, MessageRow, Result,
    import::{Outcome, Placed, Report},
    message::EntryRef,
    ports::MAX_ROWS_PER_CALL,
};

impl Archive {
    /// Every entry of every import is in the archive as its slice says. What cannot be read was named before.
    pub(super) async fn compare_with_slices(&self, findings: &mut Findings) -> Result<()> {
        for report in self.all::<Report>(None).await? {
            let Ok(contents) = self.report_contents(&report).await else { continue };
            for slice in &contents.slices {
                let Ok(entries) = self.slice(slice).await else { continue };
                let placed: Vec<_> =
                    entries.into_iter().filter_map(|entry| entry.outcome.placed(entry.number)).collect();
                for some in placed.chunks(MAX_ROWS_PER_CALL) {
                    let hashes: Vec<MailHash> = some.iter().map(|(_, _, placed)| placed.hash).collect();
                    for ((number, first, placed), row) in some.iter().zip(self.catalog.locate(&hashes).await?) {
                        let entry = EntryRef { import: report.import.clone(), entry: *number };
                        if let Some(what) = difference(row.as_ref(), &entry, *first, placed) {
                            findings.error(format!(
                                "mail {}: {what} in the catalogue, import {}",
                                placed.hash, report.import
                            ));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Number, whether the entry brought the mail, and where it lies; none for an entry that failed.
    fn placed(self, number: u64) -> Option<(u64, bool, Placed)> {
        match self {
            Self::Imported(placed) => Some((number, true, placed)),
            Self::AlreadyThere(placed) => Some((number, false, placed)),
            Self::Failed { .. } => None,
        }
    }
}

fn difference(row: Option<&MessageRow>, entry: &EntryRef, first: bool, placed: &Placed) -> Option<&'static str> {
    let Some(row) = row else { return Some("it is missing") };
    let rules = [
        (row.size_bytes == placed.size_bytes, "it has another size"),
        ((row.first == *entry) == first, "another entry has brought it"),
        (row.message_date == placed.message_date, "it has another message date"),
        (!first || row.message_date_source == placed.message_date_source, "its date has another source"),
        (!first || row.archive_date == placed.archive_date, "it has another archive date"),
        (placed.locations.iter().all(|location| row.locations.contains(location)), "it lacks a location"),
        (row.flags.union(placed.flags) == row.flags, "it lacks a flag"),
    ];
    rules.into_iter().find(|(kept, _)| !kept).map(|(_, what)| what)
}
