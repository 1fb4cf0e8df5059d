use std::fmt::Debug;
use std::io::{self, Read};
use std::sync::Arc;

use super::Flag;
use super::whole::WholeFile;
use crate::FallbackDate;

/// A mail that was found and not yet read.
#[derive(Clone, Debug)]
pub struct Found {
    /// Names the mail in its source, and no other one. A file: its path below the root, separated by `/`, bad bytes as
    /// `\xNN`, a literal `\` as `\\`. In a container: the container's key, `//` (which no path has) and where in it the
    /// mail lies, which begins with a number that no other mail of that container has.
    pub key: String,
    /// Path segments, the first is the user archive. One at least.
    pub locations: Vec<Vec<String>>,
    /// Sorted, each once.
    pub flags: Vec<Flag>,
    /// Of the raw mail, as [`Found::open`] delivers it.
    pub size_bytes: u64,
    /// The message date of a mail that says none itself.
    pub fallback_date: Option<FallbackDate>,
    /// Where in its container the mail lies: the byte offset of its `From ` line in an mbox, the member path in a ZIP.
    /// None for a file that is a mail.
    pub locator: Option<String>,
    pub(super) origin: Origin,
}

/// Where the bytes come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    File(WholeFile),
    Member(Arc<dyn Member>),
}

/// One mail of a container.
pub(super) trait Member: Debug + Send + Sync {
    /// The raw mail: exactly its [`Found::size_bytes`], or an error at the end.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

impl Found {
    /// Opens the raw mail for reading: never through a link, never what is no regular file, never a file whose size is
    /// another than when it was found. What changes while it is read ends in an error too.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.origin {
            Origin::File(file) => Ok(Box::new(file.open(self.size_bytes)?)),
            Origin::Member(member) => member.open(),
        }
    }

    /// Reads the whole mail; one larger than `limit_bytes` is an error.
    pub fn read(&self, limit_bytes: u64) -> io::Result<Vec<u8>> {
        if self.size_bytes > limit_bytes {
            return Err(io::Error::other(format!("larger than {limit_bytes} bytes")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.size_bytes).map_err(io::Error::other)?);
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// When the file that is the mail was written, named or moved last, in Unix seconds, as the file system keeps it:
    /// Windows and FAT keep no time of the naming. None for a mail of a container, and where there is no time.
    pub fn last_change(&self) -> Option<i64> {
        match &self.origin {
            Origin::File(file) => file.last_change,
            Origin::Member(_) => None,
        }
    }

    /// The mail as it lies there now, if its file was written since it was found; none for a mail of a container, and where
    /// nothing is left of it.
    pub fn rewritten(&self) -> Option<Self> {
        let now = self.look_again().ok()?;
        let is_rewritten = match (&self.origin, &now.origin) {
            (Origin::File(before), Origin::File(now)) => before.as_found != now.as_found,
            _ => false,
        };
        is_rewritten.then_some(now)
    }

    /// The mail as it lies there now, where a file is the mail; else as it was found.
    /// The error `empty` says that nothing is left of it.
    pub fn look_again(&self) -> io::Result<Self> {
        match &self.origin {
            Origin::File(file) => file.look_again(self),
            Origin::Member(_) => Ok(self.clone()),
        }
    }
}
