//! The suite of [`Landing`].

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use bytes::Bytes;

use crate::{
    ErrorKind, Result,
    ports::{Landing, Objects, OpenMode},
};

use super::key;

/// The contract of [`Landing`]. `uploads` is the object store that the whole files are in.
pub async fn suite(landing: &dyn Landing, uploads: &dyn Objects) {
    a_file_is_an_object_when_it_was_closed_and_not_before(landing, uploads).await;
    blocks_may_come_in_any_order_and_twice(landing).await;
    what_lies_behind_a_gap_is_not_kept(landing).await;
    a_cut_off_file_is_resumed(landing).await;
    a_whole_file_becomes_partial_again(landing, uploads).await;
    open_modes_are_kept(landing).await;
    a_file_has_one_writer(landing).await;
    whole_stays_whole_and_partial_partial_when_renamed(landing, uploads).await;
    renaming_replaces_only_when_told(landing, uploads).await;
    removing_takes_either_kind(landing, uploads).await;
    homes_and_odd_names_keep_apart(landing, uploads).await;
    old_partial_files_expire(landing).await;
}

const CREATE: OpenMode = OpenMode { create: true, exclusive: false, truncate: false };
const FRESH: OpenMode = OpenMode { create: true, exclusive: false, truncate: true };

async fn whole(landing: &dyn Landing, user: &str, name: &str, bytes: &'static [u8]) {
    let mut file = landing.open(user, name, FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
    file.close().await.unwrap();
}

async fn partial(landing: &dyn Landing, user: &str, name: &str, bytes: &'static [u8]) {
    let mut file = landing.open(user, name, FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
}

async fn seen(landing: &dyn Landing, user: &str, name: &str) -> Option<(u64, bool)> {
    landing.stat(user, name).await.unwrap().map(|entry| (entry.size_bytes, entry.whole))
}

async fn content(landing: &dyn Landing, user: &str, name: &str) -> Bytes {
    landing.read(user, name, 0, 1 << 20).await.unwrap()
}

async fn object(uploads: &dyn Objects, user: &str, name: &str) -> Option<Bytes> {
    let key = key(user, name).unwrap();
    let size = uploads.head(&key).await.unwrap()?.size_bytes;
    Some(uploads.get(&key, 0..size, None).await.unwrap())
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

async fn a_file_is_an_object_when_it_was_closed_and_not_before(landing: &dyn Landing, uploads: &dyn Objects) {
    let user = "anna";
    assert_eq!(landing.list(user).await.unwrap(), []);
    let mut file = landing.open(user, "a.zip", FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(b"hello")).await.unwrap();
    file.sync().await.unwrap();
    assert_eq!(seen(landing, user, "a.zip").await, Some((5, false)));
    assert_eq!(object(uploads, user, "a.zip").await, None);
    file.close().await.unwrap();
    assert_eq!(seen(landing, user, "a.zip").await, Some((5, true)));
    assert_eq!(object(uploads, user, "a.zip").await.unwrap(), "hello");
    let names: Vec<_> = landing.list(user).await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a.zip"]);
    assert_eq!(landing.read(user, "a.zip", 1, 3).await.unwrap(), "ell");
    assert_eq!(landing.read(user, "a.zip", 5, 3).await.unwrap(), "");
    assert_eq!(landing.read(user, "a.zip", u64::MAX, 3).await.unwrap(), "");
    assert_eq!(kind(landing.read(user, "b.zip", 0, 3).await), Some(ErrorKind::NotFound));
    whole(landing, user, "empty", b"").await;
    assert_eq!(seen(landing, user, "empty").await, Some((0, true)));
}

async fn blocks_may_come_in_any_order_and_twice(landing: &dyn Landing) {
    let mut file = landing.open("bob", "f", FRESH).await.unwrap();
    for (offset, block) in [(4, "4567"), (8, "89"), (0, "0123"), (4, "4567"), (2, "2345"), (9, "9")] {
        file.write_at(offset, Bytes::from_static(block.as_bytes())).await.unwrap();
    }
    assert_eq!(file.size().await.unwrap(), 10);
    file.close().await.unwrap();
    assert_eq!(content(landing, "bob", "f").await, "0123456789");
}

async fn what_lies_behind_a_gap_is_not_kept(landing: &dyn Landing) {
    let mut file = landing.open("carol", "f", FRESH).await.unwrap();
    file.write_at(0, Bytes::from_static(b"0123")).await.unwrap();
    file.write_at(6, Bytes::from_static(b"67")).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 8);
    drop(file);
    assert_eq!(seen(landing, "carol", "f").await, Some((4, false)));
    assert_eq!(content(landing, "carol", "f").await, "0123");

    let mut file = landing.open("carol", "f", CREATE).await.unwrap();
    file.set_size(6).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "carol", "f").await, "0123\0\0", "a gap in a closed file reads as zeros");
    let mut file = landing.open("carol", "f", CREATE).await.unwrap();
    file.set_size(2).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 2);
    file.write_at(2, Bytes::from_static(b"xy")).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "carol", "f").await, "01xy");
}

