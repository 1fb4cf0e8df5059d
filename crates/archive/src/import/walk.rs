//! The walk through a foreign file: its mails read, hashed, dated and compressed on a thread of its own, handed over in
//! small batches. Entries are numbered from 1 in the order of the walk, those that failed among them; what is no mail has
//! no number.

use std::{path::PathBuf, sync::Arc};

use mail::FallbackDate;
use mail::source::{Container, Found, Item, NO_ARCHIVE, Position};
use tokio::sync::mpsc;
use volume::{Compressor, MAX_RAW_BYTES, Metadata};

use super::{
    FailedEntry, NotMail,
    foreign::{self, Foreign},
    ranged::RangedContent,
    read::{BATCH_BYTES, Batch, Entry, OpenedMail, summarize, unreadable},
};
use crate::{
    Archive, Error, FolderPath, Location, Result,
    export::{Trouble, Witness, metadata_of, reason},
    restructure::folder_path,
    store::{Frame, Frames},
    uploads::Kind,
};

/// Names of what failed or is no mail are cut: a name in a ZIP may have 64 KiB.
const LOCATOR_BYTES: usize = 1024;
const REASON_BYTES: usize = 400;

/// What a batch says beside its entries.
pub(super) struct Walked {
    /// Behind the batch.
    pub(super) position: Position,
    pub(super) not_mail: Vec<NotMail>,
    /// Nothing comes behind it.
    pub(super) has_ended: bool,
}

/// Hands out the batches of a walk.
pub(super) struct Walk {
    batches: mpsc::Receiver<Result<Batch>>,
    has_ended: bool,
}

impl Walk {
    /// Goes on at `position`, where the next entry is number `next`.
    pub(super) fn begin(archive: &Archive, foreign: &Foreign, position: Position, next: u64) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let (foreign, content) = (foreign.clone(), foreign.content());
        let (scratch, mails) = (archive.scratch.clone(), archive.sizes.batch_mails);
        tokio::task::spawn_blocking(move || {
            let walked = Walker::open(&foreign, content, scratch).and_then(|mut walker| {
                walker.container.go_to(position);
                walker.walk(next, mails, |batch| sender.blocking_send(Ok(batch)).is_ok())
            });
            if let Err(error) = walked {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self { batches, has_ended: false }
    }

    /// The next batch; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>> {
        if self.has_ended {
            return Ok(None);
        }
        let batch = self.batches.recv().await.ok_or_else(|| Error::internal("a task ended early"))??;
        self.has_ended = batch.walked.as_ref().is_none_or(|walked| walked.has_ended);
        Ok(Some(batch))
    }
}

struct Walker {
    container: Container,
    content: Arc<RangedContent>,
    /// The file's name without its last extension.
    user_archive: String,
    /// The date of a mail that says none and has no other.
    file_date: Option<FallbackDate>,
    frames: Frames,
    compressor: Compressor,
}

impl Walker {
    fn open(foreign: &Foreign, content: Arc<RangedContent>, scratch: PathBuf) -> Result<Self> {
        let container = foreign::open(&content, foreign.name(), &scratch)?;
        let compressor = Compressor::new().map_err(|e| Error::internal("nothing can be compressed").caused_by(e))?;
        let user_archive = stem(foreign.name()).to_owned();
        let file_date =
            (foreign.kind == Kind::Eml && foreign.has_own_time).then_some(FallbackDate::File(foreign.meta.modified));
        let frames = Frames::new(scratch);
        Ok(Self { container, content, user_archive, file_date, frames, compressor })
    }

    fn walk(&mut self, next: u64, mails: usize, mut send: impl FnMut(Batch) -> bool) -> Result<()> {
        let mut next = next;
        loop {
            let batch = self.batch(next, mails)?;
            next += batch.entries.len() as u64;
            let has_ended = batch.walked.as_ref().is_none_or(|walked| walked.has_ended);
            if !send(batch) || has_ended {
                return Ok(());
            }
        }
    }

