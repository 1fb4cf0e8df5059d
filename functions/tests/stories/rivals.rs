//! Several functions at once.

use crate::{
    arrival::Half as _,
    steps::{Office, exported},
    support::{Plan, Stack},
};

#[test]
fn four_imports_of_one_export_at_once() {
    // Copies in other volumes: what two bring at the same time is one mail.
    let story = exported(150, 64_000, &["--volume-size", "1MiB"]);
    assert!(story.volumes().len() >= 4, "{:?}", story.volumes());
    let stack = Stack::start(&Plan { importers: 4, ..Plan::default() });
    let office = Office::open(&stack);
    let imports = office.import(&story);
    // All of them end at about the same time, and each would make the schedule.
    let schedules = stack.block(stack.made.scheduled()).unwrap();
    assert_eq!(schedules.iter().map(|schedule| schedule.name.as_str()).collect::<Vec<_>>(), ["restructure"]);
    office.assert_whole(&story, &imports);
    assert_eq!(stack.json(&office.admin, &["check", "--read-data"])["balanced"], true);
    office.assert_nothing_left();
}