async fn a_cut_off_file_is_resumed(landing: &dyn Landing) {
    partial(landing, "dora", "f", b"0123").await;
    assert_eq!(seen(landing, "dora", "f").await, Some((4, false)));
    let mut file = landing.open("dora", "f", CREATE).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 4);
    file.write_at(4, Bytes::from_static(b"4567")).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(content(landing, "dora", "f").await, "01234567");
}

async fn a_whole_file_becomes_partial_again(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "emil", "f", b"0123").await;
    let file = landing.open("emil", "f", CREATE).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 4);
    assert_eq!(object(uploads, "emil", "f").await, None);
    drop(file);
    assert_eq!(seen(landing, "emil", "f").await, Some((4, false)));
    drop(landing.open("emil", "f", FRESH).await.unwrap());
    assert_eq!(seen(landing, "emil", "f").await, Some((0, false)));
}

async fn open_modes_are_kept(landing: &dyn Landing) {
    let exclusive = OpenMode { exclusive: true, ..CREATE };
    assert_eq!(kind(landing.open("fritz", "f", OpenMode::default()).await), Some(ErrorKind::NotFound));
    assert_eq!(landing.list("fritz").await.unwrap(), []);
    drop(landing.open("fritz", "f", exclusive).await.unwrap());
    assert_eq!(kind(landing.open("fritz", "f", exclusive).await), Some(ErrorKind::Conflict));
    whole(landing, "fritz", "w", b"x").await;
    assert_eq!(kind(landing.open("fritz", "w", exclusive).await), Some(ErrorKind::Conflict));
    assert_eq!(seen(landing, "fritz", "w").await, Some((1, true)));
}

async fn a_file_has_one_writer(landing: &dyn Landing) {
    let file = landing.open("gerda", "f", FRESH).await.unwrap();
    assert_eq!(kind(landing.open("gerda", "f", FRESH).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(landing.remove("gerda", "f").await), Some(ErrorKind::Conflict));
    assert_eq!(kind(landing.rename("gerda", "f", "g", true).await), Some(ErrorKind::Conflict));
    whole(landing, "gerda", "other", b"x").await;
    assert_eq!(kind(landing.rename("gerda", "other", "f", true).await), Some(ErrorKind::Conflict));
    drop(file);
    drop(landing.open("gerda", "f", CREATE).await.unwrap());
}

async fn whole_stays_whole_and_partial_partial_when_renamed(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "hans", "w", b"whole").await;
    partial(landing, "hans", "p", b"part").await;
    landing.rename("hans", "w", "w2", false).await.unwrap();
    landing.rename("hans", "p", "p2", false).await.unwrap();
    assert_eq!(seen(landing, "hans", "w").await, None);
    assert_eq!(seen(landing, "hans", "p").await, None);
    assert_eq!(object(uploads, "hans", "w").await, None);
    assert_eq!(object(uploads, "hans", "w2").await.unwrap(), "whole");
    assert_eq!(seen(landing, "hans", "p2").await, Some((4, false)));
    assert_eq!(kind(landing.rename("hans", "w", "x", false).await), Some(ErrorKind::NotFound));
    landing.rename("hans", "w2", "w2", false).await.unwrap();
    assert_eq!(object(uploads, "hans", "w2").await.unwrap(), "whole");
}

