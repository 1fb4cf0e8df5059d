//! Many mails: what a call costs does not grow with what is there.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use archive::{
    EntryRef, Flags, FolderPath, ImportId, MailHash, MailboxAddress, MessageRow, PackId, PlacementKey,
    ports::{Catalog as _, MAX_ROWS_PER_CALL, Scope},
};
use local::{Database, Sqlite, SystemClock};
use tempfile::TempDir;

fn catalogue() -> (TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("catalogue.sqlite")).unwrap();
    (dir, Sqlite::new(database, Arc::new(SystemClock)))
}

fn row(n: u64) -> MessageRow {
    MessageRow {
        hash: MailHash::of(&n.to_be_bytes()),
        size_bytes: 70_000 + n,
        pack: PackId(format!("{:032x}", n / 900)),
        offset: n * 30_000,
        stored_bytes: 30_000,
        message_date: Some(1_500_000_000 + n.cast_signed()),
        message_date_source: Some("Date".into()),
        archive_date: None,
        import_date: 1_767_225_600,
        first: EntryRef { import: ImportId("20260101T000000Z-00000001".into()), entry: n },
        defects: 0,
        subject: Some(format!("Angebot {n} über Briefkästen und Postkutschen, zweite Fassung")),
        from: Some(format!("Anna Amsel <anna.{}@firma.example>", n % 5000)),
        message_id: Some(format!("<{n}.0123456789abcdef@mail.firma.example>")),
        locations: [vec!["anna".to_owned(), "INBOX".to_owned(), (n % 200).to_string()]].into(),
        flags: Flags::parse(["seen"]),
    }
}

fn mailbox() -> MailboxAddress {
    MailboxAddress::parse("anna@firma.example").unwrap()
}

/// Placements in order of their keys, some of unknown date.
fn keys(numbers: std::ops::Range<u64>) -> Vec<PlacementKey> {
    let key = |n: u64| PlacementKey {
        // Dates come in no order, as they do from a source.
        date: (!n.is_multiple_of(50)).then_some((n.wrapping_mul(2_654_435_761) % 1_000_003).cast_signed()),
        hash: MailHash::of(&n.to_be_bytes()),
        flags: Flags::default(),
    };
    let mut keys: Vec<_> = numbers.map(key).collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_mails_are_recorded_in_seconds() {
    let (_dir, catalogue) = catalogue();
    let rows: Vec<MessageRow> = (0..20_000).map(row).collect();
    for (times, bound) in [("first", 20), ("second", 20)] {
        let begun = Instant::now();
        for call in rows.chunks(MAX_ROWS_PER_CALL) {
            let recorded = catalogue.record(call).await.unwrap();
            assert!(recorded.iter().map(|recorded| &recorded.first).eq(call.iter().map(|row| &row.first)));
        }
        let took = begun.elapsed();
        println!("20,000 rows the {times} time: {took:?}");
        // Some hundred milliseconds on an idle machine; a call per row would take minutes.
        assert!(took < Duration::from_secs(bound));
    }
    assert_eq!(catalogue.database().faults().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "places a million mails: half a minute"]
async fn a_page_of_a_million_mails_takes_less_than_50_ms() {
    let (_dir, catalogue) = catalogue();
    let folder = Scope::Folder(mailbox(), FolderPath(vec!["INBOX".into()]));
    catalogue.create_folders(&mailbox(), &[FolderPath(vec!["INBOX".into()])]).await.unwrap();
    let begun = Instant::now();
    for run in 0..100u64 {
        let keys = keys(run * 10_000..(run + 1) * 10_000);
        assert_eq!(catalogue.place(&format!("run {run}"), &folder, &keys).await.unwrap(), 10_000);
    }
    println!("a million placed: {:?}", begun.elapsed());
    let far = |date| PlacementKey { date, hash: MailHash([0x7F; 32]), flags: Flags::default() };
    for after in [None, Some(far(Some(999_000))), Some(far(Some(500_000))), Some(far(Some(1))), Some(far(None))] {
        for limit in [50, 1000] {
            let begun = Instant::now();
            let page = catalogue.page(&folder, after.as_ref(), limit).await.unwrap();
            let took = begun.elapsed();
            println!("{limit} after {:?}: {took:?}", after.map(|key| key.date));
            assert!(page.is_sorted() && page.len() == limit);
            assert!(took < Duration::from_millis(50));
        }
    }
    let begun = Instant::now();
    assert_eq!(catalogue.count(&folder).await.unwrap(), 1_000_000);
    assert!(catalogue.placed(&folder, &keys(0..1000)).await.unwrap().iter().all(Option::is_some));
    println!("count, and 1,000 looked up: {:?}", begun.elapsed());
}
