//! A folder of volumes is looked through before anything is uploaded.

use std::{fs, path::Path};

use serde_json::{Value, json as value};

use crate::{
    program::{command, end, json},
    source::Story,
};

/// An export in three volumes or more.
fn in_volumes(more: &[&str]) -> Story {
    let story = Story::new(40, 120_000);
    story.export(&[&["--volume-size", "1MiB"], more].concat());
    assert!(story.volumes().len() >= 3);
    story
}

fn states(document: &Value) -> Vec<&str> {
    document["volumes"].as_array().unwrap().iter().map(|volume| volume["state"].as_str().unwrap()).collect()
}

/// The row of the file of this name.
fn row<'a>(document: &'a Value, name: &str) -> &'a Value {
    let is_named = |volume: &&Value| Path::new(volume["file"].as_str().unwrap()).file_name().unwrap() == name;
    document["volumes"].as_array().unwrap().iter().find(is_named).unwrap()
}

#[test]
fn a_whole_folder_needs_no_more_than_its_name() {
    let story = in_volumes(&[]);
    let folder = story.path("volumes");
    let found = json(&["verify", &folder], 0);
    assert!(states(&found).iter().all(|state| *state == "ok"));
    assert_eq!((found["complete"].as_bool(), found["mails"].as_u64()), (Some(true), Some(story.files)));
    let bytes: u64 = story.volumes().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(found["bytes"], bytes);
    assert!(found["quota_bytes"].is_null() && found["fits"].is_null());
    let exact = json(&["verify", &folder, "--quota", &bytes.to_string()], 0);
    assert_eq!((exact["quota_bytes"].as_u64(), exact["fits"].as_bool()), (Some(bytes), Some(true)));
    assert_eq!(json(&["verify", &folder, "--quota", "1MiB"], 8)["fits"], false);
    json(&["verify", &folder, "--quota", "a lot"], 2);
}

#[test]
fn what_is_renamed_doubled_missing_or_cut_is_named() {
    let story = in_volumes(&[]);
    let (folder, volumes) = (story.path("volumes"), story.volumes());
    fs::rename(&volumes[1], story.path("volumes/second.bin")).unwrap();
    fs::copy(&volumes[0], story.path("volumes/old-0001 (1).mszip")).unwrap();
    let found = json(&["verify", &folder], 0);
    assert_eq!(row(&found, "second.bin")["renamed_from"], "old-0002.mszip");
    assert!(row(&found, "old-0003.mszip")["renamed_from"].is_null());
    let doubled = ["old-0001 (1).mszip", "old-0001.mszip"].map(|name| row(&found, name)["state"].as_str().unwrap());
    assert!(doubled.contains(&"ok") && doubled.contains(&"doubled"));
    assert_eq!(found["complete"], true);

    fs::remove_file(story.path("volumes/second.bin")).unwrap();
    let found = json(&["verify", &folder], 8);
    assert_eq!((&found["missing_volumes"], &found["complete"]), (&value!([2]), &Value::Bool(false)));

    let whole = fs::read(&volumes[2]).unwrap();
    fs::write(&volumes[2], &whole[..whole.len() / 2]).unwrap();
    let found = json(&["verify", &folder], 2);
    assert_eq!(row(&found, "old-0003.mszip")["reason"], "truncated");
}

#[test]
fn a_volume_of_another_key_is_refused_in_a_folder_as_in_a_list() {
    let (story, other) = (in_volumes(&[]), Story::new(3, 500));
    other.export(&[]);
    let (folder, volumes) = (story.path("volumes"), story.volumes());
    fs::copy(&other.volumes()[0], story.path("volumes/other-0001.mszip")).unwrap();
    let found = json(&["verify", &folder], 3);
    let other_row = row(&found, "other-0001.mszip");
    assert_eq!((&other_row["state"], &other_row["reason"]), (&value!("refused"), &value!("wrong_certificate")));
    assert!(other_row["detail"].as_str().unwrap().contains("another export"));
    assert_eq!((found["complete"].as_bool(), found["mails"].as_u64()), (Some(true), Some(story.files)));
    let bytes: u64 = volumes.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(found["bytes"], bytes, "what is not of this export is no part of its upload");

    let mut arguments = vec!["verify".to_owned(), "--certificate".to_owned(), story.certificate()];
    arguments.extend(story.volumes());
    assert_eq!(json(&arguments, 3), found);

    // With both certificates there, one has to say which export is meant.
    fs::copy(other.certificate(), story.path("volumes/other.cer")).unwrap();
    assert!(json(&["verify", &folder], 2)["error"]["hint"].as_str().unwrap().contains("--certificate"));
    let found = json(&["verify", &folder, "--certificate", &other.certificate()], 3);
    assert_eq!(states(&found).iter().filter(|state| **state == "ok").count(), 1);
    assert_eq!((found["complete"].as_bool(), found["mails"].as_u64()), (Some(true), Some(other.files)));
}

