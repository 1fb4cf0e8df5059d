//! Reading the finished volumes of an unfinished export back: they alone say how far it had come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use volume::{ExportKeys, HEAD_BYTES, Metadata, OpenError, Parts, Secret, TAIL_BYTES, Verified, Volume};

use super::Progress;
use super::known::{Exported, Known};
use super::report::VolumeFile;
use super::tally::Tally;
use super::target::{Present, Target};
use super::volumes::Chain;
use crate::{Error, Result};

/// What is in the finished volumes.
pub(super) struct Resumed {
    pub(super) chain: Chain,
    pub(super) known: Known,
}

/// Reads every finished volume and counts its mails in `tally`.
/// `began` is when the export was begun, in Unix seconds.
pub(super) fn read_back(
    target: &Target<'_>,
    keys: &ExportKeys,
    began: i64,
    tally: &mut Tally,
    progress: &dyn Progress,
) -> Result<Resumed> {
    let present = target.present()?;
    let mut reading = Reading { chain: Chain::new(), exported: Exported::new(target.folder()) };
    while present.volumes.contains(&reading.chain.next_volume()) && !reading.chain.has_ended {
        progress.checking(reading.chain.next_volume(), present.volumes.len() as u64);
        reading.add_volume(target, keys, tally)?;
    }
    let Reading { chain, exported } = reading;
    refuse_missing(target, &present, &chain)?;
    tally.before = tally.exported;
    let known = exported.sorted(began).map_err(|error| target.scratch_failed(error))?;
    Ok(Resumed { chain, known })
}

/// The part files tell how many volumes were finished: each is made before the volume in front of it is renamed.
fn refuse_missing(target: &Target<'_>, present: &Present, chain: &Chain) -> Result<()> {
    let next = chain.next_volume();
    let hint = "move it back beside the others, then the same command again goes on; or begin anew with another --name";
    let began = !present.parts.is_empty() || !present.volumes.is_empty() || target.exists(&target.certificate())?;
    if chain.has_ended && present.volumes.last().is_none_or(|last| *last < next) || !began {
        return Ok(());
    }
    // The next volume is the open one only if its part file is there, and no later one but that made right before its
    // renaming.
    let is_open = present.parts.contains(&next)
        && present.parts.last().is_some_and(|last| *last <= next + 1)
        && present.volumes.last().is_none_or(|last| *last < next);
    if is_open && !chain.has_ended {
        return Ok(());
    }
    let name = target.volume(next);
    let folder = target.folder().display();
    Err(if chain.has_ended {
        Error::invalid(format!(
            "{folder} holds volumes behind {last}, the last one of the export",
            last = chain.next_volume() - 1
        ))
        .hint("move them away, then the same command again goes on")
    } else {
        Error::invalid(format!("{name} was finished and is not in {folder} any more")).hint(hint)
    })
}

/// What was read so far.
struct Reading {
    chain: Chain,
    exported: Exported,
}

impl Reading {
    fn add_volume(&mut self, target: &Target<'_>, keys: &ExportKeys, tally: &mut Tally) -> Result<()> {
        let name = target.volume(self.chain.next_volume());
        let (mut file, bytes) = target.open(&name)?;
        let opened = open_volume(&mut file, bytes, keys).map_err(|trouble| trouble.of(target, &name))?;
        self.refuse_foreign(target, &name, keys, opened.verified())?;
        for number in opened.verified().numbers() {
            let metadata = read_mail(&mut file, &opened, number).map_err(|trouble| trouble.of(target, &name))?;
            let added = self.exported.add(&metadata);
            added.and_then(|()| tally.exported(&metadata)).map_err(|error| target.scratch_failed(error))?;
        }
        let seal = opened.verified().seal();
        let seal_sha256 = Some(crate::hash::to_hex(opened.verified().seal_sha256()));
        self.chain.finished.push(VolumeFile { file: name, bytes, mails: seal.mails, seal_sha256 });
        self.chain.next_mail += seal.mails;
        self.chain.previous_seal = Some(*opened.verified().seal_sha256());
        self.chain.has_ended = seal.last;
        Ok(())
    }

    /// A signed volume of this export may still not be the one that belongs here.
    fn refuse_foreign(&self, target: &Target<'_>, name: &str, keys: &ExportKeys, volume: &Verified) -> Result<()> {
        let seal = volume.seal();
        let belongs = seal.export_id == keys.export_id()
            && seal.volume == self.chain.next_volume()
            && seal.first_mail == self.chain.next_mail
            && seal.previous_seal_sha256 == self.chain.previous_seal;
        if belongs {
            return Ok(());
        }
        Err(Error::invalid(format!("{name} in {} is not that volume of this export", target.folder().display()))
            .hint("put the right one in its place, or begin anew with another --name"))
    }
}

/// Why a finished volume could not be read back.
enum Trouble {
    Io(io::Error),
    Volume(String),
}

impl Trouble {
    fn of(self, target: &Target<'_>, name: &str) -> Error {
        match self {
            Self::Io(error) => target.failed(name, error),
            Self::Volume(reason) => Error::corrupt(format!("{}: {reason}", target.folder().join(name).display()))
                .hint("put a good copy of this volume in its place, or begin anew with another --name"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<volume::Error> for Trouble {
    fn from(error: volume::Error) -> Self {
        Self::Volume(error.to_string())
    }
}

fn open_volume(file: &mut File, bytes: u64, keys: &ExportKeys) -> Result<Volume, Trouble> {
    let head = read_range(file, 0..HEAD_BYTES.min(bytes))?;
    let tail = read_range(file, bytes.saturating_sub(TAIL_BYTES)..bytes)?;
    let plan = volume::locate(&head, &tail, bytes)?;
    let header = read_range(file, plan.header.clone())?;
    let seal = read_range(file, plan.seal.clone())?;
    let signature = read_range(file, plan.signature.clone())?;
    let catalogue = read_range(file, plan.catalogue.clone())?;
    let parts = Parts { header: &header, catalogue, seal: &seal, signature: &signature };
    let verified = plan.verify(parts, Some(keys.certificate()))?;
    let secret = keys.content_key().map_or(Secret::None, Secret::ContentKey);
    Ok(verified.unlock(secret)?)
}

fn read_range(file: &mut File, range: Range<u64>) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The metadata of one mail, whose stored bytes are compared with the signed catalogue.
fn read_mail(file: &mut File, volume: &Volume, number: u64) -> Result<Metadata, Trouble> {
    let missing = || Trouble::Volume(format!("mail {number} is missing"));
    let stored = volume.verified().stored(number).ok_or_else(missing)?;
    file.seek(SeekFrom::Start(stored.offset))?;
    volume.open_metadata(number, &mut file.take(stored.len)).map_err(|error| match error {
        OpenError::Io(error) => Trouble::Io(error),
        other => Trouble::Volume(other.to_string()),
    })
}
