//! The counts of an export, kept while it runs and checked at its end.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use volume::Metadata;

use super::Step;
use super::changes::Changes;
use super::named::{Named, NamedList};
use super::records::Records;
use super::report::{Counts, FolderCount, UserArchiveCount};
use crate::{Error, Result};

/// What was met and what became of it.
pub(super) struct Tally {
    /// Mails in the volumes.
    pub(super) exported: u64,
    pub(super) raw_bytes: u64,
    /// The first half of the hash of each mail that is no reference to one in its volume: enough to tell mails apart
    /// that nobody made to collide, at half the memory.
    distinct: Records<16>,
    /// Counts by location.
    places: BTreeMap<Vec<String>, Counts>,
    /// Mails that the filter left out.
    pub(super) filtered: u64,
    pub(super) skipped: NamedList,
    pub(super) not_mail: NamedList,
    /// Mails that are others than were exported under their keys, and files that grew.
    pub(super) changed: Changes,
    /// Mails that the last walk met, whatever became of them.
    pub(super) met: u64,
    /// Their raw bytes, as far as they are known.
    pub(super) met_bytes: u64,
    /// Of those, mails that lay in a finished volume already.
    pub(super) known: u64,
    /// Mails that lay in finished volumes when the last walk began.
    pub(super) before: u64,
}

impl Tally {
    /// Nothing yet; what cannot be held in memory will lie in a nameless file in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            exported: 0,
            raw_bytes: 0,
            distinct: Records::new(folder),
            places: BTreeMap::new(),
            filtered: 0,
            skipped: NamedList::default(),
            not_mail: NamedList::default(),
            changed: Changes::default(),
            met: 0,
            met_bytes: 0,
            known: 0,
            before: 0,
        }
    }

    /// A mail was met, whatever becomes of it.
    pub(super) fn meet(&mut self, size_bytes: u64) {
        self.met += 1;
        self.met_bytes += size_bytes;
    }

    /// A mail lies in a volume.
    pub(super) fn exported(&mut self, metadata: &Metadata) -> io::Result<()> {
        self.export(&metadata.locations, metadata.size_bytes);
        // A copy is counted where it is not: with the mail that it refers to.
        let half = metadata.sha256.first_chunk().filter(|_| metadata.reference.is_none());
        half.map_or(Ok(()), |half| self.distinct.push(*half))
    }

    /// Counts a mail as exported: once where it lies first, and for what lies there in each of its locations.
    pub(super) fn export(&mut self, locations: &[Vec<String>], size_bytes: u64) {
        self.exported += 1;
        self.raw_bytes += size_bytes;
        for (at, location) in locations.iter().enumerate() {
            let counts = self.place(location);
            counts.mails += 1;
            counts.raw_bytes += size_bytes;
            counts.exported += u64::from(at == 0);
        }
    }

    /// The filter left a mail out that lies there first.
    pub(super) fn filter(&mut self, location: &[String]) {
        self.filtered += 1;
        self.place(location).filtered += 1;
    }

    /// A mail could not be read that lies there first.
    pub(super) fn skip(&mut self, named: Named, location: &[String]) {
        self.skipped.push(named);
        self.place(location).skipped += 1;
    }

    fn place(&mut self, location: &[String]) -> &mut Counts {
        self.places.entry(location.to_vec()).or_default()
    }

    /// How far the export is, after a mail that lies there.
    pub(super) fn step<'a>(&self, volume: u64, location: &'a [String]) -> Step<'a> {
        let mails = self.exported + self.filtered + self.skipped.len() as u64;
        Step { mails, met_bytes: self.met_bytes, raw_bytes: self.raw_bytes, volume, location }
    }

    pub(super) fn unique_mails(&mut self) -> io::Result<u64> {
        let mut unique = 0;
        self.distinct.sorted(&mut |part| {
            unique += part.chunk_by(|one, other| one == other).count() as u64;
            Ok(())
        })?;
        Ok(unique)
    }

    /// Exported mails that the last walk did not meet any more.
    pub(super) fn vanished(&self) -> u64 {
        self.before.saturating_sub(self.known)
    }

    /// How many mails were in the source, counted where they were met, and compared with the sum of their outcomes, in
    /// all and over all places.
    pub(super) fn in_source(&self) -> Result<u64> {
        let in_source = self.met + self.vanished();
        let outcomes = self.exported + self.filtered + self.skipped.len() as u64;
        let over_places: u64 = self.places.values().map(Counts::outcomes).sum();
        if in_source == outcomes && outcomes == over_places {
            return Ok(in_source);
        }
        let message = format!("{in_source} mails met, {outcomes} outcomes, {over_places} over all places");
        Err(Error::internal(format!("the numbers do not close: {message}")))
    }

    pub(super) fn user_archives(&self) -> Vec<UserArchiveCount> {
        let mut archives: Vec<UserArchiveCount> = Vec::new();
        for (location, counts) in &self.places {
            let Some((user_archive, path)) = location.split_first() else { continue };
            let counts = Counts { in_source: counts.outcomes(), ..counts.clone() };
            let folder = FolderCount { path: path.to_vec(), counts: counts.clone() };
            match archives.last_mut().filter(|last| last.user_archive == *user_archive) {
                Some(last) => {
                    last.counts.add(&counts);
                    last.folders.push(folder);
                }
                None => archives.push(UserArchiveCount {
                    user_archive: user_archive.clone(),
                    counts,
                    folders: vec![folder],
                }),
            }
        }
        archives
    }
}

#[cfg(test)]
mod tests {
    use volume::Metadata;

    use super::Tally;
    use crate::export::samples::metadata;

    #[test]
    fn copies_in_one_volume_are_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let mut tally = Tally::new(folder.path());
        let mail = |seed: u8, reference| Metadata { reference, ..metadata(seed) };
        // Two volumes: the first mail lies in both.
        for (seed, reference) in [(1, None), (1, Some(1)), (2, None), (1, Some(1)), (1, None), (1, Some(5))] {
            tally.exported(&mail(seed, reference)).unwrap();
        }
        assert_eq!((tally.exported, tally.distinct.len(), tally.unique_mails().unwrap()), (6, 3, 2));
    }
}
