//! One step of an import: as many entries as make a pack, from reading to checkpoint.
//!
//! Order of effects: pack row `open` → pack durable → pack row `kept` → message rows → slice → slice row → checkpoint. A crash
//! leaves an open pack, or a kept one without rows, and the step is done again: never a row without bytes.

use std::{collections::HashMap, ops::Range, time::Duration};

use volume::Volume;

use super::{
    Import, Tally,
    open::Located,
    read::{Batch, BatchReader, Entry, OpenedMail},
    record::Recording,
    shard::Shard,
    slice::{Outcome, SliceEntry},
};
use crate::{Archive, MailHash, lease::Lease};

/// A pack grows to about this many stored bytes: S3 requests cost little per mail, and a worker that dies loses little.
const STEP_BYTES: u64 = 64 << 20;

/// Mails of this volume that this worker has looked at, by number: what references may name. A damaged one is
/// remembered with its reason, so that ten thousand references to it cost one look.
pub(super) type Proven = HashMap<u64, Result<(MailHash, u64), String>>;

/// So many locations make a step: a mail may have thousands.
const STEP_LOCATIONS: usize = 100_000;

/// What a row may take to be written, at the end of the step: a small function writes a thousand in a second.
const ROW_TIME: Duration = Duration::from_millis(1);

/// Does one step and moves the shard forward; `stop` (boot clock) ends it early, after at least one batch.
pub(super) async fn run(
    archive: &Archive,
    import: &Import,
    volume: &Volume,
    located: &Located,
    lease: &mut Lease<Shard>,
    proven: &mut Proven,
    stop: Duration,
) -> crate::Result<()> {
    let entries = plan(volume, lease.value(), archive.sizes.step_mails);
    let mut reader = BatchReader::open(archive, volume, located, entries).await?;
    let mut recording = Recording::new(archive, import, lease.value().number, lease.fence());
    while let Some(batch) = reader.next().await? {
        lease.renew(archive).await?;
        add(archive, volume, located, &mut recording, proven, batch).await?;
        let written = archive.clock.boot().saturating_add(ROW_TIME.saturating_mul(recording.rows()));
        if written >= stop || recording.locations() >= STEP_LOCATIONS {
            break;
        }
    }
    lease.confirm(archive).await?;
    let done = recording.finish().await?;
    lease.confirm(archive).await?;
    checkpoint(archive, import, lease, done).await
}

/// The entries of the next step: by stored bytes, which the signed catalogue tells beforehand.
fn plan(volume: &Volume, shard: &Shard, mails: u64) -> Range<u64> {
    let most = shard.entries.end.min(shard.next + mails);
    let mut bytes = 0;
    let fits = |number: &u64| {
        bytes += volume.verified().stored(*number).map_or(0, |stored| stored.len);
        *number == shard.next || bytes <= STEP_BYTES
    };
    let count = (shard.next..most).take_while(fits).count() as u64;
    shard.next..shard.next + count
}

/// Takes the mails of a batch into the step; a reference needs its target proven first.
async fn add(
    archive: &Archive,
    volume: &Volume,
    located: &Located,
    recording: &mut Recording<'_>,
    proven: &mut Proven,
    batch: Batch,
) -> crate::Result<()> {
    let mut mails: Vec<OpenedMail> = Vec::with_capacity(batch.len());
    for entry in batch {
        match entry {
            Entry::Mail(mail) => {
                proven.insert(mail.number, Ok((MailHash(mail.metadata.sha256), mail.metadata.size_bytes)));
                mails.push(mail);
            }
            Entry::Reference { number, metadata } => {
                let hash = MailHash(metadata.sha256);
                let held = recording.holds(&hash) || mails.iter().any(|mail| mail.metadata.sha256 == hash.0);
                let entry = (number, metadata);
                match super::reference::resolve(archive, volume, located, proven, held, entry).await? {
                    Ok(mail) => mails.push(mail),
                    Err(reason) => recording.fail(number, reason),
                }
            }
            Entry::Damaged { number, reason } => {
                proven.insert(number, Err(reason.clone()));
                recording.fail(number, reason);
            }
        }
    }
    recording.add(mails).await
}

/// Failure rows, slice and its row, then the checkpoint: what is before it may be done again, what is after it never is.
async fn checkpoint(
    archive: &Archive,
    import: &Import,
    lease: &mut Lease<Shard>,
    done: Vec<SliceEntry>,
) -> crate::Result<()> {
    let mut tally = Tally::default();
    for entry in &done {
        match &entry.outcome {
            Outcome::Imported(_) => tally.imported += 1,
            Outcome::AlreadyThere(_) => tally.already_there += 1,
            Outcome::Failed { code, reason } => {
                tally.failed += 1;
                archive.note_failure(import, entry.number, code, reason).await?;
            }
        }
    }
    let next = done.last().map_or(lease.value().next, |entry| entry.number + 1);
    archive.put_slice(import, lease, done).await?;
    let now = archive.clock.now();
    lease
        .save(archive, |shard| {
            shard.touched = now;
            shard.next = next;
            shard.tally = shard.tally.plus(tally);
        })
        .await
}
