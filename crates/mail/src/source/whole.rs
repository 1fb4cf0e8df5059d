//! A file that is one mail, or holds one behind a length line.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::content::{AsOpened, as_opened, changed};
use super::file::{last_change, modified, open_regular};
use super::found::Origin;
use super::{Found, maildir};
use crate::FallbackDate;

/// Where a file lies, and what it was like when it was found.
#[derive(Clone, Debug)]
pub(super) struct WholeFile {
    pub(super) path: PathBuf,
    /// Where the mail begins.
    pub(super) offset: u64,
    pub(super) as_found: AsOpened,
    pub(super) last_change: Option<i64>,
}

impl WholeFile {
    pub(super) fn open(&self, size_bytes: u64) -> io::Result<MailFile> {
        let (mut file, metadata) = open_regular(&self.path)?;
        if metadata.len() != self.as_found.0 {
            return Err(changed());
        }
        if self.offset > 0 {
            file.seek(SeekFrom::Start(self.offset))?;
        }
        Ok(MailFile { file, left: size_bytes, as_opened: as_opened(&metadata) })
    }

    /// The mail with the size and time that its file has now, under the name that a Maildir gave it meanwhile. The counted
    /// bytes of an emlx stay.
    pub(super) fn look_again(&self, found: &Found) -> io::Result<Found> {
        if self.offset != 0 || found.size_bytes != self.as_found.0 {
            return Ok(found.clone());
        }
        let is_there = self.path.symlink_metadata().is_ok();
        let moved = if is_there { None } else { maildir::renamed(&self.path) };
        let flags = moved.as_deref().and_then(Path::file_name).map_or_else(|| found.flags.clone(), maildir::flags);
        let path = moved.unwrap_or_else(|| self.path.clone());
        let metadata = path.symlink_metadata()?;
        if metadata.len() == 0 {
            return Err(io::Error::other("empty"));
        }
        let (as_found, last_change) = (as_opened(&metadata), last_change(&metadata));
        let origin = Origin::File(Self { path, offset: 0, as_found, last_change });
        let (size_bytes, fallback_date) = (metadata.len(), file_date(&metadata));
        Ok(Found { flags, size_bytes, fallback_date, origin, ..found.clone() })
    }
}

/// The date that a mail without one takes from its file.
pub(super) fn file_date(metadata: &Metadata) -> Option<FallbackDate> {
    modified(metadata).map(FallbackDate::File)
}

/// The bytes of one mail, read as a stream.
#[derive(Debug)]
pub(super) struct MailFile {
    file: File,
    left: u64,
    as_opened: AsOpened,
}

impl Read for MailFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let is_unchanged = as_opened(&self.file.metadata()?) == self.as_opened;
            return if is_unchanged { Ok(0) } else { Err(changed()) };
        }
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let window = buffer.get_mut(..room).unwrap_or_default();
        let count = self.file.read(window)?;
        if count == 0 && room > 0 {
            return Err(changed());
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
