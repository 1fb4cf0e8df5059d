//! Objects sealed at rest: AES-256-GCM in front of any store, in chunks, so that a range is read without the rest.
//!
//! ```text
//! header   256 bytes   "PKSEAL1\n" ‖ length of the wrapped key (u16 LE) ‖ wrapped key ‖ zeros
//! chunks   each        64 KiB of the object (the last one less, and none but the last may be empty) ‖ tag (16)
//! ```
//! Each object has a random key of its own, wrapped by the `Keys` port under the context `object <key>`; so the nonce of a
//! chunk is its number. Authenticated with each chunk are the SHA-256 of the header, its number, and whether it is the
//! last one. An object without the header's first bytes was put there by somebody else: its bytes are not handed out.

mod chunk;
mod writer;

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chunk::{CHUNK_BYTES, ChunkKey, HEADER_BYTES, Header, SEALED_CHUNK_BYTES, plain_bytes};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use writer::SealedWriter;

use crate::{
    Error, ErrorKind, Result,
    ports::{ByteStream, ETag, Keys, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode, Random},
};

/// A store that is read while it is written over is looked at again so often.
const MAX_TRIES: usize = 20;

/// Seals what is written, opens what is read.
#[derive(Clone)]
pub struct Sealed {
    objects: Arc<dyn Objects>,
    keys: Arc<dyn Keys>,
    random: Arc<dyn Random>,
}

/// One version of an object, looked at.
struct Found {
    /// As the caller sees it.
    meta: ObjectMeta,
    stored_bytes: u64,
    /// None for an object that is not sealed.
    header: Option<Header>,
}