#[test]
fn a_certificate_that_no_volume_of_the_folder_names_is_the_wrong_one() {
    let (story, other) = (in_volumes(&[]), Story::new(3, 500));
    other.export(&[]);
    let found = json(&["verify", &story.path("volumes"), "--certificate", &other.certificate()], 3);
    for volume in found["volumes"].as_array().unwrap() {
        assert_eq!((&volume["state"], &volume["reason"]), (&value!("refused"), &value!("wrong_certificate")));
    }
}

/// What is said to people.
fn text(arguments: &[&str], exit: i32) -> String {
    let ended = end(command(arguments));
    assert_eq!(ended.exit, exit, "{}", ended.stderr);
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn what_is_missing_is_said_as_far_as_it_is_known() {
    let story = in_volumes(&[]);
    let (folder, volumes) = (story.path("volumes"), story.volumes());
    let whole = text(&["verify", &folder], 0);
    assert!(whole.contains("MiB; the export is complete\n"), "{whole}");
    fs::remove_file(volumes.last().unwrap()).unwrap();
    let open = format!("whatever follows {}: the last volume is not among them\n", volumes.len() - 1);
    let found = text(&["verify", &folder], 8);
    assert!(found.contains(&format!("; missing: {open}")), "{found}");
    fs::remove_file(&volumes[0]).unwrap();
    let found = text(&["verify", &folder], 8);
    assert!(found.contains(&format!("; missing: volume 1, and {open}")), "{found}");
}

#[test]
fn nothing_is_said_of_an_export_that_was_not_opened() {
    let story = Story::new(1, 500);
    let (password, wrong) = (story.password_file(), story.path("wrong"));
    story.export(&["--password-file", &password]);
    fs::write(&wrong, "guessed\n").unwrap();
    let folder = story.path("volumes");
    let refused = text(&["verify", &folder, "--password-file", &wrong], 3);
    assert!(!refused.contains("0 mails") && !refused.contains("last volume"), "{refused}");
    let opened = text(&["verify", &folder, "--password-file", &password], 0);
    assert!(opened.contains("\n1 mail, "), "{opened}");
}

#[test]
fn whether_the_password_opens_them() {
    let story = Story::new(3, 500);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let (folder, wrong) = (story.path("volumes"), story.path("wrong"));
    fs::write(&wrong, "guessed\n").unwrap();
    assert_eq!(states(&json(&["verify", &folder], 0)), ["signed"]);
    assert_eq!(states(&json(&["verify", &folder, "--password-file", &password], 0)), ["ok"]);
    let found = json(&["verify", &folder, "--password-file", &wrong], 3);
    assert_eq!(found["volumes"][0]["reason"], "wrong_password");
}

#[test]
fn a_folder_without_volumes_or_without_the_certificate() {
    let story = Story::new(3, 500);
    assert_eq!(json(&["verify", &story.path("old")], 4)["error"]["kind"], "not_found");
    story.export(&[]);
    fs::remove_file(story.certificate()).unwrap();
    let found = json(&["verify", &story.path("volumes")], 3);
    assert_eq!(found["volumes"][0]["reason"], "certificate_needed");
    fs::write(story.certificate(), "half a certificate").unwrap();
    let found = json(&["verify", &story.path("volumes")], 3);
    assert_eq!(found["volumes"][0]["reason"], "wrong_certificate");
}
