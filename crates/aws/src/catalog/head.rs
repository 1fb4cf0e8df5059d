//! The head of a list: how many mails a scope holds, and in which runs.
//!
//! Item `B#<mailbox>` / `F#<folder>`; folder `0` is the whole mailbox, mailbox `*` the whole archive. All heads of a
//! mailbox lie together, so that its folders are one query.

use archive::{Error, FolderPath, PlacementKey, Result, hash::to_hex, ports::Scope};

use super::{
    item::{Item, Key, bytes, damaged, get_bytes, get_number, get_text, need_number, number, text},
    table::{Condition, Table},
};

/// 16 bytes that name a run's items, or the batch that brought it.
pub(super) type Id = [u8; 16];
/// A key as [`PlacementKey::sort_bytes`] has it.
pub(super) type SortKey = [u8; 40];

const PATH: &str = "p";
const COUNT: &str = "c";
const VERSION: &str = "v";
const RUNS: &str = "r";
const RETIRED: &str = "old";

/// A batch of sorted keys, immutable but for flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// What brought it; zeros for a run that merges others.
    pub(super) name: Id,
    pub(super) id: Id,
    pub(super) first: SortKey,
    pub(super) last: SortKey,
    pub(super) keys: u64,
}

const RUN_BYTES: usize = 16 + 16 + 40 + 40 + 8;

/// A run that was merged into another one: its items stay until nobody can be reading them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) id: Id,
    /// Unix seconds.
    pub(super) since: i64,
}

const RETIRED_BYTES: usize = 16 + 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Only a folder has one.
    pub(super) path: Option<FolderPath>,
    pub(super) count: u64,
    /// 0 for a head that is not there yet.
    pub(super) version: u64,
    pub(super) runs: Vec<Run>,
    pub(super) retired: Vec<Retired>,
}

pub(super) fn key(scope: &Scope) -> Key {
    match scope {
        Scope::All => Key::new("B#*", WHOLE),
        Scope::Mailbox(mailbox) => Key::new(partition(mailbox.folded()), WHOLE),
        Scope::Folder(mailbox, path) => Key::new(partition(mailbox.folded()), format!("F#{}", to_hex(&path.id()))),
    }
}

pub(super) const WHOLE: &str = "F#0";

pub(super) fn partition(mailbox: &str) -> String {
    format!("B#{mailbox}")
}

impl Head {
    pub(super) async fn load(table: &Table, scope: &Scope) -> Result<Option<Self>> {
        table.get(&key(scope)).await?.as_ref().map(Self::parse).transpose()
    }

    /// Writes what follows on this version; false if somebody else came first.
    pub(super) async fn swap(&self, table: &Table, scope: &Scope, mut next: Self) -> Result<bool> {
        next.version = self.version + 1;
        let condition = match self.version {
            0 => Condition::absent(),
            there => Condition::new("#v = :there", [(":there", number(there))]),
        };
        table.put(next.item(&key(scope))?, Some(condition)).await
    }

    pub(super) fn item(&self, key: &Key) -> Result<Item> {
        let mut item = key.item();
        if let Some(path) = &self.path {
            let json = serde_json::to_string(path);
            let json = json.map_err(|e| Error::internal("a folder cannot be written").caused_by(e))?;
            item.insert(PATH.into(), text(json));
        }
        item.insert(COUNT.into(), number(self.count));
        item.insert(VERSION.into(), number(self.version));
        if !self.runs.is_empty() {
            item.insert(RUNS.into(), bytes(self.runs.iter().flat_map(Run::to_bytes).collect::<Vec<_>>()));
        }
        if !self.retired.is_empty() {
            item.insert(
                RETIRED.into(),
                bytes(self.retired.iter().copied().flat_map(Retired::to_bytes).collect::<Vec<_>>()),
            );
        }
        Ok(item)
    }

    pub(super) fn parse(item: &Item) -> Result<Self> {
        let path = get_text(item, PATH).map(serde_json::from_str).transpose();
        let (runs, rest) = get_bytes(item, RUNS).unwrap_or_default().as_chunks::<RUN_BYTES>();
        let (retired, rest_of_retired) = get_bytes(item, RETIRED).unwrap_or_default().as_chunks::<RETIRED_BYTES>();
        if !rest.is_empty() || !rest_of_retired.is_empty() {
            return Err(damaged(item, RUNS));
        }
        Ok(Self {
            path: path.map_err(|e| damaged(item, PATH).caused_by(e))?,
            count: get_number(item, COUNT).unwrap_or_default(),
            version: need_number(item, VERSION)?,
            runs: runs.iter().map(Run::from_bytes).collect(),
            retired: retired.iter().map(Retired::from_bytes).collect(),
        })
    }
}

impl Run {
    fn to_bytes(&self) -> [u8; RUN_BYTES] {
        let mut bytes = [0; RUN_BYTES];
        let fields = [&self.name[..], &self.id, &self.first, &self.last, &self.keys.to_be_bytes()].concat();
        bytes.copy_from_slice(&fields);
        bytes
    }

    fn from_bytes(bytes: &[u8; RUN_BYTES]) -> Self {
        Self {
            name: part(bytes, 0),
            id: part(bytes, 16),
            first: part(bytes, 32),
            last: part(bytes, 72),
            keys: u64::from_be_bytes(part(bytes, 112)),
        }
    }

    /// Whether one of these keys, sorted, may lie in the run.
    pub(super) fn overlaps(&self, keys: &[PlacementKey]) -> bool {
        match keys {
            [] => false,
            [only] => (self.first..=self.last).contains(&only.sort_bytes()),
            [first, .., last] => self.first <= last.sort_bytes() && first.sort_bytes() <= self.last,
        }
    }
}

impl Retired {
    fn to_bytes(self) -> [u8; RETIRED_BYTES] {
        let mut bytes = [0; RETIRED_BYTES];
        bytes[..16].copy_from_slice(&self.id);
        bytes[16..].copy_from_slice(&self.since.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; RETIRED_BYTES]) -> Self {
        Self { id: part(bytes, 0), since: i64::from_be_bytes(part(bytes, 16)) }
    }
}

/// `N` bytes from `at` on, which the caller knows to be there.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back() {
        let run = Run { name: [1; 16], id: [2; 16], first: [3; 40], last: [4; 40], keys: 1 << 40 };
        let head = Head {
            path: Some(FolderPath(vec!["a/b".into(), String::new()])),
            count: 7,
            version: 9,
            runs: vec![run.clone(), Run { keys: 1, ..run }],
            retired: vec![Retired { id: [5; 16], since: -1 }],
        };
        assert_eq!(Head::parse(&head.item(&Key::new("B#a", "F#1")).unwrap()).unwrap(), head);
        let empty = Head { version: 1, ..Head::default() };
        assert_eq!(Head::parse(&empty.item(&key(&Scope::All)).unwrap()).unwrap(), empty);
    }
}
