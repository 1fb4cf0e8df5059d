//! The migration report of an export: all imports of its volumes, and what is missing.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{GENERATOR, ImportReport, MailboxSum, Quantity, Sum, VERSION, import::certificate_sha256, sums::all_close};
use crate::{
    Archive, Error, ImportId, Result,
    import::{Import, ImportState},
    time::rfc3339,
};

const FORMAT: &str = "postkahn migration report of an export";
/// So many missing volumes are listed: a volume with a high number may be all that came in.
const MISSING: usize = 10_000;

/// What an import is to its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It brought the volume, and counts: of several that did, the one with the fewest failed entries, then the first.
    Counted,
    /// The volume came in again.
    Doubled,
    /// Another volume of the same number, under the same certificate.
    Conflict,
    /// The export's id under another certificate, or its certificate on another export.
    Foreign,
    /// It has not finished, failed or was cancelled.
    Unfinished,
}

/// One import and what it is to the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportImport {
    pub standing: Standing,
    /// A later volume was started before it; no harm.
    pub reordered: bool,
    /// Counted again only if it counts, and without its slices.
    pub report: ImportReport,
}

impl ExportImport {
    fn place(&self) -> (bool, u64, ImportId) {
        let number = self.report.volume.as_ref().map_or(0, |volume| volume.number);
        (self.standing == Standing::Foreign, number, self.report.import.clone())
    }
}

/// What came of an export's volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    pub format: String,
    pub version: u32,
    pub generator: String,
    /// When this was drawn up, RFC 3339 in UTC.
    pub made: Option<String>,
    pub export_id: String,
    pub export_name: String,
    /// Lower-case hex SHA-256 of the certificate's DER.
    pub certificate_sha256: String,
    /// How many volumes the export has; none before its last one was imported.
    pub volumes: Option<u64>,
    /// Volumes that were not imported, up to the last one that is known; the first ten thousand.
    pub missing_volumes: Vec<u64>,
    /// In the order of their volumes, then of their start; what is foreign comes last.
    pub imports: Vec<ExportImport>,
    /// Over the imports that count: `in_volumes = imported + already_there + failed`.
    pub in_volumes: u64,
    pub imported: u64,
    pub already_there: u64,
    /// How many; each is named in the report of its import.
    pub failed: u64,
    /// Mails that the source could not deliver, as the last volume's seal counts them: the export's own report names each.
    /// None before that volume was imported.
    pub skipped: Option<u64>,
    pub sums: Vec<Sum>,
    pub mailboxes: Vec<MailboxSum>,
    /// User archives that restructure has not placed yet.
    pub not_recreated: Vec<String>,
    /// What does not close, and what cannot be read.
    pub faults: Vec<String>,
    /// Whether everything closes that came in; none if there was no time to count.
    pub balanced: Option<bool>,
    /// Every volume was imported and everything closes, so that each mail of the export has its outcome.
    pub complete: bool,
}

/// An export of which something was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportView {
    pub export_id: String,
    pub export_name: String,
    /// None before its last volume was imported.
    pub volumes: Option<u64>,
    /// Volumes that were imported, each once.
    pub imported_volumes: Vec<u64>,
}

impl Archive {
    /// Every export of which something was imported, by its id.
    pub async fn exports(&self) -> Result<Vec<ExportView>> {
        let imports = self.all::<Import>(None).await?;
        let mut exports = BTreeMap::new();
        for import in imports.iter().filter(|import| !import.is_foreign()) {
            exports.entry(&import.export_id).or_insert_with(|| Set::of(&import.export_id, &imports).view());
        }
        Ok(exports.into_values().collect())
    }

    /// Draws up the migration report of an export. What is not counted when the boot clock shows `until` is left open.
    pub async fn export_report(&self, export_id: &str, until: Option<Duration>) -> Result<ExportReport> {
        let all = self.all::<Import>(None).await?;
        let set = Set::of(export_id, &all);
        let Some(first) = set.members.first() else {
            return Err(Error::not_found(format!("nothing of export {export_id:?} was imported")));
        };
        let mut report = set.frame(first.0, self.clock.now());
        for (import, standing) in &set.members {
            let told = if *standing == Standing::Counted {
                self.report_on((*import).clone(), &all, until).await?
            } else {
                let view = self.view_whole((*import).clone()).await?;
                ImportReport::of(import, view, &all, self.clock.now())
            };
            let reordered = *standing == Standing::Counted && set.is_reordered(import);
            report.add(ExportImport { standing: *standing, reordered, report: told });
        }
        report.settle(&set);
        Ok(report)
    }
}

/// The imports that have to do with one export.
struct Set<'a> {
    members: Vec<(&'a Import, Standing)>,
}

