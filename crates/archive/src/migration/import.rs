//! The migration report of one import.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    GENERATOR, MailboxSum, Quantity, Sum, VERSION,
    count::{Counted, is_lasting},
    sums::all_close,
};
use crate::{
    Archive, ImportId, MailboxAddress, ProcessId, Result,
    hash::to_hex,
    import::{FailedEntry, Import, ImportState, ImportView, Ledger, NotMail, Source},
    time::rfc3339,
    uploads::Kind,
};

const FORMAT: &str = "postkahn migration report of an import";

/// Who imported what and when, what became of each entry, and whether the sums close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    pub format: String,
    pub version: u32,
    pub generator: String,
    /// When this was drawn up; times are RFC 3339 in UTC.
    pub made: Option<String>,
    pub import: ImportId,
    pub process: ProcessId,
    /// Who started it.
    pub by: String,
    /// In whose upload home the file lay; none if the operator named a file on the machine.
    pub uploaded_by: Option<String>,
    pub started: Option<String>,
    pub finished: Option<String>,
    pub state: ImportState,
    /// None unless it failed.
    pub code: Option<String>,
    pub reason: Option<String>,
    /// File name.
    pub file: String,
    pub kind: Kind,
    pub size_bytes: u64,
    /// Of the file as it was read; every read was pinned to it.
    pub etag: String,
    /// The target.
    pub mailbox: MailboxAddress,
    /// The target was emptied of this import's mails since, so that its places there are not counted; none before it is
    /// known.
    pub mailbox_emptied: Option<bool>,
    /// None of a foreign file.
    pub volume: Option<VolumeFacts>,
    /// `in_volume = imported + already_there + failed` once it has finished.
    pub in_volume: u64,
    pub imported: u64,
    pub already_there: u64,
    pub failed: Vec<FailedEntry>,
    /// What a foreign file holds besides; no failure.
    pub not_mail: Vec<NotMail>,
    /// None before the import has ended.
    pub ledger: Option<LedgerObject>,
    /// The slices that the ledger names; not repeated in the report of an export.
    pub slices: Vec<SliceObject>,
    pub sums: Vec<Sum>,
    pub mailboxes: Vec<MailboxSum>,
    /// User archives that restructure has not placed yet.
    pub not_recreated: Vec<String>,
    /// What does not close, mail by mail, and what cannot be read; the first hundred.
    pub faults: Vec<String>,
    /// Whether it has finished and everything closes; none if there was no time to count.
    pub balanced: Option<bool>,
}

/// What the signed header and seal of a volume say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    pub export_id: String,
    pub export_name: String,
    /// From 1.
    pub number: u64,
    /// How many the export has; none before its last one has come in.
    pub of: Option<u64>,
    /// The number of its first mail in the export, from 1.
    pub first_mail: u64,
    /// Mails that the source could not deliver while this volume was written.
    pub skipped: u64,
    /// Lower-case hex SHA-256 of the seal, which vouches for every byte of the volume.
    pub seal_sha256: String,
    /// Lower-case hex SHA-256 of the DER of the certificate that verifies it.
    pub certificate_sha256: String,
}

/// The object that names the slices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerObject {
    pub key: String,
    pub sha256: String,
    pub filed: Option<String>,
}

/// An object that names entries with their outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceObject {
    pub key: String,
    pub sha256: String,
    /// The number of its first entry.
    pub first: u64,
    pub entries: u64,
}

impl Archive {
    /// Draws up the migration report of an import. What is not counted when the boot clock shows `until` is left open.
    pub async fn import_report(&self, id: &ImportId, until: Option<Duration>) -> Result<ImportReport> {
        let import = self.need::<Import>(&id.0).await?.value;
        let all = self.all::<Import>(None).await?;
        self.report_on(import, &all, until).await
    }

    /// `all` are the imports that there are.
    pub(super) async fn report_on(
        &self,
        import: Import,
        all: &[Import],
        until: Option<Duration>,
    ) -> Result<ImportReport> {
        let view = self.view_whole(import.clone()).await?;
        let mut report = ImportReport::of(&import, view, all, self.clock.now());
        let ledger = match self.ledger(&import).await {
            Err(e) if is_lasting(e.kind()) => {
                report.faults.push(e.to_string());
                report.balanced = Some(false);
                return Ok(report);
            }
            ledger => ledger?,
        };
        let counted = self.count_ledger(&import, &ledger.slices, report.failed.len() as u64, until).await?;
        report.tell_ledger(ledger);
        report.tell_counts(&import, counted);
        Ok(report)
    }
}

