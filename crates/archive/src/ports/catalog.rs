//! The catalogue: what the archive knows, beside the bytes themselves.
//!
//! Two kinds of row. *Documents* are few and small (uploads, imports, shards, packs, mailboxes, users …): each has a
//! version, and every change is a compare-and-set on it, so that leases, fences and state changes are decided in this
//! crate and not in each adapter. *Message rows and placements* are many: they have their own words, made for one write
//! per mail and for lists that cost nothing per mail.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EntryRef, FolderPath, MailHash, MailboxAddress, MessageRow, PackId, Place, PlacementKey, Result};

/// A small row. `version` begins at 1 and grows by 1 with each change.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub id: String,
    pub version: u64,
    pub body: Value,
}

/// What must be there for a change to be made; anything else is a `Conflict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Version(u64),
    /// Whatever is there, or nothing. Only for rows with one writer.
    Anything,
}

/// A set of placements that is listed in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Every mail of the archive.
    All,
    /// Every mail of one mailbox, once.
    Mailbox(MailboxAddress),
    /// One folder alone, without what lies below it.
    Folder(MailboxAddress, FolderPath),
}

/// A list in words.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("the whole archive"),
            Self::Mailbox(mailbox) => write!(f, "mailbox {mailbox}"),
            Self::Folder(mailbox, path) => write!(f, "folder {:?} of {mailbox}", path.0),
        }
    }
}

/// What the catalogue holds for a hash after [`Catalog::record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The entry that brought the mail first: it alone is counted as imported.
    pub first: EntryRef,
    /// Where the bytes that count are.
    pub pack: PackId,
    /// The message date that counts: the first one's.
    pub message_date: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCount {
    pub path: FolderPath,
    /// Distinct mails placed in this folder alone.
    pub mails: u64,
}

/// At most so many rows go into one call of `record` and `locate`.
pub const MAX_ROWS_PER_CALL: usize = 1000;

#[async_trait]
pub trait Catalog: Send + Sync {
    // Documents. A partition is a short ASCII name; partitions with a `/` are many and small.

    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>>;

    /// Writes the document if `expect` holds and answers its new version. `expires` (Unix seconds) lets the adapter
    /// remove it some time after; a reader checks it itself where it matters.
    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64>;

    /// Writes documents of one partition that have one writer, whatever is there. All of them are durable when it returns; it
    /// is atomic per document only.
    async fn save_all(&self, partition: &str, documents: &[(String, Value)]) -> Result<()> {
        for (id, body) in documents {
            self.save(partition, id, body, Expect::Anything, None).await?;
        }
        Ok(())
    }

    /// Documents in byte order of their ids, after `after`, at most `limit`.
    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>>;

    /// Removes the document if `expect` holds (`Absent` makes no sense here). False if it was not there.
    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool>;

    // Message rows: one per distinct mail, keyed by hash.

    /// Writes each row, new or known, and answers in the same order what counts now. For a known hash the place, dates,
    /// texts and `first` stay as they are; locations, flags and defects are united. Repeating it changes nothing.
    /// All rows of a call are durable when it returns; it is atomic per row only.
    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>>;

    /// The rows of these hashes, in the same order; none where the archive does not hold the mail.
    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>>;

    /// Where the bytes of these hashes lie, in the same order. Cheaper than `locate` where that costs more, and it may
    /// miss what was recorded a moment ago: whoever packs a mail again because of that is told by `record`.
    async fn known(&self, hashes: &[MailHash]) -> Result<Vec<Option<Place>>> {
        Ok(self.locate(hashes).await?.into_iter().map(|row| row.map(|row| row.place())).collect())
    }

    // Placements. A hash comes with the date that its row counts, always the same: so its key says where it lies.

    /// Makes the folders and all their parents; answers how many were new. The mailbox needs no other row here.
    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64>;

    /// Adds the keys (sorted, each hash once) to the scope and answers how many hashes were new to it. A hash that is
    /// there keeps its place and gains the flags. `run` names this batch: repeating it under the same name changes
    /// nothing and answers 0. A folder must have been created.
    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64>;

    /// Takes mails out of the scope and answers how many: `limit` or somewhat more, fewer only if there are no more, and 0
    /// once it is empty. Which go first is the adapter's choice. A folder stays; other scopes keep what they hold; batches
    /// that were placed before are forgotten, so that their names are new again. Nobody else may change the scope meanwhile.
    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64>;

    /// The next keys of the scope in their order, after `after`, at most `limit`. Inserts do not move a cursor.
    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>>;

    /// How many distinct mails the scope holds.
    async fn count(&self, scope: &Scope) -> Result<u64>;

    /// The folders of a mailbox in order of their paths, parents included.
    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>>;

    /// How many folders the mailbox has, parents included.
    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64>;

    /// Which of these folders the mailbox has, in the same order.
    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>>;

    /// What the adapter finds wrong with its own storage, in words; empty if it is sound.
    async fn faults(&self) -> Result<Vec<String>>;

    /// Mails that have a row and do not lie in [`Scope::All`], at most `limit`; the adapter need not look where that costs much.
    async fn unlisted(&self, _limit: usize) -> Result<Vec<MailHash>> {
        Ok(Vec::new())
    }

    /// Mails that lie in some list under another date than that of their row, at most `limit`; as [`Self::unlisted`].
    async fn misplaced(&self, _limit: usize) -> Result<Vec<MailHash>> {
        Ok(Vec::new())
    }

    /// Which of these keys lie in the scope, in the same order, with the placement's flags; their own do not count.
    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>>;
}
