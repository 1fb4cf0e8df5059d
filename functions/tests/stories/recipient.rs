//! An export to the archive's own certificate.

use std::{collections::BTreeSet, env, fs};

use serde_json::{Value, json};

use crate::{
    arrival::{Half as _, start_of},
    bill::Bill,
    program::json,
    source::Story,
    steps::Office,
    support::{Plan, Stack},
};

/// moto has no `DeriveSharedSecret`.
fn kms_agrees() -> bool {
    let set = |name: &str| env::vars().find(|(known, _)| known == name).map(|(_, value)| value);
    set("AWS_ENDPOINT_URL_KMS") != set("POSTKAHN_EMULATOR_MOTO")
}

#[test]
fn an_export_to_the_archive_opens_without_a_password() {
    if !kms_agrees() {
        eprintln!("skipped: no stand-in here has DeriveSharedSecret");
        return;
    }
    let stack = Stack::start(&Plan::default());
    let office = Office::open(&stack);
    let (_, status) = stack.ask("GET", "/status", &office.admin, &Value::Null);
    let story = Story::new(40, 60_000);
    let own = story.path("own.cer");
    fs::write(&own, status["recipient_certificate"].as_str().unwrap()).unwrap();
    story.export(&["--recipient", &own, "--volume-size", "1MiB"]);
    let volumes = story.volumes();
    assert!(volumes.len() > 1, "{volumes:?}");
    // Nobody else opens it.
    let (all, certificate): (Vec<_>, _) = (volumes.iter().map(String::as_str).collect(), story.certificate());
    let verified = json(&[&["verify", "--certificate", &certificate], all.as_slice()].concat(), 0);
    assert!(verified["volumes"].as_array().unwrap().iter().all(|volume| volume["state"] == "signed"), "{verified}");

    let mut start = start_of(&story, &[]);
    start["password"] = Value::Null;
    office.put(&volumes[0]);
    office.start_with_further(&volumes[0], start);
    volumes[1..].iter().for_each(|volume| drop(office.put(volume)));
    let imports = office.all_finished(volumes.len());
    office.assert_whole(&story, &imports);
    story.assert_recreated_in(&office.seen);

    // The start agrees with the sender's key inside KMS; what works on the volumes unwraps what came of it. Nothing asks
    // for a pair of keys of which it would hold the private one.
    let asked = |function: &str| -> BTreeSet<String> {
        Bill::called(&stack, function).into_iter().filter(|call| call.starts_with("KMS.")).collect()
    };
    let set = |calls: &[&str]| calls.iter().map(|call| format!("KMS.{call}")).collect::<BTreeSet<_>>();
    assert_eq!(asked("http"), set(&["DeriveSharedSecret", "Encrypt", "GetPublicKey"]));
    assert_eq!(asked("intake"), set(&["Decrypt", "Encrypt"]));
    assert_eq!(asked("import"), set(&["Decrypt"]));
    assert_eq!(asked("restructure"), set(&[]));
    office.assert_nothing_left();
}

#[test]
fn an_export_to_somebody_else_does_not_open() {
    if !kms_agrees() {
        eprintln!("skipped: no stand-in here has DeriveSharedSecret");
        return;
    }
    let (stack, other) = (Stack::start(&Plan::default()), Stack::start(&Plan::default()));
    let office = Office::open(&stack);
    let stranger = other.first_login();
    let (_, status) = other.ask("GET", "/status", &stranger, &Value::Null);
    let story = Story::new(3, 500);
    let certificate = story.path("other.cer");
    fs::write(&certificate, status["recipient_certificate"].as_str().unwrap()).unwrap();
    story.export(&["--recipient", &certificate]);
    office.upload(&story);
    let upload = stack.looked_at(&office.admin, "old-0001.mszip");
    let mut start = start_of(&story, &[&upload["id"]]);
    start["password"] = Value::Null;
    let (status, problem) = stack.ask("POST", "/imports", &office.admin, &start);
    assert_eq!((status, &problem["code"]), (403, &json!("recipient_key_needed")), "{problem}");
    assert_eq!(stack.ask("GET", "/imports", &office.admin, &Value::Null).1, json!([]));
}
