//! Reading a file as an object: exact ranges of one version.

use std::{
    fs::{self, File, Metadata},
    io,
    ops::Range,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    sync::Arc,
};

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use rustix::io::Errno;

use crate::{blocking::blocking, from_io};

/// Blocks of a stream. One is read ahead while the caller works on the one before. Short, because the allocator keeps
/// what each thread that reads one has needed.
const BLOCK: u64 = 256 << 10;

/// Names a version of a file by its time stamp, of which our writers give each its own, and its size. Not by its number:
/// a data folder that is moved or put back from a backup keeps its versions.
pub(crate) fn etag(meta: &Metadata) -> ETag {
    let nanoseconds = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    ETag(format!("{nanoseconds:x}-{:x}", meta.size()))
}

/// The object at this path; none if there is no such file.
pub(crate) fn meta(path: &Path, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => {
            let (size_bytes, modified) = (meta.size(), meta.mtime());
            Ok(Some(ObjectMeta { key: key.clone(), size_bytes, etag: etag(&meta), modified }))
        }
        Ok(_) => Ok(None),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(from_io(format_args!("object {key}"), e)),
    }
}

/// `Conflict` unless the version is the pinned one.
pub(crate) fn fits(key: &ObjectKey, is: &ETag, pinned: Option<&ETag>) -> Result<()> {
    match pinned {
        Some(pinned) if pinned != is => Err(Error::conflict(format!("object {key} has changed"))),
        _ => Ok(()),
    }
}

/// What a disk says of bytes that it has lost is damage of this object alone, not a store that is out of reach.
fn unreadable(key: &ObjectKey, error: io::Error) -> Error {
    let lost = [Errno::IO, Errno::UCLEAN, Errno::BADMSG].map(Errno::raw_os_error);
    match error.raw_os_error() {
        Some(code) if lost.contains(&code) => Error::corrupt(format!("object {key} cannot be read")).caused_by(error),
        _ => from_io(format_args!("object {key}"), error),
    }
}

/// One version of a file, open.
pub(crate) struct Reading {
    file: File,
    key: ObjectKey,
    etag: ETag,
    size_bytes: u64,
}

impl Reading {
    /// Blocks.
    pub(crate) fn open(path: &Path, key: &ObjectKey, pinned: Option<&ETag>) -> Result<Self> {
        // Looked at before it is opened: to open a pipe is to wait for its other end.
        if meta(path, key)?.is_none() {
            return Err(Error::not_found(format!("object {key} does not exist")));
        }
        let fail = |e| from_io(format_args!("object {key}"), e);
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        let etag = etag(&meta);
        fits(key, &etag, pinned)?;
        Ok(Self { file, key: key.clone(), etag, size_bytes: meta.size() })
    }

    /// The bytes of a range, all of the version that was opened. Blocks.
    pub(crate) fn get(&self, range: Range<u64>) -> Result<Bytes> {
        self.contains(&range)?;
        let size = usize::try_from(range.end - range.start)
            .map_err(|_| Error::invalid(format!("range of object {} is too long for memory", self.key)))?;
        let mut bytes = vec![0; size];
        match self.file.read_exact_at(&mut bytes, range.start) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed()),
            read => read.map_err(|e| unreadable(&self.key, e))?,
        }
        // A file that its owner writes over, as an upload that is taken up again, is another version from then on.
        let now = self.file.metadata().map_err(|e| from_io(format_args!("object {}", self.key), e))?;
        if etag(&now) != self.etag {
            return Err(self.changed());
        }
        Ok(bytes.into())
    }

    /// The bytes of a range as blocks.
    pub(crate) fn stream(self, range: Range<u64>) -> Result<ByteStream> {
        self.contains(&range)?;
        let starts = (range.start..range.end).step_by(usize::try_from(BLOCK).unwrap_or(usize::MAX));
        let reading = Arc::new(self);
        let blocks = starts.map(move |start| {
            let (reading, end) = (Arc::clone(&reading), range.end.min(start.saturating_add(BLOCK)));
            blocking(move || reading.get(start..end))
        });
        Ok(stream::iter(blocks).buffered(2).boxed())
    }

    fn contains(&self, range: &Range<u64>) -> Result<()> {
        if range.start <= range.end && range.end <= self.size_bytes {
            return Ok(());
        }
        Err(Error::invalid(format!("object {} has no bytes {} to {}", self.key, range.start, range.end)))
    }

    fn changed(&self) -> Error {
        Error::conflict(format!("object {} changed while it was read", self.key))
    }
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;

    use super::*;

    #[test]
    fn a_sector_that_is_lost_is_damage_and_a_full_table_of_files_is_not() {
        let key = ObjectKey::parse("packs/a").unwrap();
        let kind = |errno: Errno| unreadable(&key, errno.into()).kind();
        assert_eq!(kind(Errno::IO), ErrorKind::Corrupt);
        assert_eq!(kind(Errno::NFILE), ErrorKind::Unavailable);
    }
}
