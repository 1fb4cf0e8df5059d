//! Little time and little memory.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    steps::{Office, exported},
    support::{Plan, Stack},
};

#[test]
fn five_seconds_and_256_megabytes() {
    let story = exported(5_000, 200, &[]);
    let stack = Stack::start(&Plan { import_time: Duration::from_secs(5), ..Plan::default() });
    let office = Office::open(&stack);
    let imports = office.import(&story);
    let told = &stack.function("import").told;
    let invocations = stack.function("import").lines("\"meter\"").len();
    assert!(invocations > 1, "one invocation was enough");
    let peak = told.peak_kib.load(Ordering::Relaxed);
    assert!(peak < 256 << 10, "{peak} KiB");
    office.assert_whole(&story, &imports);
    office.assert_nothing_left();
}
