//! Records of one size in a nameless file: what grows with every mail of an export, so that its memory does not.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Records that are held in memory before they go to the file.
const PENDING: usize = 1 << 14;
/// Records that are sorted in memory at a time.
const SORTED_AT_ONCE: u64 = 1 << 19;
/// Records between two fences: one read of some kilobytes finds a record.
const PER_FENCE: usize = 128;

/// Records in the order in which they came. The file is made with the first of them that do not fit in memory.
pub(super) struct Records<const N: usize> {
    folder: PathBuf,
    file: Option<File>,
    /// Those in the file.
    written: u64,
    pending: Vec<[u8; N]>,
}

impl<const N: usize> Records<N> {
    /// None yet; their file will lie in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: None, written: 0, pending: Vec::new() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    pub(super) fn push(&mut self, record: [u8; N]) -> io::Result<()> {
        self.pending.push(record);
        if self.pending.len() >= PENDING { self.flush() } else { Ok(()) }
    }

    /// The record that came as number `index`, from 0.
    pub(super) fn get(&mut self, index: u64) -> io::Result<[u8; N]> {
        if let Some(index) = index.checked_sub(self.written) {
            let found = usize::try_from(index).ok().and_then(|index| self.pending.get(index));
            return found.copied().ok_or_else(|| io::ErrorKind::InvalidInput.into());
        }
        let mut file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(index * N as u64))?;
        let mut record = [0; N];
        file.read_exact(&mut record)?;
        Ok(record)
    }

    /// Hands on all records in ascending order, some at a time. Their first eight bytes are spread evenly, as those of
    /// a hash are: what is taken out in one pass is a range of them. Those that begin alike come in one pass, so there
    /// should not be too many of them.
    pub(super) fn sorted(&mut self, take: &mut dyn FnMut(&[[u8; N]]) -> io::Result<()>) -> io::Result<()> {
        if self.written == 0 {
            self.pending.sort_unstable();
            return take(&self.pending);
        }
        self.flush()?;
        let passes = self.len().div_ceil(SORTED_AT_ONCE);
        let mut part = Vec::new();
        for pass in 0..passes {
            part.clear();
            self.each(&mut |record| {
                if (u128::from(prefix(record)) * u128::from(passes)) >> 64 == u128::from(pass) {
                    part.push(*record);
                }
            })?;
            part.sort_unstable();
            take(&part)?;
        }
        Ok(())
    }

    fn each(&self, take: &mut dyn FnMut(&[u8; N])) -> io::Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.rewind()?;
        let mut from = BufReader::with_capacity(1 << 16, file);
        let mut record = [0; N];
        for _ in 0..self.written {
            from.read_exact(&mut record)?;
            take(&record);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.folder)?,
        };
        file.seek(SeekFrom::Start(self.written * N as u64))?;
        file.write_all(self.pending.as_flattened())?;
        self.file = Some(file);
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// Records in ascending order, in which one is found by how it begins.
pub(super) struct Sorted<const N: usize> {
    file: Mutex<File>,
    /// The prefix of every record that stands at a multiple of [`PER_FENCE`].
    fences: Vec<u64>,
}

impl<const N: usize> Sorted<N> {
    pub(super) fn of(mut records: Records<N>) -> io::Result<Self> {
        let mut file = tempfile::tempfile_in(&records.folder)?;
        let (mut fences, mut index) = (Vec::new(), 0_usize);
        records.sorted(&mut |part| {
            let to_fence = index.next_multiple_of(PER_FENCE) - index;
            fences.extend(part.iter().skip(to_fence).step_by(PER_FENCE).map(|record| prefix(record)));
            index += part.len();
            file.write_all(part.as_flattened())
        })?;
        Ok(Self { file: Mutex::new(file), fences })
    }

