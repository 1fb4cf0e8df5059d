//! Reading entries: one ranged stream from the store, opened on a thread of its own, handed over in small batches.

use std::{
    io::{self, Read, Write},
    ops::Range,
    path::PathBuf,
};

use tokio::sync::mpsc;
use volume::{Metadata, OpenError, Volume};

use super::{FailedEntry, open::Located, walk::Walked};
use crate::{
    Archive, Error, FolderPath, Result,
    blocking::BlockReader,
    ports::ByteStream,
    store::{Frame, FrameSink},
};

/// A batch ends at so many bytes of frames, which bounds what waits in memory.
pub(super) const BATCH_BYTES: u64 = 8 << 20;

/// A mail that was opened and is whole: every hash was right.
pub(super) struct OpenedMail {
    pub(super) number: u64,
    pub(super) metadata: Metadata,
    /// None only for a reference to a mail that is in the archive already.
    pub(super) frame: Option<Frame>,
    pub(super) summary: mail::Summary,
    /// Where it lies in the target mailbox. None for a mail of a volume, which lies in the folder of its export.
    pub(super) folders: Vec<FolderPath>,
}

pub(super) enum Entry {
    Mail(OpenedMail),
    Reference { number: u64, metadata: Metadata },
    Failed(FailedEntry),
}

impl Entry {
    /// What of it waits in memory or in a scratch file.
    pub(super) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Mail(mail) => mail.frame.as_ref().map_or(0, Frame::len),
            Self::Reference { .. } | Self::Failed(_) => 0,
        }
    }
}

/// Some entries in their order, and how far the walk has come if they are those of a foreign file.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) walked: Option<Walked>,
}

/// Hands out the entries of a range of a volume in order.
pub(super) struct BatchReader(mpsc::Receiver<Result<Batch>>);

impl BatchReader {
    pub(super) async fn open(
        archive: &Archive,
        volume: &Volume,
        located: &Located,
        entries: Range<u64>,
    ) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(1);
        let Some(bytes) = bytes_of(volume, &entries) else { return Ok(Self(receiver)) };
        let stream = located.stream(bytes.clone()).await?;
        let (scratch, mails) = (archive.scratch.clone(), archive.sizes.batch_mails);
        let opener = Opener { volume: volume.clone(), scratch, mails };
        let stored = Positioned { reader: BlockReader::new(stream), at: bytes.start };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = opener.read(entries, stored, |batch| sender.blocking_send(Ok(batch)).is_ok()) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Self(receiver))
    }

    /// The next batch; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>> {
        self.0.recv().await.transpose()
    }
}

/// One entry, for a reference to an earlier one.
pub(super) async fn open_one(
    archive: &Archive,
    volume: &Volume,
    located: &Located,
    number: u64,
) -> Result<Option<Entry>> {
    let mut reader = BatchReader::open(archive, volume, located, number..number + 1).await?;
    Ok(reader.next().await?.and_then(|mut batch| batch.entries.pop()))
}

/// From the first byte of the first entry to the last byte of the last one.
fn bytes_of(volume: &Volume, entries: &Range<u64>) -> Option<Range<u64>> {
    let first = volume.verified().stored(entries.start)?;
    let last = volume.verified().stored(entries.end.checked_sub(1)?)?;
    (!entries.is_empty()).then_some(first.offset..last.offset + last.len)
}

impl Located {
    async fn stream(&self, bytes: Range<u64>) -> Result<ByteStream> {
        self.store().stream(&self.meta.key, bytes, Some(&self.meta.etag)).await
    }
}

struct Opener {
    volume: Volume,
    scratch: PathBuf,
    /// So many make a batch.
    mails: usize,
}

impl Opener {
    fn read(&self, entries: Range<u64>, mut stored: Positioned, mut send: impl FnMut(Batch) -> bool) -> Result<()> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut send = |entries| send(Batch { entries, walked: None });
        for number in entries {
            let entry = self.open(number, &mut stored)?;
            bytes += entry.stored_bytes();
            batch.push(entry);
            if batch.len() >= self.mails || bytes >= BATCH_BYTES {
                if !send(std::mem::take(&mut batch)) {
                    return Ok(());
                }
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            send(batch);
        }
        Ok(())
    }

    /// Opens one entry; damage is an outcome, what fails in reading or writing is an error.
    fn open(&self, number: u64, stored: &mut Positioned) -> Result<Entry> {
        let place = self
            .volume
            .verified()
            .stored(number)
            .ok_or_else(|| Error::internal(format!("mail {number} has no place")))?;
        stored.skip_to(place.offset)?;
        let mut bytes = Read::by_ref(stored).take(place.len);
        let (mut frame, mut raw) = (FrameSink::new(&self.scratch), Prefix::default());
        let opened = self.volume.open_entry(number, &mut bytes, &mut frame, &mut raw);
        io::copy(&mut bytes, &mut io::sink()).map_err(unreadable)?;
        match opened {
            Ok(metadata) if metadata.reference.is_some() => Ok(Entry::Reference { number, metadata }),
            Ok(metadata) => Ok(Entry::Mail(OpenedMail {
                number,
                summary: summarize(&raw.0, metadata.size_bytes),
                metadata,
                frame: Some(frame.into_frame().map_err(unreadable)?),
                folders: Vec::new(),
            })),
            Err(OpenError::Damaged { reason, .. }) => {
                Ok(Entry::Failed(FailedEntry::damaged(number, reason.to_string())))
            }
            Err(OpenError::NoSuchMail(_)) => Err(Error::internal(format!("mail {number} is not in this volume"))),
            Err(OpenError::Io(error)) => Err(unreadable(error)),
        }
    }
}

/// What lists show; a parser that panics costs the mail its summary, never its place in the archive.
pub(crate) fn summarize(start: &[u8], size_bytes: u64) -> mail::Summary {
    let complete = start.len() as u64 == size_bytes;
    std::panic::catch_unwind(|| mail::summarize(start, complete))
        .unwrap_or_else(|_| mail::Summary { defects: mail::Defect::ParserFailed.into(), ..mail::Summary::default() })
}

pub(super) fn unreadable(error: io::Error) -> Error {
    BlockReader::inner_error(error).unwrap_or_else(|error| {
        let text = match error.kind() {
            io::ErrorKind::StorageFull => "the scratch folder is full",
            _ => "reading the file failed",
        };
        Error::unavailable(text).caused_by(error)
    })
}

/// Keeps the beginning of a raw mail: enough for its header.
#[derive(Default)]
struct Prefix(Vec<u8>);

impl Write for Prefix {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = mail::HEADER_LIMIT_BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that knows where in the object it is.
struct Positioned {
    reader: BlockReader,
    at: u64,
}

impl Positioned {
    fn skip_to(&mut self, offset: u64) -> Result<()> {
        let gap = offset.checked_sub(self.at).ok_or_else(|| Error::internal("entries do not follow one another"))?;
        io::copy(&mut Read::by_ref(self).take(gap), &mut io::sink()).map_err(unreadable)?;
        Ok(())
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
