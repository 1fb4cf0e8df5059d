//! Workers that are late: what they still write takes no flag away. On the stand-in that DynamoDB is here.

use archive::{
    Flags, MailHash, MailboxAddress, PlacementKey,
    hash::to_hex,
    ports::{Random as _, Scope},
};

use super::{head::Head, merge::merge, placements, run, table::Table};
use crate::{Clients, SystemRandom, testing};

async fn table() -> Table {
    let clients = Clients::load(true).await;
    let mut name = [0; 8];
    SystemRandom.fill(&mut name);
    let name = format!("lists-{}", to_hex(&name));
    testing::create_table(&clients, &name).await.expect("no emulator? run: eval \"$(scripts/emulators start)\"");
    Table::new(clients.dynamodb(), &name, clients.meter().clone(), &SystemRandom)
}

fn scope() -> Scope {
    Scope::Mailbox(MailboxAddress::parse("anna@firma.example").unwrap())
}

fn key(n: u8) -> PlacementKey {
    PlacementKey { date: Some(i64::from(n)), hash: MailHash([n; 32]), flags: Flags::default() }
}

fn seen(n: u8) -> PlacementKey {
    PlacementKey { flags: Flags::parse(["seen"]), ..key(n) }
}

async fn head(table: &Table) -> Head {
    Head::load(table, &scope()).await.unwrap().unwrap()
}

async fn place(table: &Table, name: &str, key: PlacementKey) {
    placements::place(table, name, &scope(), &[key], 0).await.unwrap();
}

async fn flags(table: &Table, n: u8) -> Flags {
    let placed = placements::placed(table, &scope(), &[key(n)]).await.unwrap();
    placed[0].unwrap().flags
}

/// Two workers find the same runs due, and one of them writes when the other one's run has been changed already.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_merge_of_the_same_runs_takes_no_flag_away() {
    let table = table().await;
    for n in 0..7 {
        place(&table, &format!("batch {n}"), key(n)).await;
    }
    let before = head(&table).await;
    let merged = merge(&table, &scope(), &before.runs).await.unwrap();
    let after = Head { runs: vec![merged], ..before.clone() };
    assert!(before.swap(&table, &scope(), after).await.unwrap());
    place(&table, "seen", seen(3)).await;
    merge(&table, &scope(), &before.runs).await.unwrap();
    assert_eq!([flags(&table, 3).await, flags(&table, 4).await], [seen(3).flags, key(4).flags]);
}

/// A batch comes twice, and the second worker writes when flags have been changed already.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_repetition_of_a_batch_takes_no_flag_away() {
    let table = table().await;
    place(&table, "batch", key(1)).await;
    place(&table, "seen", seen(1)).await;
    let id = head(&table).await.runs[0].id;
    run::add(&table, &id, &[key(1)]).await.unwrap();
    assert_eq!(flags(&table, 1).await, seen(1).flags);
}
