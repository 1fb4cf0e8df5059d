//! What mails cost on AWS: 2,000 of them in each test run, a whole source by `scripts/bench-aws`.

use std::{env, fs};

use serde_json::{Value, json};

use crate::{
    arrival::{Half as _, until},
    bill::Bill,
    program::json,
    source::Story,
    steps::{Office, exported},
    support::{Plan, Stack, rights},
};

/// The aims.
const PER_MILLION: f64 = 1.5;
const IDLE_MONTH: f64 = 5.0;

/// Imports and restructures the volumes of the story: what that cost.
fn imported(stack: &Stack, story: &Story, mails: u64) -> Bill {
    let office = Office::open(stack);
    let imports = office.import(story);
    let sum = |name: &str| imports.iter().map(|import| import[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("imported") + sum("already_there"), mails, "{imports:?}");
    assert!(imports.iter().all(|import| import["balanced"] == true));
    // Not the command, which asks again and again: Scheduler, and a process that says how it ended.
    stack.tick();
    let ended = || {
        let (_, processes) = stack.ask("GET", "/processes?limit=1000", &office.admin, &Value::Null);
        let mut all = processes.as_array().unwrap().iter();
        all.any(|process| process["kind"] == "restructure" && process["state"] == "finished").then_some(())
    };
    until("restructure", ended);
    office.assert_nothing_left();
    Bill::of(stack, mails)
}

#[test]
fn a_million_mails_cost_what_the_page_says() {
    let story = exported(2_000, 3_000, &[]);
    let stack = Stack::start(&Plan::default());
    let bill = imported(&stack, &story, story.files);
    println!("{} mails of 3 KB\n{bill}", bill.mails);
    assert!(bill.per_million() <= PER_MILLION, "{bill}");
    assert!(bill.idle_month() <= IDLE_MONTH, "{} $ a month", bill.idle_month());
}

/// Every call that a function made is one that its role allows.
#[test]
fn functions_do_what_their_roles_allow() {
    let story = exported(20, 2_000, &[]);
    let stack = Stack::start(&Plan::default());
    imported(&stack, &story, story.files);
    stack.invoke("sweep", &json!({ "job": "sweep" }));
    stack.put("olga/no volume.mszip", b"nothing".to_vec());
    let guess =
        json!({ "username": "olga", "password": "guessed", "protocol": "SFTP", "serverId": "s-0123456789abcdef0" });
    stack.invoke("login", &guess);
    let rights = rights();
    for function in ["intake", "import", "restructure", "sweep", "http", "login"] {
        // The line with the calls comes after the answer.
        let called = until(function, || Some(Bill::called(&stack, function)).filter(|called| !called.is_empty()));
        for call in called {
            let action = action(&call);
            let is_granted = |right: &String| right.split(' ').next() == Some(action.as_str());
            assert!(rights[function].iter().any(is_granted), "{function} may not {action} ({call})");
        }
    }
}

/// The IAM action that a call needs (Service Authorization Reference).
fn action(call: &str) -> String {
    let (service, operation) = call.split_once('.').unwrap();
    let operation = match call {
        "S3.HeadObject" => "GetObject",
        "S3.ListObjectsV2" => "ListBucket",
        "S3.CreateMultipartUpload" | "S3.UploadPart" | "S3.CompleteMultipartUpload" => "PutObject",
        _ => operation,
    };
    format!("{}:{operation}", service.to_lowercase().replace(' ', ""))
}

/// Run by `scripts/bench-aws`, which names a source of mails and a file for the table.
#[test]
#[ignore = "takes a source: scripts/bench-aws"]
fn a_whole_source() {
    #[expect(clippy::disallowed_methods, reason = "told by the script")]
    let told = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench-aws"));
    let story = Story::new(0, 0);
    let (to, password) = (story.path("volumes"), story.password_file());
    let from = told("POSTKAHN_BENCH_SOURCE");
    let report: Value = json(
        &[
            "export",
            "--from",
            &from,
            "--to",
            &to,
            "--name",
            "old",
            "--volume-size",
            "1GiB",
            "--password-file",
            &password,
        ],
        0,
    );
    let stack = Stack::start(&Plan { importers: 2, ..Plan::default() });
    let bill = imported(&stack, &story, report["exported"].as_u64().unwrap());
    let (mails, raw) = (&report["exported"], &report["raw_bytes"]);
    fs::write(told("POSTKAHN_BENCH_TABLE"), format!("{mails} mails of {raw} bytes together:\n\n{bill}")).unwrap();
    assert!(bill.per_million() <= PER_MILLION, "{bill}");
}
