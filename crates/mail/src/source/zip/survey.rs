//! What must be known of all entries before the first one is read.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ops::Range;
use std::sync::Arc;

use super::ZipError;
use super::directory::{Directory, Record};
use super::encoding::ZipEncoding;
use super::end::End;
use super::gaps::Gaps;
use super::name::Name;
use crate::source::content::Content;
use crate::source::kind::says_its_kind;
use crate::source::maildir;

/// Entries that do not lie one after the other are sorted in memory, 24 bytes each.
const MAX_SCATTERED: usize = 2_000_000;
/// What the names of Maildirs may take in memory.
const MAILDIRS_BYTES: usize = 16 << 20;
/// What each segment of them takes besides its bytes.
const SEGMENT_BYTES: usize = 64;
/// A local header without name and extra field.
const LOCAL_HEADER_BYTES: u64 = 30;

/// One look through the whole directory.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) entries: u64,
    /// No name has a slash, so that `\` separates.
    pub(super) has_backslashes: bool,
    /// Local headers of entries that share bytes with another one. Such archives are bombs, or show one content to one
    /// reader and another one to the next.
    pub(super) overlapping: HashSet<u64>,
    /// Bytes beside the entries that look like further ones.
    pub(super) unlisted_bytes: u64,
    /// Directories that hold `cur` or `new`, as far as there is a `tmp` in the archive.
    maildirs: HashSet<Vec<String>>,
}

impl Survey {
    /// True for what lies in the `tmp` of a Maildir and does not say by its name what it is.
    pub(super) fn is_unfinished(&self, name: &Name) -> bool {
        let directories = name.directories.as_slice();
        let at = directories.iter().rposition(|directory| directory == "tmp" || is_for_items(directory));
        let parent = at.and_then(|at| directories.get(..at)).unwrap_or_default();
        let is_tmp = at.and_then(|at| directories.get(at)).is_some_and(|directory| directory == "tmp");
        is_tmp && self.maildirs.contains(parent) && !says_its_kind(OsStr::new(&name.file))
    }
}

/// Walks the directory once, and once more if its entries do not lie in its order.
pub(super) fn survey(content: &Arc<dyn Content>, end: &End, encoding: ZipEncoding) -> Result<Survey, ZipError> {
    let mut survey = Survey { has_backslashes: true, ..Survey::default() };
    let mut is_in_order = true;
    let (mut last, mut has_tmp) = (0..0, false);
    let mut gaps = Gaps::new(&**content, end);
    each(content, end, |record| {
        survey.entries = survey.entries.saturating_add(1);
        let name = record.name.decode(encoding);
        survey.has_backslashes &= !name.contains(&b'/');
        has_tmp |= memchr::memmem::find(&name, b"tmp").is_some();
        let taken = taken(&record);
        is_in_order &= last.end <= taken.start;
        if is_in_order {
            gaps.entry(&taken, name_bytes(&record))?;
        }
        last = taken;
        Ok(())
    })?;
    if is_in_order {
        survey.unlisted_bytes = gaps.close()?;
    } else {
        (survey.overlapping, survey.unlisted_bytes) = scattered(content, end)?;
    }
    if has_tmp {
        survey.maildirs = maildirs(content, end, encoding, survey.has_backslashes)?;
    }
    Ok(survey)
}

/// The directories that hold `cur` or `new`. Of more than are bearable the rest are none.
fn maildirs(
    content: &Arc<dyn Content>,
    end: &End,
    encoding: ZipEncoding,
    has_backslashes: bool,
) -> Result<HashSet<Vec<String>>, ZipError> {
    let (mut maildirs, mut left) = (HashSet::new(), MAILDIRS_BYTES);
    each(content, end, |record| {
        let directories = record.name.read(encoding, has_backslashes).directories;
        for (at, _) in directories.iter().enumerate().filter(|(_, directory)| is_for_items(directory)) {
            let parent = directories.get(..at).unwrap_or_default();
            if maildirs.contains(parent) {
                continue;
            }
            let size_bytes = parent.iter().map(|part| part.len().saturating_add(SEGMENT_BYTES)).sum();
            let Some(rest) = left.checked_sub(size_bytes).and_then(|left| left.checked_sub(SEGMENT_BYTES)) else {
                break;
            };
            left = rest;
            maildirs.insert(parent.to_vec());
        }
        Ok(())
    })?;
    Ok(maildirs)
}

fn is_for_items(directory: &str) -> bool {
    maildir::holds_items(OsStr::new(directory))
}

/// The bytes that an entry takes at least: the length of its local name is not known yet.
fn taken(record: &Record) -> Range<u64> {
    let start = record.extent.local_offset;
    start..start.saturating_add(LOCAL_HEADER_BYTES).saturating_add(record.extent.packed_bytes)
}

fn name_bytes(record: &Record) -> u16 {
    u16::try_from(record.name.bytes.len()).unwrap_or(u16::MAX)
}

/// What is overlapping and what is not listed, of entries in any order.
fn scattered(content: &Arc<dyn Content>, end: &End) -> Result<(HashSet<u64>, u64), ZipError> {
    let mut entries = Vec::new();
    each(content, end, |record| {
        if entries.len() >= MAX_SCATTERED {
            return Err(ZipError::Scattered);
        }
        let taken = taken(&record);
        entries.push((taken.start, taken.end, name_bytes(&record)));
        Ok(())
    })?;
    entries.sort_unstable();
    let mut gaps = Gaps::new(&**content, end);
    for (start, end, name_bytes) in entries.iter().copied() {
        gaps.entry(&(start..end), name_bytes)?;
    }
    Ok((shared(entries.iter().map(|(start, end, _)| (*start, *end))), gaps.close()?))
}

/// The starts of ranges, sorted by them, that share a byte with another one.
fn shared(ranges: impl IntoIterator<Item = (u64, u64)>) -> HashSet<u64> {
    let mut shared = HashSet::new();
    let mut furthest = (0, 0);
    for (start, end) in ranges {
        if start < furthest.1 {
            shared.extend([furthest.0, start]);
        }
        if end > furthest.1 {
            furthest = (start, end);
        }
    }
    shared
}

fn each(
    content: &Arc<dyn Content>,
    end: &End,
    mut look: impl FnMut(Record) -> Result<(), ZipError>,
) -> Result<(), ZipError> {
    let mut directory = Directory::new(Arc::clone(content), end.directory.clone());
    loop {
        match directory.next() {
            Ok(Some(record)) => look(record)?,
            // What lies before a break is read all the same, and the break is said where the walk meets it.
            Ok(None) | Err(ZipError::Directory { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shared;

    #[test]
    fn shared_bytes_are_found() {
        let starts = |ranges: &[(u64, u64)]| {
            let mut starts: Vec<_> = shared(ranges.iter().copied()).into_iter().collect();
            starts.sort_unstable();
            starts
        };
        assert_eq!(starts(&[(0, 40), (40, 80), (100, 130)]), []);
        assert_eq!(starts(&[(0, 40), (0, 40), (50, 80)]), [0]);
        assert_eq!(starts(&[(0, 40), (39, 70), (70, 100)]), [0, 39]);
        // One that reaches over many others.
        assert_eq!(starts(&[(0, 200), (40, 80), (90, 120), (200, 230)]), [0, 40, 90]);
    }
}
