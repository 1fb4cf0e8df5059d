//! Requests that cross the look at the upload, or the begin of an import.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::{
    FolderPath, MailHash, MailboxAddress, MessageRow, PlacementKey,
    ports::{Catalog, Document, Expect, FolderCount, Recorded, Scope},
};

/// Changes an upload's record just before it is removed, so many times.
struct Crossing {
    port: Arc<dyn Catalog>,
    left: AtomicUsize,
    change: fn(&mut Value),
}

#[async_trait]
impl Catalog for Crossing {
    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        let crosses = |left: usize| left.checked_sub(1);
        if partition == Upload::KIND && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, crosses).is_ok() {
            let mut body = self.port.load(partition, id).await?.unwrap().body;
            (self.change)(&mut body);
            self.port.save(partition, id, &body, Expect::Anything, None).await?;
        }
        self.port.remove(partition, id, expect).await
    }
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        self.port.load(partition, id).await
    }
    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64> {
        self.port.save(partition, id, body, expect, expires).await
    }
    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        self.port.list(partition, after, limit).await
    }
    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        self.port.record(rows).await
    }
    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        self.port.locate(hashes).await
    }
    async fn create_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<u64> {
        self.port.create_folders(mailbox, paths).await
    }
    async fn place(&self, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        self.port.place(run, scope, keys).await
    }
    async fn clear(&self, scope: &Scope, limit: usize) -> Result<u64> {
        self.port.clear(scope, limit).await
    }
    async fn page(&self, scope: &Scope, after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        self.port.page(scope, after, limit).await
    }
    async fn count(&self, scope: &Scope) -> Result<u64> {
        self.port.count(scope).await
    }
    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        self.port.folders(mailbox).await
    }
    async fn count_folders(&self, mailbox: &MailboxAddress) -> Result<u64> {
        self.port.count_folders(mailbox).await
    }
    async fn has_folders(&self, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Result<Vec<bool>> {
        self.port.has_folders(mailbox, paths).await
    }
    async fn faults(&self) -> Result<Vec<String>> {
        self.port.faults().await
    }
    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        self.port.placed(scope, keys).await
    }
}

impl World {
    /// The home as it is while others change the record `times` times.
    fn crossed(&self, times: usize, change: fn(&mut Value)) -> Home {
        let port = self.archive.catalog.clone();
        let catalog = Arc::new(Crossing { port, left: AtomicUsize::new(times), change });
        Home { archive: Archive { catalog, ..self.archive.clone() }, ..self.home.clone() }
    }
}

fn becomes_ready(upload: &mut Value) {
    upload["state"] = json!("ready");
}

#[tokio::test]
async fn requests_cross_the_look_at_an_upload() {
    let world = world();
    for name in ["written", "renamed", "removed", "cut"] {
        world.upload(name, b"abc").await;
    }
    drop(world.crossed(3, becomes_ready).write("written", NEW).await.unwrap());
    assert_eq!(world.record("written").await, None);
    world.crossed(3, becomes_ready).rename("renamed", "new", false).await.unwrap();
    assert_eq!(world.record("new").await.unwrap().state, UploadState::Ready, "what the look found is kept");
    world.crossed(3, becomes_ready).remove("removed").await.unwrap();
    world.crossed(3, becomes_ready).set_size("cut", 1).await.unwrap();
    assert_eq!(world.names().await, names(["written", "new", "(Pending) cut"]));
}

#[tokio::test]
async fn an_import_that_begins_meanwhile_is_seen() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    world.add_import(None).await;
    let reads = |upload: &mut Value| upload["import"] = json!(IMPORT);
    let error = world.crossed(1, reads).remove("a.zip").await.unwrap_err();
    assert!(error.message().contains("is being imported"), "{error}");
    assert_eq!(world.home.read("a.zip", 0, 9).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_record_that_never_rests_is_left_alone() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    let error = world.crossed(usize::MAX, becomes_ready).remove("a.zip").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(world.names().await, names(["a.zip"]));
}

#[tokio::test]
async fn a_start_that_crosses_the_end_of_an_upload_leaves_no_record_of_it() {
    let world = world();
    for name in ["gone", "replaced"] {
        world.upload(name, b"abc").await;
    }
    let [gone, replaced] = ["anna/gone", "anna/replaced"].map(|key| ObjectKey::parse(key).unwrap());
    let etag = world.record("gone").await.unwrap().etag;
    let reserved = |upload: &mut Value| upload["import"] = json!(IMPORT);
    world.crossed(3, reserved).archive.forget_upload(&gone, &etag).await.unwrap();
    assert_eq!(world.record("gone").await, None);
    let etag = world.record("replaced").await.unwrap().etag;
    let another = |upload: &mut Value| upload["etag"] = json!("another");
    world.crossed(1, another).archive.forget_upload(&replaced, &etag).await.unwrap();
    assert!(world.record("replaced").await.is_some());
}
