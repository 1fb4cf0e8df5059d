//! ZIP archives: one item for each entry of the central directory, which alone says what is in the archive; and one more if
//! there is less, or there seems to be more.
//!
//! Entries are told apart by their number, as two may have one name. Nothing is unpacked to a path: a name is a location.
//! What an entry unpacks to is bounded, by the directory's word for it, by its own size and by that of the archive.

mod directory;
mod encoding;
mod end;
mod entry;
mod gaps;
mod inflate;
mod member;
mod name;
mod spool;
mod survey;
mod time;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use encoding::{UnknownZipEncoding, ZipEncoding};

use super::{Content, Item, Mbox, Options, Place, Position};
use directory::Directory;
use end::End;
use survey::Survey;

/// Deflate packs no more than 1,032 bytes into one; what other methods pack better is no mail.
const MAX_RATIO: u64 = 1_100;
/// Exempt from [`MAX_RATIO`]: harmless, and a large attachment of zeros packed by zstd may be a mail.
const HARMLESS_BYTES: u64 = 16 << 20;

/// Why an archive, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// By its first bytes it is none either.
    #[error("not a zip archive")]
    NotZip,
    #[error("a zip archive without an end record: it was cut off")]
    NoEnd,
    #[error("a zip archive with several end records of which each may be the right one")]
    Ambiguous,
    #[error("a zip archive whose directory is damaged after {entries} entries")]
    Directory { entries: u64 },
    #[error("a zip archive with millions of entries that do not lie in their order")]
    Scattered,
    #[error("unreadable: {0}")]
    Io(#[from] io::Error),
}

/// The items of one ZIP archive, in the order of its directory.
#[derive(Debug)]
pub struct ZipItems {
    archive: Arc<Archive>,
    end: End,
    survey: Survey,
    directory: Directory,
    /// What may still be unpacked.
    budget_bytes: u64,
    has_ended: bool,
    /// The entry that is being read, if it is an mbox, and the position before it.
    mbox: Option<(Mbox, Position)>,
    /// Where the walk goes on in the next entry, which is an mbox.
    skip_to: Option<u64>,
}

/// What one entry is.
enum Entry {
    Item(Item),
    /// Its mails follow.
    Mbox(Mbox),
}

/// What all entries share.
#[derive(Debug)]
struct Archive {
    content: Arc<dyn Content>,
    /// What lies in front of the archive.
    prefix_bytes: u64,
    place: Place,
    encoding: ZipEncoding,
    scratch: PathBuf,
}

impl Archive {
    /// What all entries together may be unpacked to.
    fn budget(&self) -> u64 {
        self.content.size_bytes().saturating_mul(MAX_RATIO).saturating_add(HARMLESS_BYTES)
    }
}

impl ZipItems {
    /// Finds the directory and looks through it once. `place` is that of the archive: directories within it come behind.
    pub fn open(content: Arc<dyn Content>, place: Place, options: &Options) -> Result<Self, ZipError> {
        let end = end::locate(&*content)?;
        let survey = survey::survey(&content, &end, options.zip_encoding)?;
        let directory = Directory::new(Arc::clone(&content), end.directory.clone());
        let archive = Archive {
            content,
            prefix_bytes: end.prefix_bytes,
            place,
            encoding: options.zip_encoding,
            scratch: options.scratch.clone(),
        };
        let archive = Arc::new(archive);
        let budget_bytes = archive.budget();
        Ok(Self { archive, end, survey, directory, budget_bytes, has_ended: false, mbox: None, skip_to: None })
    }

    pub(super) fn reached(&self) -> Position {
        match &self.mbox {
            Some((mbox, before)) if mbox.reached().is_some() => Position { mail_at: mbox.reached(), ..*before },
            _ if self.has_ended => Position::END,
            _ => self.between(),
        }
    }

    /// The position before the next entry.
    fn between(&self) -> Position {
        let (entries, directory_bytes) = self.directory.position();
        let unpacked_bytes = self.archive.budget().saturating_sub(self.budget_bytes);
        Position { entries, directory_bytes, unpacked_bytes, mail_at: self.skip_to, has_ended: false }
    }

    pub(super) fn go_to(&mut self, position: Position) {
        self.directory.go_to(position.entries, position.directory_bytes);
        self.budget_bytes = self.archive.budget().saturating_sub(position.unpacked_bytes);
        (self.mbox, self.skip_to, self.has_ended) = (None, position.mail_at, position.has_ended);
    }

    /// The item that says what is amiss with the archive as a whole, if anything is.
    fn ended(&mut self, error: Option<ZipError>) -> Option<Item> {
        self.has_ended = true;
        let reasons: Vec<_> = [self.missing(error), self.unlisted()].into_iter().flatten().collect();
        (!reasons.is_empty()).then(|| self.archive.place.skipped(reasons.join("; ")))
    }

    /// Says that there is less than the archive says, if so.
    fn missing(&self, error: Option<ZipError>) -> Option<String> {
        let found = self.survey.entries;
        let counted = self.end.counted;
        // Writers without ZIP64 store the count modulo 65,536, and other counts were seen that are too small.
        match error {
            Some(ZipError::Directory { .. }) if found == counted => None,
            Some(error) => Some(error.to_string()),
            None if found >= counted => None,
            None => Some(format!("a zip archive that says it has {counted} entries, of which {found} are there")),
        }
    }

    /// Says that there is more than the directory lists, if so.
    fn unlisted(&self) -> Option<String> {
        let bytes = self.survey.unlisted_bytes;
        let text =
            format!("a zip archive in which {bytes} bytes look like further entries that its directory does not list");
        (bytes > 0).then_some(text)
    }
}

impl Iterator for ZipItems {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.mbox.as_mut().and_then(|(mbox, _)| mbox.next()) {
                return Some(item);
            }
            self.mbox = None;
            if self.has_ended {
                return None;
            }
            let before = self.between();
            match self.directory.next() {
                Ok(Some(record)) => {
                    let skip_to = self.skip_to.take();
                    match self.entry(&record) {
                        Some(Entry::Item(item)) => return Some(item),
                        Some(Entry::Mbox(mut mbox)) => {
                            if let Some(at) = skip_to {
                                mbox.go_to(at);
                            }
                            self.mbox = Some((mbox, before));
                        }
                        None => {}
                    }
                }
                Ok(None) => return self.ended(None),
                Err(error) => return self.ended(Some(error)),
            }
        }
    }
}
