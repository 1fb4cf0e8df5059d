//! Before and after restructure: what it would do, and the target mailbox that is emptied once it is done.

use std::fs;

use serde_json::{Value, json};

use crate::{
    crash::killed_until_done,
    folder::Data,
    program::{Place, end},
    source::{MAILBOX, Story},
};

/// Exported and imported.
fn imported() -> Story {
    let story = Story::new(12, 800);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    story
}

fn text(data: &Data<'_>, arguments: &[&str]) -> String {
    String::from_utf8(end(data.command(arguments)).stdout).unwrap()
}

fn row(data: &Data<'_>, archive: &str) -> Value {
    let rows = data.json(&["mapping", "list"], 0);
    rows.as_array().unwrap().iter().find(|row| row["archive"] == archive).unwrap().clone()
}

#[test]
fn a_dry_run_says_what_restructure_does() {
    let story = imported();
    let folder = story.data();
    let data = Data(&folder);
    data.json(&["mailbox", "add", "catchall@example.org"], 0);
    let catchall = row(&data, "@catchall");
    assert_eq!((&catchall["conflict"], &catchall["mailbox"]), (&json!(true), &json!("hand")));
    assert!(catchall["mails_waiting"].as_u64().unwrap() > 0);
    assert!(text(&data, &["mapping", "list"]).contains("a mailbox made by hand"));
    let conflicting = data.json(&["restructure", "--dry-run"], 5);
    assert_eq!(conflicting["conflicts"][0]["archives"], json!(["@catchall"]));
    data.json(&["mapping", "set", "@catchall", "lost@example.org"], 0);

    let before = (data.json(&["mailboxes"], 0), data.json(&["check", "--read-data"], 0));
    let mut shown = data.json(&["restructure", "--dry-run"], 0);
    assert_eq!((data.json(&["mailboxes"], 0), data.json(&["check", "--read-data"], 0)), before);
    assert!(text(&data, &["restructure", "--dry-run"]).contains("lost@example.org"));
    let mailboxes = shown["mailboxes"].take();
    assert_eq!(shown["dry_run"], true);
    let done = data.json(&["restructure"], 0);
    for (name, value) in done.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    let made = data.json(&["mailboxes"], 0);
    for would in mailboxes.as_array().unwrap() {
        let is = made.as_array().unwrap().iter().find(|made| made["address"] == would["address"]).unwrap();
        assert_eq!((&would["mails"], &would["folders_created"]), (&is["mails"], &is["folders"]), "{would}");
    }
    story.assert_recreated();
    let back = data.json(&["mapping", "reset", "@catchall"], 0);
    assert_eq!((&back["address"], &back["source"]), (&json!("catchall@example.org"), &json!("default")));
    assert_eq!(data.json(&["mapping", "reset", "@catchall"], 4)["error"]["kind"], "not_found");
}

#[test]
fn the_target_is_emptied_once_every_mail_lies_where_it_belongs() {
    let story = imported();
    let folder = story.data();
    let data = Data(&folder);
    let refused = data.json(&["mailbox", "empty", MAILBOX, "--yes"], 5);
    assert_eq!(refused["error"]["code"], "placements_missing");
    data.json(&["restructure"], 0);
    let mails = story.mails.len();
    let shown = data.json(&["mailbox", "empty", MAILBOX], 0);
    assert_eq!((&shown["dry_run"], &shown["mails"]), (&json!(true), &json!(mails)));
    assert_eq!(data.mails(MAILBOX, None).len(), mails);
    assert!(text(&data, &["mailbox", "empty", MAILBOX]).contains("--yes"));

    let all = data.json(&["check", "--read-data"], 0);
    let (emptied, _) = killed_until_done(&data, &["mailbox", "empty", MAILBOX, "--yes"]);
    assert_eq!(emptied["dry_run"], false);
    assert!(data.mails(MAILBOX, None).is_empty());
    let checked = data.json(&["check", "--read-data"], 0);
    assert_eq!((&checked["messages"], &checked["balanced"]), (&all["messages"], &json!(true)));
    assert_eq!(checked["placements"].as_u64().unwrap() + mails as u64, all["placements"].as_u64().unwrap());
    story.assert_recreated();

    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("catalogue.sqlite{ending}")));
    }
    assert_eq!(data.json(&["rebuild"], 0), checked);
    assert!(data.mails(MAILBOX, None).is_empty());
    story.assert_recreated();
    assert_eq!(data.json(&["mailbox", "empty", MAILBOX, "--yes"], 0)["mails"], 0);
    assert_eq!(data.json(&["mailbox", "empty", "nobody@example.org"], 4)["error"]["kind"], "not_found");
}
