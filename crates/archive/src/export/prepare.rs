//! One mail of the source: read whole, hashed, dated and compressed, before anything of it is sealed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mail::source::Found;
use mail::{HEADER_LIMIT_BYTES, message_date, scan_headers};
use volume::{Compressor, MAX_RAW_BYTES, Metadata, WriteError};

use super::Filter;
use crate::{Error, Result};

/// Up to this size a mail is held in memory; a larger one is streamed, and its frame spooled beside the volumes.
pub(super) const WHOLE_BYTES: u64 = 4 << 20;

/// A mail that is ready to be sealed.
pub(super) struct Prepared {
    /// Without a reference: whether there is one depends on the volume.
    pub(super) metadata: Metadata,
    pub(super) frame: Frame,
}

/// The zstd frame of a mail.
pub(super) enum Frame {
    Memory(Vec<u8>),
    /// A nameless file, and its length.
    Spooled(File, u64),
}

/// Why a mail is not ready.
#[derive(Debug)]
pub(super) enum Failure {
    /// The source could not deliver it: it is named, and the others go on.
    Skip(String),
    /// Nothing can go on.
    Fatal(Error),
}

/// Reads mails below a root.
pub(super) struct Reader<'a> {
    pub(super) root: &'a Root,
    /// Where large frames are spooled.
    pub(super) scratch: &'a Path,
    /// Which mails are exported; all without one.
    pub(super) filter: Option<&'a Filter>,
    pub(super) compressors: Compressors,
}

/// Compressors that no thread uses just now.
#[derive(Default)]
pub(super) struct Compressors(Mutex<Vec<Compressor>>);

impl Compressors {
    fn compress(&self, raw: &mut dyn Read, raw_len: u64, frame: &mut dyn Write) -> Result<[u8; 32], WriteError> {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = idle().pop();
        let mut compressor = spare.map_or_else(Compressor::new, Ok)?;
        let sha256 = compressor.compress(raw, raw_len, frame);
        idle().push(compressor);
        sha256
    }
}

/// The source as it was when the export began to walk it.
pub(super) struct Root {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Frame {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spooled(_, len) => *len,
        }
    }

    /// From its first byte.
    pub(super) fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(bytes.as_slice()),
            Self::Spooled(file, _) => {
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path).ok() }
    }

    /// Fails if the whole source went away, or another one was mounted in its place: then it is not the mails that
    /// cannot be read.
    pub(super) fn check(&self) -> Result<()> {
        match identity(&self.path) {
            Ok(found) if self.identity.is_none_or(|known| known == found) => Ok(()),
            Ok(_) => Err(self.gone("another folder is in its place")),
            Err(error) => Err(self.gone("it cannot be reached any more").caused_by(error)),
        }
    }

    fn gone(&self, why: &str) -> Error {
        Error::not_found(format!("the source {}: {why}", self.path.display()))
            .hint("bring the source back; the same command again goes on from here")
    }
}

/// Device and inode.
#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().map(|facts| (facts.dev(), facts.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata().map(|_| (0, 0))
}

impl Reader<'_> {
    /// Reads a mail; none if the filter leaves it out. One that changes meanwhile is tried once more.
    pub(super) fn prepare(&self, found: &Found) -> Result<Option<Prepared>, Failure> {
        if self.filter.is_some_and(|filter| filter.at_sight(found) == Some(false)) {
            return Ok(None);
        }
        if found.size_bytes > MAX_RAW_BYTES {
            return Err(Failure::Skip(format!("larger than {MAX_RAW_BYTES} bytes")));
        }
        self.attempt(found).or_else(|trouble| match trouble {
            Trouble::Target(error) => Err(self.spool_failed(error)),
            Trouble::Source(_) => self.second_attempt(found),
        })
    }

    fn second_attempt(&self, found: &Found) -> Result<Option<Prepared>, Failure> {
        let result = found.look_again().map_err(Trouble::Source).and_then(|found| self.attempt(&found));
        result.map_err(|trouble| match trouble {
            Trouble::Target(error) => self.spool_failed(error),
            Trouble::Source(error) => match self.root.check() {
                Ok(()) => Failure::Skip(reason(&error)),
                Err(gone) => Failure::Fatal(gone),
            },
        })
    }

    fn attempt(&self, found: &Found) -> Result<Option<Prepared>, Trouble> {
        if found.size_bytes <= WHOLE_BYTES { self.in_memory(found) } else { self.spooled(found) }
    }

    fn in_memory(&self, found: &Found) -> Result<Option<Prepared>, Trouble> {
        let raw = found.read(WHOLE_BYTES).map_err(Trouble::Source)?;
        if !self.admits(found, &mut raw.as_slice())? {
            return Ok(None);
        }
        let mut frame = Vec::new();
        let sha256 = self.compressors.compress(&mut raw.as_slice(), raw.len() as u64, &mut frame).map_err(trouble)?;
        // It grew by doubling, and waits for its turn.
        frame.shrink_to_fit();
        let start = raw.get(..HEADER_LIMIT_BYTES).unwrap_or(&raw);
        let metadata = metadata_of(found, sha256, start, start.len() == raw.len());
        Ok(Some(Prepared { metadata, frame: Frame::Memory(frame) }))
    }

    fn spooled(&self, found: &Found) -> Result<Option<Prepared>, Trouble> {
        // Before anything is spooled: what is looked for may stand at the end of the mail.
        if !self.admits(found, &mut found.open().map_err(Trouble::Source)?)? {
            return Ok(None);
        }
        let mut raw = Witness::new(found.open().map_err(Trouble::Source)?);
        let file = tempfile::tempfile_in(self.scratch).map_err(Trouble::Target)?;
        let mut spool = BufWriter::new(file);
        let sha256 = self.compressors.compress(&mut raw, found.size_bytes, &mut spool);
        let sha256 = sha256.map_err(|error| raw.trouble(error))?;
        let mut file = spool.into_inner().map_err(|error| Trouble::Target(error.into_error()))?;
        let len = file.stream_position().map_err(Trouble::Target)?;
        let is_whole = raw.start().len() as u64 == found.size_bytes;
        let metadata = metadata_of(found, sha256, raw.start(), is_whole);
        Ok(Some(Prepared { metadata, frame: Frame::Spooled(file, len) }))
    }

    fn admits(&self, found: &Found, raw: &mut dyn Read) -> Result<bool, Trouble> {
        self.filter.map_or(Ok(true), |filter| filter.admits(found, raw)).map_err(Trouble::Source)
    }

    fn spool_failed(&self, error: io::Error) -> Failure {
        let hint = "make room there, then the same command again goes on from here";
        let failure = Error::unavailable(format!("{}: a large mail cannot be spooled", self.scratch.display()));
        Failure::Fatal(failure.hint(hint).caused_by(error))
    }
}

