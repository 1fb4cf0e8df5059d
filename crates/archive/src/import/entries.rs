//! Where the entries of an import come from: a volume, or a foreign file.

use std::{collections::HashMap, ops::Range};

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

/// A pack grows to about this many stored bytes: S3 requests cost little per mail, and a worker that dies loses little.
pub(super) const STEP_BYTES: u64 = 64 << 20;

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
    located: Located,
    proven: Proven,
    reader: Option<BatchReader>,
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
        let volume = self.reopen(import, located.verify(Some(&certificate)).await?).await?;
        Ok(Entries::Volume(Box::new(InVolume { volume, located, proven: Proven::default(), reader: None })))
    }
}

impl Entries {
    /// Begins a step. Of a volume it is planned; of a foreign file the walk just goes on.
    pub(super) async fn begin_step(&mut self, archive: &Archive, shard: &Shard) -> Result<()> {
        if let Self::Volume(volume) = self {
            let entries = plan(&volume.volume, shard, archive.sizes.step_mails);
            volume.reader = Some(BatchReader::open(archive, &volume.volume, &volume.located, entries).await?);
        }
        Ok(())
    }

    /// The next batch; none at the end of the step.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>> {
        match self {
            Self::Volume(volume) => match &mut volume.reader {
                Some(reader) => reader.next().await,
                None => Err(Error::internal("no step was begun")),
            },
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
