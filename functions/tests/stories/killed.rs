//! Killed at any moment, and run again.

use std::{thread, time::Duration};

use serde_json::Value;

use crate::{
    arrival::Half as _,
    steps::{Office, exported},
    support::{Plan, Stack},
};

#[test]
fn a_function_killed_in_mid_shard_goes_on() {
    let story = exported(150, 3_000, &[]);
    // The lease of a function that is gone ends with its time.
    let stack = Stack::start(&Plan { import_time: Duration::from_secs(8), ..Plan::default() });
    let office = Office::open(&stack);
    office.upload(&story);
    let ids = office.start(&story);
    let mut killed = 0;
    for pause in [300, 900] {
        while killed < pause / 300 {
            thread::sleep(Duration::from_millis(pause));
            let import = stack.ask("GET", &format!("/imports/{}", ids[0]), &office.admin, &Value::Null).1;
            if import["state"] == "finished" {
                break;
            }
            killed += u64::try_from(stack.function("import").kill()).unwrap();
        }
    }
    assert!(killed > 0, "nothing was killed");
    let imports = office.finished(&ids);
    office.assert_whole(&story, &imports);
    office.assert_nothing_left();
}
