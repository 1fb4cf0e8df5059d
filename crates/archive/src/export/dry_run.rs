//! What an export would do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail::source::{Found, Item};
use volume::MAX_RAW_BYTES;

use super::guarded::Guarded;
use super::named::Named;
use super::report::ExportReport;
use super::run::open_source;
use super::tally::Tally;
use super::target::Target;
use super::{ExportOptions, Filter, Surroundings, rfc3339};
use crate::Result;

/// Metadata, container records, catalogue and seals of one mail, generously.
const OVERHEAD_BYTES: u64 = 1_024;

/// Counts what the walk finds. Mails are read only as far as a filter needs it, so most of those that turn out to be
/// unreadable are not known yet.
pub(super) fn dry_run(options: &ExportOptions, surroundings: &Surroundings<'_>) -> Result<ExportReport> {
    let started = rfc3339(surroundings.clock.now());
    let mut tally = Tally::new(&options.to);
    let mut packing = Packing { limit: options.volume_size.limit_bytes(), volumes: 1, filled: 0 };
    let mut items = Guarded::new(open_source(options)?);
    while let Some(item) = items.next()? {
        let is_left_out = options.filter.as_ref().is_some_and(|filter| filter.leaves_out(&item));
        match item {
            Item::NotMail { source, reason } => tally.not_mail.push(Named { source, reason }),
            Item::Noted { source, reason } => tally.changed.push(Named { source, reason }),
            Item::Skipped { location, .. } if is_left_out => {
                tally.meet(0);
                tally.filter(&location);
            }
            Item::Skipped { source, location, reason, .. } => {
                tally.meet(0);
                tally.skip(Named { source, reason }, &location);
            }
            Item::ScratchFailed(error) => {
                let scratch = options.scratch();
                return Err(Target::new(&scratch, &options.name, surroundings.progress).scratch_failed(error));
            }
            Item::Mail(found) => {
                tally.meet(found.size_bytes);
                let location = found.locations.first().map_or(&[][..], Vec::as_slice);
                match outlook(&found, options.filter.as_ref()) {
                    Ok(true) => {
                        tally.export(&found.locations, found.size_bytes);
                        packing.add(found.size_bytes);
                    }
                    Ok(false) => tally.filter(location),
                    Err(reason) => tally.skip(Named { source: found.key.clone(), reason }, location),
                }
                surroundings.progress.advance(tally.step(packing.volumes, location));
            }
        }
    }
    Ok(ExportReport {
        export_id: None,
        name: options.name.as_str().to_owned(),
        options: options.chosen()?,
        generator: surroundings.generator.to_owned(),
        started,
        finished: rfc3339(surroundings.clock.now()),
        certificate_sha256: None,
        encrypted: options.password.is_some() || !options.recipients.is_empty(),
        volumes_expected: Some(packing.volumes),
        volumes: Vec::new(),
        in_source: tally.in_source()?,
        filtered: tally.filtered,
        exported: tally.exported,
        raw_bytes: tally.raw_bytes,
        unique_mails: None,
        vanished: 0,
        user_archives: tally.user_archives(),
        skipped: tally.skipped,
        not_mail: tally.not_mail,
        changed: tally.changed.into_list(),
        complete: false,
    })
}

/// Whether a mail would be exported, or the reason for which it would be skipped.
fn outlook(found: &Found, filter: Option<&Filter>) -> Result<bool, String> {
    let at_sight = filter.map_or(Some(true), |filter| filter.at_sight(found));
    match (at_sight, filter) {
        (Some(false), _) => Ok(false),
        _ if found.size_bytes > MAX_RAW_BYTES => Err(format!("larger than {MAX_RAW_BYTES} bytes")),
        (None, Some(filter)) => look_into(found, filter),
        _ => Ok(true),
    }
}

fn look_into(found: &Found, filter: &Filter) -> Result<bool, String> {
    let look = || found.open().and_then(|mut raw| filter.admits(found, &mut raw));
    // A panic in a parser is this mail's outcome, as in the export.
    catch_unwind(AssertUnwindSafe(look))
        .map_err(|_| "the reader failed on it".to_owned())?
        .map_err(|error| format!("unreadable: {error}"))
}

/// Volumes filled with mails that do not compress: no export needs more.
struct Packing {
    limit: u64,
    volumes: u64,
    filled: u64,
}

impl Packing {
    fn add(&mut self, size_bytes: u64) {
        // zstd and the chunks of the cipher add less than a 256th.
        let stored = size_bytes + size_bytes / 256 + OVERHEAD_BYTES;
        if self.filled > 0 && self.filled.saturating_add(stored) > self.limit {
            self.volumes += 1;
            self.filled = 0;
        }
        self.filled = self.filled.saturating_add(stored);
    }
}
