//! AWS throttles, fails, and loses answers.

use std::sync::atomic::Ordering;

use crate::{
    arrival::Half as _,
    steps::{Office, exported},
    support::{Faults, Plan, Stack},
};

#[test]
fn one_request_in_twenty_fails() {
    let story = exported(60, 2_000, &[]);
    let faults = Faults::every(20);
    let stack = Stack::start(&Plan { faults: Some(faults.clone()), ..Plan::default() });
    let office = Office::open(&stack);
    let imports = office.import(&story);
    office.assert_whole(&story, &imports);
    assert_eq!(stack.json(&office.admin, &["check"])["balanced"], true);
    let made = faults.made.load(Ordering::Relaxed);
    assert!(made > 20, "only {made} faults");
    office.assert_nothing_left();
}
