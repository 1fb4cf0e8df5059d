//! The catalogue in SQLite.

mod documents;
mod messages;
mod placements;

use std::{fmt, sync::Arc};

use archive::{
    Error, FolderPath, MailHash, MailboxAddress, MessageRow, Place, PlacementKey, Result,
    ports::{Catalog, Clock, Document, Expect, FolderCount, MAX_ROWS_PER_CALL, Recorded, Scope},
};
use async_trait::async_trait;
use rusqlite::Transaction;
use serde_json::Value;

use crate::Database;

/// Documents, message rows and placements. Every change is durable when it is acknowledged.
#[derive(Clone)]
pub struct Sqlite {
    db: Database,
    clock: Arc<dyn Clock>,
}

impl Sqlite {
    /// The clock is for removing expired documents only.
    pub fn new(db: Database, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    pub fn database(&self) -> &Database {
        &self.db
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.db.fmt(f)
    }
}

fn bounded(rows: usize) -> Result<()> {
    if rows > MAX_ROWS_PER_CALL {
        return Err(Error::invalid(format!("{rows} rows in one call, more than {MAX_ROWS_PER_CALL}")));
    }
    Ok(())
}

fn in_order(run: &str, keys: &[PlacementKey]) -> Result<()> {
    if !keys.is_sorted_by(|a, b| a < b) {
        return Err(Error::invalid(format!("the keys of run {run} are not in order")));
    }
    Ok(())
}

#[async_trait]
impl Catalog for Sqlite {
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        let (partition, id) = (partition.to_owned(), id.to_owned());
        self.db.read(move |tx| documents::load(tx, &partition, &id)).await
    }

    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64> {
        let (partition, id, body, now) = (partition.to_owned(), id.to_owned(), body.to_string(), self.clock.now());
        let save = move |tx: &Transaction<'_>| {
            let version = documents::save(tx, &partition, &id, &body, expect, expires)?;
            if expires.is_some() {
                documents::remove_expired(tx, now)?;
            }
            Ok(version)
        };
        self.db.write(save).await
    }

    async fn save_all(&self, partition: &str, documents: &[(String, Value)]) -> Result<()> {
        let rows: Vec<_> = documents.iter().map(|(id, body)| (id.clone(), body.to_string())).collect();
        let partition = partition.to_owned();
        let save = move |tx: &Transaction<'_>| {
            for (id, body) in &rows {
                documents::save(tx, &partition, id, body, Expect::Anything, None)?;
            }
            Ok(())
        };
        self.db.write(save).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        let (partition, after) = (partition.to_owned(), after.map(str::to_owned));
        self.db.read(move |tx| documents::list(tx, &partition, after.as_deref(), limit)).await
    }

    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        let (partition, id) = (partition.to_owned(), id.to_owned());
        self.db.write(move |tx| documents::remove(tx, &partition, &id, expect)).await
    }

    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        bounded(rows.len())?;
        let rows = rows.to_vec();
        self.db.write(move |tx| rows.iter().map(|row| messages::record(tx, row)).collect()).await
    }

    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        bounded(hashes.len())?;
        let hashes = hashes.to_vec();
        self.db.read(move |tx| hashes.iter().map(|hash| messages::locate(tx, hash)).collect()).await
    }

    async fn known(&self, hashes: &[MailHash]) -> Result<Vec<Option<Place>>> {
        bounded(hashes.len())?;
        let hashes = hashes.to_vec();
        self.db.read(move |tx| hashes.iter().map(|hash| messages::place(tx, hash)).collect()).await
    }

    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
        let (mailbox, paths) = (mailbox.clone(), paths.to_vec());
        self.db.write(move |tx| placements::create_folders(tx, &mailbox, &paths)).await
    }

    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        in_order(run, keys)?;
        let (run, scope, keys) = (run.to_owned(), scope.clone(), keys.to_vec());
        self.db.write(move |tx| placements::place(tx, &run, &scope, &keys)).await
    }

    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64> {
        let scope = scope.clone();
        self.db.write(move |tx| placements::clear(tx, &scope, limit)).await
    }

    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        let (scope, after) = (scope.clone(), after.copied());
        self.db.read(move |tx| placements::page(tx, &scope, after.as_ref(), limit)).await
    }

    async fn count(&self, scope: &Scope) -> Result<u64> {
        let scope = scope.clone();
        self.db.read(move |tx| placements::count(tx, &scope)).await
    }

    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        let mailbox = mailbox.clone();
        self.db.read(move |tx| placements::folders(tx, &mailbox)).await
    }

    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64> {
        let mailbox = mailbox.clone();
        self.db.read(move |tx| placements::count_folders(tx, &mailbox)).await
    }

    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
        let (mailbox, paths) = (mailbox.clone(), paths.to_vec());
        self.db.read(move |tx| placements::has_folders(tx, &mailbox, &paths)).await
    }

    async fn faults(&self) -> Result<Vec<String>> {
        self.db.faults().await
    }

    async fn unlisted(&self, limit: usize) -> Result<Vec<MailHash>> {
        self.db.read(move |tx| placements::unlisted(tx, limit)).await
    }

    async fn misplaced(&self, limit: usize) -> Result<Vec<MailHash>> {
        self.db.read(move |tx| placements::misplaced(tx, limit)).await
    }

    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        let (scope, keys) = (scope.clone(), keys.to_vec());
        self.db.read(move |tx| placements::placed(tx, &scope, &keys)).await
    }
}
