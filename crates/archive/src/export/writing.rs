//! The sink of the pipeline.

use super::Surroundings;
use super::fresh::Fresh;
use super::known::{Known, Met, Written};
use super::named::Named;
use super::pipeline::{self, About, Arrival};
use super::prepare::{Prepared, Reader};
use super::tally::Tally;
use super::target::Target;
use super::volumes::{Appended, Volumes};
use crate::Result;

/// Seals mails in order and counts everything.
pub(super) struct Writing<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) volumes: Volumes<'a>,
    pub(super) tally: Tally,
    pub(super) known: &'a Known,
    pub(super) met: Met<'a>,
    pub(super) written: Written<'a>,
    pub(super) reader: &'a Reader<'a>,
    pub(super) fresh: Fresh,
    pub(super) surroundings: &'a Surroundings<'a>,
}

impl Writing<'_> {
    pub(super) fn take(&mut self, arrival: Arrival) -> Result<()> {
        match arrival {
            Arrival::NotMail(named) => self.tally.not_mail.push(named),
            Arrival::Noted(named) => self.tally.changed.push(named),
            Arrival::Known(found, mark) => {
                let is_met = self.met.meet(&mark).map_err(|error| self.target.scratch_failed(error))?;
                if !is_met {
                    // As many of its kind as were exported have been met before it.
                    let reader = self.reader;
                    return self.take(pipeline::prepare_now(found, &|found| reader.prepare(found))?);
                }
                self.known(&About::of(&found))?;
            }
            Arrival::Filtered(about) => {
                self.tally.changed.extend(about.change());
                self.tally.meet(about.size_bytes);
                self.tally.filter(&about.location);
                self.tell(&about.location);
            }
            Arrival::Skipped(named, about) => {
                // If the whole source is gone, this is no mail's fault.
                self.reader.root.check()?;
                self.tally.meet(about.size_bytes);
                self.tally.skip(named, &about.location);
                self.tell(&about.location);
            }
            Arrival::Mail(prepared, found, about) => {
                self.append(*prepared, &about)?;
                self.fresh.push(found, self.surroundings.clock.now());
            }
            Arrival::ScratchFailed(error) => return Err(self.target.scratch_failed(error)),
        }
        Ok(())
    }

    pub(super) fn append(&mut self, prepared: Prepared, about: &About) -> Result<()> {
        // It may have got another name, or have been read only on a second attempt.
        if self.met.meet_mail(&prepared.metadata).map_err(|error| self.target.scratch_failed(error))? {
            return self.known(about);
        }
        self.tally.changed.extend(about.change());
        self.write(prepared, about)
    }

    /// Counts a mail that is in no volume yet, and seals it.
    pub(super) fn write(&mut self, prepared: Prepared, about: &About) -> Result<()> {
        self.tally.meet(prepared.metadata.size_bytes);
        match self.volumes.append(prepared)? {
            Appended::Refused(reason) => {
                self.tally.skip(Named { source: about.key.clone(), reason }, &about.location);
            }
            Appended::Written(metadata) => {
                let counted = self.tally.exported(&metadata).and_then(|()| self.written.add(&metadata));
                counted.map_err(|error| self.target.scratch_failed(error))?;
            }
        }
        self.tell(&about.location);
        Ok(())
    }

    /// A mail that lies in a finished volume.
    pub(super) fn known(&mut self, about: &About) -> Result<()> {
        if self.known.has_several(&about.key).map_err(|error| self.target.scratch_failed(error))? {
            let reason = "another mail was exported from there before, too".to_owned();
            self.tally.changed.push(Named { source: about.key.clone(), reason });
        }
        self.tally.meet(about.size_bytes);
        self.tally.known += 1;
        self.tell(&about.location);
        Ok(())
    }

    fn tell(&self, location: &[String]) {
        let volume = self.volumes.number();
        self.surroundings.progress.advance(self.tally.step(volume, location));
    }
}
