//! A changed volume: what is damaged is named, and costs nothing else.

use std::{fs, path::Path};

use crate::{
    folder::Data,
    program::{Place, json},
    source::{MAILBOX, Story},
};

#[test]
fn a_flipped_bit_costs_one_mail() {
    let story = Story::new(30, 2_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let volumes = story.volumes();
    // The first mail that lies in one folder only: no other entry refers to it.
    let number = 1;
    flip(Path::new(&volumes[0]), number);
    let imports = story.import(&volumes, &["--password-file", &password], 8);
    let failed = imports[0]["failed"].as_array().unwrap();
    let numbers: Vec<_> = failed.iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    assert!(numbers.contains(&number) && numbers.len() <= 2, "{failed:?}");
    assert_eq!(failed[0]["code"], "mail_damaged");
    assert_eq!((imports[0]["state"].as_str(), imports[0]["balanced"].as_bool()), (Some("finished"), Some(true)));
    let there = imports[0]["imported"].as_u64().unwrap() + imports[0]["already_there"].as_u64().unwrap();
    assert_eq!(there + failed.len() as u64, story.files);
    let data = story.data();
    assert_eq!(Data(&data).mails(MAILBOX, None).len(), story.mails.len() - 1);

    let verified =
        json(&["verify", &volumes[0], "--certificate", &story.certificate(), "--password-file", &password], 8);
    assert_eq!(verified["volumes"][0]["damaged"][0]["number"], number);
}

#[test]
fn a_flipped_bit_in_the_seal_costs_the_volume() {
    let story = Story::new(5, 500);
    story.export(&[]);
    let volumes = story.volumes();
    let mut bytes = fs::read(&volumes[0]).unwrap();
    let at = bytes.windows(10).position(|window| window == b"\"raw_bytes").unwrap();
    bytes[at + 13] ^= 1;
    fs::write(&volumes[0], bytes).unwrap();
    let imports = story.import(&volumes, &[], 7);
    assert_eq!((imports[0]["state"].as_str(), imports[0]["code"].as_str()), (Some("refused"), Some("bad_signature")));
    let data = story.data();
    assert_eq!(Data(&data).json(&["mailboxes"], 0), serde_json::json!([]));
}

/// Flips one bit of the stored bytes of mail `number`.
pub(crate) fn flip(volume: &Path, number: u64) {
    let mut bytes = fs::read(volume).unwrap();
    let name = format!("mail/{number:011}");
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    bytes[at + name.len() + 40] ^= 1;
    fs::write(volume, bytes).unwrap();
}
