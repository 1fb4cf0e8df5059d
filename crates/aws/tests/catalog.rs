//! The catalogue on DynamoDB, as far as an emulator is one.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::{BTreeSet, HashMap},
    env,
    sync::Arc,
    time::Duration,
};

use archive::{
    EntryRef, ErrorKind, Flags, ImportId, MailHash, MailboxAddress, MessageRow, PackId, PlacementKey,
    hash::to_hex,
    ports::{Catalog as _, Expect, Random as _, Scope},
    testing::{SeededRandom, SteppedClock, suites},
};
use aws::{Clients, DynamoCatalog, SystemRandom, testing};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use futures::future::join_all;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A catalogue in a table of its own, on the stand-in that DynamoDB is here.
async fn catalog() -> (Clients, DynamoCatalog, Arc<SteppedClock>) {
    catalog_of(Clients::load(true).await).await
}

/// The name of a new table.
async fn table(clients: &Clients) -> String {
    let mut name = [0; 8];
    SystemRandom.fill(&mut name);
    let name = format!("catalog-{}", to_hex(&name));
    testing::create_table(clients, &name).await.expect("no emulator? run: eval \"$(scripts/emulators start)\"");
    name
}

async fn catalog_of(clients: Clients) -> (Clients, DynamoCatalog, Arc<SteppedClock>) {
    let name = table(&clients).await;
    let clock = Arc::new(SteppedClock::default());
    let catalog = DynamoCatalog::new(&clients, &name, clock.clone(), &SeededRandom::new(1));
    (clients, catalog, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let (_, catalog, _) = catalog().await;
    suites::catalog(&catalog).await;
}

/// moto, where another stand-in is DynamoDB. It reads the whole table for each `Query`, so that every part of the contract has a
/// table of its own.
async fn on_moto() -> DynamoCatalog {
    #[expect(clippy::disallowed_methods, reason = "where the stand-ins are is known to the environment alone")]
    let endpoint = env::var("POSTKAHN_EMULATOR_MOTO").expect("no emulator? run: eval \"$(scripts/emulators start)\"");
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build();
    catalog_of(Clients::with_config(config, true)).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract_of_documents() {
    suites::documents(&on_moto().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract_of_messages() {
    suites::messages(&on_moto().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract_of_placements() {
    suites::placements(&on_moto().await).await;
}

fn mailbox() -> MailboxAddress {
    MailboxAddress::parse("anna@firma.example").unwrap()
}

fn key(n: u32) -> PlacementKey {
    let hash = MailHash(Sha256::digest(n.to_be_bytes()).into());
    PlacementKey { date: Some(i64::from(n)), hash, flags: Flags::default() }
}

/// Keys of these numbers in the order of lists.
fn keys(numbers: impl IntoIterator<Item = u32>) -> Vec<PlacementKey> {
    let mut keys: Vec<_> = numbers.into_iter().map(key).collect();
    keys.sort();
    keys
}

async fn whole(catalog: &DynamoCatalog, scope: &Scope) -> Vec<PlacementKey> {
    let mut all: Vec<PlacementKey> = Vec::new();
    loop {
        let page = catalog.page(scope, all.last(), 900).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Read units of a first page of 50.
async fn price_of_a_page(clients: &Clients, catalog: &DynamoCatalog, scope: &Scope) -> f64 {
    clients.meter().take();
    assert_eq!(catalog.page(scope, None, 50).await.unwrap().len(), 50);
    clients.meter().take().read_units
}

#[tokio::test(flavor = "multi_thread")]
async fn many_batches_become_few_runs() {
    let (clients, catalog, clock) = catalog().await;
    let scope = Scope::Mailbox(mailbox());
    // Every batch spans all dates, so that without merging a page would read each of them.
    for batch in 0..70 {
        let batch_keys = keys((0..40).map(|n| n * 70 + batch));
        assert_eq!(catalog.place(&format!("batch {batch}"), &scope, &batch_keys).await.unwrap(), 40);
        assert_eq!(catalog.place(&format!("again {batch}"), &scope, &batch_keys).await.unwrap(), 0);
        // Merged runs are deleted behind the back of whoever reads.
        clock.advance(Duration::from_mins(20));
    }
    assert!(whole(&catalog, &scope).await == keys(0..2800));
    assert_eq!(catalog.count(&scope).await.unwrap(), 2800);
    let price = price_of_a_page(&clients, &catalog, &scope).await;
    assert!(price <= 60.0, "{price} units: at most some runs of each size are read, not 70");
    // A batch that was merged long ago is no longer known by its name; its mails are.
    assert_eq!(catalog.place("batch 0", &scope, &keys((0..40).map(|n| n * 70))).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_meet_lose_nothing() {
    let (_, catalog, _) = catalog().await;
    let scope = Scope::Mailbox(mailbox());
    let places = (0..24u32).map(|n| {
        let (catalog, scope) = (&catalog, &scope);
        // Each brings half of the next one's mails too, and comes twice.
        let batch = keys(n / 2 * 50..n / 2 * 50 + 100);
        async move { catalog.place(&format!("batch {}", n / 2), scope, &batch).await }
    });
    let added = join_all(places).await.into_iter().map(Result::unwrap).sum::<u64>();
    assert_eq!(added, 650);
    assert!(whole(&catalog, &scope).await == keys(0..650));
    assert_eq!(catalog.count(&scope).await.unwrap(), 650);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_survive_a_merge() {
    let (_, catalog, _) = catalog().await;
    let scope = Scope::Mailbox(mailbox());
    let seen = |keys: Vec<PlacementKey>| -> Vec<_> {
        keys.into_iter().map(|key| PlacementKey { flags: Flags::parse(["seen"]), ..key }).collect()
    };
    for batch in 0..20 {
        catalog.place(&format!("batch {batch}"), &scope, &keys(batch * 10..batch * 10 + 10)).await.unwrap();
        assert_eq!(catalog.place(&format!("seen {batch}"), &scope, &seen(keys([batch * 10]))).await.unwrap(), 0);
    }
    let expected = |key: &PlacementKey| key.date.unwrap() % 10 == 0;
    assert!(whole(&catalog, &scope).await.iter().all(|key| (key.flags == Flags::parse(["seen"])) == expected(key)));
}

/// Runs go with their items, those too that a merge has left for whoever still reads them.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_cleared_leaves_no_items() {
    let clients = Clients::load(true).await;
    let name = table(&clients).await;
    let catalog = DynamoCatalog::new(&clients, &name, Arc::new(SteppedClock::default()), &SeededRandom::new(1));
    let blocks = async || {
        let scanned = clients.dynamodb().scan().table_name(&name).send().await.unwrap();
        let is_block = |item: &&HashMap<String, AttributeValue>| item["pk"].as_s().unwrap().starts_with("R#");
        scanned.items().iter().filter(is_block).count()
    };
    let scope = Scope::Mailbox(mailbox());
    for batch in 0..11 {
        catalog.place(&format!("batch {batch}"), &scope, &keys(batch * 10..batch * 10 + 10)).await.unwrap();
    }
    assert_eq!(blocks().await, 12, "eight were merged and wait, one has their keys, three are new");
    assert_eq!(catalog.clear(&scope, 1).await.unwrap(), 80, "a whole run");
    assert_eq!(catalog.count(&scope).await.unwrap(), 30);
    assert_eq!(blocks().await, 3);
    clients.meter().take();
    assert_eq!(catalog.clear(&scope, 1000).await.unwrap(), 30);
    let used = clients.meter().take();
    assert!(used.write_units <= 12.0, "{used:?}: some units a run and two heads");
    assert_eq!((catalog.clear(&scope, 1000).await.unwrap(), blocks().await), (0, 0));
    assert_eq!(catalog.place("batch 0", &scope, &keys(0..10)).await.unwrap(), 10, "it is new again");
    assert!(whole(&catalog, &scope).await == keys(0..10));
}

/// The limits that DynamoDB has and that a caller never sees: 100 keys and 16 MB a batch, 1 MB a page, 400 KB an item.
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_service_are_met_here() {
    let (clients, catalog, _) = catalog().await;
    let text = "x".repeat(200_000);
    let rows: Vec<_> = (0..120).map(|n| large_row(n, &text)).collect();
    for rows in rows.chunks(10) {
        catalog.record(rows).await.unwrap();
    }
    let hashes: Vec<_> = rows.iter().map(|row| row.hash).collect();
    clients.meter().take();
    let located = catalog.locate(&hashes).await.unwrap();
    assert!(located.into_iter().map(Option::unwrap).eq(rows));
    // 24 MB do not fit into the answers to two requests; what was left over has been asked for again.
    assert!(clients.meter().take().requests("DynamoDB.BatchGetItem") > 3);

    for n in 0..12 {
        catalog.save("large", &format!("{n:02}"), &json!(text), Expect::Absent, None).await.unwrap();
    }
    clients.meter().take();
    assert_eq!(catalog.list("large", None, 100).await.unwrap().len(), 12);
    assert!(clients.meter().take().requests("DynamoDB.Query") >= 3);

    let too_large = json!("x".repeat(410_000));
    clients.meter().take();
    let refused = catalog.save("large", "x", &too_large, Expect::Absent, None).await.unwrap_err();
    assert_eq!((refused.kind(), refused.machine_code()), (ErrorKind::Invalid, "over_limit"));
    assert_eq!(clients.meter().take().requests("DynamoDB"), 0, "refused by our own meter");
}

fn large_row(n: u32, text: &str) -> MessageRow {
    MessageRow {
        hash: key(n).hash,
        size_bytes: 1,
        pack: PackId("p".into()),
        offset: 0,
        stored_bytes: 1,
        message_date: None,
        message_date_source: None,
        archive_date: None,
        import_date: 0,
        first: EntryRef { import: ImportId("i".into()), entry: u64::from(n) },
        defects: 0,
        subject: Some(text.to_owned()),
        from: None,
        message_id: None,
        locations: BTreeSet::new(),
        flags: Flags::default(),
    }
}

/// What the layout page promises: one write unit a mail, and 22 placements for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_costs_one_unit_and_its_place_a_fraction() {
    let (clients, catalog, _) = catalog().await;
    let row = |n| MessageRow {
        subject: Some("Angebot für die Wartung der Heizungsanlage 2025".into()),
        from: Some("anna.schneider@firma.example".into()),
        message_id: Some("<20250101120000.1234567@mail.firma.example>".into()),
        pack: PackId("0123456789abcdef0123456789abcdef".into()),
        locations: BTreeSet::from([vec!["anna".to_owned(), format!("Ordner {}", n % 5)]]),
        ..large_row(n, "")
    };
    let rows: Vec<_> = (0..1000).map(row).collect();
    clients.meter().take();
    catalog.record(&rows).await.unwrap();
    let used = clients.meter().take();
    assert!((used.write_units - 1005.0).abs() < 0.1, "{used:?}: a unit for each mail and each of the 5 locations");
    catalog.place("run", &Scope::All, &keys(0..1000)).await.unwrap();
    let used = clients.meter().take();
    assert!(used.write_units <= 46.0, "{used:?}");
}
