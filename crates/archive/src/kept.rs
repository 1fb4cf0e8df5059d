//! Records that are kept as objects too: what people have decided, and the object store would not tell otherwise.
//!
//! ```text
//! records/<kind>/<first 32 hex digits of the SHA-256 of the id>.json
//! {"format": "postkahn record", "version": 1, "kind": …, "id": …, "body": … or null once it was removed}
//! ```
//! The object is written before the row: a crash in between leaves an object that is ahead, and whoever repeats the
//! change writes both again. Whoever loses a race for the row puts the object back to what won.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Archive, Error, ErrorKind, MailHash, Result,
    access::{Grant, Group, User},
    mailbox::{Emptied, Mailbox},
    mapping::Mapping,
    ports::{Expect, ObjectKey, PutMode},
    records::{Record, readable},
};

pub(crate) const PREFIX: &str = "records/";
/// Every kind of which [`Record::KEPT`] is true.
pub(crate) const KINDS: [&str; 6] = [Mailbox::KIND, Emptied::KIND, Mapping::KIND, User::KIND, Group::KIND, Grant::KIND];
/// Says that every record of these kinds has its object.
const MARK: &str = "store.json";
const MARK_TEXT: &str = "{\"format\": \"postkahn store\", \"version\": 2}\n";
const FORMAT: &str = "postkahn record";
const VERSION: u32 = 1;
/// A record is refused beyond this: far above what a row of the catalogue holds.
const MAX_BYTES: u64 = 1 << 20;
const PAGE: usize = 1000;
/// So often the object is put back to what won, before that is left to `check`.
const MAX_TRIES: usize = 5;

/// A record as its object tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: String,
    version: u32,
    pub(crate) kind: String,
    pub(crate) id: String,
    /// None once it was removed.
    pub(crate) body: Option<Value>,
    /// Hex SHA-256 of kind, id and body, so that no changed byte becomes a row.
    sha256: String,
}

impl Kept {
    fn new(kind: &str, id: &str, body: Option<Value>) -> Self {
        let sha256 = digest(kind, id, body.as_ref());
        Self { format: FORMAT.into(), version: VERSION, kind: kind.into(), id: id.into(), body, sha256 }
    }

    pub(crate) fn key(kind: &str, id: &str) -> Result<ObjectKey> {
        let name = MailHash::of(id.as_bytes()).to_string();
        ObjectKey::parse(format!("{PREFIX}{kind}/{}.json", name.get(..32).unwrap_or_default()))
    }
}

/// Whether the body of a row of one of [`KINDS`] can be read.
fn is_readable(kind: &str, body: &Value) -> bool {
    match kind {
        Mailbox::KIND => Mailbox::deserialize(body).is_ok(),
        Emptied::KIND => Emptied::deserialize(body).is_ok(),
        Mapping::KIND => Mapping::deserialize(body).is_ok(),
        User::KIND => User::deserialize(body).is_ok(),
        Group::KIND => Group::deserialize(body).is_ok(),
        Grant::KIND => Grant::deserialize(body).is_ok(),
        _ => false,
    }
}

fn digest(kind: &str, id: &str, body: Option<&Value>) -> String {
    MailHash::of(serde_json::json!([kind, id, body]).to_string().as_bytes()).to_string()
}

impl Archive {
    /// Writes the object, then the row by `save`.
    pub(crate) async fn keep(
        &self,
        kind: &str,
        id: &str,
        body: &Value,
        expect: Expect,
        save: impl Future<Output = Result<u64>>,
    ) -> Result<u64> {
        if expect == Expect::Absent && self.catalog.load(kind, id).await?.is_some() {
            return Err(Error::conflict(format!("{kind} {id} exists")));
        }
        self.put_kept(&Kept::new(kind, id, Some(body.clone()))).await?;
        let saved = save.await;
        if saved.as_ref().is_err_and(|e| e.kind() == ErrorKind::Conflict) {
            self.keep_what_won(kind, id).await?;
        }
        saved
    }

