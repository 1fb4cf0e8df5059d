//! What an export would do.

use mail::source::Item;
use volume::MAX_RAW_BYTES;

use super::report::{ExportReport, Named};
use super::run::open_source;
use super::tally::Tally;
use super::{ExportOptions, Step, Surroundings, rfc3339};
use crate::Result;

/// Metadata, container records, catalogue and seals of one mail, generously.
const OVERHEAD_BYTES: u64 = 1_024;

/// Counts what the walk finds; mails that turn out to be unreadable are not known yet.
pub(super) fn dry_run(options: &ExportOptions, surroundings: &Surroundings<'_>) -> Result<ExportReport> {
    let started = rfc3339(surroundings.clock.now());
    let mut tally = Tally::default();
    let mut packing = Packing { limit: options.volume_size.limit_bytes(), volumes: 1, filled: 0 };
    for item in open_source(options)? {
        match item {
            Item::NotMail { source, reason } => tally.not_mail.push(Named { source, reason }),
            Item::Skipped { source, reason } => tally.skip(Named { source, reason }),
            Item::Mail(found) if found.size_bytes > MAX_RAW_BYTES => {
                tally.skip(Named { source: found.key, reason: format!("larger than {MAX_RAW_BYTES} bytes") });
            }
            Item::Mail(found) => {
                tally.met += 1;
                tally.exported += 1;
                tally.raw_bytes += found.size_bytes;
                for location in &found.locations {
                    tally.place(location, found.size_bytes);
                }
                packing.add(found.size_bytes);
                let location = found.locations.first().map_or(&[][..], Vec::as_slice);
                let (mails, raw_bytes, volume) = (tally.met, tally.raw_bytes, packing.volumes);
                surroundings.progress.advance(Step { mails, raw_bytes, volume, location });
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
        filtered: 0,
        exported: tally.exported,
        raw_bytes: tally.raw_bytes,
        unique_mails: None,
        vanished: 0,
        user_archives: tally.user_archives(),
        skipped: tally.skipped,
        not_mail: tally.not_mail,
        changed: Vec::new(),
        complete: false,
    })
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
