//! Reading entries: a ranged stream from the store for each step, opened on a thread of its own, handed over in small
//! batches.

use std::{
    io::{self, Read, Write},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use tokio::{runtime::Handle, sync::mpsc};
use volume::{Metadata, OpenError, Opener, Volume};

use super::{FailedEntry, open::Located, walk::Walked};
use crate::{
    Archive, Error, FolderPath, Result, Sizes,
    blocking::BlockReader,
    store::{Frame, Frames},
};

/// A pack grows to about this many stored bytes: S3 requests cost little per mail, and a worker that dies loses little.
pub(super) const STEP_BYTES: u64 = 64 << 20;

/// A batch ends at so many bytes of frames, which bounds what waits in memory: one batch is written, one waits, one is
/// read.
pub(super) const BATCH_BYTES: u64 = 4 << 20;

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
    /// The step that was planned ends here.
    pub(super) ends_step: bool,
}

/// Hands out the entries of a range of a volume in order, planned in steps. It is one thread that reads and opens them
/// all: what opening takes is allocated once, and while one step is written the next one is read ahead.
pub(super) struct BatchReader(mpsc::Receiver<Result<Batch>>);

impl BatchReader {
    pub(super) fn open(archive: &Archive, volume: &Volume, located: &Arc<Located>, entries: Range<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let (scratch, sizes) = (archive.scratch.clone(), archive.sizes);
        let (volume, located, runtime) = (volume.clone(), Arc::clone(located), Handle::current());
        tokio::task::spawn_blocking(move || {
            let read = Reader::new(volume, scratch, sizes).and_then(|mut reader| {
                reader.read(&entries, &located, &runtime, |batch| sender.blocking_send(Ok(batch)).is_ok())
            });
            if let Err(error) = read {
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self(receiver)
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
    located: &Arc<Located>,
    number: u64,
) -> Result<Option<Entry>> {
    let mut reader = BatchReader::open(archive, volume, located, number..number + 1);
    Ok(reader.next().await?.and_then(|mut batch| batch.entries.pop()))
}

/// From the first byte of the first entry to the last byte of the last one.
fn bytes_of(volume: &Volume, entries: &Range<u64>) -> Option<Range<u64>> {
    let first = volume.verified().stored(entries.start)?;
    let last = volume.verified().stored(entries.end.checked_sub(1)?)?;
    (!entries.is_empty()).then_some(first.offset..last.offset + last.len)
}

/// The entries of the next step: by stored bytes, which the signed catalogue tells beforehand.
fn plan(volume: &Volume, entries: &Range<u64>, mails: u64) -> Range<u64> {
    let most = entries.end.min(entries.start.saturating_add(mails));
    let mut bytes = 0;
    let fits = |number: &u64| {
        bytes += volume.verified().stored(*number).map_or(0, |stored| stored.len);
        *number == entries.start || bytes <= STEP_BYTES
    };
    let count = (entries.start..most).take_while(fits).count() as u64;
    entries.start..entries.start + count
}

impl Located {
    /// Streams of the store run on the runtime; the thread that reads them may block.
    fn reader(&self, bytes: Range<u64>, runtime: &Handle) -> Result<Positioned> {
        let at = bytes.start;
        let begin = async {
            let stream = self.store().stream(&self.meta.key, bytes, Some(&self.meta.etag)).await?;
            Ok(BlockReader::new(stream))
        };
        Ok(Positioned { reader: runtime.block_on(begin)?, at })
    }
}

struct Reader {
    opener: Opener,
    frames: Frames,
    prefix: Prefix,
    sizes: Sizes,
}

impl Reader {
    fn new(volume: Volume, scratch: PathBuf, sizes: Sizes) -> Result<Self> {
        let opener = Opener::new(volume).map_err(|e| Error::internal("nothing can be opened").caused_by(e))?;
        Ok(Self { opener, frames: Frames::new(scratch), prefix: Prefix::default(), sizes })
    }

    /// Step after step, until nobody wants more.
    fn read(
        &mut self,
        entries: &Range<u64>,
        located: &Located,
        runtime: &Handle,
        mut send: impl FnMut(Batch) -> bool,
    ) -> Result<()> {
        let mut next = entries.start;
        while next < entries.end {
            let step = plan(self.opener.volume(), &(next..entries.end), self.sizes.step_mails);
            let bytes = bytes_of(self.opener.volume(), &step);
            let bytes = bytes.ok_or_else(|| Error::internal(format!("mail {next} has no place")))?;
            next = step.end;
            if !self.read_step(step, located.reader(bytes, runtime)?, &mut send)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False if nobody wants more.
    fn read_step(
        &mut self,
        step: Range<u64>,
        mut stored: Positioned,
        send: &mut impl FnMut(Batch) -> bool,
    ) -> Result<bool> {
        let (mut entries, mut bytes, end) = (Vec::new(), 0, step.end);
        for number in step {
            let entry = self.open(number, &mut stored)?;
            bytes += entry.stored_bytes();
            entries.push(entry);
            let ends_step = number + 1 == end;
            if ends_step || entries.len() >= self.sizes.batch_mails || bytes >= BATCH_BYTES {
                let batch = Batch { entries: std::mem::take(&mut entries), walked: None, ends_step };
                if !send(batch) {
                    return Ok(false);
                }
                bytes = 0;
            }
        }
        Ok(true)
    }

    /// Opens one entry; damage is an outcome, what fails in reading or writing is an error.
    fn open(&mut self, number: u64, stored: &mut Positioned) -> Result<Entry> {
        let place = self.opener.volume().verified().stored(number);
        let place = place.ok_or_else(|| Error::internal(format!("mail {number} has no place")))?;
        stored.skip_to(place.offset)?;
        let mut bytes = Read::by_ref(stored).take(place.len);
        let (mut frame, raw) = (self.frames.begin(), &mut self.prefix);
        raw.0.clear();
        let opened = self.opener.open_entry(number, &mut bytes, &mut frame, raw);
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