impl<'a> Set<'a> {
    fn of(export_id: &str, all: &'a [Import]) -> Self {
        let volumes = all.iter().filter(|import| !import.is_foreign());
        let own: Vec<_> = volumes.clone().filter(|import| import.export_id == export_id).collect();
        let Some(first) = own.iter().find(|import| has_finished(import)).or(own.first()) else {
            return Self { members: Vec::new() };
        };
        let certificate = &first.certificate;
        let counted = counted(own.iter().copied().filter(|import| import.certificate == *certificate));
        let standing = |import: &Import| {
            if import.export_id != export_id || import.certificate != *certificate {
                return Standing::Foreign;
            }
            match counted.get(&import.volume) {
                _ if !has_finished(import) => Standing::Unfinished,
                Some(chosen) if chosen.id == import.id => Standing::Counted,
                Some(chosen) if chosen.seal == import.seal => Standing::Doubled,
                _ => Standing::Conflict,
            }
        };
        let members = volumes
            .filter(|import| import.export_id == export_id || import.certificate == *certificate)
            .map(|import| (import, standing(import)))
            .collect();
        Self { members }
    }

    fn counted(&self) -> impl Iterator<Item = &'a Import> {
        self.members.iter().filter(|(_, standing)| *standing == Standing::Counted).map(|(import, _)| *import)
    }

    /// By volume.
    fn by_number(&self) -> BTreeMap<u64, &'a Import> {
        self.counted().map(|import| (import.volume, import)).collect()
    }

    fn last(&self) -> Option<&'a Import> {
        self.counted().find(|import| import.last)
    }

    /// What was started in one second, as a whole set is, has no order.
    fn is_reordered(&self, import: &Import) -> bool {
        self.counted().any(|other| other.volume > import.volume && other.started < import.started)
    }

    /// What is not there between the first volume and the last one that is known.
    fn missing(&self) -> Vec<u64> {
        let there = self.by_number();
        let last = self.members.iter().filter(|(_, standing)| *standing != Standing::Foreign);
        let last = last.map(|(import, _)| import.volume).max().unwrap_or(0);
        (1..=last).filter(|number| !there.contains_key(number)).take(MISSING).collect()
    }

    /// Mails are numbered through all volumes: each begins where the one before it ends.
    fn gaps(&self) -> Vec<String> {
        let there = self.by_number();
        let pairs = there.values().zip(there.values().skip(1)).filter(|(one, next)| one.volume + 1 == next.volume);
        let mut gaps = Vec::new();
        for (one, next) in pairs {
            let end = end_of(one);
            if end + 1 != next.first_mail {
                gaps.push(format!(
                    "volume {} begins with mail {}, where volume {} ends with mail {end}",
                    next.volume, next.first_mail, one.volume
                ));
            }
            // Imports of earlier versions do not know it.
            if next.previous_seal.as_ref().is_some_and(|named| *named != one.seal) {
                gaps.push(format!("volume {} names another volume {} before it by its seal", next.volume, one.volume));
            }
        }
        gaps
    }

    /// Volumes of one number of which no later volume says which one belongs to the export.
    fn undecided(&self) -> Vec<String> {
        let there = self.by_number();
        let names = |import: &Import| {
            there.get(&(import.volume + 1)).is_some_and(|next| next.previous_seal.as_ref() == Some(&import.seal))
        };
        let conflicts = self.members.iter().filter(|(_, standing)| *standing == Standing::Conflict);
        let open = conflicts.filter(|(import, _)| !there.get(&import.volume).is_some_and(|chosen| names(chosen)));
        open.map(|(import, _)| {
            format!("two volumes say that they are volume {}: import {} brought the other", import.volume, import.id)
        })
        .collect()
    }

    fn view(&self) -> ExportView {
        let named = self.members.iter().find(|(_, standing)| *standing != Standing::Foreign).map(|(import, _)| *import);
        ExportView {
            export_id: named.map(|import| import.export_id.clone()).unwrap_or_default(),
            export_name: named.map(|import| import.export_name.clone()).unwrap_or_default(),
            volumes: self.last().map(|last| last.volume),
            imported_volumes: self.by_number().into_keys().collect(),
        }
    }

    fn frame(&self, first: &Import, now: i64) -> ExportReport {
        let ExportView { export_id, export_name, volumes, .. } = self.view();
        let named = self.counted().next().unwrap_or(first);
        ExportReport {
            format: FORMAT.into(),
            version: VERSION,
            generator: GENERATOR.into(),
            made: rfc3339(now),
            export_id,
            export_name,
            certificate_sha256: certificate_sha256(named),
            volumes,
            missing_volumes: self.missing(),
            imports: Vec::new(),
            in_volumes: 0,
            imported: 0,
            already_there: 0,
            failed: 0,
            sums: Vec::new(),
            mailboxes: Vec::new(),
            not_recreated: Vec::new(),
            skipped: self.last().and_then(|last| last.total_skipped),
            faults: self.gaps().into_iter().chain(self.undecided()).collect(),
            balanced: None,
            complete: false,
        }
    }
}

