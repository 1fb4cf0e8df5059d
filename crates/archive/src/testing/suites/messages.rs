//! The contract of message rows: one per mail, the first one counts.

use std::collections::BTreeSet;

use futures::future::join_all;
use sha2::{Digest, Sha256};

use super::{ODD_NAMES, fails};
use crate::{
    EntryRef, ErrorKind, Flags, ImportId, Location, MailHash, MessageRow, PackId,
    ports::{Catalog, MAX_ROWS_PER_CALL, Recorded},
};

/// What [`Catalog`] promises of message rows.
pub async fn messages(catalog: &dyn Catalog) {
    unknown_hashes_have_no_row(catalog).await;
    a_row_comes_back_as_it_was(catalog).await;
    the_first_one_counts(catalog).await;
    one_call_may_bring_a_mail_twice(catalog).await;
    calls_are_bounded(catalog).await;
    a_mail_may_lie_in_thousands_of_places(catalog).await;
    one_of_many_is_first(catalog).await;
}

/// Hash number `n` of a part of the suite.
fn hash(part: &str, n: usize) -> MailHash {
    MailHash(Sha256::digest(format!("{part} {n}")).into())
}

fn location(names: &[&str]) -> Location {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn entry(import: &str, entry: u64) -> EntryRef {
    EntryRef { import: ImportId(import.into()), entry }
}

fn row(hash: MailHash, import: &str, number: u64) -> MessageRow {
    MessageRow {
        hash,
        size_bytes: 1000 + number,
        pack: PackId(format!("pack of {import}")),
        offset: number * 1000,
        stored_bytes: 500 + number,
        message_date: i64::try_from(number).ok(),
        message_date_source: Some("Date".into()),
        archive_date: Some(-1),
        import_date: 1_767_225_600,
        first: entry(import, number),
        defects: 1,
        subject: Some(format!("Mail {number}")),
        from: Some("anna@firma.example".into()),
        message_id: Some(format!("<{number}@firma.example>")),
        locations: BTreeSet::from([location(&["anna", "INBOX"])]),
        flags: Flags::parse(["seen"]),
    }
}

fn recorded(row: &MessageRow) -> Recorded {
    Recorded { first: row.first.clone(), pack: row.pack.clone(), message_date: row.message_date }
}

async fn unknown_hashes_have_no_row(catalog: &dyn Catalog) {
    assert_eq!(catalog.locate(&[]).await.unwrap(), []);
    assert_eq!(catalog.record(&[]).await.unwrap(), []);
    let unknown = hash("unknown", 0);
    assert_eq!(catalog.locate(&[unknown, unknown]).await.unwrap(), [None, None]);
}

async fn a_row_comes_back_as_it_was(catalog: &dyn Catalog) {
    let bare = MessageRow {
        message_date: None,
        message_date_source: None,
        archive_date: None,
        defects: 0,
        subject: None,
        from: None,
        message_id: None,
        locations: BTreeSet::new(),
        flags: Flags::default(),
        ..row(hash("whole", 0), "i1", 1)
    };
    let full = MessageRow {
        size_bytes: 1 << 40,
        offset: 1 << 33,
        message_date: Some(-62_135_596_800),
        archive_date: Some(253_402_300_799),
        defects: u64::MAX,
        subject: Some("\u{1f4ec} \"quoted\"\0 Gr\u{fc}\u{df}e \\ '; --".into()),
        from: Some(String::new()),
        locations: ODD_NAMES.iter().map(|name| location(&["anna", name, "a/b", "", "nul\0"])).chain([vec![]]).collect(),
        flags: Flags(31),
        ..row(hash("whole", 1), "i1", u64::from(u32::MAX))
    };
    let rows = [full, bare];
    assert_eq!(catalog.record(&rows).await.unwrap(), rows.each_ref().map(recorded));
    let [full, bare] = rows;
    let asked = [bare.hash, hash("unknown", 1), full.hash, bare.hash];
    let expected = [Some(bare.clone()), None, Some(full), Some(bare)];
    assert_eq!(catalog.locate(&asked).await.unwrap(), expected);
}

async fn the_first_one_counts(catalog: &dyn Catalog) {
    let first = row(hash("first", 0), "i1", 1);
    for _ in 0..3 {
        assert_eq!(catalog.record(std::slice::from_ref(&first)).await.unwrap(), [recorded(&first)]);
        assert_eq!(catalog.locate(&[first.hash]).await.unwrap(), [Some(first.clone())]);
    }
    let second = MessageRow {
        message_date: None,
        message_date_source: None,
        archive_date: Some(5),
        import_date: 5,
        defects: 6,
        subject: Some("Another".into()),
        locations: BTreeSet::from([location(&["anna", "Sent"]), location(&["anna", "inbox"])]),
        flags: Flags::parse(["flagged"]),
        ..row(first.hash, "i2", 9)
    };
    let known = MessageRow {
        defects: 7,
        locations: first.locations.union(&second.locations).cloned().collect(),
        flags: Flags::parse(["seen", "flagged"]),
        ..first.clone()
    };
    for again in [&second, &first, &second] {
        assert_eq!(catalog.record(std::slice::from_ref(again)).await.unwrap(), [recorded(&first)]);
        assert_eq!(catalog.locate(&[first.hash]).await.unwrap(), [Some(known.clone())]);
    }
}

async fn one_call_may_bring_a_mail_twice(catalog: &dyn Catalog) {
    let one = row(hash("twice", 0), "i1", 1);
    let between = row(hash("twice", 1), "i1", 2);
    let two = MessageRow {
        locations: BTreeSet::from([location(&["bob"])]),
        flags: Flags::parse(["draft"]),
        defects: 8,
        ..row(one.hash, "i1", 3)
    };
    let counts = catalog.record(&[one.clone(), between.clone(), two]).await.unwrap();
    assert_eq!(counts, [recorded(&one), recorded(&between), recorded(&one)]);
    let kept = catalog.locate(&[one.hash]).await.unwrap().remove(0).unwrap();
    assert_eq!((kept.first, kept.locations.len(), kept.defects), (one.first, 2, 9));
    assert_eq!(kept.flags, Flags::parse(["seen", "draft"]));
}

async fn calls_are_bounded(catalog: &dyn Catalog) {
    let rows: Vec<_> = (0..=MAX_ROWS_PER_CALL).map(|n| row(hash("bound", n), "i1", n as u64 + 1)).collect();
    let hashes: Vec<_> = rows.iter().map(|row| row.hash).collect();
    let (last, fitting) = rows.split_last().unwrap();
    fails(catalog.record(&rows).await, ErrorKind::Invalid);
    fails(catalog.locate(&hashes).await, ErrorKind::Invalid);
    assert_eq!(catalog.locate(hashes.get(..2).unwrap()).await.unwrap(), [None, None]);
    let counts = catalog.record(fitting).await.unwrap();
    assert!(counts.iter().eq(&fitting.iter().map(recorded).collect::<Vec<_>>()));
    let located = catalog.locate(hashes.get(..MAX_ROWS_PER_CALL).unwrap()).await.unwrap();
    assert!(located.iter().map(Option::as_ref).eq(fitting.iter().map(Some)));
    assert_eq!(catalog.locate(&[last.hash]).await.unwrap(), [None]);
}

async fn a_mail_may_lie_in_thousands_of_places(catalog: &dyn Catalog) {
    let places: Vec<Location> = (0..2400).map(|n| location(&["anna", &format!("Folder {n}")])).collect();
    let everywhere = row(hash("places", 0), "i1", 1);
    for some in places.chunks(800) {
        let row = MessageRow { locations: some.iter().cloned().collect(), ..everywhere.clone() };
        catalog.record(&[row]).await.unwrap();
    }
    let kept = catalog.locate(&[everywhere.hash]).await.unwrap().remove(0).unwrap();
    assert!(kept.locations == places.into_iter().collect());
}

async fn one_of_many_is_first(catalog: &dyn Catalog) {
    let rows = (1..=12).map(|n| {
        let locations = BTreeSet::from([location(&["user", &n.to_string()])]);
        [MessageRow { locations, ..row(hash("race", 0), &format!("i{n}"), n) }]
    });
    let rows: Vec<_> = rows.collect();
    let counts = join_all(rows.iter().map(|row| catalog.record(row))).await;
    let kept = catalog.locate(&[hash("race", 0)]).await.unwrap().remove(0).unwrap();
    assert!(counts.into_iter().all(|count| count.unwrap() == [recorded(&kept)]));
    assert_eq!(kept.locations.len(), 12);
    assert!(rows.iter().flatten().any(|row| row.first == kept.first && row.subject == kept.subject));
}
