//! The contract of documents: compare-and-set, and lists in byte order.

use futures::{StreamExt as _, future::join_all, stream};
use serde_json::{Value, json};

use super::{ODD_NAMES, fails};
use crate::{
    ErrorKind,
    ports::{Catalog, Document, Expect},
};

/// 2100-01-01T00:00:00Z
const FAR: i64 = 4_102_444_800;

/// What [`Catalog`] promises of documents.
pub async fn documents(catalog: &dyn Catalog) {
    changes_are_compared_and_set(catalog).await;
    removing_is_compared_too(catalog).await;
    partitions_are_apart(catalog).await;
    bodies_come_back(catalog).await;
    odd_ids_are_ids(catalog).await;
    one_of_many_wins(catalog).await;
    no_increment_is_lost(catalog).await;
    thousands_are_listed_in_pages(catalog).await;
    many_are_written_together(catalog).await;
    expiry_removes_nothing_early(catalog).await;
}

async fn body(catalog: &dyn Catalog, partition: &str, id: &str) -> Option<(u64, Value)> {
    catalog.load(partition, id).await.unwrap().map(|document| {
        assert_eq!(document.id, id);
        (document.version, document.body)
    })
}

async fn changes_are_compared_and_set(catalog: &dyn Catalog) {
    let save = |text: &'static str, expect| async move { catalog.save("cas", "x", &json!(text), expect, None).await };
    assert_eq!(body(catalog, "cas", "x").await, None);
    fails(save("never", Expect::Version(0)).await, ErrorKind::Conflict);
    fails(save("never", Expect::Version(1)).await, ErrorKind::Conflict);
    assert_eq!(save("one", Expect::Absent).await.unwrap(), 1);
    fails(save("never", Expect::Absent).await, ErrorKind::Conflict);
    assert_eq!(save("two", Expect::Version(1)).await.unwrap(), 2);
    for expect in
        [Expect::Version(0), Expect::Version(1), Expect::Version(3), Expect::Version(u64::MAX), Expect::Absent]
    {
        fails(save("never", expect).await, ErrorKind::Conflict);
    }
    assert_eq!(body(catalog, "cas", "x").await, Some((2, json!("two"))));
    assert_eq!(save("three", Expect::Anything).await.unwrap(), 3);
    assert_eq!(save("three", Expect::Version(3)).await.unwrap(), 4, "an equal body is a change too");
    assert_eq!(catalog.save("cas", "y", &json!("new"), Expect::Anything, None).await.unwrap(), 1);
    assert_eq!(body(catalog, "cas", "x").await, Some((4, json!("three"))));
}

async fn removing_is_compared_too(catalog: &dyn Catalog) {
    let remove = |expect| async move { catalog.remove("remove", "x", expect).await };
    for expect in [Expect::Anything, Expect::Version(1)] {
        assert!(!remove(expect).await.unwrap());
    }
    catalog.save("remove", "x", &json!(1), Expect::Absent, None).await.unwrap();
    catalog.save("remove", "x", &json!(2), Expect::Version(1), None).await.unwrap();
    fails(remove(Expect::Version(1)).await, ErrorKind::Conflict);
    assert_eq!(body(catalog, "remove", "x").await, Some((2, json!(2))));
    assert!(remove(Expect::Version(2)).await.unwrap());
    assert!(!remove(Expect::Version(2)).await.unwrap());
    assert_eq!(body(catalog, "remove", "x").await, None);
    assert_eq!(catalog.save("remove", "x", &json!(3), Expect::Absent, None).await.unwrap(), 1);
    assert!(remove(Expect::Anything).await.unwrap());
    assert_eq!(catalog.list("remove", None, 10).await.unwrap(), []);
}

async fn partitions_are_apart(catalog: &dyn Catalog) {
    for partition in ["part", "part/1", "part/2", "part0", "par"] {
        assert_eq!(catalog.save(partition, "same", &json!(partition), Expect::Absent, None).await.unwrap(), 1);
        assert_eq!(body(catalog, partition, "same").await, Some((1, json!(partition))));
        let list = catalog.list(partition, None, 10).await.unwrap();
        assert_eq!(list, [Document { id: "same".into(), version: 1, body: json!(partition) }]);
    }
    assert_eq!(catalog.list("nothing", None, 10).await.unwrap(), []);
    assert!(catalog.remove("part", "same", Expect::Anything).await.unwrap());
    assert!(body(catalog, "part/1", "same").await.is_some());
}

async fn bodies_come_back(catalog: &dyn Catalog) {
    let bodies = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!({"": {"null\u{0}": [null, true, false, 1.5, -1]}, "ünï": "\u{1f4ec}\"\\\n"}),
        json!({"min": i64::MIN, "max": u64::MAX}),
        json!({"long": "é".repeat(100_000)}),
        json!((0..5000).collect::<Vec<_>>()),
    ];
    for (n, expected) in bodies.iter().enumerate() {
        let id = n.to_string();
        catalog.save("bodies", &id, expected, Expect::Absent, None).await.unwrap();
        assert_eq!(body(catalog, "bodies", &id).await, Some((1, expected.clone())));
    }
}