/// Whose fault a failed attempt is.
pub(crate) enum Trouble {
    Source(io::Error),
    Target(io::Error),
}

fn trouble(error: WriteError) -> Trouble {
    match error {
        WriteError::Io(error) => Trouble::Target(error),
        // The length: the file changed while it was read.
        other => Trouble::Source(io::Error::other(other)),
    }
}

/// What is kept of a mail; `start` is its beginning, the header in it, or all of it.
pub(crate) fn metadata_of(found: &Found, sha256: [u8; 32], start: &[u8], is_whole: bool) -> Metadata {
    let date = message_date(&scan_headers(start, is_whole), found.fallback_date);
    Metadata {
        sha256,
        size_bytes: found.size_bytes,
        message_date: date.seconds,
        message_date_source: date.source.map(|source| source.as_str().to_owned()),
        archive_date: None,
        locations: found.locations.clone(),
        flags: found.flags.iter().map(|flag| flag.as_str().to_owned()).collect(),
        source_key: Some(found.key.clone()),
        reference: None,
    }
}

/// Why a mail could not be read.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it went away before it was read".to_owned(),
        // These say it in words of our own.
        io::ErrorKind::InvalidData | io::ErrorKind::Other => error.to_string(),
        _ => format!("unreadable: {error}"),
    }
}

/// Passes bytes through, keeps the first ones for the header scan, and remembers that it was the source that failed.
pub(crate) struct Witness<R> {
    inner: R,
    start: Vec<u8>,
    error: Option<io::Error>,
}

impl<R> Witness<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, start: Vec::new(), error: None }
    }

    /// The first bytes that were read.
    pub(crate) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Whose fault it is that what was read here could not be compressed.
    pub(crate) fn trouble(&mut self, error: WriteError) -> Trouble {
        match self.error.take() {
            Some(error) => Trouble::Source(error),
            None => trouble(error),
        }
    }
}

impl<R: Read> Read for Witness<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                let missing = HEADER_LIMIT_BYTES.saturating_sub(self.start.len());
                let piece = buffer.get(..count.min(missing)).unwrap_or_default();
                self.start.write_all(piece)?;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.error = Some(error);
                Err(copy)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Compressors, Failure, Frame, Reader, Root};
    use mail::source::{Found, Item, Layout, Options, open};

    fn found(folder: &std::path::Path) -> Found {
        let options = Options::new("x", folder);
        let item = open(folder, Layout::Eml, &options).unwrap().next();
        let Some(Item::Mail(found)) = item else { panic!("{item:?}") };
        found
    }

    #[test]
    fn a_mail_that_changed_is_read_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.eml");
        fs::write(&path, "Subject: 1\n\n").unwrap();
        let found = found(folder.path());
        fs::write(&path, "Subject: 1\n\nand more\n").unwrap();
        let root = Root::new(folder.path());
        let reader = Reader { root: &root, scratch: folder.path(), filter: None, compressors: Compressors::default() };
        let mail = reader.prepare(&found).unwrap().unwrap();
        assert_eq!(mail.metadata.size_bytes, 21);
        assert!(matches!(mail.frame, Frame::Memory(_)));
        fs::write(&path, "").unwrap();
        assert!(matches!(reader.prepare(&found), Err(Failure::Skip(reason)) if reason == "empty"));
        fs::remove_file(&path).unwrap();
        assert!(matches!(reader.prepare(&found), Err(Failure::Skip(reason)) if reason.contains("went away")));
        fs::remove_dir(folder.path()).unwrap();
        assert!(matches!(reader.prepare(&found), Err(Failure::Fatal(_))));
    }
}