fn has_finished(import: &Import) -> bool {
    import.state == ImportState::Finished && import.finished.is_some()
}

/// The number of the last mail of a volume; of one without mails, that of the mail before it.
fn end_of(import: &Import) -> u64 {
    import.first_mail.saturating_add(import.mails).saturating_sub(1)
}

/// Which import counts for each volume. Of several volumes of one number the next one names the right one by its seal; where
/// it does not, that is the one that has finished first.
fn counted<'a>(imports: impl Iterator<Item = &'a Import>) -> BTreeMap<u64, &'a Import> {
    let mut by_number: BTreeMap<u64, Vec<&Import>> = BTreeMap::new();
    for import in imports.filter(|import| has_finished(import)) {
        by_number.entry(import.volume).or_default().push(import);
    }
    let mut chosen: BTreeMap<u64, &Import> = BTreeMap::new();
    for (number, imports) in by_number.into_iter().rev() {
        let named = chosen.get(&(number + 1)).and_then(|next| next.previous_seal.as_ref());
        let right = imports.iter().find(|import| Some(&import.seal) == named).or(imports.first());
        let same = imports.iter().filter(|import| right.is_some_and(|right| right.seal == import.seal));
        chosen.extend(same.min_by_key(|import| import.tally.failed).map(|import| (number, *import)));
    }
    chosen
}

impl ExportReport {
    fn add(&mut self, import: ExportImport) {
        let mut import = import;
        import.report.slices = Vec::new();
        if import.standing == Standing::Counted {
            let report = &import.report;
            self.in_volumes += report.in_volume;
            self.imported += report.imported;
            self.already_there += report.already_there;
            self.failed += report.failed.len() as u64;
            self.faults.extend(report.faults.iter().map(|fault| format!("import {}: {fault}", report.import)));
            self.not_recreated.extend(report.not_recreated.iter().cloned());
            self.add_sums(&import.report);
        }
        self.imports.push(import);
    }

    fn add_sums(&mut self, report: &ImportReport) {
        if self.sums.is_empty() {
            self.sums.clone_from(&report.sums);
        } else {
            self.sums.iter_mut().zip(&report.sums).for_each(|(sum, more)| sum.add(more));
        }
        for more in &report.mailboxes {
            let is_same =
                |sum: &&mut MailboxSum| (&sum.mailbox, &sum.user_archive) == (&more.mailbox, &more.user_archive);
            match self.mailboxes.iter_mut().find(is_same) {
                Some(sum) => {
                    sum.ledger += more.ledger;
                    sum.catalogue += more.catalogue;
                    sum.closes = sum.ledger == sum.catalogue;
                }
                None => self.mailboxes.push(more.clone()),
            }
        }
    }

    /// Draws the conclusions, once every import is there.
    fn settle(&mut self, set: &Set<'_>) {
        self.imports.sort_by_key(ExportImport::place);
        self.mailboxes.sort_by(|a, b| (&a.user_archive, &a.mailbox).cmp(&(&b.user_archive, &b.mailbox)));
        self.not_recreated.sort();
        self.not_recreated.dedup();
        let is_whole = self.volumes.is_some() && self.missing_volumes.is_empty();
        // The numbers of the last volume's mails are signed too, and count all that were ever written.
        if let Some(last) = set.last().filter(|_| is_whole) {
            let all = end_of(last);
            self.sums = std::mem::take(&mut self.sums)
                .into_iter()
                .map(|sum| if sum.quantity == Quantity::InVolume { sum.with_seal(all) } else { sum })
                .collect();
        }
        let counted = || self.imports.iter().filter(|import| import.standing == Standing::Counted);
        let is_open = counted().any(|import| import.report.balanced == Some(false));
        let is_counted = counted().all(|import| import.report.balanced.is_some());
        let closes = all_close(&self.sums, &self.mailboxes).map(|closes| closes && self.faults.is_empty());
        self.balanced = if is_open { Some(false) } else { closes.filter(|closes| !closes || is_counted) };
        self.complete = is_whole && self.balanced == Some(true);
    }

    /// Whether nothing at all is to be told: complete, and no mail failed.
    pub fn is_whole(&self) -> bool {
        self.complete && self.failed == 0
    }

    /// The failed entries of the imports that count, each with its import's id.
    pub(super) fn failed_entries(&self) -> impl Iterator<Item = (&ImportId, &crate::import::FailedEntry)> {
        let counted = self.imports.iter().filter(|import| import.standing == Standing::Counted);
        counted.flat_map(|import| import.report.failed.iter().map(|entry| (&import.report.import, entry)))
    }
}
