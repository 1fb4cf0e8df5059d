//! Killed at any moment, and run again.

use std::time::Duration;

use crate::{
    arrival::until,
    steps::{Office, exported},
    support::{Faults, Plan, Stack},
};

#[test]
fn a_function_killed_in_mid_shard_goes_on() {
    let story = exported(150, 3_000, &[]);
    // The lease of a function that is gone ends with its time.
    let (import_time, faults) = (Duration::from_secs(6), Some(Faults::slow(Duration::from_millis(40))));
    let stack = Stack::start(&Plan { import_time, faults, ..Plan::default() });
    let office = Office::open(&stack);
    office.upload(&story);
    let ids = office.start(&story);
    // Each time a little later in its work, which takes some seconds on this way.
    for pause in [200, 500, 900] {
        let killed = until("a function at work", || {
            let begun = stack.function("import").at_work_for(Duration::from_millis(pause));
            begun.then(|| stack.function("import").kill()).filter(|killed| *killed > 0)
        });
        assert_eq!(killed, 1);
    }
    let imports = office.finished(&ids);
    office.assert_whole(&story, &imports);
    office.assert_nothing_left();
}
