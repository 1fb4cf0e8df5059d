//! One step of an import: as many entries as make a pack, from reading to checkpoint.
//!
//! Order of effects: pack row `open` → pack durable → pack row `kept` → message rows → slice → slice row → checkpoint. A crash
//! leaves an open pack, or a kept one without rows, and the step is done again: never a row without bytes.

use std::time::Duration;

use super::{
    FailedEntry, Import, Tally,
    entries::Entries,
    read::STEP_BYTES,
    record::Recording,
    shard::Shard,
    slice::{Outcome, SliceEntry},
    walk::Walked,
};
use crate::{Archive, lease::Lease};

/// So many locations make a step: a mail may have thousands.
const STEP_LOCATIONS: usize = 100_000;

/// What a row may take to be written, at the end of the step: a small function writes a thousand in a second.
const ROW_TIME: Duration = Duration::from_millis(1);

/// Does one step and moves the shard forward; `stop` (boot clock) ends it early, after at least one batch.
pub(super) async fn run(
    archive: &Archive,
    import: &Import,
    entries: &mut Entries,
    lease: &mut Lease<Shard>,
    stop: Duration,
) -> crate::Result<()> {
    entries.begin_step();
    let mut recording = Recording::new(archive, import, lease.value().number, lease.fence());
    let mut walked = None;
    while let Some(batch) = entries.next().await? {
        lease.renew(archive).await?;
        entries.add(archive, &mut recording, batch.entries).await?;
        walked = follow(walked, batch.walked);
        let written = archive.clock.boot().saturating_add(ROW_TIME.saturating_mul(recording.rows()));
        let named = walked.as_ref().map_or(0, |walked| walked.not_mail.len() as u64);
        if written >= stop || named >= archive.sizes.step_mails || is_full(&recording, archive.sizes.step_mails) {
            break;
        }
    }
    lease.confirm(archive).await?;
    let done = recording.finish().await?;
    lease.confirm(archive).await?;
    checkpoint(archive, import, lease, done, walked).await
}

/// A step of a volume is planned by bytes and mails; that of a foreign file ends here.
fn is_full(recording: &Recording<'_>, mails: u64) -> bool {
    let is_planned = recording.entries() < mails && recording.stored_bytes() < STEP_BYTES;
    !is_planned || recording.locations() >= STEP_LOCATIONS
}

/// Two stretches of a walk as one.
fn follow(before: Option<Walked>, next: Option<Walked>) -> Option<Walked> {
    match (before, next) {
        (Some(mut before), Some(next)) => {
            before.not_mail.extend(next.not_mail);
            Some(Walked { not_mail: before.not_mail, ..next })
        }
        (before, next) => next.or(before),
    }
}

/// Failure rows, what is no mail, slice and its row, then the checkpoint: what is before it may be done again, what is
/// after it never is.
async fn checkpoint(
    archive: &Archive,
    import: &Import,
    lease: &mut Lease<Shard>,
    done: Vec<SliceEntry>,
    walked: Option<Walked>,
) -> crate::Result<()> {
    let (mut tally, mut all_failed) = (Tally::default(), Vec::new());
    for entry in &done {
        match &entry.outcome {
            Outcome::Imported(_) => tally.imported += 1,
            Outcome::AlreadyThere(_) => tally.already_there += 1,
            Outcome::Failed { code, reason, locator } => {
                tally.failed += 1;
                all_failed.push(FailedEntry::new(entry.number, code, reason, locator.as_deref()));
            }
        }
    }
    archive.put_failures(&import.id, all_failed).await?;
    if let Some(walked) = &walked {
        archive.note_not_mail(import, lease.value().not_mail, &walked.not_mail).await?;
    }
    let next = done.last().map_or(lease.value().next, |entry| entry.number + 1);
    // Of a foreign file nothing but what is no mail may have come.
    if !done.is_empty() {
        archive.put_slice(import, lease, done).await?;
    }
    let now = archive.clock.now();
    lease
        .save(archive, |shard| {
            shard.touched = now;
            shard.next = next;
            shard.tally = shard.tally.plus(tally);
            if let Some(walked) = walked {
                shard.follow(&walked);
            }
        })
        .await
}
