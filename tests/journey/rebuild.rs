//! The catalogue is lost, or changed by hand: the objects bring it back, and `check` says what differs.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    folder::Data,
    program::Place,
    source::{MAILBOX, Story},
};

/// What somebody sees of an archive.
pub(crate) fn seen(data: &Data<'_>) -> Value {
    let mut seen =
        vec![data.json(&["mailboxes"], 0), data.json(&["user", "list"], 0), data.json(&["mapping", "list"], 0)];
    for mailbox in seen[0].as_array().unwrap().clone() {
        let address = mailbox["address"].as_str().unwrap();
        seen.push(data.json(&["folders", "--mailbox", address], 0));
        seen.push(Value::from(data.mails(address, None)));
    }
    seen.push(Value::from(data.mails(MAILBOX, None)));
    Value::from(seen)
}

fn archive() -> Story {
    let story = Story::new(20, 1_500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let folder = story.data();
    let data = Data(&folder);
    data.json(&["mailbox", "add", "by-hand@example.org"], 0);
    data.json(&["restructure"], 0);
    story
}

#[test]
fn a_lost_catalogue_is_made_anew() {
    let story = archive();
    let folder = story.data();
    let data = Data(&folder);
    let (before, checked) = (seen(&data), data.json(&["check", "--read-data"], 0));
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("catalogue.sqlite{ending}")));
    }
    assert_eq!(data.json(&["rebuild"], 0), checked);
    assert_eq!(seen(&data), before);
    assert_eq!(data.json(&["check", "--read-data"], 0), checked);
    // And one that is there.
    assert_eq!(data.json(&["rebuild"], 0), checked);
    assert_eq!(seen(&data), before);
}

#[test]
fn nothing_of_a_mail_lies_open_in_an_object_and_any_changed_byte_is_found() {
    let story = archive();
    let folder = story.data();
    let data = Data(&folder);
    let objects = files(&folder.join("objects"));
    assert!(objects.len() > 8);
    for (nth, path) in objects.iter().enumerate() {
        let sound = fs::read(path).unwrap();
        assert!(sound.starts_with(b"PKSEAL1\n"), "{}", path.display());
        let mut changed = sound.clone();
        let at = nth * 131 % changed.len();
        changed[at] ^= 0x40;
        fs::write(path, changed).unwrap();
        let found = data.json(&["check", "--read-data"], 7);
        assert!(!found["errors"].as_array().unwrap().is_empty(), "{} at byte {at}", path.display());
        fs::write(path, sound).unwrap();
    }
    data.json(&["check", "--read-data"], 0);
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
