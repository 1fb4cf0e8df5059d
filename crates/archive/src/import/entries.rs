//! Where the entries of an import come from: a volume, or a foreign file.

use std::{collections::HashMap, sync::Arc};

use volume::Volume;

use super::{
    FailedEntry, Import,
    foreign::Foreign,
    open::Located,
    read::{Batch, BatchReader, Entry, OpenedMail},
    record::Recording,
    shard::Shard,
    walk::Walk,
};
use crate::{Archive, Error, MailHash, Result};

/// Mails of this volume that this worker has looked at, by number: what references may name. A damaged one is
/// remembered with its reason, so that ten thousand references to it cost one look.
pub(super) type Proven = HashMap<u64, Result<(MailHash, u64), String>>;

/// The entries of one import, for one worker's turn.
pub(super) enum Entries {
    Volume(Box<InVolume>),
    Foreign(Walk),
}

/// A volume, read step by step.
pub(super) struct InVolume {
    volume: Volume,
    located: Arc<Located>,
    proven: Proven,
    reader: BatchReader,
    step_has_ended: bool,
}

impl Archive {
    /// Opens what the import reads, where the shard stands.
    pub(super) async fn entries_of(&self, import: &Import, shard: &Shard) -> Result<Entries> {
        if import.is_foreign() {
            let foreign = Foreign::known(self, &import.source, Some(&import.etag), import.kind).await?;
            return Ok(Entries::Foreign(Walk::begin(self, &foreign, shard.position, shard.next)));
        }
        let located = Located::find(self, &import.source, Some(&import.etag)).await?;
        let certificate = Self::certificate_of(import)?;
        let verified = self.in_hand.verified(import, &located, &certificate).await?;
        let volume = self.reopen(import, verified).await?;
        let located = Arc::new(located);
        let reader = BatchReader::open(self, &volume, &located, shard.next..shard.entries.end);
        let proven = Proven::default();
        Ok(Entries::Volume(Box::new(InVolume { volume, located, proven, reader, step_has_ended: false })))
    }
}

impl Entries {
    /// Begins the next step.
    pub(super) fn begin_step(&mut self) {
        if let Self::Volume(volume) = self {
            volume.step_has_ended = false;
        }
    }

    /// The next batch; none at the end of the step.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>> {
        match self {
            Self::Volume(volume) => volume.next().await,
            Self::Foreign(walk) => walk.next().await,
        }
    }

    /// Takes the entries of a batch into the step; a reference needs its target proven first.
    pub(super) async fn add(
        &mut self,
        archive: &Archive,
        recording: &mut Recording<'_>,
        entries: Vec<Entry>,
    ) -> Result<()> {
        let mut mails: Vec<OpenedMail> = Vec::with_capacity(entries.len());
        for entry in entries {
            match (entry, &mut *self) {
                (Entry::Mail(mail), entries) => {
                    entries.note(mail.number, Ok((MailHash(mail.metadata.sha256), mail.metadata.size_bytes)));
                    mails.push(mail);
                }
                (Entry::Failed(failed), entries) => {
                    entries.note(failed.number, Err(failed.reason.clone()));
                    recording.fail(failed);
                }
                (Entry::Reference { number, metadata }, Self::Volume(volume)) => {
                    let hash = MailHash(metadata.sha256);
                    let held = recording.holds(&hash) || mails.iter().any(|mail| mail.metadata.sha256 == hash.0);
                    let InVolume { volume, located, proven, .. } = &mut **volume;
                    let entry = (number, metadata);
                    match super::reference::resolve(archive, volume, located, proven, held, entry).await? {
                        Ok(mail) => mails.push(mail),
                        Err(reason) => recording.fail(FailedEntry::damaged(number, reason)),
                    }
                }
                (Entry::Reference { number, .. }, Self::Foreign(_)) => {
                    return Err(Error::internal(format!("entry {number} of a foreign file is a reference")));
                }
            }
        }
        recording.add(mails).await
    }

    /// Remembers what was looked at, for the references of a volume.
    fn note(&mut self, number: u64, looked: Result<(MailHash, u64), String>) {
        if let Self::Volume(volume) = self {
            volume.proven.insert(number, looked);
        }
    }
}

impl InVolume {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.step_has_ended {
            return Ok(None);
        }
        let batch = self.reader.next().await?.ok_or_else(|| Error::internal("a task ended early"))?;
        self.step_has_ended = batch.ends_step;
        Ok(Some(batch))
    }
}
