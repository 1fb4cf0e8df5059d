//! Reading: exact ranges, and streams that read ahead.

use std::{
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, Objects as _},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::task::JoinHandle;

use super::{Bucket, about, absent, can_be_sent, changed, fits, outside};
use crate::error;

/// One request of a stream. Larger ones cost fewer requests, smaller ones less memory.
const BLOCK_BYTES: u64 = 8 << 20;
/// So many blocks are on their way or waiting: with one in the reader's hand, some 40 MiB. Four connections to S3 carry
/// more than a function can decrypt.
const BLOCKS_AHEAD: usize = 4;
/// So often a body may break off before the read fails; each try is a request of its own.
const MAX_BODIES: usize = 4;

impl Bucket {
    pub(super) async fn read(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        if range.start >= range.end || pinned.is_some_and(|etag| !can_be_sent(etag)) {
            // S3 has no word for an empty range; the errors are still those of any other.
            self.check(key, &range, pinned).await?;
            return Ok(Bytes::new());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match self.fetch(key, &range, pinned).await {
                Ok(bytes) => return Ok(bytes),
                Err(Fetch::Broken) if tries < MAX_BODIES => {
                    tracing::debug!(key = key.as_str(), "the body broke off, asking again");
                }
                Err(Fetch::Broken) => {
                    return Err(Error::unavailable(format!("object {key}: the body breaks off")));
                }
                Err(Fetch::Failed(error)) => return Err(error),
            }
        }
    }

    /// Looks first, so that the version is known; every block is of that version or the stream ends with `Conflict`.
    pub(super) async fn read_ahead(
        &self,
        key: &ObjectKey,
        range: Range<u64>,
        pinned: Option<&ETag>,
    ) -> Result<ByteStream> {
        let etag = self.check(key, &range, pinned).await?;
        let (bucket, key) = (self.clone(), key.clone());
        let starts = stream::iter((range.start..range.end).step_by(usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX)));
        let blocks = starts.map(move |start| {
            let block = start..start.saturating_add(BLOCK_BYTES).min(range.end);
            let (bucket, key, etag) = (bucket.clone(), key.clone(), etag.clone());
            // A task of its own, for the block must come in while the reader is busy: a connection that nobody reads
            // is closed by S3.
            Ahead(tokio::spawn(async move { bucket.read(&key, block, Some(&etag)).await }))
        });
        Ok(blocks.buffered(BLOCKS_AHEAD).boxed())
    }

    /// The version that is there, if the range lies in it.
    async fn check(&self, key: &ObjectKey, range: &Range<u64>, pinned: Option<&ETag>) -> Result<ETag> {
        let meta = self.head(key).await?.ok_or_else(|| absent(key))?;
        fits(&meta, pinned)?;
        if range.start > range.end || range.end > meta.size_bytes {
            return Err(outside(key, range));
        }
        Ok(meta.etag)
    }

    async fn fetch(&self, key: &ObjectKey, range: &Range<u64>, pinned: Option<&ETag>) -> Result<Bytes, Fetch> {
        // The header names the last byte.
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        let get = self.client.get_object().bucket(&*self.name).key(key.as_str()).range(bytes);
        let answer = get.set_if_match(pinned.map(|etag| etag.0.clone())).send().await.map_err(|e| {
            Fetch::Failed(match error::status(&e) {
                Some(404) if error::code(&e) != Some("NoSuchBucket") => absent(key),
                Some(412) => changed(key),
                Some(416) => outside(key, range),
                _ => error::from_sdk(about(key), &e),
            })
        })?;
        let wanted = range.end - range.start;
        // S3 shortens a range that passes the end. The body is then left unread.
        if answer.content_length().and_then(|length| u64::try_from(length).ok()) != Some(wanted) {
            return Err(Fetch::Failed(outside(key, range)));
        }
        let body = answer.body.collect().await.map_err(|_| Fetch::Broken)?.into_bytes();
        if body.len() as u64 == wanted { Ok(body) } else { Err(Fetch::Broken) }
    }
}

/// Why a range was not read.
enum Fetch {
    /// The answer was fine, its body broke off: the SDK repeats calls, not bodies.
    Broken,
    Failed(Error),
}

/// A block on its way; given up when nobody wants it any more.
struct Ahead(JoinHandle<Result<Bytes>>);

impl Future for Ahead {
    type Output = Result<Bytes>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(done.unwrap_or_else(|e| Err(Error::internal("reading ahead stopped").caused_by(e))))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}
