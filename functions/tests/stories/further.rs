//! Volumes that come in after the start.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    arrival::{Half as _, start_of, until},
    steps::{Office, exported},
    support::{Manner, Plan, Stack},
};

/// Messages that `intake` was given so far.
fn looks(stack: &Stack) -> u64 {
    let lines = stack.function("intake").lines("\"meter\"");
    lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["meter"]["records"].as_u64().unwrap()).sum()
}

#[test]
fn further_volumes_start_by_themselves() {
    let story = exported(150, 64_000, &["--volume-size", "1MiB"]);
    let volumes = story.volumes();
    assert!(volumes.len() >= 4, "{volumes:?}");
    let manner = Manner { twice: true, shuffled: true, late: Duration::from_millis(300), lost: 0 };
    let plan = Plan { uploads: manner, imports: manner, tasks: manner, importers: 2, ..Plan::default() };
    let stack = Stack::start(&plan);
    let office = Office::open(&stack);
    // One is there before the start and not named by it, one is started by hand, the rest comes later, the last one first.
    let mut keys = vec![office.put(&volumes[1]), office.put(&volumes[2])];
    stack.looked_at(&office.admin, "old-0002.mszip");
    office.start_with_further(&volumes[2], start_of(&story, &[]));
    keys.extend(volumes[3..].iter().rev().chain(&volumes[..1]).map(|volume| office.put(volume)));
    let imports = office.all_finished(volumes.len());
    office.assert_whole(&story, &imports);

    // What is told of once more, when all is over, is nothing.
    let (before, told) = (looks(&stack), keys.len() as u64);
    for key in &keys {
        stack.announce(key);
    }
    until("a look at what is gone", || (looks(&stack) >= before + 2 * told).then_some(()));
    let (_, known) = stack.ask("GET", "/imports", &office.admin, &Value::Null);
    assert_eq!(known.as_array().unwrap().len(), volumes.len(), "{known}");
    assert_eq!(stack.ask("GET", "/uploads", &office.admin, &Value::Null).1, json!([]));
    office.assert_nothing_left();
}
