//! Faults in front of [`Objects`].

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;

use super::{Faults, Faulty};
use crate::{
    Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
};

#[async_trait]
impl Objects for Faulty<dyn Objects> {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        self.faults.call(self.port.head(key)).await
    }
    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        self.faults.call(self.port.get(key, range, pinned)).await
    }
    /// May break off between any two blocks.
    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        let blocks = self.faults.call(self.port.stream(key, range, pinned)).await?;
        let faults = self.faults.clone();
        let blocks = blocks.then(move |block| {
            let faults = faults.clone();
            async move { faults.call(async { block }).await }
        });
        Ok(blocks.boxed())
    }
    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        self.faults.effect(self.port.put(key, bytes, mode)).await
    }
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        let writer = self.faults.call(self.port.create(key)).await?;
        Ok(Box::new(FaultyWriter { writer, faults: self.faults.clone() }))
    }
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let asked = format!("objects {:p} {prefix} {after:?} {limit}", self.port.as_ref());
        self.faults.list(asked, self.port.list(prefix, after, limit)).await
    }
    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        self.faults.effect(self.port.delete(key, pinned)).await
    }
    async fn link(&self, key: &ObjectKey, lifetime: Duration, file_name: &str) -> Result<Option<String>> {
        self.faults.call(self.port.link(key, lifetime, file_name)).await
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
        self.faults.call(self.writer.write(bytes)).await
    }
    async fn finish(self: Box<Self>) -> Result<ETag> {
        self.faults.effect(self.writer.finish()).await
    }
}
