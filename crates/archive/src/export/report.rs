//! `NAME.report.json`: what the export did, in numbers that add up.

use serde::{Deserialize, Serialize};

use super::named::NamedList;
use super::options::ChosenOptions;
use super::target::Target;
use crate::{Error, Result};

/// More than a report of ten million skipped files: it bounds what is read.
const MAX_REPORT_BYTES: u64 = 4 << 30;

/// The document that an export prints, and keeps beside the certificate. It names users and folders in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// UUID; null in a dry run.
    pub export_id: Option<String>,
    pub name: String,
    pub options: ChosenOptions,
    pub generator: String,
    /// When the first run began and the last one ended, RFC 3339 UTC.
    pub started: String,
    pub finished: String,
    /// SHA-256 of the certificate's DER in lower-case hex; null in a dry run.
    pub certificate_sha256: Option<String>,
    /// Whether a key is needed to read the volumes.
    pub encrypted: bool,
    /// Only in a dry run: how many volumes are needed at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes_expected: Option<u64>,
    pub volumes: Vec<VolumeFile>,
    /// Mails found in the source: `in_source = filtered + exported + skipped`.
    pub in_source: u64,
    /// Mails left out by a filter.
    pub filtered: u64,
    /// Mails in the volumes, copies included.
    pub exported: u64,
    /// Mails that the source could not deliver.
    pub skipped: NamedList,
    /// Files that are no mail; no failure.
    pub not_mail: NamedList,
    /// Bytes of the exported mails, copies included.
    pub raw_bytes: u64,
    /// Exported mails with different bytes; null in a dry run.
    pub unique_mails: Option<u64>,
    /// Exported mails that were not there any more when a later run walked the source again.
    pub vanished: u64,
    /// Mails that lay where others had been exported from: those stay in the volumes, and these have an outcome of their
    /// own. And files that grew while they were read, with how much of them was.
    pub changed: NamedList,
    pub user_archives: Vec<UserArchiveCount>,
    /// Whether the last volume is written.
    pub complete: bool,
}

/// One volume of the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFile {
    /// File name.
    pub file: String,
    pub bytes: u64,
    pub mails: u64,
    /// SHA-256 of the seal, which vouches for every byte, in lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal_sha256: Option<String>,
}

/// What became of the mails of a place. Over all places, `in_source`, `filtered`, `exported` and `skipped` have the sums
/// of the whole export: a mail with several locations counts there in the first one, and in `mails` and `raw_bytes` in
/// each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Exported mails that lie here.
    pub mails: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// `in_source = filtered + exported + skipped`.
    #[serde(default)]
    pub in_source: u64,
    #[serde(default)]
    pub filtered: u64,
    #[serde(default)]
    pub exported: u64,
    #[serde(default)]
    pub skipped: u64,
}

impl Counts {
    pub(super) fn outcomes(&self) -> u64 {
        self.filtered + self.exported + self.skipped
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.mails += other.mails;
        self.raw_bytes += other.raw_bytes;
        self.in_source += other.in_source;
        self.filtered += other.filtered;
        self.exported += other.exported;
        self.skipped += other.skipped;
    }
}

/// One user archive with all its folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserArchiveCount {
    pub user_archive: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub folders: Vec<FolderCount>,
}

/// One folder itself, without those below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderCount {
    /// Segments below the user archive; empty for the user archive itself.
    pub path: Vec<String>,
    #[serde(flatten)]
    pub counts: Counts,
}

impl ExportReport {
    /// Whether every mail of the source is in the volumes.
    pub fn is_whole(&self) -> bool {
        self.skipped.is_empty()
    }
}

/// The report in the target, if there is one.
pub(super) fn read(target: &Target<'_>) -> Result<Option<ExportReport>> {
    let name = target.report();
    let Some(from) = target.reader(&name, MAX_REPORT_BYTES)? else { return Ok(None) };
    serde_json::from_reader(from).map(Some).map_err(|error| {
        if error.is_io() {
            return target.failed(&name, error.into());
        }
        Error::invalid(format!("{name} is there already, and no report of an export"))
            .hint("choose another --name or --to, or move it away")
            .caused_by(error)
    })
}

/// An export goes on, or is repeated, with the options that it was begun with.
pub(super) fn refuse_other_options(target: &Target<'_>, began: &ChosenOptions, now: &ChosenOptions) -> Result<()> {
    match began.difference(now) {
        None => Ok(()),
        Some(option) => {
            Err(Error::invalid(format!("the export {} was begun with another value of {option}", target.name()))
                .hint("repeat the options of then, or choose another --name"))
        }
    }
}
