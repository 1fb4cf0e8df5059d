//! The catalogue on DynamoDB, as far as an emulator is one.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use archive::testing::{SeededRandom, SteppedClock, suites};
use aws::{Clients, DynamoCatalog, testing};

/// A catalogue in a table of its own.
async fn catalog() -> (Clients, DynamoCatalog) {
    let clients = Clients::load(true).await;
    let name = format!("catalog-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
    testing::create_table(&clients, &name).await.expect("no emulator? run: eval \"$(scripts/emulators start)\"");
    let catalog = DynamoCatalog::new(&clients, &name, Arc::new(SteppedClock::default()), &SeededRandom::new(1));
    (clients, catalog)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let (_, catalog) = catalog().await;
    suites::catalog(&catalog).await;
}
