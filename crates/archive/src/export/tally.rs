//! The counts of an export, kept while it runs and checked at its end.

use std::collections::{BTreeMap, HashSet};

use volume::Metadata;

use super::report::{FolderCount, Named, UserArchiveCount};
use crate::{Error, Result};

/// What was met and what became of it.
#[derive(Default)]
pub(super) struct Tally {
    /// Mails in the volumes.
    pub(super) exported: u64,
    pub(super) raw_bytes: u64,
    /// The first half of each hash: enough to tell mails apart that nobody made to collide, at half the memory.
    distinct: HashSet<[u8; 16]>,
    /// Mails and bytes by location.
    places: BTreeMap<Vec<String>, (u64, u64)>,
    pub(super) skipped: Vec<Named>,
    pub(super) not_mail: Vec<Named>,
    pub(super) changed: Vec<Named>,
    /// Mails that the last walk met, whatever became of them.
    pub(super) met: u64,
    /// Of those, mails that lay in a finished volume already.
    pub(super) known: u64,
    /// Mails that lay in finished volumes when the last walk began.
    pub(super) before: u64,
}

impl Tally {
    pub(super) fn exported(&mut self, metadata: &Metadata) {
        self.exported += 1;
        self.raw_bytes += metadata.size_bytes;
        self.distinct.extend(metadata.sha256.first_chunk::<16>());
        for location in &metadata.locations {
            self.place(location, metadata.size_bytes);
        }
    }

    /// A mail that was met and could not be read.
    pub(super) fn skip(&mut self, named: Named) {
        self.met += 1;
        self.skipped.push(named);
    }

    pub(super) fn place(&mut self, location: &[String], size_bytes: u64) {
        if let Some((mails, bytes)) = self.places.get_mut(location) {
            *mails += 1;
            *bytes += size_bytes;
        } else {
            self.places.insert(location.to_vec(), (1, size_bytes));
        }
    }

    pub(super) fn unique_mails(&self) -> u64 {
        self.distinct.len() as u64
    }

    /// Exported mails that the last walk did not meet any more.
    pub(super) fn vanished(&self) -> u64 {
        self.before.saturating_sub(self.known)
    }

    /// How many mails were in the source, counted where they were met, and compared with the sum of their outcomes.
    pub(super) fn in_source(&self) -> Result<u64> {
        let in_source = self.met + self.vanished();
        let outcomes = self.exported + self.skipped.len() as u64;
        if in_source == outcomes {
            return Ok(in_source);
        }
        Err(Error::internal(format!("the numbers do not close: {in_source} mails met, {outcomes} outcomes")))
    }

    pub(super) fn user_archives(&self) -> Vec<UserArchiveCount> {
        let mut archives: Vec<UserArchiveCount> = Vec::new();
        for (location, &(mails, raw_bytes)) in &self.places {
            let Some((user_archive, path)) = location.split_first() else { continue };
            let folder = FolderCount { path: path.to_vec(), mails, raw_bytes };
            match archives.last_mut().filter(|last| last.user_archive == *user_archive) {
                Some(last) => {
                    last.mails += mails;
                    last.raw_bytes += raw_bytes;
                    last.folders.push(folder);
                }
                None => archives.push(UserArchiveCount {
                    user_archive: user_archive.clone(),
                    mails,
                    raw_bytes,
                    folders: vec![folder],
                }),
            }
        }
        archives
    }
}