    /// The first record that begins with `start`, which has eight bytes at least, and where it stands.
    pub(super) fn first(&self, start: &[u8]) -> io::Result<Option<(u64, [u8; N])>> {
        let wanted = prefix(start);
        // Records of one prefix may reach over a fence: the one before the first that is not less.
        let first = self.fences.partition_point(|fence| *fence < wanted).saturating_sub(1);
        let blocks = self.fences.iter().enumerate().skip(first);
        for (block, _) in blocks.take_while(|(_, fence)| **fence <= wanted) {
            let records = self.block(block)?;
            let mut records = ((block * PER_FENCE) as u64..).zip(records.as_chunks().0);
            if let Some((index, record)) = records.find(|(_, record)| record.starts_with(start)) {
                return Ok(Some((index, *record)));
            }
        }
        Ok(None)
    }

    /// The record that stands at `index`, from 0.
    pub(super) fn get(&self, index: u64) -> io::Result<Option<[u8; N]>> {
        let Ok(index) = usize::try_from(index) else { return Ok(None) };
        let block = self.block(index / PER_FENCE)?;
        Ok(block.as_chunks().0.get(index % PER_FENCE).copied())
    }

    /// The records from one fence to the next.
    fn block(&self, block: usize) -> io::Result<Vec<u8>> {
        let bytes = (PER_FENCE * N) as u64;
        let mut records = Vec::with_capacity(PER_FENCE * N);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(block as u64 * bytes))?;
        Read::take(&mut *file, bytes).read_to_end(&mut records)?;
        Ok(records)
    }
}

/// The first eight bytes as a number.
fn prefix(record: &[u8]) -> u64 {
    record.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PENDING, Records, SORTED_AT_ONCE, Sorted};

    /// Spread over all prefixes, each of them once.
    fn record(number: u64) -> [u8; 12] {
        let mut record = [0; 12];
        record[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        record[8..].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
        record
    }

    fn records(folder: &Path, count: u64) -> Records<12> {
        let mut records = Records::new(folder);
        for number in 0..count {
            records.push(record(number)).unwrap();
        }
        records
    }

    #[test]
    fn records_come_back_by_number_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 1_000, PENDING as u64, PENDING as u64 + 1, 2 * SORTED_AT_ONCE + 5] {
            let mut records = records(folder.path(), count);
            for number in [0, count / 3, count.saturating_sub(1)] {
                assert_eq!(records.get(number).ok(), (number < count).then(|| record(number)));
            }
            assert!(records.get(count).is_err());
            let (mut seen, mut last) = (0, None);
            records
                .sorted(&mut |part| {
                    for record in part {
                        assert!(last.replace(*record).is_none_or(|last| last < *record));
                        seen += 1;
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, count);
        }
    }

    #[test]
    fn a_record_is_found_by_its_start() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 129, PENDING as u64 + 200] {
            let sorted = Sorted::of(records(folder.path(), count)).unwrap();
            for number in 0..count {
                let (index, found) = sorted.first(&record(number)[..8]).unwrap().unwrap();
                assert_eq!((found, sorted.get(index).unwrap()), (record(number), Some(record(number))));
            }
            assert_eq!(sorted.first(&record(count)[..8]).unwrap(), None);
            assert_eq!(sorted.get(count).unwrap(), None);
        }
    }

    #[test]
    fn many_records_of_one_start_hide_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::<12>::new(folder.path());
        for number in 0..500_u32 {
            let start = if number < 499 { [5_u8; 8] } else { [6; 8] };
            records.push([start.as_slice(), &number.to_be_bytes()].concat().try_into().unwrap()).unwrap();
        }
        let sorted = Sorted::of(records).unwrap();
        let first = sorted.first(&[5; 8]).unwrap();
        assert!(first.is_some_and(|(index, record)| index == 0 && record.ends_with(&[0, 0, 0, 0])));
        assert!(sorted.first(&[6; 8]).unwrap().is_some_and(|(index, _)| index == 499));
        assert!(sorted.first(&[7; 8]).unwrap().is_none());
    }
}
