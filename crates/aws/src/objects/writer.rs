//! An object in the making: a multipart upload, unless it stays small.

use archive::{
    Error, Result,
    ports::{ETag, ObjectKey, ObjectWriter, PutMode},
};
use async_trait::async_trait;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    Bucket, about,
    parts::{FIRST_PART, part_bytes},
    unclear,
    write::{CHECKSUM, MARK, patience},
};
use crate::error;

/// So many parts are on their way while the next is filled.
const PARTS_UNDER_WAY: usize = 2;
/// Putting a large object together may take S3 minutes.
const COMPLETION_BYTES: u64 = 32 << 20;

pub(super) struct Writer {
    bucket: Bucket,
    key: ObjectKey,
    buffer: BytesMut,
    /// Once there is more than one part.
    upload: Option<Upload>,
}

impl Writer {
    pub(super) fn new(bucket: Bucket, key: ObjectKey) -> Self {
        Self { bucket, key, buffer: BytesMut::new(), upload: None }
    }

    async fn upload(&mut self) -> Result<&mut Upload> {
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => Upload::begin(self.bucket.clone(), self.key.clone()).await?,
        };
        Ok(self.upload.insert(upload))
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.buffer.extend_from_slice(&bytes);
        loop {
            let size = self.upload.as_ref().map_or(FIRST_PART, |upload| part_bytes(upload.begun));
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            // Something stays for the last part.
            if self.buffer.len() <= size {
                return Ok(());
            }
            let part = self.buffer.split_to(size).freeze();
            self.upload().await?.send(part).await?;
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        match self.upload.take() {
            None => self.bucket.write(&self.key, rest, PutMode::IfAbsent).await,
            Some(mut upload) => {
                upload.send(rest).await?;
                upload.complete().await
            }
        }
    }
}

/// A multipart upload. Dropped before it is complete, it is aborted; if that fails, the bucket's lifecycle rule ends it.
struct Upload {
    bucket: Bucket,
    key: ObjectKey,
    id: String,
    mark: String,
    begun: u64,
    under_way: JoinSet<Result<CompletedPart>>,
    parts: Vec<CompletedPart>,
    complete: bool,
}

impl Upload {
    async fn begin(bucket: Bucket, key: ObjectKey) -> Result<Self> {
        let mark = bucket.mark();
        let create = bucket.client.create_multipart_upload().bucket(&*bucket.name).key(key.as_str());
        let create = create.checksum_algorithm(CHECKSUM).metadata(MARK, &mark);
        let create = create.set_server_side_encryption(bucket.encryption()).set_ssekms_key_id(bucket.encryption_key());
        let create = create.set_bucket_key_enabled(bucket.bucket_key());
        let made = create.send().await.map_err(|e| error::from_sdk(about(&key), &e))?;
        let id = made.upload_id.ok_or_else(|| unclear(&key))?;
        let (under_way, parts) = (JoinSet::new(), Vec::new());
        Ok(Self { bucket, key, id, mark, begun: 0, under_way, parts, complete: false })
    }

    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        while self.under_way.len() >= PARTS_UNDER_WAY {
            self.await_one().await?;
        }
        self.begun += 1;
        // Numbers begin at 1.
        let number = i32::try_from(self.begun).unwrap_or(i32::MAX);
        let part = self.bucket.client.upload_part().bucket(&*self.bucket.name).key(self.key.as_str());
        let part = part.upload_id(&self.id).part_number(number).checksum_algorithm(CHECKSUM);
        let part = part.body(bytes.clone().into()).customize().config_override(patience(bytes.len() as u64));
        let about = about(&self.key);
        self.under_way.spawn(async move {
            let sent = part.send().await.map_err(|e| error::from_sdk(about, &e))?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
            Ok(part.set_checksum_sha256(sent.checksum_sha256).build())
        });
        Ok(())
    }

    async fn await_one(&mut self) -> Result<()> {
        if let Some(done) = self.under_way.join_next().await {
            self.parts.push(done.map_err(|e| Error::internal("sending a part stopped").caused_by(e))??);
        }
        Ok(())
    }

    async fn complete(mut self) -> Result<ETag> {
        while !self.under_way.is_empty() {
            self.await_one().await?;
        }
        self.parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let complete = self.bucket.client.complete_multipart_upload().bucket(&*self.bucket.name);
        let complete = complete.key(self.key.as_str()).upload_id(&self.id).multipart_upload(parts).if_none_match("*");
        let etag = match complete.customize().config_override(patience(COMPLETION_BYTES)).send().await {
            Ok(done) => done.e_tag.map(ETag).ok_or_else(|| unclear(&self.key)),
            // 404: the upload is gone, which it also is if it was completed and the answer lost. 409: another writer
            // of the key was faster; S3 wants this upload to be begun anew, and the key will exist then.
            Err(e) if matches!(error::status(&e), Some(404 | 409 | 412)) => {
                self.bucket.own(&self.key, Some(&self.mark)).await
            }
            Err(e) => Err(error::from_sdk(about(&self.key), &e)),
        }?;
        self.complete = true;
        Ok(etag)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.complete {
            return;
        }
        let mut under_way = std::mem::take(&mut self.under_way);
        let (key, id) = (self.key.clone(), std::mem::take(&mut self.id));
        let abort = self.bucket.client.abort_multipart_upload().bucket(&*self.bucket.name).key(key.as_str());
        runtime.spawn(async move {
            // A part that arrives after the abort would stay.
            under_way.shutdown().await;
            if let Err(e) = abort.upload_id(id).send().await {
                let error = error::from_sdk(about(&key), &e);
                tracing::warn!(%error, "unfinished upload stays until the bucket's lifecycle rule ends it");
            }
        });
    }
}
