//! Mails that come as a ZIP, an mbox or a single file: the same on one machine and on the functions.

use std::{fs, io::Write as _};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    arrival::{Half, set_up_users},
    program::Place as _,
    source::{MAILBOX, hash},
};

fn mail(number: u64) -> Vec<u8> {
    format!("Date: Mon, 1 Jan 2018 12:00:00 +0100\r\nSubject: {number}\r\n\r\nmail {number}\r\n").into_bytes()
}

fn mbox(numbers: &[u64]) -> Vec<u8> {
    let one = |number: &u64| [b"From a@example.org Mon Jan  1 11:00:00 2018\n", &mail(*number)[..], b"\n"].concat();
    numbers.iter().flat_map(one).collect()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        writer.start_file(*name, stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Uploads a file, sees that it is ready, and imports it without a certificate.
fn bring(half: &impl Half, admin: &str, folder: &TempDir, (name, bytes): (&str, &[u8]), kind: &str) -> Value {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    half.upload("clara", path.to_str().unwrap());
    let upload = half.looked_at(admin, name);
    assert_eq!((&upload["state"], &upload["kind"], &upload["mails"]), (&json!("ready"), &json!(kind), &Value::Null));
    let start = json!({ "uploads": [upload["id"]], "mailbox": MAILBOX });
    let (status, started) = half.ask("POST", "/imports", admin, &start);
    assert_eq!(status, 202, "{started}");
    let import = half.finished(admin, started["imports"][0]["id"].as_str().unwrap());
    assert_eq!((&import["kind"], &import["balanced"]), (&json!(kind), &json!(true)), "{import}");
    import
}

pub(crate) fn foreign_files_come_in_with_their_folders(half: &impl Half) {
    let (admin, folder) = (half.first_login(), TempDir::new().unwrap());
    set_up_users(half, &admin);
    let (one, two) = (mail(1), mail(2));
    let members: [(&str, &[u8]); 5] = [
        ("top.eml", &one),
        ("anna/Größe \"XL\"/2.eml", &two),
        ("anna/old.mbox", &mbox(&[3, 4])),
        ("anna/photo.jpg", b"\xFF\xD8\xFF"),
        ("anna/0.eml", b""),
    ];
    let import = bring(half, &admin, &folder, ("old.zip", &zip(&members)), "zip");
    assert_eq!((&import["in_volume"], &import["imported"]), (&json!(5), &json!(4)));
    assert_eq!(
        (&import["failed"][0]["code"], &import["failed"][0]["locator"]),
        (&json!("empty"), &json!("anna/0.eml"))
    );
    assert_eq!(import["not_mail"][0]["locator"], "anna/photo.jpg");
    let (_, uploads) = half.ask("GET", "/uploads", &admin, &Value::Null);
    assert_eq!(uploads.as_array().unwrap().len(), 1, "one mail failed, so that the file stays");

    let import = bring(half, &admin, &folder, ("2019.mbox", &mbox(&[5, 1])), "mbox");
    assert_eq!((&import["imported"], &import["already_there"]), (&json!(1), &json!(1)));
    bring(half, &admin, &folder, ("letter.eml", &mail(6)), "eml");
    let officer = half.member(&admin, "olga", "officers");
    let seen = half.seen_by(&officer);
    let folders = seen.json(&["folders", "--mailbox", MAILBOX], 0);
    let mut folders: Vec<_> = folders
        .as_array()
        .unwrap()
        .iter()
        .map(|folder| (folder["path"].to_string(), folder["mails"].as_u64().unwrap()))
        .collect();
    folders.sort();
    let expected = [
        (json!([]), 2),
        (json!(["2019"]), 2),
        (json!(["anna"]), 0),
        (json!(["anna", "Größe \"XL\""]), 1),
        (json!(["anna", "old"]), 2),
    ];
    let mut expected = expected.map(|(path, mails)| (path.to_string(), mails));
    expected.sort();
    assert_eq!(folders, expected);
    for number in 1..=6 {
        let mail = mail(number);
        assert!(seen.raw(&hash(&mail)) == mail, "mail {number} has other bytes");
    }
}
