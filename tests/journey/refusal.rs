//! What is wrong is refused before anything is queued.

use std::fs;

use serde_json::json;

use crate::{
    folder::Data,
    program::{Place, command, end},
    source::{MAILBOX, Story},
};

/// Imports with these, is refused with this code and exit code, and nothing was begun.
fn assert_refused(story: &Story, more: &[&str], code: &str, exit: i32) {
    let (volumes, data) = (story.volumes(), story.data());
    let arguments = [&["import", &volumes[0], "--mailbox", MAILBOX], more].concat();
    let import = &Data(&data).json(&arguments, exit)["imports"][0];
    assert_eq!((import["state"].as_str(), import["code"].as_str()), (Some("refused"), Some(code)));
    assert!(import["id"].is_null() && import["reason"].is_string());
    assert_eq!(Data(&data).json(&["mailboxes"], 0), json!([]));
}

#[test]
fn a_wrong_password_or_certificate() {
    let story = Story::new(3, 500);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let other = Story::new(2, 500);
    other.export(&[]);
    let (own, foreign, wrong) = (story.certificate(), other.certificate(), story.path("wrong"));
    fs::write(&wrong, "guessed\n").unwrap();
    assert_refused(&story, &["--certificate", &own, "--password-file", &wrong], "wrong_password", 3);
    assert_refused(&story, &["--certificate", &own], "password_needed", 3);
    assert_refused(&story, &["--certificate", &foreign, "--password-file", &password], "wrong_certificate", 3);
    assert_refused(&story, &["--password-file", &password], "certificate_needed", 3);
    story.import(&story.volumes(), &["--password-file", &password], 0);
}

/// The key of an export is deleted when it has ended: nobody could open what is sealed for it.
#[test]
fn the_certificate_of_an_export_as_recipient() {
    let story = Story::new(1, 500);
    story.export(&[]);
    let (from, to, certificate) = (story.path("old"), story.path("sealed"), story.certificate());
    let ended = end(command(&["export", "--from", &from, "--to", &to, "--name", "x", "--recipient", &certificate]));
    assert_eq!(ended.exit, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("nobody has the key") && ended.stderr.contains("postkahn certificate --out"));
    assert!(!fs::exists(&to).unwrap());
}

#[test]
fn a_folder_in_place_of_its_files() {
    let story = Story::new(1, 500);
    story.export(&[]);
    let (data, folder) = (story.path("data"), story.path("volumes"));
    let ended = end(command(&["import", &folder, "--data", &data, "--mailbox", MAILBOX]));
    assert_eq!(ended.exit, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("is a folder") && ended.stderr.contains("name the files in it"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_no_volume_or_not_there() {
    let story = Story::new(3, 500);
    story.export(&[]);
    let (data, torn, missing) = (story.data(), story.path("torn.mszip"), story.path("missing.mszip"));
    let whole = fs::read(&story.volumes()[0]).unwrap();
    fs::write(&torn, &whole[..whole.len() - 100]).unwrap();
    let certificate = story.certificate();
    let volumes = story.volumes();
    let arguments = ["import", &missing, &torn, &volumes[0], "--mailbox", MAILBOX, "--certificate", &certificate];
    let imports = Data(&data).json(&arguments, 2)["imports"].as_array().unwrap().clone();
    let states: Vec<_> = imports.iter().map(|import| (import["state"].as_str(), import["code"].as_str())).collect();
    let refused = Some("refused");
    let wanted = [(refused, Some("not_found")), (refused, Some("truncated")), (Some("finished"), None)];
    assert_eq!(states, wanted);
    assert_eq!([0, 1, 2].map(|at| imports[at]["kind"].as_str().unwrap()), ["unknown", "volume", "volume"]);
}

#[test]
fn a_file_with_an_odd_name_is_refused_alone() {
    let story = Story::new(0, 0);
    let (data, odd, plain) = (story.data(), story.path("odd\n.eml"), story.path("plain.eml"));
    fs::write(&odd, "Subject: odd\n\ntext\n").unwrap();
    fs::write(&plain, "Subject: plain\n\ntext\n").unwrap();
    let imports = &Data(&data).json(&["import", &odd, &plain, "--mailbox", MAILBOX], 2)["imports"];
    assert_eq!((imports[0]["state"].as_str(), imports[0]["code"].as_str()), (Some("refused"), Some("invalid")));
    assert_eq!((imports[1]["state"].as_str(), imports[1]["imported"].as_u64()), (Some("finished"), Some(1)));
}

#[test]
fn an_empty_password() {
    let story = Story::new(1, 500);
    let empty = story.path("empty");
    fs::write(&empty, "\n").unwrap();
    let data = story.data();
    let arguments = ["import", "x.mszip", "--mailbox", MAILBOX, "--password-file", &empty];
    let error = &Data(&data).json(&arguments, 2)["error"];
    assert_eq!(error["kind"], "invalid");
}
