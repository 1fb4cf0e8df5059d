//! Which mails of the source lie in a finished volume already.
//!
//! A name never tells: in an mbox that was compacted, or a folder whose files were numbered anew, other mails lie where
//! those of before have been, and a mail program renames the file of a mail that was read. So a mail is known by its place
//! and its bytes, as often as it was exported. A file that has not changed since before the export was begun, and lies
//! under the key that it had, need not be read for it.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::Path;

use mail::source::Found;
use sha2::{Digest, Sha256};
use volume::Metadata;

use super::records::{Records, Sorted};

/// Half of a SHA-256: enough to tell apart what nobody made to collide.
pub(super) type Half = [u8; 16];

/// Of the key; then length and hash of the raw mail, and its mark.
const BY_KEY_BYTES: usize = 16 + 8 + 16 + 16;
/// The clock of a file server may be behind by so much.
const SLACK_SECONDS: i64 = 3_600;
const BUFFER_BYTES: usize = 64 << 10;

/// The mails of the finished volumes, while these are read.
pub(super) struct Exported {
    by_key: Records<BY_KEY_BYTES>,
    marks: Records<16>,
}

/// The mails of the finished volumes.
pub(super) struct Known {
    by_key: Sorted<BY_KEY_BYTES>,
    /// Place and bytes of each.
    marks: Sorted<16>,
    count: u64,
    /// Unix seconds.
    began: i64,
}

/// What was exported under one key.
struct OfKey {
    size_bytes: u64,
    content: Half,
    mark: Half,
}

/// What the volumes say of a mail that was found and not yet read.
pub(super) enum Sight {
    /// None of its key was exported.
    New,
    /// One was, and its file has not changed since: its mark.
    Same(Half),
    /// One of so many bytes was. Only its bytes tell whether it is the same.
    Perhaps(u64),
}

impl Exported {
    /// None yet; what cannot be held in memory will lie in nameless files in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { by_key: Records::new(folder), marks: Records::new(folder) }
    }

    pub(super) fn add(&mut self, mail: &Metadata) -> io::Result<()> {
        let Some(key) = mail.source_key.as_deref() else { return Ok(()) };
        let content = half(&mail.sha256);
        let mark = mark(&mail.locations, &content);
        let mut record = [0; BY_KEY_BYTES];
        let bytes = half_of(key).into_iter().chain(mail.size_bytes.to_be_bytes()).chain(content).chain(mark);
        for (to, from) in record.iter_mut().zip(bytes) {
            *to = from;
        }
        self.by_key.push(record)?;
        self.marks.push(mark)
    }

    /// `began` is when the export was begun, in Unix seconds.
    pub(super) fn sorted(self, began: i64) -> io::Result<Known> {
        let count = self.marks.len();
        Ok(Known { by_key: Sorted::of(self.by_key)?, marks: Sorted::of(self.marks)?, count, began })
    }
}

impl Known {
    pub(super) fn sight(&self, found: &Found) -> io::Result<Sight> {
        let Some(exported) = self.of_key(&found.key)? else { return Ok(Sight::New) };
        let is_older = found.last_change().is_some_and(|time| time < self.began.saturating_sub(SLACK_SECONDS));
        Ok(if is_older && exported.size_bytes == found.size_bytes {
            Sight::Same(exported.mark)
        } else {
            Sight::Perhaps(exported.size_bytes)
        })
    }

    /// Reads a mail, and gives the mark that it is known by. What cannot be read is not known.
    pub(super) fn recognise(&self, found: &Found) -> io::Result<Option<Half>> {
        let Ok(content) = content_of(found) else { return Ok(None) };
        let mark = mark(&found.locations, &content);
        if self.marks.first(&mark)?.is_some() {
            return Ok(Some(mark));
        }
        Ok(self.of_key(&found.key)?.filter(|exported| exported.content == content).map(|exported| exported.mark))
    }

