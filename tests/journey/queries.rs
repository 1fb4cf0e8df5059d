//! Searches that are saved by name, and exports of what they find.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::json;

const QUERY: &str = "from:anna (size:>1KiB OR has:attachment)";

struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let old = dir.path().join("old/anna/Inbox");
        fs::create_dir_all(&old).unwrap();
        let mail = |from: &str, body: &str| format!("From: {from}\r\nSubject: x\r\n\r\n{body}\r\n");
        fs::write(old.join("large.eml"), mail("Anna <a@x.test>", &"x".repeat(2_000))).unwrap();
        fs::write(old.join("small.eml"), mail("Anna <a@x.test>", "x")).unwrap();
        fs::write(old.join("bob.eml"), mail("bob@x.test", &"x".repeat(2_000))).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn query(&self, arguments: &[&str], exit: i32) -> Value {
        let data = self.path("data");
        json(&[&["query"], arguments, &["--data", &data]].concat(), exit)
    }

    fn export(&self, name: &str, more: &[&str], exit: i32) -> Value {
        let (old, out, data) = (self.path("old"), self.path("out"), self.path("data"));
        let arguments = ["export", "--from", &old, "--to", &out, "--name", name, "--data", &data];
        json(&[&arguments, more].concat(), exit)
    }
}

#[test]
fn a_query_is_saved_and_used_by_name() {
    let desk = Desk::new();
    assert_eq!(desk.query(&["list"], 0), json!([]));
    let saved = json!({ "name": "annas", "query": QUERY });
    assert_eq!(desk.query(&["save", "annas", "from:anna AND (size:>1024 OR has:Attachment)"], 0), saved);
    assert_eq!(desk.query(&["save", "bobs", "from:bob"], 0)["name"], "bobs");
    assert_eq!(desk.query(&["list"], 0), json!([saved, { "name": "bobs", "query": "from:bob" }]));
    assert_eq!(desk.query(&["show", "annas"], 0), saved);
    assert!(!Path::new(&desk.path("data/lock")).exists(), "no archive is made");

    let outlook = desk.export("annas", &["--where", "@annas", "--dry-run"], 0);
    let report = desk.export("annas", &["--where", "@annas"], 0);
    for document in [&outlook, &report] {
        assert_eq!(
            (&document["in_source"], &document["filtered"], &document["exported"], &document["options"]["where"]),
            (&json!(3), &json!(2), &json!(1), &json!(QUERY))
        );
        let folder = &document["user_archives"][0]["folders"][0];
        assert_eq!((&folder["in_source"], &folder["filtered"], &folder["exported"]), (&json!(3), &json!(2), &json!(1)));
    }
    assert_eq!(desk.export("annas", &["--where", QUERY], 0), report, "the same query, given itself");
    assert_eq!(desk.export("annas", &["--where", "@bobs"], 2)["error"]["kind"], "invalid");

    assert_eq!(desk.query(&["delete", "annas"], 0), saved);
    let error = &desk.export("other", &["--where", "@annas"], 4)["error"];
    assert_eq!((&error["kind"], &error["hint"]), (&json!("not_found"), &json!("saved are: bobs")));
}

#[test]
fn a_wrong_query_says_where_and_does_nothing() {
    let desk = Desk::new();
    for document in
        [desk.query(&["save", "x", "from:anna size:10MB"], 2), desk.export("x", &["--where", "from:anna size:10MB"], 2)]
    {
        let error = &document["error"];
        assert_eq!(error["code"], "wrong_query");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("at character 16") && message.ends_with("size:10MB\n                 ^"), "{message}");
    }
    assert_eq!(desk.query(&["save", "../x", "from:anna"], 2)["error"]["kind"], "invalid");
    assert!(!Path::new(&desk.path("data")).exists() && !Path::new(&desk.path("out")).exists());
}
