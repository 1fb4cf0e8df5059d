//! The second walk: what came, moved or was written while the mails were read is exported too, and named.

use super::files::unread;
use super::known::{InVolumes, Written};
use super::named::Named;
use super::pipeline::{self, Arrival};
use super::writing::Writing;
use crate::Result;

/// The sink of the second walk, which meets only files that came or changed since the first one met them.
pub(super) struct Again<'a> {
    writing: Writing<'a>,
    in_volumes: InVolumes<'a>,
}

impl<'a> Again<'a> {
    /// After the first walk.
    pub(super) fn after(mut writing: Writing<'a>) -> Result<Self> {
        let target = writing.target;
        let none = Written::none_beside(writing.known, target.folder());
        let written = std::mem::replace(&mut writing.written, none);
        let in_volumes = written.sorted().map_err(|error| target.scratch_failed(error))?;
        Ok(Self { writing, in_volumes })
    }

    /// A mail of which no volume has the bytes, in that place, is exported beside what it was before.
    pub(super) fn take(&mut self, arrival: Arrival) -> Result<()> {
        let target = self.writing.target;
        let failed = |error| target.scratch_failed(error);
        match arrival {
            Arrival::Mail(prepared, found, about) => {
                if self.writing.met.meet_mail(&prepared.metadata).map_err(failed)? {
                    return self.writing.known(&about);
                }
                if self.in_volumes.insert(&prepared.metadata).map_err(failed)? {
                    return Ok(());
                }
                let reason = "came or changed while the export ran: exported as it is now, too".to_owned();
                self.writing.tally.changed.push(Named { source: about.key.clone(), reason });
                self.writing.write(*prepared, &about)?;
                self.writing.fresh.push(found, self.writing.surroundings.clock.now());
                Ok(())
            }
            Arrival::Skipped(named, _) => {
                self.writing.reader.root.check()?;
                self.writing.tally.changed.push(Named { reason: unread(&named.reason), ..named });
                Ok(())
            }
            Arrival::Known(..) | Arrival::Filtered(_) => Ok(()),
            Arrival::NotMail(_) | Arrival::Noted(_) | Arrival::ScratchFailed(_) => self.say(arrival),
        }
    }

    /// What is to be said of files of which all mails were met.
    pub(super) fn say(&mut self, arrival: Arrival) -> Result<()> {
        self.writing.take(arrival)
    }

    /// Looks once more at what was young when it was read, and gives back the sink.
    pub(super) fn finish(mut self) -> Result<Writing<'a>> {
        let fresh = std::mem::take(&mut self.writing.fresh);
        for found in fresh.rewritten() {
            let reader = self.writing.reader;
            self.take(pipeline::prepare_now(found, &|found| reader.prepare(found))?)?;
        }
        Ok(self.writing)
    }
}