async fn renaming_replaces_only_when_told(landing: &dyn Landing, uploads: &dyn Objects) {
    let user = "ida";
    whole(landing, user, "w", b"whole").await;
    whole(landing, user, "t1", b"old").await;
    partial(landing, user, "t2", b"old").await;
    partial(landing, user, "p", b"part").await;
    for target in ["t1", "t2"] {
        assert_eq!(kind(landing.rename(user, "w", target, false).await), Some(ErrorKind::Conflict));
    }
    landing.rename(user, "w", "t2", true).await.unwrap();
    assert_eq!(seen(landing, user, "t2").await, Some((5, true)));
    landing.rename(user, "t2", "t1", true).await.unwrap();
    assert_eq!(object(uploads, user, "t1").await.unwrap(), "whole");
    landing.rename(user, "p", "t1", true).await.unwrap();
    assert_eq!(seen(landing, user, "t1").await, Some((4, false)));
    assert_eq!(object(uploads, user, "t1").await, None);
    assert_eq!(landing.list(user).await.unwrap().len(), 1);
}

async fn removing_takes_either_kind(landing: &dyn Landing, uploads: &dyn Objects) {
    whole(landing, "jan", "w", b"whole").await;
    partial(landing, "jan", "p", b"part").await;
    assert!(landing.remove("jan", "w").await.unwrap());
    assert!(landing.remove("jan", "p").await.unwrap());
    assert!(!landing.remove("jan", "p").await.unwrap());
    assert_eq!(landing.list("jan").await.unwrap(), []);
    assert_eq!(object(uploads, "jan", "w").await, None);
}

async fn homes_and_odd_names_keep_apart(landing: &dyn Landing, uploads: &dyn Objects) {
    let names = ["a b+c%20ä.zip", "%61", "a", "A", ".hidden", "...", "-x", "~", "山田.mbox", "a\\b", "x.tmp", "(y)"];
    let longest = "ü".repeat(100);
    for name in names.into_iter().chain([longest.as_str()]) {
        whole(landing, "karl", name, b"k").await;
        partial(landing, "karl2", name, b"k2").await;
        assert_eq!(object(uploads, "karl", name).await.unwrap(), "k", "{name}");
    }
    let mut listed: Vec<_> = landing.list("karl").await.unwrap().into_iter().map(|entry| entry.name).collect();
    let mut expected: Vec<_> = names.iter().map(|name| (*name).to_owned()).chain([longest]).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    let others = landing.list("karl2").await.unwrap();
    assert_eq!(others.len(), expected.len());
    assert!(others.iter().all(|entry| entry.size_bytes == 2 && !entry.whole));
}

async fn old_partial_files_expire(landing: &dyn Landing) {
    partial(landing, "lena", "p", b"part").await;
    whole(landing, "lena", "w", b"whole").await;
    let writer = landing.open("lena", "busy", FRESH).await.unwrap();
    assert_eq!(landing.expire(i64::MIN).await.unwrap(), 0);
    assert!(landing.expire(i64::MAX).await.unwrap() >= 1);
    assert_eq!(seen(landing, "lena", "p").await, None);
    assert_eq!(seen(landing, "lena", "w").await, Some((5, true)));
    assert_eq!(seen(landing, "lena", "busy").await, Some((0, false)));
    drop(writer);
}
