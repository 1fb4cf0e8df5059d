//! The volumes of an export, one after the other: what fits goes into the open one, then the next one is begun.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use volume::{Closing, ExportKeys, Finished, Metadata, Totals, VolumeStart, VolumeWriter, WriteError};

use super::contents::Contents;
use super::prepare::Prepared;
use super::report::VolumeFile;
use super::target::Target;
use super::{Surroundings, rfc3339};
use crate::{Error, Result};

/// Larger than a local header and a small mail, so that most mails cost one write.
const BUFFER_BYTES: usize = 1 << 20;

/// What the volumes so far are, and where the next one continues.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) finished: Vec<VolumeFile>,
    pub(super) next_mail: u64,
    /// SHA-256 of the last finished volume's seal.
    pub(super) previous_seal: Option<[u8; 32]>,
    /// Whether the last finished volume says that it is the last.
    pub(super) has_ended: bool,
}

/// The open volume and those before it.
pub(super) struct Volumes<'a> {
    target: &'a Target<'a>,
    keys: &'a ExportKeys,
    limit_bytes: u64,
    surroundings: &'a Surroundings<'a>,
    chain: Chain,
    /// None only after a failure: then nothing more is written.
    open: Option<Open>,
}

/// A volume being written into its part file.
struct Open {
    name: String,
    writer: VolumeWriter<BufWriter<File>>,
    mails: u64,
    contents: Contents,
}

/// What became of a mail.
pub(super) enum Appended {
    Written(Metadata),
    /// It cannot be sealed in any volume, for this reason.
    Refused(String),
}

impl Chain {
    pub(super) fn new() -> Self {
        Self { finished: Vec::new(), next_mail: 1, previous_seal: None, has_ended: false }
    }

    /// The number of the volume that comes after the finished ones.
    pub(super) fn next_volume(&self) -> u64 {
        self.finished.len() as u64 + 1
    }
}

impl<'a> Volumes<'a> {
    /// Begins the volume after the finished ones.
    pub(super) fn begin(
        target: &'a Target<'a>,
        keys: &'a ExportKeys,
        limit_bytes: u64,
        surroundings: &'a Surroundings<'a>,
        chain: Chain,
    ) -> Result<Self> {
        let mut volumes = Self { target, keys, limit_bytes, surroundings, chain, open: None };
        let part = target.make_part(&target.volume(volumes.chain.next_volume()))?;
        volumes.open_next(part)?;
        Ok(volumes)
    }

    /// The number of the open volume.
    pub(super) fn number(&self) -> u64 {
        self.chain.next_volume()
    }

    /// Appends a mail, to the next volume if the open one has no room for it.
    pub(super) fn append(&mut self, mut mail: Prepared) -> Result<Appended> {
        // Values that the format does not take: a location of too many bytes, say.
        if let Err(rule) = mail.metadata.encode() {
            return Ok(Appended::Refused(rule.to_owned()));
        }
        if !self.fits(&mut mail)? {
            let is_empty = self.open()?.mails == 0;
            if is_empty || !volume::fits_alone(self.keys, &self.start(), plaintext_len(&mail)) {
                let limit = self.limit_bytes;
                return Ok(Appended::Refused(format!("does not fit into an empty volume of {limit} bytes")));
            }
            self.turn_over()?;
            if !self.fits(&mut mail)? {
                return Err(Error::internal("a mail does not fit into an empty volume for which it was small enough"));
            }
        }
        let name = self.target.volume(self.number());
        self.open()?.append(mail).map_err(|error| write_failed(self.target, &name, error))
    }

    /// Makes durable what the open volume has so far, so that little is left to do when it is finished.
    pub(super) fn flush(&mut self) -> Result<()> {
        let target = self.target;
        let Open { name, writer, .. } = self.open()?;
        let out = writer.get_mut();
        out.flush().and_then(|()| out.get_ref().sync_data()).map_err(|error| target.failed(name, error))
    }

    /// Finishes the last volume, up to its renaming: that is what makes the export whole. Returns its name too.
    pub(super) fn finish(mut self, totals: Totals) -> Result<(Chain, String)> {
        // Skipped mails are counted here alone: until the last walk has ended they are tried again.
        let name = self.close(totals.skipped, Some(totals))?;
        Ok((self.chain, name))
    }

    fn turn_over(&mut self) -> Result<()> {
        let full = self.close(0, None)?;
        // Before the renaming: the highest part file tells how many volumes were finished.
        let part = self.target.make_part(&self.target.volume(self.number()))?;
        self.target.publish(&full)?;
        self.open_next(part)
    }

