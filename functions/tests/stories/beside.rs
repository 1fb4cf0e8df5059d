//! The command line at work on the archive of a stack, beside its functions: checks that take their time, and a catalogue
//! that is made anew.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    arrival::Half as _,
    program::{self, Place as _},
    source::Story,
    steps::{Office, exported},
    support::{Faults, Plan, Stack},
};

/// A stack that CloudFormation knows, with an archive in it.
fn settled(stack: &Stack, story: &Story) -> (String, Value) {
    let office = Office::open(stack);
    let imports = office.import(story);
    office.assert_whole(story, &imports);
    stack.json(&office.admin, &["mailbox", "add", "by-hand@example.org"]);
    stack.block(stack.made.publish("example.org")).unwrap();
    (stack.made.settings.table.clone(), seen(stack))
}

/// What people see; they log in for it, for sessions go with a catalogue.
fn seen(stack: &Stack) -> Value {
    let Office { admin, seen: officer, .. } = &Office::again(stack);
    let mut seen: Vec<_> = ["mailboxes", "user list", "group list", "mapping list", "exports"]
        .map(|line| stack.json(admin, &line.split(' ').collect::<Vec<_>>()))
        .into();
    for mailbox in seen[0].as_array().unwrap().clone() {
        let address = mailbox["address"].as_str().unwrap();
        seen.push(officer.json(&["folders", "--mailbox", address], 0));
        seen.push(officer.mails(address, None).into());
    }
    let (_, imports) = stack.ask("GET", "/imports", admin, &Value::Null);
    assert!(imports.as_array().unwrap().iter().all(|import| import["balanced"] == true), "{imports}");
    seen.push(imports);
    seen.into()
}

fn on_stack(stack: &str, verb: &[&str], exit: i32) -> Value {
    program::json(&[verb, &["--aws", stack]].concat(), exit)
}

#[test]
fn damage_is_found_and_mended() {
    let story = exported(12, 1_000, &[]);
    let stack = Stack::start(&Plan::default());
    let (name, before) = settled(&stack, &story);
    let check = |flag: &str, exit| on_stack(&name, &["check", flag], exit);
    let sound = check("--read-data", 0);
    assert_eq!((&sound["errors"], &sound["balanced"]), (&json!([]), &json!(true)));
    assert_eq!(sound["messages"], story.mails.len());

    for prefix in ["packs/", "slices/", "records/user/"] {
        let key = stack.block(stack.made.archived_below(prefix)).unwrap().remove(0);
        let bytes = stack.block(stack.made.archived(&key)).unwrap().unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        stack.block(stack.made.tamper(&key, Some(changed))).unwrap();
        assert_ne!(check("--read-data", 7)["errors"], json!([]), "{key}");
        stack.block(stack.made.tamper(&key, Some(bytes))).unwrap();
        assert_eq!(check("--read-data", 0), sound, "{key}");
    }

    let key = stack.block(stack.made.archived_below("records/mailbox/")).unwrap().remove(0);
    stack.block(stack.made.tamper(&key, None)).unwrap();
    check("--read-data", 7);
    let repaired = check("--repair", 0);
    assert_eq!(repaired["repaired"].as_array().map(Vec::len), Some(1), "{repaired}");
    assert_eq!(check("--read-data", 0), sound);
    assert_eq!(seen(&stack), before);
}

#[test]
fn a_lost_catalogue_is_made_anew() {
    let story = exported(12, 1_000, &[]);
    let stack = Stack::start(&Plan::default());
    let (name, before) = settled(&stack, &story);
    let sound = on_stack(&name, &["check", "--read-data"], 0);

    let counted = on_stack(&name, &["rebuild", "--dry-run"], 0);
    assert_eq!((&counted["dry_run"], &counted["rows"]["documents"]["import"]), (&json!(true), &json!(1)), "{counted}");
    assert!(counted["rows"]["mails"].as_u64() > Some(story.mails.len() as u64), "{counted}");
    let refused = on_stack(&name, &["rebuild"], 5);
    assert!(refused["error"]["hint"].as_str().unwrap().contains("--replace"), "{refused}");
    assert_eq!(on_stack(&name, &["rebuild", "--dry-run"], 0)["rows"]["lists"], counted["rows"]["lists"]);

    assert_eq!(on_stack(&name, &["rebuild", "--replace"], 0), sound);
    assert_eq!(seen(&stack), before);
    assert_eq!(on_stack(&name, &["check", "--read-data"], 0), sound);

    stack.block(stack.made.lose_catalogue()).unwrap();
    assert_eq!(on_stack(&name, &["rebuild", "--dry-run"], 0)["count"], 0);
    assert_eq!(on_stack(&name, &["rebuild"], 0), sound);
    assert_eq!(seen(&stack), before);
    assert_eq!(on_stack(&name, &["check", "--read-data"], 0), sound);

    // And life goes on: what comes in again is there already.
    let office = Office::again(&stack);
    let again = office.import(&story);
    assert!(again.iter().all(|import| import["already_there"] == import["in_volume"]), "{again:?}");

    // Functions that are still warm do not take for written what a rebuild has deleted.
    for prefix in ["packs/", "slices/", "reports/", "placements/"] {
        for key in stack.block(stack.made.archived_below(prefix)).unwrap() {
            stack.block(stack.made.tamper(&key, None)).unwrap();
        }
    }
    assert_eq!(on_stack(&name, &["rebuild", "--replace"], 0)["messages"], 0);
    let office = Office::again(&stack);
    office.assert_whole(&story, &office.import(&story));
}

#[test]
fn a_check_that_is_too_long_for_a_function_ends_and_says_what_is_not() {
    let faults = Faults::slow(Duration::from_millis(200));
    let stack = Stack::start(&Plan { task_time: Duration::from_secs(3), faults: Some(faults), ..Plan::default() });
    let office = Office::open(&stack);
    let started = stack.ask("POST", "/check", &office.admin, &json!({ "read_data": true })).1;
    let path = format!("/processes/{}", started["process"].as_str().or(started["id"].as_str()).unwrap());
    let ended = crate::arrival::until("the check", || {
        let (_, process) = stack.ask("GET", &path, &office.admin, &Value::Null);
        (process["state"] != "running").then_some(process)
    });
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("check_too_long")), "{ended}");
    assert!(ended["error"]["hint"].as_str().unwrap().contains("check --aws STACK --read-data"), "{ended}");
    assert_eq!(stack.function("restructure").lines("\"meter\"").len(), 1, "it came again");
    office.assert_nothing_left();

    stack.block(stack.made.publish("example.org")).unwrap();
    assert_eq!(on_stack(&stack.made.settings.table, &["check", "--read-data"], 0)["balanced"], true);
}
