//! What the catalogue keeps of each distinct mail, and of each place it lies in.

use std::{
    collections::{BTreeSet, btree_set},
    fmt,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, MailHash, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
id!(
    /// A pack: 32 hex digits, random.
    PackId
);
id!(
    /// One import of one volume into one mailbox; sorts by its time of start.
    ImportId
);
id!(
    /// A process of the process log; sorts by its time of start.
    ProcessId
);

impl ImportId {
    /// Unix seconds of the start, which the first ten hex digits of an id say. All mails that an import brings have this
    /// import date: so it need not be kept beside each.
    pub(crate) fn begun(&self) -> Option<i64> {
        i64::from_str_radix(self.0.get(..10)?, 16).ok()
    }
}

/// One entry of one import: what brought a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRef {
    pub import: ImportId,
    /// The mail's number in its export, from 1.
    pub entry: u64,
}

/// A folder's path below its mailbox: names, never a joined string. Empty for what lies in the mailbox itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderPath(pub Vec<String>);

impl FolderPath {
    /// 16 bytes that stand for the path: the first of the SHA-256 of its JSON.
    pub fn id(&self) -> [u8; 16] {
        let digest: [u8; 32] = Sha256::digest(serde_json::json!(self.0).to_string()).into();
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Each of these paths and every folder above one of them, once and in order. None is held: where folders lie deep,
    /// their paths together take many times what the names do.
    pub fn each_with_parents(paths: &BTreeSet<Self>) -> impl Iterator<Item = Self> {
        EachOnce { paths: paths.iter(), names: &[], next: 1 }
    }

    /// The path itself and every folder above it, the topmost first; the empty path has none above it.
    pub fn with_parents(&self) -> impl Iterator<Item = Self> {
        let shortest = usize::from(!self.0.is_empty());
        (shortest..=self.0.len()).filter_map(|n| self.0.get(..n)).map(|names| Self(names.to_vec()))
    }
}

/// See [`FolderPath::each_with_parents`].
struct EachOnce<'a> {
    paths: btree_set::Iter<'a, FolderPath>,
    /// Of the path in hand.
    names: &'a [String],
    /// So many of its names make the next folder; more than there are once it is done.
    next: usize,
}

impl Iterator for EachOnce<'_> {
    type Item = FolderPath;

    fn next(&mut self) -> Option<FolderPath> {
        if self.next > self.names.len() {
            let FolderPath(names) = self.paths.next()?;
            // What lies below one folder comes one after the other: the path before has brought what both share.
            let shared = names.iter().zip(self.names).take_while(|(name, before)| name == before).count();
            self.next = shared + usize::from(!names.is_empty());
            self.names = names;
        }
        let names = self.names.get(..self.next)?;
        self.next += 1;
        Some(FolderPath(names.to_vec()))
    }
}

/// A place in the source archive: path segments, the first is the user archive.
pub type Location = Vec<String>;

/// What a mail client knows of a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Flags(pub u32);

const FLAG_NAMES: [&str; 5] = ["seen", "answered", "flagged", "forwarded", "draft"];

impl Flags {
    /// Unknown names are ignored, as the volume format asks.
    pub fn parse<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let bit = |name: T| FLAG_NAMES.iter().position(|known| *known == name.as_ref()).map_or(0, |at| 1 << at);
        Self(names.into_iter().map(bit).fold(0, |all, bit| all | bit))
    }
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FLAG_NAMES.into_iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, name)| name)
    }
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl From<Vec<String>> for Flags {
    fn from(names: Vec<String>) -> Self {
        Self::parse(names)
    }
}
impl From<Flags> for Vec<String> {
    fn from(flags: Flags) -> Self {
        flags.names().map(str::to_owned).collect()
    }
}

/// One distinct mail. Dates are Unix seconds UTC; an unknown date is none, never the time of the import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    pub hash: MailHash,
    pub size_bytes: u64,
    pub pack: PackId,
    /// Where the mail's frame begins in the pack, and its length there.
    pub offset: u64,
    pub stored_bytes: u64,
    pub message_date: Option<i64>,
    pub message_date_source: Option<String>,
    pub archive_date: Option<i64>,
    pub import_date: i64,
    pub first: EntryRef,
    /// Bits of `mail::Defects`.
    pub defects: u64,
    /// At most 1 KiB together with `from` and `message_id`.
    pub subject: Option<String>,
    pub from: Option<String>,
    pub message_id: Option<String>,
    pub locations: BTreeSet<Location>,
    pub flags: Flags,
}

/// Where the stored frame of a mail lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub pack: PackId,
    pub offset: u64,
    pub stored_bytes: u64,
}