    /// Seals the open volume and makes its bytes durable, not yet under its final name, which it returns.
    fn close(&mut self, skipped: u64, last: Option<Totals>) -> Result<String> {
        let open = self.open.take().ok_or_else(no_volume)?;
        let closing = Closing { previous_seal_sha256: self.chain.previous_seal, skipped, last };
        let failed = |error| write_failed(self.target, &open.name, error);
        let Finished { out, seal, seal_sha256, size_bytes } = open.writer.finish(closing).map_err(failed)?;
        let file = out.into_inner().map_err(|error| self.target.failed(&open.name, error.into_error()))?;
        self.target.flush_part(&open.name, &file)?;
        let seal_hash = Some(crate::hash::to_hex(&seal_sha256));
        let (file, mails) = (open.name.clone(), seal.mails);
        self.chain.finished.push(VolumeFile { file, bytes: size_bytes, mails, seal_sha256: seal_hash });
        self.chain.next_mail += seal.mails;
        self.chain.previous_seal = Some(seal_sha256);
        self.chain.has_ended = seal.last;
        Ok(open.name)
    }

    fn open_next(&mut self, part: File) -> Result<()> {
        let name = self.target.volume(self.number());
        let out = BufWriter::with_capacity(BUFFER_BYTES, part);
        let scratch = self.target.scratch()?;
        let writer = VolumeWriter::with_scratch(out, Box::new(scratch), self.keys, &self.start())
            .map_err(|error| write_failed(self.target, &name, error))?;
        self.open = Some(Open { name, writer, mails: 0, contents: Contents::new(self.target.folder()) });
        Ok(())
    }

    /// What the volume after the finished ones begins with, with a fresh salt each time.
    fn start(&self) -> VolumeStart {
        let mut salt = [0; 32];
        self.surroundings.random.fill(&mut salt);
        VolumeStart {
            name: self.target.name().to_owned(),
            number: self.chain.next_volume(),
            created: rfc3339(self.surroundings.clock.now()),
            generator: self.surroundings.generator.to_owned(),
            first_mail: self.chain.next_mail,
            limit_bytes: self.limit_bytes,
            salt,
        }
    }

    fn fits(&mut self, mail: &mut Prepared) -> Result<bool> {
        let target = self.target;
        self.open()?.fits(mail).map_err(|error| target.scratch_failed(error))
    }

    fn open(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(no_volume)
    }
}

impl Open {
    /// Whether there is room; makes the mail a reference if this volume holds its bytes already.
    fn fits(&mut self, mail: &mut Prepared) -> io::Result<bool> {
        let content = (mail.metadata.sha256, mail.metadata.size_bytes);
        mail.metadata.reference = self.contents.number(&content)?;
        let fits = self.writer.fits(plaintext_len(mail));
        if !fits {
            mail.metadata.reference = None;
        }
        Ok(fits)
    }

    fn append(&mut self, mut mail: Prepared) -> Result<Appended, WriteError> {
        let (mut nothing, mut frame);
        let (frame, frame_len): (&mut dyn Read, u64) = if mail.metadata.reference.is_some() {
            nothing = io::empty();
            (&mut nothing, 0)
        } else {
            let len = mail.frame.len();
            frame = mail.frame.reader()?;
            (&mut frame, len)
        };
        let number = match self.writer.append(&mail.metadata, frame, frame_len) {
            Err(WriteError::Invalid(rule)) => return Ok(Appended::Refused(rule)),
            other => other?,
        };
        self.mails += 1;
        if mail.metadata.reference.is_none() {
            self.contents.add(&(mail.metadata.sha256, mail.metadata.size_bytes), number)?;
        }
        Ok(Appended::Written(mail.metadata))
    }
}

/// Length word, metadata, and the frame unless there is a reference instead.
fn plaintext_len(mail: &Prepared) -> u64 {
    let frame_len = if mail.metadata.reference.is_some() { 0 } else { mail.frame.len() };
    // What cannot be encoded was refused before.
    let metadata_len = mail.metadata.encode().map_or(u64::MAX, |encoded| encoded.len() as u64);
    metadata_len.saturating_add(4).saturating_add(frame_len)
}

fn no_volume() -> Error {
    Error::internal("no volume is open")
}

fn write_failed(target: &Target<'_>, name: &str, error: WriteError) -> Error {
    match error {
        WriteError::Io(error) => target.failed(name, error),
        other => Error::internal(format!("{name}: {other}")),
    }
}