    /// Notes that the record is removed, before its row is.
    pub(crate) async fn keep_removal(&self, kind: &str, id: &str) -> Result<()> {
        if self.catalog.load(kind, id).await?.is_none() {
            return Ok(());
        }
        self.put_kept(&Kept::new(kind, id, None)).await
    }

    /// Puts the object of a lost race back to what the row says.
    pub(crate) async fn keep_what_won(&self, kind: &str, id: &str) -> Result<()> {
        let mut won = self.catalog.load(kind, id).await?;
        for _ in 0..MAX_TRIES {
            let body = won.as_ref().map(|document| document.body.clone());
            self.put_kept(&Kept::new(kind, id, body)).await?;
            let now = self.catalog.load(kind, id).await?;
            if now == won {
                break;
            }
            won = now;
        }
        Ok(())
    }

    /// Writes the object of a record whose row stands as it is.
    pub(crate) async fn keep_as(&self, kind: &str, id: &str, body: Value) -> Result<()> {
        self.put_kept(&Kept::new(kind, id, Some(body))).await
    }

    /// Writes the objects of rows that have none, or one that is damaged: they are about to be lost. An object that can be
    /// read stays, for it may be newer than its row.
    pub async fn keep_lone_rows(&self) -> Result<()> {
        for kind in KINDS {
            let rows = readable(self.documents(kind).await)?.unwrap_or_default();
            for row in rows.into_iter().filter(|row| is_readable(kind, &row.body)) {
                if readable(self.kept(&Kept::key(kind, &row.id)?).await)?.is_none() {
                    self.keep_as(kind, &row.id, row.body).await?;
                }
            }
        }
        Ok(())
    }

    async fn put_kept(&self, kept: &Kept) -> Result<()> {
        let json =
            serde_json::to_vec_pretty(kept).map_err(|e| Error::internal("a record cannot be written").caused_by(e))?;
        self.objects.put(&Kept::key(&kept.kind, &kept.id)?, json.into(), PutMode::Overwrite).await.map(drop)
    }

    /// Reads a record object; `Corrupt` unless it is whole and in its place.
    pub(crate) async fn kept(&self, key: &ObjectKey) -> Result<Kept> {
        let damaged = || Error::corrupt(format!("{key} is damaged"));
        let meta = self.objects.head(key).await?.filter(|meta| meta.size_bytes <= MAX_BYTES).ok_or_else(damaged)?;
        let json = self.objects.get(key, 0..meta.size_bytes, None).await?;
        let kept: Kept = serde_json::from_slice(&json).map_err(|e| damaged().caused_by(e))?;
        let is_ours = kept.format == FORMAT && kept.version == VERSION && KINDS.contains(&kept.kind.as_str());
        let is_whole = kept.sha256 == digest(&kept.kind, &kept.id, kept.body.as_ref());
        if !is_ours || !is_whole || Kept::key(&kept.kind, &kept.id)? != *key {
            return Err(damaged());
        }
        Ok(kept)
    }

    /// Writes the objects of rows that were made before there were any, once for each store. Answers how many.
    pub async fn keep_older_records(&self) -> Result<u64> {
        let mark = ObjectKey::parse(MARK)?;
        if self.objects.head(&mark).await?.is_some() {
            return Ok(0);
        }
        let mut count = 0;
        for kind in KINDS {
            let mut after = None::<String>;
            loop {
                let page = self.catalog.list(kind, after.as_deref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                for document in page {
                    self.put_kept(&Kept::new(kind, &document.id, Some(document.body))).await?;
                    count += 1;
                }
            }
        }
        self.objects.put(&mark, MARK_TEXT.into(), PutMode::Overwrite).await?;
        Ok(count)
    }

    /// Whether the object that says so is as it was written, or not there yet.
    pub(crate) async fn is_mark_whole(&self) -> Result<bool> {
        let mark = ObjectKey::parse(MARK)?;
        let Some(meta) = self.objects.head(&mark).await? else { return Ok(true) };
        match self.objects.get(&mark, 0..meta.size_bytes.min(MAX_BYTES), None).await {
            Err(e) if e.kind() == ErrorKind::Corrupt => Ok(false),
            text => Ok(text? == MARK_TEXT),
        }
    }
}
