//! The contract of an object store.

use bytes::Bytes;
use futures::{TryStreamExt as _, future::join_all};

use super::{ODD_NAMES, fails};
use crate::{
    ErrorKind, Result,
    ports::{ETag, ObjectKey, Objects, PutMode},
};

/// Everything that [`Objects`] promises.
pub async fn objects(store: &dyn Objects) {
    an_object_comes_back(store).await;
    ranges_are_exact(store).await;
    modes_are_kept(store).await;
    a_pin_holds_one_version(store).await;
    streams_bring_every_byte(store).await;
    a_writer_shows_whole_objects_only(store).await;
    deleting_is_final_and_harmless(store).await;
    one_of_many_wins(store).await;
    readers_see_no_mixture(store).await;
    every_valid_key_is_a_key_of_its_own(store).await;
    lists_are_in_byte_order(store).await;
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn put(store: &dyn Objects, at: &str, bytes: &[u8]) -> ETag {
    store.put(&key(at), Bytes::copy_from_slice(bytes), PutMode::Overwrite).await.unwrap()
}

async fn whole(store: &dyn Objects, at: &ObjectKey) -> Bytes {
    let size = store.head(at).await.unwrap().unwrap().size_bytes;
    store.get(at, 0..size, None).await.unwrap()
}

async fn names(store: &dyn Objects, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let after = after.map(key);
    let list = store.list(prefix, after.as_ref(), limit).await.unwrap();
    list.into_iter().map(|meta| meta.key.as_str().to_owned()).collect()
}

async fn clear(store: &dyn Objects, prefix: &str) {
    loop {
        let page = store.list(prefix, None, 500).await.unwrap();
        if page.is_empty() {
            return;
        }
        for meta in page {
            assert!(store.delete(&meta.key, Some(&meta.etag)).await.unwrap());
        }
    }
}

async fn an_object_comes_back(store: &dyn Objects) {
    let at = key("basic/object");
    assert!(store.head(&at).await.unwrap().is_none());
    fails(store.get(&at, 0..0, None).await, ErrorKind::NotFound);
    fails(store.stream(&at, 0..0, None).await.map(drop), ErrorKind::NotFound);
    let etag = put(store, "basic/object", b"hello").await;
    let meta = store.head(&at).await.unwrap().unwrap();
    assert_eq!((&meta.key, meta.size_bytes, &meta.etag), (&at, 5, &etag));
    assert_eq!(store.list("basic/", None, 10).await.unwrap(), [meta]);
    assert_eq!(whole(store, &at).await, "hello");
    // A folder is no object.
    assert!(store.head(&key("basic")).await.unwrap().is_none());
    assert!(!store.delete(&key("basic"), None).await.unwrap());
    fails(store.get(&key("basic"), 0..0, None).await, ErrorKind::NotFound);
}

async fn ranges_are_exact(store: &dyn Objects) {
    put(store, "ranges/ten", b"0123456789").await;
    put(store, "ranges/empty", b"").await;
    let (ten, empty) = (key("ranges/ten"), key("ranges/empty"));
    for (range, bytes) in [(0..10, "0123456789"), (0..0, ""), (3..7, "3456"), (9..10, "9"), (10..10, "")] {
        assert_eq!(store.get(&ten, range.clone(), None).await.unwrap(), bytes);
        let blocks: Vec<Bytes> = store.stream(&ten, range, None).await.unwrap().try_collect().await.unwrap();
        assert_eq!(blocks.concat(), bytes.as_bytes());
    }
    assert_eq!(whole(store, &empty).await, "");
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused here")]
    let wrong = [0..11, 11..11, 10..11, 7..3, 0..u64::MAX, u64::MAX..u64::MAX];
    for range in wrong {
        fails(store.get(&ten, range.clone(), None).await, ErrorKind::Invalid);
        // A stream may find out when it opens or at its first block.
        let streamed: Result<Vec<Bytes>> = match store.stream(&ten, range, None).await {
            Ok(stream) => stream.try_collect().await,
            Err(error) => Err(error),
        };
        fails(streamed, ErrorKind::Invalid);
    }
    fails(store.get(&empty, 0..1, None).await, ErrorKind::Invalid);
}

async fn modes_are_kept(store: &dyn Objects) {
    let at = key("modes/object");
    let first = store.put(&at, Bytes::from_static(b"first"), PutMode::IfAbsent).await.unwrap();
    fails(store.put(&at, Bytes::from_static(b"second"), PutMode::IfAbsent).await, ErrorKind::Conflict);
    assert_eq!(whole(store, &at).await, "first");
    assert_eq!(store.head(&at).await.unwrap().unwrap().etag, first);
    let second = store.put(&at, Bytes::from_static(b"2nd"), PutMode::Overwrite).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(whole(store, &at).await, "2nd");
}

async fn a_pin_holds_one_version(store: &dyn Objects) {
    let at = key("pins/object");
    let mut old = Vec::new();
    // As many versions of one size as a store can make, in quick succession: no two are mistaken for each other.
    for round in 0..20u8 {
        let etag = put(store, "pins/object", &[round; 8]).await;
        assert!(!old.contains(&etag), "two versions have one tag");
        assert_eq!(store.get(&at, 0..8, Some(&etag)).await.unwrap(), vec![round; 8]);
        old.push(etag);
    }
    let now = old.pop().unwrap();
    for etag in old.iter().chain([&ETag("\"strange\"".into()), &ETag(String::new())]) {
        fails(store.get(&at, 0..8, Some(etag)).await, ErrorKind::Conflict);
        fails(store.stream(&at, 0..8, Some(etag)).await.map(drop), ErrorKind::Conflict);
        fails(store.delete(&at, Some(etag)).await, ErrorKind::Conflict);
    }
    assert!(store.stream(&at, 0..8, Some(&now)).await.is_ok());
    assert!(store.delete(&at, Some(&now)).await.unwrap());
    assert!(!store.delete(&at, Some(&now)).await.unwrap());
    fails(store.get(&at, 0..8, Some(&now)).await, ErrorKind::NotFound);
}

async fn streams_bring_every_byte(store: &dyn Objects) {
    let bytes: Vec<u8> = (0..5_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let etag = put(store, "streams/large", &bytes).await;
    let at = key("streams/large");
    for range in [0..bytes.len(), 1..1, 1_048_575..1_048_577, 4_999_999..5_000_003] {
        let asked = range.start as u64..range.end as u64;
        let blocks: Vec<Bytes> = store.stream(&at, asked, Some(&etag)).await.unwrap().try_collect().await.unwrap();
        assert!(blocks.iter().all(|block| !block.is_empty() && block.len() <= 8 << 20));
        assert!(blocks.concat() == bytes.get(range).unwrap());
    }
    // Leaving a stream in the middle harms nobody.
    let mut stream = store.stream(&at, 0..5_000_003, None).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    assert!(store.delete(&at, None).await.unwrap());
}

async fn a_writer_shows_whole_objects_only(store: &dyn Objects) {
    let at = key("writers/object");
    let mut left = store.create(&at).await.unwrap();
    left.write(Bytes::from_static(b"never seen")).await.unwrap();
    drop(left);
    let mut writer = store.create(&at).await.unwrap();
    let mut late = store.create(&at).await.unwrap();
    for piece in ["", "one ", "", "two ", "three"] {
        writer.write(piece.into()).await.unwrap();
        assert!(store.head(&at).await.unwrap().is_none());
        assert!(names(store, "writers", None, 10).await.is_empty());
    }
    late.write("late".into()).await.unwrap();
    let etag = writer.finish().await.unwrap();
    fails(late.finish().await, ErrorKind::Conflict);
    assert_eq!(store.head(&at).await.unwrap().unwrap().etag, etag);
    assert_eq!(whole(store, &at).await, "one two three");
    let nothing = store.create(&key("writers/empty")).await.unwrap();
    nothing.finish().await.unwrap();
    assert_eq!(whole(store, &key("writers/empty")).await, "");
    let mut large = store.create(&key("writers/large")).await.unwrap();
    for n in 0..9u8 {
        large.write(vec![n; 1 << 20].into()).await.unwrap();
    }
    large.finish().await.unwrap();
    let large = whole(store, &key("writers/large")).await;
    assert!(large.len() == 9 << 20 && large.chunks(1 << 20).zip(0..).all(|(block, n)| block == vec![n; 1 << 20]));
    clear(store, "writers/").await;
}

async fn deleting_is_final_and_harmless(store: &dyn Objects) {
    put(store, "gone/a/b/c", b"1").await;
    put(store, "gone/a/d", b"2").await;
    assert!(store.delete(&key("gone/a/b/c"), None).await.unwrap());
    assert!(!store.delete(&key("gone/a/b/c"), None).await.unwrap());
    assert!(!store.delete(&key("gone/never/was"), None).await.unwrap());
    assert_eq!(names(store, "gone", None, 10).await, ["gone/a/d"]);
    put(store, "gone/a/b/c", b"3").await;
    assert_eq!(whole(store, &key("gone/a/b/c")).await, "3");
    clear(store, "gone/").await;
    put(store, "gone", b"4").await;
    assert_eq!(names(store, "gone", None, 10).await, ["gone"]);
}

async fn one_of_many_wins(store: &dyn Objects) {
    let at = key("race/absent");
    let puts = (0..12u8).map(|n| store.put(&at, vec![n; 4].into(), PutMode::IfAbsent));
    let ends = join_all(puts).await;
    let won: Vec<_> = (0..12u8).zip(&ends).filter(|(_, end)| end.is_ok()).collect();
    let [(winner, Ok(etag))] = won.as_slice() else { panic!("{} writers won", won.len()) };
    assert!(ends.iter().filter_map(|end| end.as_ref().err()).all(|e| e.kind() == ErrorKind::Conflict));
    assert_eq!(store.get(&at, 0..4, Some(etag)).await.unwrap(), vec![*winner; 4]);
}

async fn readers_see_no_mixture(store: &dyn Objects) {
    let at = key("race/mixture");
    put(store, "race/mixture", &vec![0; 100_000]).await;
    let writes = async {
        for n in 1..20u8 {
            put(store, "race/mixture", &vec![n; 100_000]).await;
        }
    };
    let reads = async {
        for _ in 0..20 {
            let bytes = store.get(&at, 0..100_000, None).await.unwrap();
            assert!(bytes.iter().all(|byte| Some(byte) == bytes.first()));
        }
    };
    futures::join!(writes, reads);
    clear(store, "race/").await;
}

async fn every_valid_key_is_a_key_of_its_own(store: &dyn Objects) {
    let mut keys: Vec<String> = ODD_NAMES.iter().map(|name| format!("odd/{name}")).collect();
    // An object may also be what looks like the folder of others.
    keys.extend(ODD_NAMES.iter().map(|name| format!("odd/{name}/{name}")));
    keys.extend(["odd/a/a/a/a".into(), "odd/a-".into(), "odd/a0".into(), "odd/tmp/x".into()]);
    for len in [239, 240, 241, 250, 253, 255, 256, 480, 700, 1000] {
        let long = "x".repeat(len);
        keys.extend([format!("odd/{long}"), format!("odd/{long}-"), format!("odd/{long}/y"), format!("odd/{long}a/y")]);
        keys.push(format!("odd/{}", "é".repeat(len / 2)));
        keys.push(format!("odd/{}", "%".repeat(len)));
        keys.push(format!("odd/{}.d", "z".repeat(len)));
    }
    keys.push(format!("odd/{}", ["b"; 510].join("/")));
    keys.sort();
    keys.dedup();
    for at in &keys {
        put(store, at, at.as_bytes()).await;
    }
    for at in &keys {
        assert_eq!(whole(store, &key(at)).await, at.as_bytes());
    }
    assert!(names(store, "odd/", None, 10_000).await == keys);
    let paged = pages(store, "odd/", 7).await;
    assert!(paged == keys);
    clear(store, "odd/").await;
}

async fn pages(store: &dyn Objects, prefix: &str, limit: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = names(store, prefix, all.last().map(String::as_str), limit).await;
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn lists_are_in_byte_order(store: &dyn Objects) {
    let mut keys: Vec<String> = (0..120).map(|n| format!("list/{}/{n}", n % 7)).collect();
    keys.extend(["list/1".into(), "list/1-x".into(), "list/10".into(), "list/1/0/deep/er".into(), "list2".into()]);
    for at in &keys {
        put(store, at, b"").await;
    }
    keys.sort();
    assert_eq!(pages(store, "list", 11).await, keys);
    for prefix in ["list/1", "list/1/", "list/1/1", "list/1/0/deep/er", "nothing", "list//", "list/1/0/d", "li"] {
        let expected: Vec<_> = keys.iter().filter(|at| at.starts_with(prefix)).cloned().collect();
        assert_eq!(names(store, prefix, None, 1000).await, expected, "{prefix}");
    }
    assert_eq!(names(store, "list/1", None, 0).await, [""; 0]);
    // A cursor need not exist, nor begin with the prefix.
    for after in ["list/1/0/deep", "list/0", "list/1/5x", "a", "z", "list/1", "list/6/zzz"] {
        for prefix in ["list/1", "list/"] {
            let later = keys.iter().filter(|at| at.starts_with(prefix) && at.as_str() > after);
            let expected: Vec<_> = later.take(5).cloned().collect();
            assert_eq!(names(store, prefix, Some(after), 5).await, expected, "{prefix} after {after}");
        }
    }
    clear(store, "list").await;
}
