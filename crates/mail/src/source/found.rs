use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::Flag;
use super::file::{modified, open_regular};

/// A mail that was found and not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path below the root, separated by `/`: bad bytes as `\xNN`, a literal `\` as `\\`.
    pub key: String,
    pub path: PathBuf,
    /// Path segments, the first is the user archive.
    pub locations: Vec<Vec<String>>,
    pub flags: Vec<Flag>,
    /// Where the mail begins in its file.
    pub offset: u64,
    pub size_bytes: u64,
    /// Length of the whole file when it was found.
    pub file_bytes: u64,
    /// The file's modification time, Unix seconds UTC.
    pub file_time: Option<i64>,
}

impl Found {
    /// Opens the mail for reading: never through a link, never what is no regular file, never one whose size is
    /// another than when it was found. A file that changes while it is read ends in an error too.
    pub fn open(&self) -> io::Result<MailFile> {
        let (mut file, metadata) = open_regular(&self.path)?;
        if metadata.len() != self.file_bytes {
            return Err(changed());
        }
        if self.offset > 0 {
            file.seek(SeekFrom::Start(self.offset))?;
        }
        let as_opened = (metadata.len(), modified(&metadata));
        Ok(MailFile { file, left: self.size_bytes, as_opened })
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
}

/// The bytes of one mail, read as a stream.
#[derive(Debug)]
pub struct MailFile {
    file: File,
    left: u64,
    as_opened: (u64, Option<i64>),
}

impl Read for MailFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let metadata = self.file.metadata()?;
            let unchanged = (metadata.len(), modified(&metadata)) == self.as_opened;
            return if unchanged { Ok(0) } else { Err(changed()) };
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

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "changed while it was read")
}