impl MessageRow {
    pub fn place(&self) -> Place {
        Place { pack: self.pack.clone(), offset: self.offset, stored_bytes: self.stored_bytes }
    }
    /// The key under which the mail is placed, apart from the flags of one placement.
    pub fn key(&self) -> PlacementKey {
        PlacementKey { date: self.message_date, hash: self.hash, flags: Flags::default() }
    }
}

/// A mail's place in an ordered list. Keys sort as lists are shown: latest message date first, unknown dates last, then
/// by hash; flags do not count.
#[derive(Clone, Copy, Debug)]
pub struct PlacementKey {
    pub date: Option<i64>,
    pub hash: MailHash,
    pub flags: Flags,
}

impl PlacementKey {
    /// Bytes that sort like the key: the date inverted, sign bit flipped, big endian (unknown is all ones) ‖ hash.
    pub fn sort_bytes(&self) -> [u8; 40] {
        let mut bytes = [0xFF; 40];
        if let Some(date) = self.date {
            // Dates lie in the years 1 to 9999, so that no known date meets the mark of the unknown one.
            let ascending = u64::from_ne_bytes((date ^ i64::MIN).to_ne_bytes());
            bytes[..8].copy_from_slice(&(!ascending).to_be_bytes());
        }
        bytes[8..].copy_from_slice(&self.hash.0);
        bytes
    }

    /// A cursor that stands for this key: hex of [`Self::sort_bytes`].
    pub fn cursor(&self) -> String {
        crate::hash::to_hex(&self.sort_bytes())
    }

    pub fn from_cursor(cursor: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("cursor {cursor:?} is not one of this list"));
        let (date, hash) = cursor.split_at_checked(16).ok_or_else(wrong)?;
        let bits = u64::from_str_radix(date, 16).map_err(|_| wrong())?;
        Ok(Self::from_parts(bits, MailHash::parse(hash).map_err(|_| wrong())?))
    }

    /// The key that has these [`Self::sort_bytes`], without flags.
    pub fn from_sort_bytes(bytes: &[u8; 40]) -> Self {
        let (mut date, mut hash) = ([0; 8], [0; 32]);
        date.copy_from_slice(&bytes[..8]);
        hash.copy_from_slice(&bytes[8..]);
        Self::from_parts(u64::from_be_bytes(date), MailHash(hash))
    }

    fn from_parts(date: u64, hash: MailHash) -> Self {
        let date = (date != u64::MAX).then(|| i64::from_ne_bytes((!date).to_ne_bytes()) ^ i64::MIN);
        Self { date, hash, flags: Flags::default() }
    }
}
impl PartialEq for PlacementKey {
    fn eq(&self, other: &Self) -> bool {
        self.sort_bytes() == other.sort_bytes()
    }
}
impl Eq for PlacementKey {}
impl PartialOrd for PlacementKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for PlacementKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.sort_bytes().cmp(&other.sort_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(date: Option<i64>, hash: u8) -> PlacementKey {
        PlacementKey { date, hash: MailHash([hash; 32]), flags: Flags::default() }
    }

    #[test]
    fn keys_sort_latest_first_and_unknown_last() {
        let shown = [key(Some(200), 1), key(Some(200), 2), key(Some(-5), 0), key(None, 0), key(None, 9)];
        assert!(shown.is_sorted());
        for key in shown {
            assert_eq!(PlacementKey::from_cursor(&key.cursor()).unwrap().date, key.date);
            let again = PlacementKey::from_sort_bytes(&key.sort_bytes());
            assert_eq!((again.date, again.hash), (key.date, key.hash));
        }
    }

    #[test]
    fn parents_come_first_and_the_root_has_none() {
        let path = FolderPath(vec!["a".into(), "b".into()]);
        assert_eq!(path.with_parents().map(|p| p.0.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(FolderPath::default().with_parents().count(), 1);
    }

    #[test]
    fn folders_above_many_come_once_and_in_order() {
        let paths: [&[&str]; 7] =
            [&[], &["a", "b", "c"], &["a", "b", "d"], &["a", "c"], &["a b", "a"], &["b"], &["b", "", ""]];
        let paths = paths.map(|names| FolderPath(names.iter().map(|name| (*name).to_owned()).collect()));
        for some in 0..1_u32 << paths.len() {
            let chosen = (0_u32..).zip(&paths).filter(|(n, _)| (some >> n) & 1 == 1);
            let some: BTreeSet<_> = chosen.map(|(_, path)| path.clone()).collect();
            let each: BTreeSet<_> = some.iter().flat_map(FolderPath::with_parents).collect();
            assert!(FolderPath::each_with_parents(&some).eq(each), "{some:?}");
        }
    }

    #[test]
    fn flags_have_names() {
        let flags = Flags::parse(["draft", "seen", "strange"]);
        assert_eq!(flags.names().collect::<Vec<_>>(), ["seen", "draft"]);
    }
}