async fn odd_ids_are_ids(catalog: &dyn Catalog) {
    let mut ids: Vec<String> = ODD_NAMES.iter().map(|name| (*name).to_owned()).collect();
    ids.extend(["a/b".into(), "a#b".into(), "/".into(), "a\0b".into(), "a\0".into(), "a\nb".into(), "'; --".into()]);
    ids.extend(["x".repeat(500), format!("{}y", "x".repeat(499)), "é".repeat(250), "\u{10FFFF}".into()]);
    for id in &ids {
        assert_eq!(catalog.save("odd", id, &json!(id), Expect::Absent, None).await.unwrap(), 1, "{id:?}");
    }
    for id in &ids {
        assert_eq!(body(catalog, "odd", id).await, Some((1, json!(id))));
    }
    ids.sort();
    let listed: Vec<String> = catalog.list("odd", None, 1000).await.unwrap().into_iter().map(|d| d.id).collect();
    assert_eq!(listed, ids);
    for (n, id) in ids.iter().enumerate() {
        let next = catalog.list("odd", Some(id), 1).await.unwrap().into_iter().next().map(|document| document.id);
        assert_eq!(next.as_ref(), ids.get(n + 1));
    }
}

async fn one_of_many_wins(catalog: &dyn Catalog) {
    for (round, expect) in [Expect::Absent, Expect::Version(1), Expect::Version(2)].into_iter().enumerate() {
        let bodies: Vec<Value> = (0..16).map(|n| json!([round, n])).collect();
        let ends = join_all(bodies.iter().map(|body| catalog.save("race", "x", body, expect, None))).await;
        let won: Vec<_> =
            bodies.iter().zip(&ends).filter_map(|(body, end)| end.as_ref().ok().map(|v| (body, v))).collect();
        let [(winner, version)] = won.as_slice() else { panic!("{} writers won", won.len()) };
        assert!(ends.iter().filter_map(|end| end.as_ref().err()).all(|e| e.kind() == ErrorKind::Conflict));
        assert_eq!(body(catalog, "race", "x").await, Some((**version, (*winner).clone())));
        assert_eq!(**version, round as u64 + 1);
    }
    let ends = join_all((0..8).map(|_| catalog.remove("race", "x", Expect::Version(3)))).await;
    assert_eq!(ends.into_iter().filter(|end| matches!(end, Ok(true))).count(), 1);
}

async fn no_increment_is_lost(catalog: &dyn Catalog) {
    let increment = || async {
        for _ in 0..5 {
            loop {
                let (version, count) = match body(catalog, "count", "x").await {
                    Some((version, count)) => (Expect::Version(version), count.as_u64().unwrap()),
                    None => (Expect::Absent, 0),
                };
                match catalog.save("count", "x", &json!(count + 1), version, None).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
                }
            }
        }
    };
    join_all((0..6).map(|_| increment())).await;
    assert_eq!(body(catalog, "count", "x").await, Some((30, json!(30))));
}

async fn many_are_written_together(catalog: &dyn Catalog) {
    catalog.save("together", "005", &json!("old"), Expect::Absent, None).await.unwrap();
    let all: Vec<_> = (0..100).map(|n| (format!("{n:03}"), json!({ "n": n }))).collect();
    for _ in 0..2 {
        catalog.save_all("together", &all).await.unwrap();
        catalog.save_all("together", &[]).await.unwrap();
    }
    let listed = catalog.list("together", None, 1000).await.unwrap();
    assert!(listed.iter().all(|document| document.version == if document.id == "005" { 3 } else { 2 }));
    assert!(listed.into_iter().map(|document| (document.id, document.body)).eq(all));
}

async fn thousands_are_listed_in_pages(catalog: &dyn Catalog) {
    let mut ids: Vec<String> = (0..2500).map(|n| format!("{n}")).collect();
    let null = Value::Null;
    let saves = ids.iter().map(|id| catalog.save("many", id, &null, Expect::Absent, None));
    let versions: Vec<_> = stream::iter(saves).buffer_unordered(32).collect().await;
    assert!(versions.into_iter().all(|version| matches!(version, Ok(1))));
    ids.sort();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let page = catalog.list("many", listed.last().map(String::as_str), 700).await.unwrap();
        assert!(page.len() <= 700);
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|document| document.id));
    }
    assert!(listed == ids);
    assert_eq!(catalog.list("many", None, 0).await.unwrap(), []);
    // A cursor need not exist, and what comes before it does not move it.
    let after = |cursor: &'static str| async move {
        catalog.list("many", Some(cursor), 1).await.unwrap().into_iter().next().map(|document| document.id)
    };
    assert_eq!(after("1000x").await.as_deref(), Some("1001"));
    assert_eq!(after("").await.as_deref(), Some("0"));
    assert_eq!(after("999").await, None);
}

async fn expiry_removes_nothing_early(catalog: &dyn Catalog) {
    let save =
        |n: i32, expect, expires| async move { catalog.save("expiry", "x", &json!(n), expect, expires).await.unwrap() };
    assert_eq!(save(1, Expect::Absent, Some(FAR)).await, 1);
    assert_eq!(body(catalog, "expiry", "x").await, Some((1, json!(1))));
    assert_eq!(save(2, Expect::Version(1), Some(FAR + 1)).await, 2);
    assert_eq!(save(3, Expect::Version(2), None).await, 3);
    assert_eq!(catalog.list("expiry", None, 10).await.unwrap().len(), 1);
    // What has expired may be there or not, but nothing else in its place.
    catalog.save("expiry", "old", &json!("old"), Expect::Absent, Some(1)).await.unwrap();
    let old = body(catalog, "expiry", "old").await;
    assert!(old.is_none() || old == Some((1, json!("old"))));
    catalog.save("expiry", "old", &json!("again"), Expect::Anything, None).await.unwrap();
    catalog.save("expiry", "other", &json!(0), Expect::Absent, Some(FAR)).await.unwrap();
    assert_eq!(body(catalog, "expiry", "old").await.map(|(_, body)| body), Some(json!("again")));
    assert_eq!(body(catalog, "expiry", "x").await, Some((3, json!(3))));
}
