//! What the mails of one volume are, so that a copy is sealed as a reference to the first of them.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::records::Records;

/// SHA-256, length, number, and the index of the record before this one that has the same tag, plus one.
const RECORD_BYTES: usize = 32 + 8 + 8 + 4;

/// The mails that stand for themselves. Memory holds nine bytes for each of them, or twice that; a volume has a million
/// at most. The rest lies in a file and is compared in full.
pub(super) struct Contents {
    /// The last record of each tag, plus one.
    by_tag: HashMap<u32, u32>,
    records: Records<RECORD_BYTES>,
}

/// Hash and length of raw bytes.
pub(super) type Content = ([u8; 32], u64);

impl Contents {
    pub(super) fn new(folder: &Path) -> Self {
        Self { by_tag: HashMap::new(), records: Records::new(folder) }
    }

    /// The number of the mail that has this content, if there is one.
    pub(super) fn number(&mut self, content: &Content) -> io::Result<Option<u64>> {
        let start = start(content);
        let mut next = self.by_tag.get(&tag(content)).copied().unwrap_or_default();
        while let Some(index) = next.checked_sub(1) {
            let record = self.records.get(index.into())?;
            let rest = record.strip_prefix(&start);
            if let Some(number) = rest.and_then(|rest| rest.first_chunk()) {
                return Ok(Some(u64::from_be_bytes(*number)));
            }
            next = record.last_chunk().map_or(0, |before| u32::from_be_bytes(*before));
        }
        Ok(None)
    }

    pub(super) fn add(&mut self, content: &Content, number: u64) -> io::Result<()> {
        let this = u32::try_from(self.records.len() + 1).map_err(io::Error::other)?;
        let before = self.by_tag.insert(tag(content), this).unwrap_or_default();
        let mut record = [0; RECORD_BYTES];
        let bytes = start(content).into_iter().chain(number.to_be_bytes()).chain(before.to_be_bytes());
        for (to, from) in record.iter_mut().zip(bytes) {
            *to = from;
        }
        self.records.push(record)
    }
}

/// How the record of a content begins.
fn start(content: &Content) -> [u8; 40] {
    let mut start = [0; 40];
    for (to, from) in start.iter_mut().zip(content.0.into_iter().chain(content.1.to_be_bytes())) {
        *to = from;
    }
    start
}

fn tag(content: &Content) -> u32 {
    content.0.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::Contents;

    #[test]
    fn contents_of_one_tag_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut contents = Contents::new(folder.path());
        let content = |seed: u16| {
            let mut hash = [7; 32];
            hash[30..].copy_from_slice(&seed.to_be_bytes());
            (hash, u64::from(seed) % 3)
        };
        for seed in 0..50 {
            contents.add(&content(seed), 1_000 + u64::from(seed)).unwrap();
        }
        for seed in 0..50 {
            assert_eq!(contents.number(&content(seed)).unwrap(), Some(1_000 + u64::from(seed)));
            let (hash, len) = content(seed);
            assert_eq!(contents.number(&(hash, len + 1)).unwrap(), None);
        }
        assert_eq!(contents.number(&content(50)).unwrap(), None);
        assert_eq!(contents.number(&([8; 32], 0)).unwrap(), None);
    }
}
