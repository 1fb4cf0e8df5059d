//! Objects in an S3 bucket.
//!
//! What the port promises and S3 (general purpose buckets) does not do by itself:
//!
//! - *A lost answer.* The SDK repeats a call whose answer was lost. An `IfAbsent` write that took place is then refused
//!   with 412, as if somebody else had made it. So each such write carries a random mark in the object's metadata, and a
//!   refusal is believed only after a look at the mark of what is there.
//! - *Ranges past the end.* S3 shortens them; here they are refused.
//! - *One version a stream.* Every block after the first look is read with `If-Match`.
//!
//! Sources: the pages "Conditional writes", "Conditional deletes", "Checking object integrity" and "Amazon S3 multipart
//! upload limits" of the S3 user guide.

mod link;
mod list;
mod nothing;
mod parts;
mod read;
mod write;
mod writer;

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use archive::{
    Error, Result, hash,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode, Random},
};
use async_trait::async_trait;
use aws_sdk_s3::{Client, operation::head_object::HeadObjectOutput, types::ServerSideEncryption};
use bytes::Bytes;

pub use self::nothing::Nothing;
use crate::{Clients, error};

/// One bucket. Objects are encrypted by the KMS key that it was given, or as the bucket's own settings say. Clones are
/// the same bucket.
///
/// An `ETag` is S3's own; two writes of the same bytes may share one, which is as good, since it names bytes. Writes
/// carry their SHA-256, which S3 checks before it stores them.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    name: Arc<str>,
    wrap_key: Option<Arc<str>>,
    random: Arc<dyn Random>,
}

impl Bucket {
    /// The bucket of this name; `wrap_key` is the ARN of the KMS key for new objects.
    pub fn new(clients: &Clients, name: &str, wrap_key: Option<&str>, random: Arc<dyn Random>) -> Self {
        Self { client: clients.s3(), name: name.into(), wrap_key: wrap_key.map(Arc::from), random }
    }

    /// A mark that no other write carries.
    fn mark(&self) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        hash::to_hex(&bytes)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.wrap_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    fn encryption_key(&self) -> Option<String> {
        self.wrap_key.as_deref().map(str::to_owned)
    }

    /// With a key of the bucket's own between KMS and the objects, KMS is asked (and paid) far less often.
    fn bucket_key(&self) -> Option<bool> {
        self.wrap_key.as_ref().map(|_| true)
    }

    async fn look(&self, key: &ObjectKey) -> Result<Option<HeadObjectOutput>> {
        let head = self.client.head_object().bucket(&*self.name).key(key.as_str());
        // Without the checksum, which nobody here reads: for it S3 wants the right to decrypt.
        match head.send().await {
            Ok(found) => Ok(Some(found)),
            Err(e) if error::status(&e) == Some(404) => Ok(None),
            Err(e) => Err(error::from_sdk(about(key), &e)),
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

#[async_trait]
impl Objects for Bucket {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        self.look(key).await?.map(|head| meta(key, &head)).transpose()
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        self.read(key, range, pinned).await
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        self.read_ahead(key, range, pinned).await
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        self.write(key, bytes, mode).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        Ok(Box::new(writer::Writer::new(self.clone(), key.clone())))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        self.names(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        self.remove(key, pinned).await
    }

    async fn link(&self, key: &ObjectKey, lifetime: Duration, file_name: &str) -> Result<Option<String>> {
        self.sign(key, lifetime, file_name).await.map(Some)
    }
}

fn about(key: &ObjectKey) -> String {
    format!("object {key}")
}

fn meta(key: &ObjectKey, head: &HeadObjectOutput) -> Result<ObjectMeta> {
    let whole = || {
        Some(ObjectMeta {
            key: key.clone(),
            size_bytes: u64::try_from(head.content_length()?).ok()?,
            etag: ETag(head.e_tag()?.to_owned()),
            modified: head.last_modified()?.secs(),
        })
    };
    whole().ok_or_else(|| unclear(key))
}

fn fits(meta: &ObjectMeta, pinned: Option<&ETag>) -> Result<()> {
    match pinned {
        Some(etag) if *etag != meta.etag => Err(changed(&meta.key)),
        _ => Ok(()),
    }
}

/// Whether S3 can have given this tag. Others are not sent: an empty one, for example, would be no condition at all.
fn can_be_sent(etag: &ETag) -> bool {
    let inner = etag.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"'))
}

fn absent(key: &ObjectKey) -> Error {
    Error::not_found(format!("object {key} does not exist"))
}
fn exists(key: &ObjectKey) -> Error {
    Error::conflict(format!("object {key} exists"))
}
fn changed(key: &ObjectKey) -> Error {
    Error::conflict(format!("object {key} has changed"))
}
fn outside(key: &ObjectKey, range: &Range<u64>) -> Error {
    Error::invalid(format!("object {key} has no bytes {} to {}", range.start, range.end))
}
fn unclear(key: &ObjectKey) -> Error {
    Error::internal(format!("object {key}: the answer lacks size, tag or time"))
}