    /// Whether several mails of other bytes were exported under one key: it changed while the export ran.
    pub(super) fn has_several(&self, key: &str) -> io::Result<bool> {
        let Some((first, one)) = self.by_key.first(&half_of(key))? else { return Ok(false) };
        let one = OfKey::read(&one).map(|mail| mail.content);
        for index in first + 1.. {
            let next = self.by_key.get(index)?.filter(|next| next.starts_with(&half_of(key)));
            let Some(next) = next.as_ref().and_then(OfKey::read) else { break };
            if one != Some(next.content) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The mail that was exported under a key.
    fn of_key(&self, key: &str) -> io::Result<Option<OfKey>> {
        let Some((_, record)) = self.by_key.first(&half_of(key))? else { return Ok(None) };
        Ok(OfKey::read(&record))
    }
}

impl OfKey {
    fn read(record: &[u8; BY_KEY_BYTES]) -> Option<Self> {
        let (_, rest) = record.split_first_chunk::<16>()?;
        let (size_bytes, rest) = rest.split_first_chunk()?;
        let (content, rest) = rest.split_first_chunk()?;
        let mark = rest.first_chunk()?;
        Some(Self { size_bytes: u64::from_be_bytes(*size_bytes), content: *content, mark: *mark })
    }
}

/// The mails that this run has written beside the known ones.
pub(super) struct Written<'a> {
    known: &'a Known,
    marks: Records<16>,
}

impl<'a> Written<'a> {
    pub(super) fn none_beside(known: &'a Known, folder: &Path) -> Self {
        Self { known, marks: Records::new(folder) }
    }

    pub(super) fn add(&mut self, mail: &Metadata) -> io::Result<()> {
        self.marks.push(mark_of(mail))
    }

    pub(super) fn sorted(self) -> io::Result<InVolumes<'a>> {
        Ok(InVolumes { known: self.known, written: Sorted::of(self.marks)?, since: HashSet::new() })
    }
}

/// All mails in the volumes, while few are added.
pub(super) struct InVolumes<'a> {
    known: &'a Known,
    written: Sorted<16>,
    since: HashSet<Half>,
}

impl InVolumes<'_> {
    /// Whether a mail of the same place and bytes is in a volume; from now on it is.
    pub(super) fn insert(&mut self, mail: &Metadata) -> io::Result<bool> {
        let mark = mark_of(mail);
        let is_there = self.known.marks.first(&mark)?.is_some() || self.written.first(&mark)?.is_some();
        Ok(is_there || !self.since.insert(mark))
    }
}

/// Which of the known mails a walk has met again: each is met once.
pub(super) struct Met<'a> {
    known: &'a Known,
    /// A bit for each.
    bits: Vec<u64>,
    left: u64,
}

impl<'a> Met<'a> {
    pub(super) fn none_of(known: &'a Known) -> Self {
        let words = usize::try_from(known.count.div_ceil(64)).unwrap_or(0);
        Self { known, bits: vec![0; words], left: known.count }
    }

    /// Meets one of that mark; false if all of them were met before.
    pub(super) fn meet(&mut self, mark: &Half) -> io::Result<bool> {
        let Some((first, _)) = self.known.marks.first(mark)? else { return Ok(false) };
        // Those of one mark lie side by side and are met in their order.
        let Some(index) = self.first_left(first) else { return Ok(false) };
        if index != first && self.known.marks.get(index)? != Some(*mark) {
            return Ok(false);
        }
        if let Some(word) = usize::try_from(index / 64).ok().and_then(|at| self.bits.get_mut(at)) {
            *word |= 1 << (index % 64);
        }
        self.left = self.left.saturating_sub(1);
        Ok(true)
    }

    /// The same for a mail that was read.
    pub(super) fn meet_mail(&mut self, mail: &Metadata) -> io::Result<bool> {
        match mail.source_key.as_deref() {
            Some(key) if self.left > 0 => {
                let content = half(&mail.sha256);
                if self.meet(&mark(&mail.locations, &content))? {
                    return Ok(true);
                }
                let exported = self.known.of_key(key)?.filter(|exported| exported.content == content);
                exported.map_or(Ok(false), |exported| self.meet(&exported.mark))
            }
            _ => Ok(false),
        }
    }

    /// The first from `index` on that was not met.
    fn first_left(&self, index: u64) -> Option<u64> {
        let start = index / 64;
        let words = (0..).zip(&self.bits).skip(usize::try_from(start).ok()?);
        let mut left = words.filter_map(|(at, word)| {
            let before = if at == start { (1 << (index % 64)) - 1 } else { 0 };
            let met = word | before;
            (met != u64::MAX).then(|| at * 64 + u64::from(met.trailing_ones()))
        });
        left.next()
    }
}

fn mark_of(mail: &Metadata) -> Half {
    mark(&mail.locations, &half(&mail.sha256))
}

