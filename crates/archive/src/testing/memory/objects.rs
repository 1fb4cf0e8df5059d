//! An object store in memory.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};

use super::{SteppedClock, locked};
use crate::{
    Error, Result,
    ports::{ByteStream, Clock, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
};

/// Blocks of a stream are small, so that tests see several.
const BLOCK: usize = 16 << 10;

/// Objects by key. Clones see the same store.
#[derive(Clone)]
pub struct MemoryObjects {
    store: Arc<Mutex<Store>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Store {
    objects: BTreeMap<ObjectKey, Stored>,
    versions: u64,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    etag: ETag,
    modified: i64,
}

impl MemoryObjects {
    /// The clock says when an object was changed.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { store: Arc::default(), clock }
    }

    /// Another store with the same objects.
    #[must_use]
    pub fn copy(&self) -> Self {
        let store = locked(&self.store);
        let copied = Store { objects: store.objects.clone(), versions: store.versions };
        Self { store: Arc::new(Mutex::new(copied)), clock: self.clock.clone() }
    }

    /// Changes the bytes of an object behind everyone's back, as a bad disk does: its `ETag` stays. False if there is
    /// no such object.
    pub fn tamper(&self, key: &ObjectKey, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut store = locked(&self.store);
        let Some(stored) = store.objects.get_mut(key) else { return false };
        let mut bytes = stored.bytes.to_vec();
        change(&mut bytes);
        stored.bytes = bytes.into();
        true
    }

    fn find(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<Stored> {
        let stored = locked(&self.store).objects.get(key).cloned();
        let stored = stored.ok_or_else(|| Error::not_found(format!("object {key} does not exist")))?;
        fits(key, &stored, pinned)?;
        Ok(stored)
    }

    fn slice(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        let bytes = self.find(key, pinned)?.bytes;
        let place = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
        match (place(range.start), place(range.end)) {
            (Some(start), Some(end)) if start <= end => Ok(bytes.slice(start..end)),
            _ => Err(Error::invalid(format!("object {key} has no bytes {} to {}", range.start, range.end))),
        }
    }
}

impl Default for MemoryObjects {
    fn default() -> Self {
        Self::new(Arc::new(SteppedClock::default()))
    }
}

impl std::fmt::Debug for MemoryObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(locked(&self.store).objects.keys()).finish()
    }
}

impl Store {
    fn put(&mut self, key: &ObjectKey, bytes: Bytes, mode: PutMode, modified: i64) -> Result<ETag> {
        if mode == PutMode::IfAbsent && self.objects.contains_key(key) {
            return Err(Error::conflict(format!("object {key} exists")));
        }
        self.versions += 1;
        let etag = ETag(format!("v{}", self.versions));
        self.objects.insert(key.clone(), Stored { bytes, etag: etag.clone(), modified });
        Ok(etag)
    }
}

impl Stored {
    fn meta(&self, key: &ObjectKey) -> ObjectMeta {
        let size_bytes = self.bytes.len() as u64;
        ObjectMeta { key: key.clone(), size_bytes, etag: self.etag.clone(), modified: self.modified }
    }
}

fn fits(key: &ObjectKey, stored: &Stored, pinned: Option<&ETag>) -> Result<()> {
    match pinned {
        Some(etag) if *etag != stored.etag => Err(Error::conflict(format!("object {key} has changed"))),
        _ => Ok(()),
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(locked(&self.store).objects.get(key).map(|stored| stored.meta(key)))
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        self.slice(key, range, pinned)
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        let mut rest = self.slice(key, range, pinned)?;
        let blocks = std::iter::from_fn(move || {
            let block = rest.split_to(rest.len().min(BLOCK));
            (!block.is_empty()).then_some(Ok(block))
        });
        Ok(stream::iter(blocks).boxed())
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        locked(&self.store).put(key, bytes, mode, self.clock.now())
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        Ok(Box::new(Writer { objects: self.clone(), key: key.clone(), bytes: BytesMut::new() }))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let store = locked(&self.store);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = store.objects.range((from, Bound::Unbounded));
        let matching = all.filter(|(key, _)| key.as_str().starts_with(prefix));
        Ok(matching.take(limit).map(|(key, stored)| stored.meta(key)).collect())
    }

    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        let mut store = locked(&self.store);
        let Some(stored) = store.objects.get(key) else { return Ok(false) };
        fits(key, stored, pinned)?;
        Ok(store.objects.remove(key).is_some())
    }
}

struct Writer {
    objects: MemoryObjects,
    key: ObjectKey,
    bytes: BytesMut,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ETag> {
        let now = self.objects.clock.now();
        locked(&self.objects.store).put(&self.key, self.bytes.freeze(), PutMode::IfAbsent, now)
    }
}
