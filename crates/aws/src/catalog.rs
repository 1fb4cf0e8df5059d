//! The catalogue in one DynamoDB table. `docs/catalog.md` has the shapes of its items and what reads and writes them.
//!
//! One item a mail, sorted runs for lists: a list costs next to nothing per mail, since 22 keys of a run are one write
//! unit. Nothing on the way of a mail scans or needs a transaction.

mod clear;
mod documents;
mod empty;
mod head;
mod item;
mod locations;
mod merge;
mod messages;
mod placements;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use archive::{
    Error, FolderPath, MailHash, MailboxAddress, MessageRow, Place, PlacementKey, Result,
    ports::{Catalog, Clock, Document, Expect, FolderCount, MAX_ROWS_PER_CALL, Random, Recorded, Scope},
};
use async_trait::async_trait;
use serde_json::Value;

pub use self::empty::Rows;
use self::{locations::Locations, table::Table};
use crate::Clients;

/// The catalogue in the table of that name: partition key `pk`, sort key `sk`, time to live `ttl`.
pub struct DynamoCatalog {
    table: Table,
    locations: Locations,
    clock: Arc<dyn Clock>,
}

impl DynamoCatalog {
    pub fn new(clients: &Clients, table: &str, clock: Arc<dyn Clock>, random: &dyn Random) -> Self {
        let table = Table::new(clients.dynamodb(), table, clients.meter().clone(), random);
        Self { table, locations: Locations::default(), clock }
    }

    /// Whether the table holds anything.
    pub async fn has_rows(&self) -> Result<bool> {
        empty::has_rows(&self.table).await
    }

    /// What the table holds, by reading all of it.
    pub async fn rows(&self) -> Result<Rows> {
        empty::rows(&self.table).await
    }

    /// Deletes whatever the table holds but the documents of the partition `stays`; `deleted` is told how many rows are
    /// gone, now and then. What others write meanwhile may stay. Repeating it goes on. The catalogue's other handles remember
    /// what they have written, and must not be used any more.
    pub async fn empty(&self, stays: &str, deleted: &mut (dyn FnMut(u64) + Send)) -> Result<()> {
        self.locations.forget();
        empty::empty(&self.table, stays, deleted).await
    }
}

fn bounded(rows: usize) -> Result<()> {
    if rows > MAX_ROWS_PER_CALL {
        return Err(Error::invalid(format!("{rows} rows in one call, more than {MAX_ROWS_PER_CALL}")));
    }
    Ok(())
}

#[async_trait]
impl Catalog for DynamoCatalog {
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        documents::load(&self.table, partition, id).await
    }

    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64> {
        documents::save(&self.table, (partition, id), body, expect, expires).await
    }

    async fn save_all(&self, partition: &str, documents: &[(String, Value)]) -> Result<()> {
        documents::save_all(&self.table, partition, documents).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        documents::list(&self.table, partition, after, limit).await
    }

    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        documents::remove(&self.table, partition, id, expect).await
    }

    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        bounded(rows.len())?;
        messages::record(&self.table, &self.locations, rows).await
    }

    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        bounded(hashes.len())?;
        messages::locate(&self.table, hashes).await
    }

    async fn known(&self, hashes: &[MailHash]) -> Result<Vec<Option<Place>>> {
        bounded(hashes.len())?;
        messages::known(&self.table, hashes).await
    }

    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
        placements::create_folders(&self.table, mailbox, paths).await
    }

    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        placements::place(&self.table, run, scope, keys, self.clock.now()).await
    }

    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64> {
        clear::clear(&self.table, scope, limit, self.clock.now()).await
    }

    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        placements::page(&self.table, scope, after, limit).await
    }

    async fn count(&self, scope: &Scope) -> Result<u64> {
        placements::count(&self.table, scope).await
    }

    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        placements::folders(&self.table, mailbox).await
    }

    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64> {
        placements::count_folders(&self.table, mailbox).await
    }

    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
        placements::has_folders(&self.table, mailbox, paths).await
    }

    /// DynamoDB keeps its storage sound by itself; what the items say is compared by `check`.
    async fn faults(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        placements::placed(&self.table, scope, keys).await
    }
}
