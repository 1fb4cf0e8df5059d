//! The catalogue is lost, or changed by hand: the objects bring it back, and `check` says what differs.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    failure::within,
    folder::Data,
    program::{Place, end},
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

/// One page after the other is zeroed, among them such as the outcome of the check itself would be written beside.
#[test]
fn a_check_ends_at_once_wherever_the_catalogue_is_damaged() {
    const PAGE_BYTES: usize = 4096;
    /// Of a page without pages below it, in a table that has no row ids.
    const LEAF: u8 = 10;
    let story = Story::new(2, 500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let folder = story.data();
    let data = Data(&folder);
    data.json(&["restructure"], 0);
    let catalogue = folder.join("catalogue.sqlite");
    let sound = fs::read(&catalogue).unwrap();
    let mut damaged = 0;
    for (number, page) in sound.chunks(PAGE_BYTES).enumerate().skip(1).filter(|(_, page)| page[0] == LEAF) {
        let mut changed = sound.clone();
        let start = number * PAGE_BYTES;
        changed[start..start + page.len()].fill(0);
        fs::write(&catalogue, changed).unwrap();
        let mut limited = Command::new("timeout");
        limited.arg("60");
        let ended = end(within(limited, &data.command(&["check"])));
        assert!([0, 7].contains(&ended.exit), "page {number}: {} {}", ended.exit, ended.stderr);
        damaged += ended.exit;
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.join(format!("catalogue.sqlite{ending}")));
        }
    }
    assert!(damaged > 0);
    fs::write(&catalogue, sound).unwrap();
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
