//! Shards: a volume's entries in pieces that several workers take side by side.

use std::ops::Range;

use mail::source::Position;
use serde::{Deserialize, Serialize};

use super::{Import, Tally, walk::Walked};
use crate::{
    Archive, ImportId, Result,
    lease::{Holder, Leased},
    records::Record,
};

/// Where one shard stands. Its version is the fence of whoever works on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shard {
    pub(super) import: ImportId,
    pub(super) number: u32,
    /// The first entry of the shard and the one after its last.
    pub(super) entries: Range<u64>,
    /// The next entry that has no outcome yet.
    pub(super) next: u64,
    pub(super) tally: Tally,
    /// Where the walk through a foreign file goes on with `next`.
    #[serde(default)]
    pub(super) position: Position,
    /// What the walk has found so far that is no mail.
    #[serde(default)]
    pub(super) not_mail: u64,
    /// Archives and stores among them, which may hold mails.
    #[serde(default)]
    pub(super) unread: u64,
    pub(super) done: bool,
    /// When it was last moved forward.
    pub(super) touched: i64,
    pub(super) holder: Option<Holder>,
}

impl Record for Shard {
    const KIND: &'static str = "shard";
    fn id(&self) -> String {
        format!("{:06}", self.number)
    }
    fn parent(&self) -> Option<String> {
        Some(self.import.to_string())
    }
}

impl Leased for Shard {
    fn holder(&mut self) -> &mut Option<Holder> {
        &mut self.holder
    }
}

impl Shard {
    /// Keeps how far the walk has come, and how many entries there are once that is known.
    pub(super) fn follow(&mut self, walked: &Walked) {
        self.position = walked.position;
        self.not_mail += walked.not_mail.len() as u64;
        self.unread += walked.not_mail.iter().filter(|it| mail::source::may_hold_mails(&it.reason)).count() as u64;
        if walked.has_ended {
            self.entries.end = self.next;
        }
    }
}

/// So many entries has no file. Exact in every reader of JSON.
const OPEN_END: u64 = 1 << 53;

impl Import {
    /// How many shards the import has; one even if there is no mail, so that somebody closes it. A walk is not shared.
    pub(super) fn shard_count(&self) -> u32 {
        if self.is_foreign() {
            return 1;
        }
        u32::try_from(self.mails.div_ceil(self.shard_mails.max(1))).unwrap_or(u32::MAX).max(1)
    }

    /// Those of a foreign file have no end before its walk has one.
    pub(crate) fn shard_entries(&self, number: u32) -> Range<u64> {
        if self.is_foreign() {
            return self.first_mail..OPEN_END;
        }
        let start = self.first_mail + u64::from(number) * self.shard_mails;
        start..(start + self.shard_mails).min(self.first_mail + self.mails)
    }
}

impl Archive {
    /// The shard's row, made at its first use.
    pub(super) async fn shard(&self, import: &Import, number: u32) -> Result<crate::records::Stored<Shard>> {
        if let Some(shard) = self.find_in(&import.id.0, &format!("{number:06}")).await? {
            return Ok(shard);
        }
        let entries = import.shard_entries(number);
        let shard = Shard {
            import: import.id.clone(),
            number,
            next: entries.start,
            entries,
            tally: Tally::default(),
            position: Position::default(),
            not_mail: 0,
            unread: 0,
            done: false,
            touched: self.clock.now(),
            holder: None,
        };
        self.add(&shard).await
    }

    pub(super) async fn shards(&self, import: &Import) -> Result<Vec<Shard>> {
        self.all(Some(&import.id.0)).await
    }
}
