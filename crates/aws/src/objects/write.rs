//! Writing and deleting, each by one request where nothing goes wrong.

use std::time::Duration;

use archive::{
    Error, Result,
    ports::{ETag, ObjectKey, Objects as _, PutMode},
};
use aws_sdk_s3::{config, types::ChecksumAlgorithm};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, timeout::TimeoutConfig};
use bytes::Bytes;

use super::{Bucket, about, can_be_sent, changed, exists, unclear};
use crate::error;

/// Metadata that names the write which made an object: `x-amz-meta-postkahn-write`.
pub(super) const MARK: &str = "postkahn-write";
pub(super) const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Sha256;
/// Writers of one key get in each other's way for moments only.
const FIRST_PAUSE: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A body is given up if it goes slower than this.
const SLOWEST_BYTES_PER_SECOND: u64 = 256 << 10;

impl Bucket {
    pub(super) async fn write(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        let mark = (mode == PutMode::IfAbsent).then(|| self.mark());
        let put = || {
            let put = self.client.put_object().bucket(&*self.name).key(key.as_str()).body(bytes.clone().into());
            let put = put.checksum_algorithm(CHECKSUM).set_server_side_encryption(self.encryption());
            let put = put.set_ssekms_key_id(self.encryption_key()).set_bucket_key_enabled(self.bucket_key());
            let put = match &mark {
                Some(mark) => put.if_none_match("*").metadata(MARK, mark),
                None => put,
            };
            put.customize().config_override(patience(bytes.len() as u64)).send()
        };
        match settled(put).await {
            Ok(done) => done.e_tag.map(ETag).ok_or_else(|| unclear(key)),
            Err(e) if error::status(&e) == Some(412) => self.own(key, mark.as_deref()).await,
            Err(e) => Err(error::from_sdk(about(key), &e)),
        }
    }

    /// After a write was refused because the key exists: what is there, if this very write made it.
    pub(super) async fn own(&self, key: &ObjectKey, mark: Option<&str>) -> Result<ETag> {
        let Some(head) = self.look(key).await? else { return Err(exists(key)) };
        let made_by = head.metadata().and_then(|metadata| metadata.get(MARK));
        match head.e_tag() {
            Some(etag) if mark.is_some() && made_by.map(String::as_str) == mark => Ok(ETag(etag.to_owned())),
            _ => Err(exists(key)),
        }
    }

    /// S3 deletes what is not there without a word. So it is told which version to delete: the one that was seen.
    pub(super) async fn remove(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        if let Some(etag) = pinned.filter(|etag| can_be_sent(etag)) {
            return match self.remove_version(key, etag).await? {
                Removed::Other if self.head(key).await?.is_some() => Err(changed(key)),
                removed => Ok(removed == Removed::It),
            };
        }
        let mut pause = FIRST_PAUSE;
        while pause < LONGEST_PAUSE {
            let Some(seen) = self.head(key).await? else { return Ok(false) };
            if pinned.is_some() {
                return Err(changed(key));
            }
            match self.remove_version(key, &seen.etag).await? {
                // Replaced since it was seen: the new one is to go as well.
                Removed::Other => tokio::time::sleep(pause).await,
                removed => return Ok(removed == Removed::It),
            }
            pause *= 2;
        }
        Err(Error::unavailable(format!("object {key} changes all the time")))
    }

    async fn remove_version(&self, key: &ObjectKey, etag: &ETag) -> Result<Removed> {
        let delete = || self.client.delete_object().bucket(&*self.name).key(key.as_str()).if_match(&etag.0).send();
        match settled(delete).await {
            Ok(_) => Ok(Removed::It),
            Err(e) if error::status(&e) == Some(404) && error::code(&e) != Some("NoSuchBucket") => Ok(Removed::Nothing),
            Err(e) if error::status(&e) == Some(412) => Ok(Removed::Other),
            Err(e) if error::status(&e) == Some(501) => self.remove_unconditionally(key, etag).await,
            Err(e) => Err(error::from_sdk(about(key), &e)),
        }
    }

    /// For stores that are not S3 and know no conditional delete, as LocalStack: a look first, and a moment in which
    /// somebody else may replace the object.
    async fn remove_unconditionally(&self, key: &ObjectKey, etag: &ETag) -> Result<Removed> {
        match self.head(key).await? {
            None => return Ok(Removed::Nothing),
            Some(meta) if meta.etag != *etag => return Ok(Removed::Other),
            Some(_) => {}
        }
        let delete = self.client.delete_object().bucket(&*self.name).key(key.as_str());
        delete.send().await.map_err(|e| error::from_sdk(about(key), &e))?;
        Ok(Removed::It)
    }
}

/// What came of deleting one version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removed {
    It,
    /// Nothing was there.
    Nothing,
    /// Another version is there, or nothing.
    Other,
}

/// Calls again while S3 says that another conditional write of the same key is under way.
async fn settled<T, E: ProvideErrorMetadata, F>(call: impl Fn() -> F) -> Result<T, SdkError<E, HttpResponse>>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Err(e) if error::code(&e) == Some("ConditionalRequestConflict") && pause < LONGEST_PAUSE => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// More time for one attempt than other calls have, by the size of what it carries.
pub(super) fn patience(bytes: u64) -> config::Builder {
    let time = Duration::from_secs(30 + bytes / SLOWEST_BYTES_PER_SECOND);
    config::Config::builder().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(time).build())
}
