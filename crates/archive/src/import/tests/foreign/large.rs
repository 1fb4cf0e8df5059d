//! Files larger than what is held of them, over a store that counts, and fails.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::*;
use crate::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectMeta, ObjectWriter},
};

/// Every mail of the mbox has this length, its line and the blank line behind it included.
const MAIL_BYTES: u64 = 64 << 10;

/// A store with one mbox in it that is nowhere: each byte follows from its place.
#[derive(Debug)]
struct Generated {
    mails: u64,
    gets: AtomicU64,
    bytes: AtomicU64,
    /// A third of the requests fails; which ones, follows from this.
    failing: Option<u64>,
}

impl Generated {
    fn meta(&self) -> ObjectMeta {
        let key = ObjectKey::parse("home/large.mbox").unwrap();
        ObjectMeta { key, size_bytes: self.mails * MAIL_BYTES, etag: ETag("1".into()), modified: 0 }
    }
}

fn generated(number: u64) -> Vec<u8> {
    let head = format!("From a Mon Jan  2 10:00:00 2023\nSubject: {number}\n\n");
    let mut mail = head.into_bytes();
    let line = format!("{number:078}\n");
    while mail.len() + line.len() < usize::try_from(MAIL_BYTES).unwrap() {
        mail.extend_from_slice(line.as_bytes());
    }
    mail.resize(usize::try_from(MAIL_BYTES).unwrap() - 2, b'.');
    mail.extend_from_slice(b"\n\n");
    mail
}

#[async_trait]
impl Objects for Generated {
    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(Some(self.meta()))
    }
    async fn get(&self, _: &ObjectKey, range: Range<u64>, _: Option<&ETag>) -> Result<Bytes> {
        let count = self.gets.fetch_add(1, Ordering::SeqCst) + 1;
        if self.failing.is_some_and(|seed| (count ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40 & 0xFF < 85) {
            return Err(Error::unavailable("the store has no time"));
        }
        self.bytes.fetch_add(range.end - range.start, Ordering::SeqCst);
        let first = range.start / MAIL_BYTES;
        let mails: Vec<u8> = (first..range.end.div_ceil(MAIL_BYTES)).flat_map(generated).collect();
        let at = |offset: u64| usize::try_from(offset - first * MAIL_BYTES).unwrap();
        Ok(Bytes::copy_from_slice(&mails[at(range.start)..at(range.end)]))
    }
    async fn stream(&self, _: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<ByteStream> {
        Err(Error::internal("not read as a stream"))
    }
    async fn put(&self, _: &ObjectKey, _: Bytes, _: PutMode) -> Result<ETag> {
        Err(Error::internal("never written"))
    }
    async fn create(&self, _: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        Err(Error::internal("never written"))
    }
    async fn list(&self, _: &str, _: Option<&ObjectKey>, _: usize) -> Result<Vec<ObjectMeta>> {
        Ok(Vec::new())
    }
    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<bool> {
        Err(Error::internal("never deleted"))
    }
}

fn world_with(mails: u64, failing: Option<u64>) -> (World, Arc<Generated>) {
    let mut world = world(None);
    let files = Arc::new(Generated { mails, gets: AtomicU64::new(0), bytes: AtomicU64::new(0), failing });
    world.archive.files = files.clone();
    (world, files)
}

async fn import(world: &World, files: &Generated, turn: Duration) -> ImportView {
    let start = StartImports { sources: vec![Source::File(files.meta().key)], ..world.start(&[], None) };
    let mut started = world.archive.start_imports(start.clone()).await;
    while started.is_err() {
        started = world.archive.start_imports(start.clone()).await;
    }
    let id = started.unwrap().imports[0].id.clone().unwrap();
    for _ in 0..200 {
        try_jobs(world, &world.archive, turn).await;
    }
    world.archive.import(&id).await.unwrap()
}

/// 48 MiB.
const MAILS: u64 = 768;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_mbox_is_read_once_in_large_blocks() {
    let (world, files) = world_with(MAILS, None);
    let view = import(&world, &files, Duration::MAX).await;
    assert_eq!((view.imported, view.in_volume, view.balanced), (MAILS, MAILS, true));
    let (gets, blocks) = (files.gets.load(Ordering::SeqCst), (MAILS * MAIL_BYTES).div_ceil(4 << 20));
    // Head and tail of the start, and a look at what it is.
    assert!((blocks..blocks + 8).contains(&gets), "{gets} requests for {blocks} blocks");
}

/// Each turn does one batch: none begins at the first mail again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_where_the_one_before_it_ended() {
    let (world, files) = world_with(MAILS, None);
    let view = import(&world, &files, Duration::ZERO).await;
    assert_eq!((view.imported, view.balanced), (MAILS, true));
    let read = files.bytes.load(Ordering::SeqCst);
    // The beginning, to see that it is the same kind of file; and what was read ahead at the end of a turn.
    let turns = MAILS.div_ceil(world.archive.sizes.batch_mails as u64) + 1;
    assert!(read < MAILS * MAIL_BYTES + turns * (24 << 20), "{read} bytes in {turns} turns");
}

/// What the store cannot deliver now says nothing about a mail: no entry fails for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_now_and_then_costs_no_mail() {
    for seed in [2000, 3000, 5000] {
        let (mut world, files) = world_with(256, Some(seed));
        world.archive.sizes.batch_mails = 20;
        let view = import(&world, &files, Duration::ZERO).await;
        assert_eq!(
            (view.state, view.imported, view.failed.len(), view.balanced),
            (ImportState::Finished, 256, 0, true)
        );
    }
}