/// Tells a mail apart by its places and by its bytes.
fn mark(locations: &[Vec<String>], content: &Half) -> Half {
    let mut hash = Sha256::new_with_prefix(content);
    let mut put = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for location in locations {
        put(&location.len().to_string());
        for segment in location {
            put(segment);
        }
    }
    half(&hash.finalize().into())
}

fn content_of(found: &Found) -> io::Result<Half> {
    let (mut raw, mut hash, mut buffer) = (found.open()?, Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match raw.read(&mut buffer) {
            Ok(0) => return Ok(half(&hash.finalize().into())),
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn half_of(key: &str) -> Half {
    half(&Sha256::digest(key).into())
}

fn half(sha256: &[u8; 32]) -> Half {
    sha256.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Exported, Met, mark};
    use crate::export::samples::metadata;
    use volume::Metadata;

    fn mail(key: &str, content: u8) -> Metadata {
        Metadata { source_key: Some(key.into()), ..metadata(content) }
    }

    #[test]
    fn mails_of_one_mark_are_met_as_often_as_they_were_exported() {
        let folder = tempfile::tempdir().unwrap();
        let mut exported = Exported::new(folder.path());
        for offset in 0..200 {
            exported.add(&mail(&format!("x.mbox//{offset}"), 7)).unwrap();
            exported.add(&mail(&format!("x.mbox//{offset}"), offset)).unwrap();
        }
        let known = exported.sorted(0).unwrap();
        let mut met = Met::none_of(&known);
        for offset in 0..200_u32 {
            assert!(met.meet_mail(&mail(&format!("x.mbox//{}", offset + 1_000), 7)).unwrap(), "{offset}");
        }
        assert!(met.meet_mail(&mail("x.mbox//1", 7)).unwrap(), "one of the others has this content, too");
        assert!(!met.meet_mail(&mail("x.mbox//1", 7)).unwrap());
        let elsewhere = Metadata { locations: vec![vec!["x".into()]], ..mail("y.mbox//1", 8) };
        assert!(!met.meet_mail(&elsewhere).unwrap(), "in another place");
        for content in (0..200).filter(|content| *content != 7) {
            assert!(met.meet_mail(&mail("x.mbox//0", content)).unwrap(), "{content}");
        }
        assert_eq!(met.left, 0);
        assert!(!met.meet_mail(&mail("x.mbox//0", 9)).unwrap());
    }

    #[test]
    fn a_mail_of_the_same_key_and_bytes_is_met_once_wherever_it_is_said_to_lie() {
        let folder = tempfile::tempdir().unwrap();
        let mut exported = Exported::new(folder.path());
        exported.add(&mail("jane/cur/a", 7)).unwrap();
        exported.add(&mail("jane/cur/b", 8)).unwrap();
        let known = exported.sorted(0).unwrap();
        let mut met = Met::none_of(&known);
        let elsewhere = |key, content| Metadata { locations: vec![vec!["jane".into()]], ..mail(key, content) };
        assert!(!met.meet_mail(&elsewhere("jane/cur/a", 8)).unwrap(), "other bytes");
        assert!(!met.meet_mail(&elsewhere("jane/cur/c", 7)).unwrap(), "another key");
        assert!(met.meet_mail(&elsewhere("jane/cur/a", 7)).unwrap());
        assert!(!met.meet_mail(&elsewhere("jane/cur/a", 7)).unwrap());
        assert_eq!(met.left, 1);
    }

    #[test]
    fn another_mail_of_a_key_is_seen_behind_equal_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut exported = Exported::new(folder.path());
        for (key, content) in [("a", 7), ("a", 7), ("a", 8), ("b", 7), ("b", 7), ("c", 9)] {
            exported.add(&mail(key, content)).unwrap();
        }
        let known = exported.sorted(0).unwrap();
        let several = ["a", "b", "c", "d"].map(|key| known.has_several(key).unwrap());
        assert_eq!(several, [true, false, false, false]);
    }

    #[test]
    fn places_tell_mails_apart() {
        let places = |places: &[&[&str]]| -> Vec<Vec<String>> {
            places.iter().map(|place| place.iter().map(|segment| (*segment).to_owned()).collect()).collect()
        };
        let marks = [
            places(&[&["a", "b"]]),
            places(&[&["a"], &["b"]]),
            places(&[&["ab"]]),
            places(&[&["a", "b", ""]]),
            places(&[&["a", "b"], &[]]),
        ]
        .map(|places| mark(&places, &[0; 16]));
        assert_eq!(std::collections::BTreeSet::from(marks).len(), marks.len());
    }
}
