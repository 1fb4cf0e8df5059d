//! The whole way on AWS.

use std::fs;

use serde_json::{Value, json};

use crate::{
    arrival::{self, Half as _},
    program::Place as _,
    source::{MAILBOX, Story, hash},
    steps::{Office, exported},
    support::{Plan, Stack},
};

#[test]
fn an_export_comes_in_and_becomes_mailboxes() {
    let story = exported(30, 2_000, &[]);
    let stack = Stack::start(&Plan::default());
    arrival::an_export_comes_in_and_becomes_mailboxes(&stack, &story);
}

#[test]
fn foreign_files_come_in() {
    crate::foreign::foreign_files_come_in_with_their_folders(&Stack::start(&Plan::default()));
}

#[test]
fn the_schedule_recreates_the_structure() {
    let mut story = Story::new(12, 1_000);
    // More than an answer carries, and hardly to be compressed.
    let large: Vec<u8> = (0..6_000_000_u64).flat_map(|n| [b"0123456789abcdef"[(n * n % 251 % 16) as usize]]).collect();
    let large = [b"Subject: large\r\n\r\n".as_slice(), &large].concat();
    story.add("anna@example.org/Exchange/Posteingang", 99, &large);
    story.export(&[]);
    let stack = Stack::start(&Plan::default());
    let office = Office::open(&stack);
    assert_eq!(stack.tick(), []);
    let imports = office.import(&story);
    assert_eq!(imports[0]["balanced"], true);

    let schedules = stack.tick();
    assert_eq!(schedules.len(), 1, "{schedules:?}");
    assert_eq!((schedules[0].name.as_str(), schedules[0].expression.as_str()), ("restructure", "rate(15 minutes)"));
    assert_eq!(
        serde_json::from_str::<Value>(&schedules[0].input).unwrap(),
        json!({ "job": "restructure", "process": null })
    );
    story.assert_recreated_in(&office.seen);
    // The large mail went by a link to a copy.
    assert_eq!(stack.block(stack.made.archived_below("temporary/")).unwrap().len(), 1);
    // Made readable it is too large for an answer, which says so.
    assert_eq!(office.seen.json(&["show", &hash(&large)], 2)["error"]["code"], "answer_too_large");
    // Nothing is left to do, and an edit of the schedule is one in Scheduler.
    assert_eq!(stack.json(&office.admin, &["restructure"])["reports_processed"], 0);
    let (status, _) = stack.ask("PATCH", "/schedules/restructure", &office.admin, &json!({ "enabled": false }));
    assert_eq!(status, 200);
    assert!(stack.tick().iter().all(|schedule| !schedule.enabled));
    office.assert_nothing_left();
}

#[test]
fn what_is_no_volume_is_rejected_and_deleted_by_hand() {
    let story = exported(3, 500, &[]);
    let stack = Stack::start(&Plan::default());
    let office = Office::open(&stack);
    let certificate = fs::read(story.certificate()).unwrap();
    for (name, bytes) in
        [("a certificate é+%.cer", certificate), ("empty.mszip", Vec::new()), ("x.pdf", b"%PDF-1.7".to_vec())]
    {
        stack.put(&format!("olga/{name}"), bytes);
        let upload = stack.looked_at(&office.admin, name);
        assert_eq!(upload["state"], "rejected", "{upload}");
        assert!(upload["reason"].is_string());
        let id = upload["id"].as_str().unwrap();
        let id = id.bytes().fold(String::new(), |id, byte| format!("{id}%{byte:02X}"));
        let (status, _) = stack.ask("DELETE", &format!("/uploads/{id}"), &office.admin, &Value::Null);
        assert!(matches!(status, 200 | 204), "{status}");
    }
    assert_eq!(stack.ask("GET", "/uploads", &office.admin, &Value::Null).1, json!([]));
    assert_eq!(stack.block(stack.made.uploads()).unwrap(), [""; 0]);
    assert_eq!(office.seen.json(&["mailboxes"], 0), json!([]));
    assert_eq!(MAILBOX, "import@example.org");
}
