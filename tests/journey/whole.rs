//! From the old archive to the new one, and nothing is missing.

use std::fs;

use crate::{
    folder::Data,
    program::{Place, json},
    source::{MAILBOX, Story},
};

/// Verifies, imports and restructures what was exported, and compares all of it.
fn go_on(story: &Story, verify: &[&str], import: &[&str]) {
    let certificate = story.certificate();
    let volumes = story.volumes();
    let all: Vec<&str> = volumes.iter().map(String::as_str).collect();
    let arguments = [&["verify"], all.as_slice(), &["--certificate", &certificate], verify].concat();
    let verified = json(&arguments, 0);
    assert_eq!(verified["complete"], true);
    assert_eq!(verified["mails"], story.files);

    let imports = story.import(&volumes, import, 0);
    let sum = |name: &str| imports.iter().map(|import| import[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("in_volume"), story.files);
    assert_eq!(sum("imported") + sum("already_there"), story.files);
    assert!(imports.iter().all(|import| import["state"] == "finished" && import["balanced"] == true));

    let data = story.data();
    let data = Data(&data);
    let done = data.json(&["restructure"], 0);
    assert_eq!((done["reports_processed"].as_u64(), done["reports_left"].as_u64()), (Some(all.len() as u64), Some(0)));
    assert_eq!(done["mailboxes_created"], 3);
    let placements: usize = story.places.values().map(std::collections::BTreeSet::len).sum();
    assert_eq!(done["placements_created"], placements);
    story.assert_recreated();

    let target = data.mails(MAILBOX, None);
    assert_eq!(target.len(), story.mails.len());
    let checked = data.json(&["check", "--read-data"], 0);
    assert_eq!(checked["messages"], story.mails.len());
    assert_eq!(checked["balanced"], true);
    let again = data.json(&["restructure"], 0);
    assert_eq!((again["reports_processed"].as_u64(), again["placements_created"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn without_a_password() {
    let story = Story::new(40, 2_000);
    story.export(&[]);
    go_on(&story, &[], &[]);
}

#[test]
fn with_a_password() {
    let story = Story::new(30, 2_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    go_on(&story, &["--password-file", &password], &["--password-file", &password]);
}

#[test]
fn for_the_archive_as_recipient() {
    let story = Story::new(20, 2_000);
    let (data, recipient) = (story.data(), story.path("archive.pem"));
    let certificate = Data(&data).json(&["certificate", "--out", &recipient], 0);
    assert_eq!(certificate["pem"], fs::read_to_string(&recipient).unwrap());
    story.export(&["--recipient", &recipient]);
    go_on(&story, &[], &[]);
}

#[test]
fn in_several_volumes() {
    let story = Story::new(80, 40_000);
    let report = story.export(&["--volume-size", "1MiB"]);
    assert!(report["volumes"].as_array().unwrap().len() > 1);
    go_on(&story, &[], &[]);
}

#[test]
fn once_more_finds_everything_there() {
    let story = Story::new(25, 1_000);
    story.export(&[]);
    let volumes = story.volumes();
    let first = story.import(&volumes, &[], 0);
    let second = story.import(&volumes, &[], 0);
    assert_ne!(first[0]["id"], second[0]["id"]);
    assert_eq!((second[0]["imported"].as_u64(), second[0]["already_there"].as_u64()), (Some(0), Some(story.files)));
    assert_eq!(second[0]["balanced"], true);
}