impl Sealed {
    pub fn new(objects: Arc<dyn Objects>, keys: Arc<dyn Keys>, random: Arc<dyn Random>) -> Self {
        Self { objects, keys, random }
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Found>> {
        for _ in 0..MAX_TRIES {
            let Some(stored) = self.objects.head(key).await? else { return Ok(None) };
            match self.look(stored).await {
                // Written over or deleted meanwhile.
                Err(e) if matches!(e.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                found => return found.map(Some),
            }
        }
        Err(Error::conflict(format!("object {key} is being changed all the time")))
    }

    async fn look(&self, stored: ObjectMeta) -> Result<Found> {
        let start = stored.size_bytes.min(HEADER_BYTES);
        let header = match self.objects.get(&stored.key, 0..start, Some(&stored.etag)).await {
            // Said by whoever reads it: a list goes on.
            Err(e) if e.kind() == ErrorKind::Corrupt => None,
            start => Header::parse(&start?),
        };
        let stored_bytes = stored.size_bytes;
        let size_bytes = if header.is_some() { plain_bytes(stored_bytes) } else { stored_bytes };
        Ok(Found { meta: ObjectMeta { size_bytes, ..stored }, stored_bytes, header })
    }

    async fn need(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<Found> {
        let found = self.find(key).await?.ok_or_else(|| Error::not_found(format!("object {key} does not exist")))?;
        match pinned {
            Some(etag) if *etag != found.meta.etag => Err(Error::conflict(format!("object {key} has changed"))),
            _ => Ok(found),
        }
    }

    /// A new key, and the header that holds it.
    async fn new_key(&self, key: &ObjectKey) -> Result<(ChunkKey, Header)> {
        let mut secret = [0; 32];
        self.random.fill(&mut secret);
        let header = Header::new(&self.keys.wrap(&secret, &context(key)).await?)?;
        Ok((ChunkKey::new(&secret, &header)?, header))
    }

    async fn open_key(&self, key: &ObjectKey, header: &Header) -> Result<ChunkKey> {
        let other = || {
            let text = format!("object {key} is sealed under another key, or its header has changed");
            Error::corrupt(text).hint("put the key file of this archive back")
        };
        let secret = self.keys.unwrap(header.wrapped(), &context(key)).await.map_err(|e| match e.kind() {
            ErrorKind::Denied | ErrorKind::Invalid => other(),
            _ => e,
        })?;
        ChunkKey::new(&secret.try_into().map_err(|_| other())?, header)
    }

    async fn stream_of(&self, found: Found, range: Range<u64>) -> Result<ByteStream> {
        let key = found.meta.key;
        if range.start > range.end || range.end > found.meta.size_bytes {
            return Err(Error::invalid(format!("object {key} has no bytes {} to {}", range.start, range.end)));
        }
        let Some(header) = found.header else {
            let text =
                format!("object {key} is not sealed: this archive has not written it, or its first bytes are lost");
            return Err(Error::corrupt(text));
        };
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let chunks = range.start / CHUNK_BYTES..range.end.div_ceil(CHUNK_BYTES);
        let place = |chunk: u64| (HEADER_BYTES + chunk * SEALED_CHUNK_BYTES).min(found.stored_bytes);
        let stored = place(chunks.start)..place(chunks.end);
        let opening = Opening {
            chunk_key: self.open_key(&key, &header).await?,
            stored: self.objects.stream(&key, stored, Some(&found.meta.etag)).await?,
            gathered: BytesMut::new(),
            next: chunks.start,
            end: chunks.end,
            count: found.meta.size_bytes.div_ceil(CHUNK_BYTES).max(1),
            range,
            key,
        };
        let blocks = stream::try_unfold(opening, |mut opening| async move {
            Ok(opening.next().await?.map(|block| (block, opening)))
        });
        Ok(blocks.boxed())
    }
}

fn context(key: &ObjectKey) -> String {
    format!("object {key}")
}

/// Chunks on their way out.
struct Opening {
    chunk_key: ChunkKey,
    stored: ByteStream,
    gathered: BytesMut,
    next: u64,
    end: u64,
    /// Of the whole object.
    count: u64,
    range: Range<u64>,
    key: ObjectKey,
}

impl Opening {
    /// The next block, cut to the range; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.next >= self.end {
            return Ok(None);
        }
        let full = usize::try_from(SEALED_CHUNK_BYTES).unwrap_or(usize::MAX);
        while self.gathered.len() < full {
            let Some(block) = self.stored.try_next().await? else { break };
            self.gathered.extend_from_slice(&block);
        }
        let (chunk, is_last) = (self.next, self.next + 1 == self.count);
        let sealed = self.gathered.split_to(self.gathered.len().min(full));
        let plain = self.chunk_key.open(chunk, is_last, sealed.to_vec()).map_err(|_| {
            Error::corrupt(format!("object {}: its bytes have changed near {}", self.key, chunk * CHUNK_BYTES))
        })?;
        self.next += 1;
        let start = chunk * CHUNK_BYTES;
        let within = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(plain.len());
        let (from, to) = (within(self.range.start), within(self.range.end));
        Ok(Some(Bytes::from(plain).slice(from..to)))
    }
}

#[async_trait]
impl Objects for Sealed {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(self.find(key).await?.map(|found| found.meta))
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        for _ in 0..MAX_TRIES {
            let found = self.need(key, pinned).await?;
            let blocks = async { self.stream_of(found, range.clone()).await?.try_collect::<Vec<_>>().await };
            match blocks.await {
                Err(e) if pinned.is_none() && e.kind() == ErrorKind::Conflict => {}
                blocks => return Ok(blocks?.concat().into()),
            }
        }
        Err(Error::conflict(format!("object {key} is being changed all the time")))
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        let found = self.need(key, pinned).await?;
        self.stream_of(found, range).await
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        let (chunk_key, header) = self.new_key(key).await?;
        let mut sealed = header.bytes().to_vec();
        let chunk_bytes = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        let count = bytes.len().div_ceil(chunk_bytes).max(1) as u64;
        let mut rest = bytes;
        for chunk in 0..count {
            let plain = rest.split_to(rest.len().min(chunk_bytes));
            sealed.extend(chunk_key.seal(chunk, chunk + 1 == count, plain.to_vec())?);
        }
        self.objects.put(key, sealed.into(), mode).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        let (chunk_key, header) = self.new_key(key).await?;
        let mut object = self.objects.create(key).await?;
        object.write(Bytes::copy_from_slice(header.bytes())).await?;
        Ok(Box::new(SealedWriter::new(object, chunk_key)))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let mut page = self.objects.list(prefix, after, limit).await?;
        for meta in &mut page {
            if let Some(found) = self.find(&meta.key).await? {
                *meta = found.meta;
            }
        }
        Ok(page)
    }

    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        self.objects.delete(key, pinned).await
    }

    /// None: whoever follows a link has no key.
    async fn link(&self, _: &ObjectKey, _: Duration, _: &str) -> Result<Option<String>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MemoryKeys, MemoryObjects, SeededRandom, suites};

    fn stores() -> (MemoryObjects, Sealed) {
        let inner = MemoryObjects::default();
        let sealed = Sealed::new(Arc::new(inner.clone()), Arc::new(MemoryKeys), Arc::new(SeededRandom::new(1)));
        (inner, sealed)
    }

    async fn whole(store: &dyn Objects, key: &ObjectKey) -> Result<Bytes> {
        let size = store.head(key).await?.unwrap().size_bytes;
        store.get(key, 0..size, None).await
    }

    #[tokio::test]
    async fn it_is_an_object_store() {
        suites::objects(&stores().1).await;
    }

    #[tokio::test]
    async fn what_lies_there_is_sealed_and_ranges_are_exact() {
        let (inner, sealed) = stores();
        let key = ObjectKey::parse("packs/a").unwrap();
        let chunk = usize::try_from(CHUNK_BYTES).unwrap();
        for size in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 5] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at / 7 % 251).unwrap()).collect();
            sealed.put(&key, bytes.clone().into(), PutMode::Overwrite).await.unwrap();
            assert_eq!(sealed.head(&key).await.unwrap().unwrap().size_bytes, size as u64);
            assert_eq!(whole(&sealed, &key).await.unwrap(), bytes);
            for (from, to) in [(0, size), (size / 2, size), (chunk.min(size), (chunk + 3).min(size)), (size, size)] {
                let part = sealed.get(&key, from as u64..to as u64, None).await.unwrap();
                assert_eq!(part, bytes[from..to], "{size}: {from} to {to}");
            }
            let mut writer = sealed.create(&ObjectKey::parse(format!("written/{size}")).unwrap()).await.unwrap();
            for piece in bytes.chunks(1000) {
                writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            writer.finish().await.unwrap();
            let written = whole(&sealed, &ObjectKey::parse(format!("written/{size}")).unwrap()).await.unwrap();
            assert_eq!(written, bytes);
        }
        let stored = whole(&inner, &key).await.unwrap();
        assert!(!stored.windows(64).any(|window| window == &[7; 64][..] || window == &[8; 64][..]));
    }

    #[tokio::test]
    async fn every_changed_byte_is_noticed_and_so_is_a_cut_or_a_swap() {
        let (inner, sealed) = stores();
        let key = |name: &str| ObjectKey::parse(name).unwrap();
        let bytes = Bytes::from(vec![1; 2 * usize::try_from(CHUNK_BYTES).unwrap() + 100]);
        sealed.put(&key("a"), bytes.clone(), PutMode::Overwrite).await.unwrap();
        sealed.put(&key("b"), bytes.clone(), PutMode::Overwrite).await.unwrap();
        let (a, b) = (whole(&inner, &key("a")).await.unwrap(), whole(&inner, &key("b")).await.unwrap());
        let is_same = async |stored: &[u8]| {
            inner.put(&key("a"), Bytes::copy_from_slice(stored), PutMode::Overwrite).await.unwrap();
            whole(&sealed, &key("a")).await.is_ok_and(|read| read == bytes)
        };
        assert!(is_same(&a).await && !is_same(&b).await, "an object under another name");
        let header = usize::try_from(HEADER_BYTES).unwrap();
        for at in (0..a.len()).step_by(101).chain(0..header).chain(a.len() - 40..a.len()) {
            let mut changed = a.to_vec();
            changed[at] ^= 1;
            assert!(!is_same(&changed).await, "byte {at}");
        }
        let chunk = usize::try_from(SEALED_CHUNK_BYTES).unwrap();
        for cut in [0, 10, header, header + 5, header + chunk, header + 2 * chunk, a.len() - 1] {
            assert!(!is_same(&a[..cut]).await, "cut at {cut}");
        }
        let mut swapped = a[..header].to_vec();
        swapped.extend_from_slice(&a[header + chunk..header + 2 * chunk]);
        swapped.extend_from_slice(&a[header..header + chunk]);
        swapped.extend_from_slice(&a[header + 2 * chunk..]);
        assert!(!is_same(&swapped).await, "chunks in another order");
    }

    /// Whoever can write into the folder has no key: what they put in the place of an object is not believed.
    #[tokio::test]
    async fn what_is_not_sealed_is_not_handed_out() {
        let (inner, sealed) = stores();
        let key = ObjectKey::parse("packs/old").unwrap();
        inner.put(&key, "PKPACK1\nand so on".into(), PutMode::Overwrite).await.unwrap();
        for range in [0..0, 0..17, 2..6] {
            assert_eq!(sealed.get(&key, range, None).await.unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert_eq!(sealed.list("packs/", None, 10).await.unwrap().len(), 1);
        assert!(sealed.delete(&key, None).await.unwrap());
    }
}
