//! The export: a source of mails becomes a signed set of volumes, a certificate and a report.
//!
//! An export runs beside the old system and has no archive, so it works on the local file system. It can be cut off at
//! any instant: the same command again reads the finished volumes back, begins the open one anew and goes on. What
//! makes that safe is the order of effects, which [`target`] keeps:
//!
//! 1. the state file is linked into place and locked: from here on the name belongs to this export;
//! 2. the part file of volume 1 is made, then the certificate is put in place;
//! 3. per volume: its bytes are durable, then the next one's part file is made, then it is renamed. So the highest part
//!    file always tells how many volumes were finished, and one that was moved away is noticed;
//! 4. the report is durable under a temporary name before the last volume is renamed, so that the mails that were
//!    skipped stay named whatever becomes of the source;
//! 5. the report is renamed, the readable one is written, the state file is deleted.
//!
//! A mail program may write the source meanwhile. So it is walked once more when all is read and durable, right before the last
//! volume is sealed: what came or changed is exported too, and named.
//!
//! Mails that could not be read are counted in the seal of the last volume alone: a resumed export tries them again,
//! and only the last walk through the source knows for good.

mod again;
mod ahead;
mod budget;
mod changes;
mod contents;
mod dry_run;
mod files;
mod filter;
mod fresh;
mod guarded;
mod html;
mod known;
mod named;
mod options;
mod pipeline;
mod prepare;
mod records;
mod report;
mod resume;
mod run;
#[cfg(test)]
mod samples;
mod tally;
mod target;
mod volumes;
mod writing;

pub use filter::Filter;
pub use mail::query::parse_size;
pub use named::{Named, NamedList};
pub use options::{ChosenOptions, ExportName, ExportOptions, VolumeSize};
pub(crate) use prepare::{Trouble, Witness, metadata_of, reason};
pub use report::{Counts, ExportReport, FolderCount, UserArchiveCount, VolumeFile};
pub use target::Effect;

use crate::Result;
use crate::ports::{Clock, Random};
use run::Run;
use target::Target;

/// What an export needs besides its options.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
    /// The program and its version, for the header of each volume.
    pub generator: &'a str,
    pub progress: &'a dyn Progress,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step<'a> {
    /// Mails that have their outcome, those of an earlier run included.
    pub mails: u64,
    /// Raw bytes of the mails that this run met, whatever became of them.
    pub met_bytes: u64,
    /// Raw bytes of those exported.
    pub raw_bytes: u64,
    /// The volume being written.
    pub volume: u64,
    /// The location of the mail just written: path segments, the first is the user archive.
    pub location: &'a [String],
}

/// Someone who watches an export.
pub trait Progress: Sync {
    /// A mail got its outcome.
    fn advance(&self, _step: Step<'_>) {}

    /// A finished volume is being read back, and so many there are; comes before the mails of a resumed export.
    fn checking(&self, _volume: u64, _volumes: u64) {}

    /// Whether it is worth counting how much there is to be met.
    fn asks_for_total(&self) -> bool {
        false
    }

    /// About how many bytes the source has; comes while the export runs, if at all.
    fn total(&self, _bytes: u64) {}

    /// Comes right before each durable effect; an error ends the export there as a crash would.
    fn before(&self, _effect: &Effect) -> std::io::Result<()> {
        Ok(())
    }
}

/// Nobody watches.
impl Progress for () {}

/// Exports, resumes, or repeats the report of an export that has ended.
///
/// Errors: `Invalid` for options that can't be, or that differ from those the export was begun with; `Denied` for a
/// wrong password on a resume; `NotFound` if the source can't be read; `Unavailable` if another exporter holds the name
/// or the target can't be written: the same command again goes on; `Corrupt` if a finished volume was changed.
pub fn export(options: &ExportOptions, surroundings: &Surroundings<'_>) -> Result<ExportReport> {
    options.check()?;
    let chosen = options.chosen()?;
    let target = Target::new(&options.to, &options.name, surroundings.progress);
    let held = target.hold()?;
    // Looked for under the lock: before it, another exporter could still have ended.
    if let Some(report) = ended(&target, &chosen)? {
        held.map_or_else(|| target.sweep(), |held| run::conclude(&target, held, &report))?;
        return Ok(report);
    }
    if let Some(held) = held {
        return Run::resume(options, surroundings, &target, &chosen, held)?.complete();
    }
    // A source that cannot be read leaves nothing behind.
    run::open_source(options)?;
    match Run::begin(options, surroundings, &target, &chosen)? {
        Some(run) => run.complete(),
        // Another exporter began and ended while this one looked at the source.
        None => ended(&target, &chosen)?.ok_or_else(|| target.busy()),
    }
}

/// Walks the source and says what an export would do; reads of a mail what a filter needs. Writes nothing that stays: an
/// mbox in a ZIP is unpacked into a file without a name, in the target or in what that would be made in.
///
/// Errors: those of [`export`] that concern options and source, and those of the target if there is no room for that.
pub fn dry_run(options: &ExportOptions, surroundings: &Surroundings<'_>) -> Result<ExportReport> {
    options.check()?;
    ahead::counting(&options.from, surroundings.progress, || dry_run::dry_run(options, surroundings))
}

/// The report of an export that has ended, if it has.
fn ended(target: &Target<'_>, chosen: &ChosenOptions) -> Result<Option<ExportReport>> {
    let Some(report) = report::read(target)? else { return Ok(None) };
    report::refuse_other_options(target, &report.options, chosen)?;
    Ok(Some(report))
}

/// Unix seconds as RFC 3339 UTC.
fn rfc3339(seconds: i64) -> String {
    // No clock shows a time that has no name.
    crate::time::rfc3339(seconds).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}
