//! A store of immutable or replaceable byte objects: S3, or one folder.

use std::{fmt, ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// An object's key: `/`-separated, relative, at most 1,024 bytes of UTF-8 (the S3 limit), no empty, `.` or `..` part,
/// no control characters. Never a path of the file system; the folder adapter maps it to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    pub fn parse(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
        if key.len() > 1024 || !key.split('/').all(sound) {
            return Err(Error::invalid(format!("object key {key:?} is not valid")));
        }
        Ok(Self(key))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = Error;
    fn try_from(key: String) -> Result<Self> {
        Self::parse(key)
    }
}
impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one version of an object's bytes; opaque.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ETag(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    pub key: ObjectKey,
    pub size_bytes: u64,
    pub etag: ETag,
    /// Unix seconds UTC of the last change.
    pub modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Replace what is there.
    Overwrite,
    /// `Conflict` if the key exists.
    IfAbsent,
}

/// Blocks of an object in order; each at most a few MiB.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Errors: `NotFound` if the key does not exist, `Conflict` if an `ETag` no longer fits, `Unavailable` for what may
/// pass, `Invalid` for a range that does not lie in the object.
#[async_trait]
pub trait Objects: Send + Sync {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>>;

    /// Exactly the bytes of `range`, of the version that `pinned` names if given.
    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes>;

    /// The bytes of `range` as blocks, read ahead by the adapter within a bounded window.
    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream>;

    /// Durable and whole when it returns; a reader sees the old bytes or the new ones, never a part.
    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag>;

    /// Begins an object that is written in pieces and appears, whole, at `finish`. Dropping the writer leaves nothing.
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>>;

    /// Objects whose key begins with `prefix`, in byte order of their keys, after `after`, at most `limit`.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>>;

    /// Deletes the object, only in the version that `pinned` names if given (`Conflict` otherwise). Deleting what does
    /// not exist is no error and answers false.
    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool>;

    /// An address from which anybody who knows it may download the object for so long (at most seven days), under
    /// `file_name`. None where the store has no such thing. Whether the object exists is not asked.
    async fn link(&self, _key: &ObjectKey, _lifetime: Duration, _file_name: &str) -> Result<Option<String>> {
        Ok(None)
    }
}

/// An object in the making.
#[async_trait]
pub trait ObjectWriter: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    /// Makes the object durable and visible. `Conflict` if the key exists by now.
    async fn finish(self: Box<Self>) -> Result<ETag>;
}