impl ImportReport {
    /// The report without anything that is counted again.
    pub(super) fn of(import: &Import, view: ImportView, all: &[Import], now: i64) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            generator: GENERATOR.into(),
            made: rfc3339(now),
            import: import.id.clone(),
            process: import.process.clone(),
            by: import.by.clone(),
            uploaded_by: uploader(&import.source),
            started: rfc3339(import.started),
            finished: import.finished.and_then(rfc3339),
            state: import.state,
            code: view.code,
            reason: view.reason,
            file: view.file,
            kind: import.kind,
            size_bytes: import.size_bytes,
            etag: import.etag.0.clone(),
            mailbox: import.mailbox.clone(),
            mailbox_emptied: None,
            volume: VolumeFacts::of(import, all),
            in_volume: view.in_volume,
            imported: view.imported,
            already_there: view.already_there,
            failed: view.failed,
            not_mail: view.not_mail,
            ledger: None,
            slices: Vec::new(),
            sums: Vec::new(),
            mailboxes: Vec::new(),
            not_recreated: Vec::new(),
            faults: Vec::new(),
            balanced: None,
        }
    }

    fn tell_ledger(&mut self, ledger: Ledger) {
        self.ledger = ledger.report.map(|report| LedgerObject {
            key: report.key.to_string(),
            sha256: report.sha256,
            filed: rfc3339(report.filed),
        });
        self.slices = ledger
            .slices
            .into_iter()
            .map(|slice| SliceObject {
                key: slice.key.to_string(),
                sha256: slice.sha256,
                first: slice.first,
                entries: slice.entries,
            })
            .collect();
        if self.volume.is_some() {
            self.not_recreated = ledger.user_archives.into_iter().collect();
        }
    }

    fn tell_counts(&mut self, import: &Import, counted: Option<Counted>) {
        let (row, seal) = (import.tally, (!import.is_foreign()).then_some(import.mails));
        let pair = |count: fn(&Counted) -> (u64, u64)| counted.as_ref().map(count);
        self.sums = vec![
            Sum::new(Quantity::InVolume, seal, row.total(), pair(|c| (c.entries, c.catalogue.total()))),
            Sum::new(Quantity::Imported, None, row.imported, pair(|c| (c.ledger.imported, c.catalogue.imported))),
            Sum::new(
                Quantity::AlreadyThere,
                None,
                row.already_there,
                pair(|c| (c.ledger.already_there, c.catalogue.already_there)),
            ),
            Sum::new(Quantity::Failed, None, row.failed, pair(|c| (c.ledger.failed, c.catalogue.failed))),
        ];
        let was_counted = counted.is_some();
        if let Some(counted) = counted {
            self.not_recreated.retain(|archive| !counted.recreated.contains(archive));
            self.faults.extend(counted.faults);
            self.mailbox_emptied = Some(counted.is_emptied);
            let sum = |((user_archive, mailbox), (ledger, catalogue))| MailboxSum {
                mails: counted.mails.get(&mailbox).copied(),
                mailbox,
                user_archive,
                ledger,
                catalogue,
                closes: ledger == catalogue,
            };
            self.mailboxes = counted.places.into_iter().map(sum).collect();
        }
        let has_ended_well = import.state == ImportState::Finished && import.finished.is_some();
        let closes = all_close(&self.sums, &self.mailboxes).map(|closes| closes && self.faults.is_empty());
        self.balanced = if has_ended_well { closes } else { was_counted.then_some(false) };
    }
}

/// Uploads lie under `USER/NAME`.
fn uploader(source: &Source) -> Option<String> {
    match source {
        Source::Upload(key) => key.as_str().split_once('/').map(|(user, _)| user.to_owned()),
        Source::File(_) => None,
    }
}

impl VolumeFacts {
    fn of(import: &Import, all: &[Import]) -> Option<Self> {
        let is_sister = |other: &&Import| {
            other.export_id == import.export_id && other.certificate == import.certificate && other.last
        };
        (!import.is_foreign()).then(|| Self {
            export_id: import.export_id.clone(),
            export_name: import.export_name.clone(),
            number: import.volume,
            of: all.iter().find(is_sister).map(|last| last.volume),
            first_mail: import.first_mail,
            skipped: import.skipped,
            seal_sha256: import.seal.clone(),
            certificate_sha256: certificate_sha256(import),
        })
    }
}

/// The row keeps the certificate as DER in hex.
pub(super) fn certificate_sha256(import: &Import) -> String {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let der: Vec<u8> = import.certificate.as_bytes().chunks(2).filter_map(byte).collect();
    to_hex(&Sha256::digest(&der))
}
