//! What lies beside the entries that the directory lists. Mails there would be lost unsaid: of two archives one after the
//! other, or of one that was cut off and added to.

use std::io;
use std::ops::Range;

use super::end::End;
use crate::source::content::{Content, read_full_at};

const SIGNATURE: &[u8] = b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
/// Header, name and mail take more. What is shorter, as extra fields and data descriptors mostly are, is not looked at.
const SMALLEST_BYTES: u64 = 46;
/// How long a data descriptor is: there is none, or it has three numbers with or without a signature, the sizes among them
/// of 32 or of 64 bits (APPNOTE 4.3.9).
const DESCRIPTORS: [usize; 5] = [0, 12, 16, 20, 24];
/// Zeros that align the next entry: to a page of memory at most.
const PADDING_BYTES: u64 = 16 << 10;
/// Room that a program has left for later is filled with headers of nothing, 64 KiB each.
const MAX_FILLERS: usize = 4_096;
const END_RECORD_BYTES: usize = 22;

/// Looks at the stretches beside entries, which come in the order in which they lie.
pub(super) struct Gaps<'a> {
    content: &'a dyn Content,
    end: &'a End,
    /// The entry that reaches furthest, and the length of its name.
    last: Option<(Range<u64>, u16)>,
    bytes: u64,
}

impl<'a> Gaps<'a> {
    pub(super) fn new(content: &'a dyn Content, end: &'a End) -> Self {
        Self { content, end, last: None, bytes: 0 }
    }

    /// `taken` are the bytes that the entry takes without its name and extra field, by offsets as written.
    pub(super) fn entry(&mut self, taken: &Range<u64>, name_bytes: u16) -> io::Result<()> {
        let in_content = |offset: u64| offset.saturating_add(self.end.prefix_bytes);
        let taken = in_content(taken.start)..in_content(taken.end);
        // One that lies nowhere fails by itself; where it should be, nobody points.
        if taken.start >= self.end.directory.start {
            return Ok(());
        }
        self.up_to(taken.start)?;
        if self.last.as_ref().is_none_or(|(last, _)| last.end < taken.end) {
            self.last = Some((taken, name_bytes));
        }
        Ok(())
    }

    /// The bytes that look like further entries, once all entries were named.
    pub(super) fn close(mut self) -> io::Result<u64> {
        self.up_to(self.end.directory.start)?;
        self.look(&behind(self.content, self.end)?)?;
        Ok(self.bytes)
    }

    /// Looks at what lies behind the last entry and before `start`.
    fn up_to(&mut self, start: u64) -> io::Result<()> {
        let Some((last, name_bytes)) = self.last.clone() else { return self.look(&(0..start)) };
        let named_end = last.end.saturating_add(u64::from(name_bytes));
        if start.saturating_sub(named_end) < SMALLEST_BYTES {
            return Ok(());
        }
        match Header::read(self.content, last.start)? {
            Some(header) => self.look(&(last.end.saturating_add(header.variable_bytes)..start)),
            // Where the entry ends is not known, and it fails by itself.
            None => Ok(()),
        }
    }

    fn look(&mut self, stretch: &Range<u64>) -> io::Result<()> {
        if stretch.end.saturating_sub(stretch.start) >= SMALLEST_BYTES {
            self.bytes = self.bytes.saturating_add(further(self.content, stretch)?);
        }
        Ok(())
    }
}

/// What follows the archive.
fn behind(content: &dyn Content, end: &End) -> io::Result<Range<u64>> {
    let mut record = [0; END_RECORD_BYTES];
    read_full_at(content, &mut record, end.directory.end)?;
    let [.., low, high] = record;
    let length = (END_RECORD_BYTES as u64).saturating_add(u64::from(u16::from_le_bytes([low, high])));
    Ok(end.directory.end.saturating_add(length)..content.size_bytes())
}

/// How many bytes of a stretch are further entries: from the first one to its end.
fn further(content: &dyn Content, stretch: &Range<u64>) -> io::Result<u64> {
    let Some(mut at) = first_header(content, stretch)? else { return Ok(0) };
    for _ in 0..MAX_FILLERS {
        let is_within = at.saturating_add(HEADER_BYTES as u64) <= stretch.end;
        match Header::read(content, at)?.filter(|_| is_within) {
            None => return Ok(0),
            Some(header) if header.is_filler => {
                at = at.saturating_add(HEADER_BYTES as u64).saturating_add(header.variable_bytes);
            }
            Some(_) => break,
        }
    }
    Ok(stretch.end.saturating_sub(at))
}

/// Where the signature stands that a stretch begins with, behind what belongs to the entry before it.
fn first_header(content: &dyn Content, stretch: &Range<u64>) -> io::Result<Option<u64>> {
    let length = stretch.end.saturating_sub(stretch.start).min(PADDING_BYTES);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = read_full_at(content, &mut bytes, stretch.start)?;
    bytes.truncate(read);
    let behind = |descriptor: &usize| {
        let rest = bytes.get(*descriptor..)?;
        let padding = rest.iter().position(|byte| *byte != 0)?;
        rest.get(padding..)?.starts_with(SIGNATURE).then(|| descriptor.saturating_add(padding))
    };
    Ok(DESCRIPTORS.iter().find_map(behind).map(|at| stretch.start.saturating_add(at as u64)))
}

/// What a local header says of its own length.
struct Header {
    /// Of name and extra field.
    variable_bytes: u64,
    /// It has neither name nor data.
    is_filler: bool,
}

impl Header {
    /// None if there is none.
    fn read(content: &dyn Content, at: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER_BYTES];
        let read = read_full_at(content, &mut bytes, at)?;
        if read != bytes.len() || !bytes.starts_with(SIGNATURE) {
            return Ok(None);
        }
        let [_, _, _, _, _, _, flags, .., n0, n1, e0, e1] = bytes;
        let [.., p0, p1, p2, p3, _, _, _, _, _, _, _, _] = bytes;
        let (name, extra) = (u16::from_le_bytes([n0, n1]), u16::from_le_bytes([e0, e1]));
        let has_data = u32::from_le_bytes([p0, p1, p2, p3]) > 0 || flags & DESCRIPTOR_BIT != 0;
        let variable_bytes = u64::from(name).saturating_add(u64::from(extra));
        Ok(Some(Self { variable_bytes, is_filler: name == 0 && !has_data }))
    }
}

/// Bit 3: the sizes stand behind the data.
const DESCRIPTOR_BIT: u8 = 1 << 3;