    fn batch(&mut self, first: u64, mails: usize) -> Result<Batch> {
        let (mut entries, mut not_mail, mut bytes, mut has_ended) = (Vec::new(), Vec::new(), 0, false);
        while entries.len() + not_mail.len() < mails && bytes < BATCH_BYTES {
            let Some(item) = self.container.next() else {
                has_ended = true;
                break;
            };
            self.content.check()?;
            let number = first + entries.len() as u64;
            match item {
                Item::Mail(found) => {
                    let entry = self.entry(number, found)?;
                    bytes += entry.stored_bytes();
                    entries.push(entry);
                }
                Item::Skipped { source, reason, .. } => {
                    let code = if reason == "empty" { "empty" } else { "unreadable" };
                    entries.push(Entry::Failed(self.failed(number, &source, code, &reason)));
                }
                Item::ScratchFailed(error) => return Err(unreadable(error)),
                // Of a file that somebody else writes, which an upload is not.
                Item::Noted { .. } => {}
                Item::NotMail { source, reason } => {
                    not_mail.push(NotMail { locator: self.locator(&source), reason: cut(&reason, REASON_BYTES) });
                }
            }
        }
        self.content.check()?;
        let walked = Walked { position: self.container.reached(), not_mail, has_ended };
        Ok(Batch { entries, walked: Some(walked), ends_step: false })
    }

    /// Reads a mail; what is wrong with it is an outcome, what is wrong around it is an error.
    fn entry(&mut self, number: u64, mut found: Found) -> Result<Entry> {
        if found.size_bytes > MAX_RAW_BYTES {
            let reason = format!("larger than {MAX_RAW_BYTES} bytes");
            return Ok(Entry::Failed(self.failed(number, &found.key, "over_limit", &reason)));
        }
        found.fallback_date = found.fallback_date.or(self.file_date);
        let folders = found.locations.iter().map(|location| folder_of(location)).collect();
        let archive = &self.user_archive;
        found.locations = found.locations.into_iter().map(|location| with_archive(location, archive)).collect();
        let read = self.read(&found);
        self.content.check()?;
        match read {
            Ok((metadata, summary, frame)) => {
                Ok(Entry::Mail(OpenedMail { number, metadata, frame: Some(frame), summary, folders }))
            }
            Err(Trouble::Source(error)) => {
                Ok(Entry::Failed(self.failed(number, &found.key, "mail_damaged", &reason(&error))))
            }
            Err(Trouble::Target(error)) => Err(unreadable(error)),
        }
    }

    fn read(&mut self, found: &Found) -> Result<(Metadata, mail::Summary, Frame), Trouble> {
        let mut raw = Witness::new(found.open().map_err(Trouble::Source)?);
        let mut frame = self.frames.begin();
        let sha256 = self.compressor.compress(&mut raw, found.size_bytes, &mut frame);
        let sha256 = sha256.map_err(|error| raw.trouble(error))?;
        let start = raw.start();
        let metadata = metadata_of(found, sha256, start, start.len() as u64 == found.size_bytes);
        let summary = summarize(start, found.size_bytes);
        Ok((metadata, summary, frame.into_frame().map_err(Trouble::Target)?))
    }

    fn failed(&self, number: u64, key: &str, code: &str, reason: &str) -> FailedEntry {
        let locator = self.locator(key);
        FailedEntry { number, locator, code: code.into(), reason: cut(reason, REASON_BYTES) }
    }

    fn locator(&self, key: &str) -> String {
        cut(&self.container.locator(key), LOCATOR_BYTES)
    }
}

/// Where a mail lies in the target mailbox: its location, without a user archive that the file itself does not name.
fn folder_of(location: &[String]) -> FolderPath {
    match location.split_first() {
        Some((first, path)) if first == NO_ARCHIVE => folder_path(path),
        _ => folder_path(location),
    }
}

fn with_archive(mut location: Location, user_archive: &str) -> Location {
    if let Some(first) = location.first_mut().filter(|first| *first == NO_ARCHIVE) {
        user_archive.clone_into(first);
    }
    location
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map(|(stem, _)| stem).filter(|stem| !stem.is_empty()).unwrap_or(name)
}

fn cut(text: &str, bytes: usize) -> String {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{cut, folder_of, stem, with_archive};

    #[test]
    fn a_user_archive_that_was_put_in_is_no_folder() {
        let location = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (found, folder, kept) in [
            (location(&["a", "b"]), location(&["a", "b"]), location(&["a", "b"])),
            (location(&["/", "Inbox"]), location(&["Inbox"]), location(&["old", "Inbox"])),
            (location(&["/"]), location(&[]), location(&["old"])),
            (location(&["old"]), location(&["old"]), location(&["old"])),
        ] {
            assert_eq!((folder_of(&found).0, with_archive(found, "old")), (folder, kept));
        }
    }

    #[test]
    fn names_are_cut_between_letters() {
        assert_eq!((stem("a.b.zip"), stem(".zip"), stem("a"), stem("a.")), ("a.b", ".zip", "a", "a"));
        assert_eq!((cut("äöü", 3), cut("äöü", 6)), ("ä".into(), "äöü".into()));
    }
}
