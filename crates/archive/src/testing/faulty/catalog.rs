//! Faults in front of [`Catalog`]. Its lists are never old: that is a promise of the port.

use async_trait::async_trait;
use serde_json::Value;

use super::Faulty;
use crate::{
    Error, FolderPath, MailHash, MailboxAddress, MessageRow, Place, PlacementKey, Result,
    ports::{Catalog, Document, Expect, FolderCount, Recorded, Scope},
};

#[async_trait]
impl Catalog for Faulty<dyn Catalog> {
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        self.faults.call(self.port.load(partition, id)).await
    }
    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64> {
        let bytes = body.to_string().len();
        if bytes > self.faults.document_bytes {
            return Err(Error::invalid(format!("{partition} {id} has {bytes} bytes, more than a row holds")));
        }
        self.faults.effect(self.port.save(partition, id, body, expect, expires)).await
    }
    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        self.faults.call(self.port.list(partition, after, limit)).await
    }
    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        self.faults.effect(self.port.remove(partition, id, expect)).await
    }
    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        self.faults.effect(self.port.record(rows)).await
    }
    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        self.faults.call(self.port.locate(hashes)).await
    }
    async fn known(&self, hashes: &[MailHash]) -> Result<Vec<Option<Place>>> {
        let known = self.faults.call(self.port.known(hashes)).await?;
        let overlooks = || self.faults.trouble.as_ref().is_some_and(|trouble| trouble.overlooks());
        Ok(known.into_iter().map(|place| place.filter(|_| !overlooks())).collect())
    }
    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
        self.faults.effect(self.port.create_folders(mailbox, paths)).await
    }
    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        self.faults.effect(self.port.place(run, scope, keys)).await
    }
    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64> {
        self.faults.effect(self.port.clear(scope, limit)).await
    }
    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        self.faults.call(self.port.page(scope, after, limit)).await
    }
    async fn count(&self, scope: &Scope) -> Result<u64> {
        self.faults.call(self.port.count(scope)).await
    }
    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        self.faults.call(self.port.folders(mailbox)).await
    }
    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64> {
        self.faults.call(self.port.count_folders(mailbox)).await
    }
    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
        self.faults.call(self.port.has_folders(mailbox, paths)).await
    }
    async fn faults(&self) -> Result<Vec<String>> {
        self.faults.call(self.port.faults()).await
    }
    async fn unlisted(&self, limit: usize) -> Result<Vec<MailHash>> {
        self.faults.call(self.port.unlisted(limit)).await
    }
    async fn misplaced(&self, limit: usize) -> Result<Vec<MailHash>> {
        self.faults.call(self.port.misplaced(limit)).await
    }
    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        self.faults.call(self.port.placed(scope, keys)).await
    }
}
