//! Ports that fail when told to: at the n-th effect, before it took place or after.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::SeededRandom;
use crate::{
    Archive, Error, FolderPath, FrontDoor, MailHash, MailboxAddress, MessageRow, PlacementKey, Result,
    job::Job,
    ports::{
        ByteStream, Catalog, Document, Door, DoorServer, ETag, Expect, FolderCount, ObjectKey, ObjectMeta,
        ObjectWriter, Objects, PutMode, Queue, Random as _, Recorded, Scope,
    },
};

/// Counts the durable effects of an archive and stops it at one of them.
#[derive(Clone, Debug)]
pub struct Faults {
    left: Arc<AtomicI64>,
    /// The effect takes place, and only its acknowledgement is lost.
    after: bool,
    /// Documents with more bytes are refused.
    document_bytes: usize,
    /// How long others come first.
    pauses: Option<Arc<SeededRandom>>,
}

impl Faults {
    /// Fails at the effect `at` (from 0) and at every one after it, as a process does that was killed.
    pub fn at(at: i64, after: bool) -> Self {
        Self { left: Arc::new(AtomicI64::new(at)), after, document_bytes: usize::MAX, pauses: None }
    }

    /// Never fails.
    pub fn none() -> Self {
        Self::at(i64::MAX, false)
    }

    /// Refuses documents with more bytes of JSON, as DynamoDB does from 400 KB on.
    #[must_use]
    pub fn documents_up_to(self, document_bytes: usize) -> Self {
        Self { document_bytes, ..self }
    }

    /// Lets others come first for a while before each effect: work side by side then mixes in a way that follows from the
    /// seed.
    #[must_use]
    pub fn mixed(self, seed: u64) -> Self {
        Self { pauses: Some(Arc::new(SeededRandom::new(seed))), ..self }
    }

    /// Whether the fault has struck.
    pub fn struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// The same archive with these faults in front of its catalogue, objects, uploads, queue and door.
    pub fn before(&self, archive: &Archive) -> Archive {
        Archive {
            catalog: Arc::new(Faulty { port: archive.catalog.clone(), faults: self.clone() }),
            objects: Arc::new(Faulty { port: archive.objects.clone(), faults: self.clone() }),
            uploads: Arc::new(Faulty { port: archive.uploads.clone(), faults: self.clone() }),
            queue: Arc::new(Faulty { port: archive.queue.clone(), faults: self.clone() }),
            door: FrontDoor {
                port: Arc::new(Faulty { port: archive.door.port.clone(), faults: self.clone() }),
                ..archive.door.clone()
            },
            ..archive.clone()
        }
    }

    async fn effect<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(random) = &self.pauses {
            let mut turns = [0];
            random.fill(&mut turns);
            for _ in 0..turns[0] % 4 {
                tokio::task::yield_now().await;
            }
        }
        let killed = || Error::unavailable("killed by a test");
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 if self.after => {
                effect.await?;
                Err(killed())
            }
            left if left <= 0 => Err(killed()),
            _ => effect.await,
        }
    }
}

struct Faulty<P: ?Sized> {
    port: Arc<P>,
    faults: Faults,
}

#[async_trait]
impl Catalog for Faulty<dyn Catalog> {
    async fn load(&self, partition: &str, id: &str) -> Result<Option<Document>> {
        self.port.load(partition, id).await
    }
    async fn save(&self, partition: &str, id: &str, body: &Value, expect: Expect, expires: Option<i64>) -> Result<u64> {
        let bytes = body.to_string().len();
        if bytes > self.faults.document_bytes {
            return Err(Error::invalid(format!("{partition} {id} has {bytes} bytes, more than a row holds")));
        }
        self.faults.effect(self.port.save(partition, id, body, expect, expires)).await
    }
    async fn list(&self, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
        self.port.list(partition, after, limit).await
    }
    async fn remove(&self, partition: &str, id: &str, expect: Expect) -> Result<bool> {
        self.faults.effect(self.port.remove(partition, id, expect)).await
    }
    async fn record(&self, rows: &[MessageRow]) -> Result<Vec<Recorded>> {
        self.faults.effect(self.port.record(rows)).await
    }
    async fn locate(&self, hashes: &[MailHash]) -> Result<Vec<Option<MessageRow>>> {
        self.port.locate(hashes).await
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
        self.port.page(scope, after, limit).await
    }
    async fn count(&self, scope: &Scope) -> Result<u64> {
        self.port.count(scope).await
    }
    async fn folders(&self, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        self.port.folders(mailbox).await
    }
    async fn faults(&self) -> Result<Vec<String>> {
        self.port.faults().await
    }
    async fn placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<Vec<Option<PlacementKey>>> {
        self.port.placed(scope, keys).await
    }
}

#[async_trait]
impl Objects for Faulty<dyn Objects> {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        self.port.head(key).await
    }
    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        self.port.get(key, range, pinned).await
    }
    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        self.port.stream(key, range, pinned).await
    }
    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        self.faults.effect(self.port.put(key, bytes, mode)).await
    }
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        let writer = self.port.create(key).await?;
        Ok(Box::new(FaultyWriter { writer, faults: self.faults.clone() }))
    }
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        self.port.list(prefix, after, limit).await
    }
    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        self.faults.effect(self.port.delete(key, pinned)).await
    }
    async fn link(&self, key: &ObjectKey, lifetime: Duration, file_name: &str) -> Result<Option<String>> {
        self.port.link(key, lifetime, file_name).await
    }
}

/// Only `finish` has an effect.
struct FaultyWriter {
    writer: Box<dyn ObjectWriter>,
    faults: Faults,
}

#[async_trait]
impl ObjectWriter for FaultyWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.writer.write(bytes).await
    }
    async fn finish(self: Box<Self>) -> Result<ETag> {
        self.faults.effect(self.writer.finish()).await
    }
}

#[async_trait]
impl Queue for Faulty<dyn Queue> {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        self.faults.effect(self.port.send(job, delay)).await
    }
}

#[async_trait]
impl Door for Faulty<dyn Door> {
    async fn open(&self) -> Result<DoorServer> {
        self.faults.effect(self.port.open()).await
    }
    async fn status(&self, id: &str) -> Result<Option<DoorServer>> {
        self.port.status(id).await
    }
    async fn servers(&self) -> Result<Vec<DoorServer>> {
        self.port.servers().await
    }
    async fn close(&self, id: &str) -> Result<bool> {
        self.faults.effect(self.port.close(id)).await
    }
}
