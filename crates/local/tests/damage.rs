//! A catalogue with any one byte changed: whatever that does, it is told as damage.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

use archive::{
    EntryRef, ErrorKind, Flags, FolderPath, ImportId, MailHash, MailboxAddress, MessageRow, PackId, PlacementKey,
    Result,
    ports::{Catalog, Expect, Scope},
    testing::SteppedClock,
};
use local::{Database, Sqlite};
use serde_json::json;

const MAILS: u64 = 12;
/// One byte of so many is tried.
const STRIDE: usize = 5;

fn scope() -> Scope {
    Scope::Folder(MailboxAddress::parse("anna@firma.example").unwrap(), FolderPath(vec!["Eingänge".into()]))
}

fn row(number: u64) -> MessageRow {
    MessageRow {
        hash: MailHash::of(&number.to_be_bytes()),
        size_bytes: number,
        pack: PackId("ab".repeat(16)),
        offset: number,
        stored_bytes: number,
        message_date: i64::try_from(number).ok(),
        message_date_source: Some("date".into()),
        archive_date: None,
        import_date: 1_767_225_600,
        first: EntryRef { import: ImportId("i".into()), entry: number },
        defects: 1,
        subject: Some(format!("Mail {number} über Spreewälder Gurken")),
        from: Some("anna@firma.example".into()),
        message_id: Some(format!("<{number}@firma.example>")),
        locations: [vec!["anna".to_owned(), number.to_string()]].into(),
        flags: Flags::default(),
    }
}

async fn fill(path: &Path) {
    let catalog = open(path).unwrap();
    let rows: Vec<_> = (0..MAILS).map(row).collect();
    catalog.record(&rows).await.unwrap();
    let mut keys: Vec<_> =
        rows.iter().map(|row| PlacementKey { date: row.message_date, hash: row.hash, flags: row.flags }).collect();
    keys.sort();
    let Scope::Folder(mailbox, path) = scope() else { unreachable!() };
    catalog.create_folders(&mailbox, &[path]).await.unwrap();
    catalog.place("run", &scope(), &keys).await.unwrap();
    for id in ["Anna", "Jörg"] {
        catalog.save("user", id, &json!({ "name": id }), Expect::Absent, None).await.unwrap();
    }
}

fn open(path: &Path) -> Result<Sqlite> {
    Ok(Sqlite::new(Database::open(path)?, std::sync::Arc::new(SteppedClock::default())))
}

/// Whatever a check reads.
async fn read(path: &Path) -> Result<()> {
    let catalog = open(path)?;
    catalog.faults().await?;
    catalog.list("user", None, 100).await?;
    let hashes: Vec<_> = (0..MAILS).map(|number| row(number).hash).collect();
    catalog.locate(&hashes).await?;
    catalog.page(&scope(), None, 100).await?;
    catalog.folders(&MailboxAddress::parse("anna@firma.example").unwrap()).await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_byte_is_never_an_error_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalogue.sqlite");
    fill(&path).await;
    let sound = fs::read(&path).unwrap();
    let mut told = 0;
    // The highest bit makes most texts no UTF-8; the rest of a page is zeros.
    for at in (0..sound.len()).filter(|at| sound[*at] != 0).step_by(STRIDE) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x80;
        fs::write(&path, bytes).unwrap();
        if let Err(error) = read(&path).await {
            let is_told = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid);
            assert!(is_told, "byte {at}: {:?}: {error}", error.kind());
            told += 1;
        }
        for beside in ["catalogue.sqlite-wal", "catalogue.sqlite-shm"] {
            let _ = fs::remove_file(dir.path().join(beside));
        }
    }
    assert!(told > 100, "{told}");
}

#[tokio::test]
async fn a_mail_that_the_list_of_all_does_not_hold_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalogue.sqlite");
    // It places them in a folder only.
    fill(&path).await;
    let catalog = open(&path).unwrap();
    let mut rows: Vec<_> = (0..MAILS).map(row).collect();
    rows[1].message_date = None;
    rows[1].hash = MailHash::of(b"without a date");
    catalog.record(&rows[1..2]).await.unwrap();
    assert_eq!(catalog.unlisted(100).await.unwrap().len(), rows.len() + 1);
    assert_eq!(catalog.unlisted(5).await.unwrap().len(), 5);
    let key = |row: &MessageRow| PlacementKey { date: row.message_date, hash: row.hash, flags: row.flags };
    let mut keys: Vec<_> = rows.iter().map(key).collect();
    keys.sort();
    catalog.place("run", &Scope::All, &keys).await.unwrap();
    assert_eq!(catalog.unlisted(100).await.unwrap(), [row(1).hash]);
    assert_eq!(catalog.misplaced(100).await.unwrap(), []);
    let late = PlacementKey { date: rows[2].message_date.map(|date| date + 1), ..key(&rows[2]) };
    let dated = PlacementKey { date: Some(0), ..key(&rows[1]) };
    catalog.place("late", &Scope::All, &[late]).await.unwrap();
    catalog.place("dated", &Scope::All, &[dated]).await.unwrap();
    let misplaced: BTreeSet<_> = catalog.misplaced(100).await.unwrap().into_iter().collect();
    assert_eq!(misplaced, BTreeSet::from([rows[1].hash, rows[2].hash]));
    assert_eq!(catalog.misplaced(1).await.unwrap().len(), 1);
}
