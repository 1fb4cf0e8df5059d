//! Mails that have other names, or other bytes under their name, when an export that was cut off is resumed.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, ExportReport, Progress, Surroundings, export};
use sha2::{Digest as _, Sha256};
use volume::Secret;

use crate::place::*;

const FROM: &[u8] = b"From a@b Mon Jan  2 10:00:00 2023\n";
const INBOX: &str = "jane/Inbox.mbox";

/// Two of them fill a volume of 1 MiB, and the third one ends it.
fn mail(seed: u64) -> Vec<u8> {
    noisy(seed, 400_000)
}

fn put_mbox(place: &Place, mails: &[Vec<u8>]) {
    place.put(INBOX, &mails.iter().flat_map(|mail| [FROM, mail, b"\n\n"].concat()).collect::<Vec<u8>>());
}

/// Cut off when the first volume was finished.
fn cut_off(options: &ExportOptions) {
    let hook = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0002.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    assert_eq!(kind(run_with(options, &hook)), ErrorKind::Unavailable);
}

/// How many mails of each hash the volumes hold.
fn held(place: &Place) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for (_, _, raw) in place.mails(Secret::None).into_iter().flatten() {
        *held.entry(hash(&raw)).or_default() += 1;
    }
    held
}

fn hash(raw: &[u8]) -> String {
    format!("{:x?}", Sha256::digest(raw))
}

fn resumed(place: &Place) -> ExportReport {
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    place.verify(Secret::None);
    report
}

/// Each of them once, with the line end that an mbox gives it.
fn each_once(mails: &[Vec<u8>]) -> BTreeMap<String, usize> {
    mails.iter().map(|mail| (hash(&[mail, b"\n".as_slice()].concat()), 1)).collect()
}

#[test]
fn an_mbox_that_was_compacted_loses_no_mail_and_doubles_none() {
    // With equal lengths the offsets of two mails are those of two others before.
    for lengths in [[400_000; 5], [400_000, 400_000, 300_000, 450_000, 400_000]] {
        let place = Place::new();
        let mails: Vec<Vec<u8>> = (0..5).zip(lengths).map(|(seed, bytes)| noisy(seed, bytes)).collect();
        put_mbox(&place, &mails);
        cut_off(&place.split());
        put_mbox(&place, &mails[1..]);
        let report = resumed(&place);
        assert_eq!(held(&place), each_once(&mails));
        assert_eq!((report.in_source, report.exported, report.vanished), (5, 5, 1));
        assert_eq!(report.changed.len(), 1, "where the second mail lay there is the third one");
    }
}

#[test]
fn equal_mails_of_one_mbox_are_counted_by_their_number() {
    let place = Place::new();
    let mails = [mail(0), mail(1), mail(2), mail(1), mail(0), mail(2)];
    put_mbox(&place, &mails);
    let undisturbed = run(&place.split()).unwrap();
    let whole = held(&place);
    assert_eq!(whole.values().collect::<Vec<_>>(), [&2; 3]);
    fs::remove_dir_all(place.target()).unwrap();
    cut_off(&place.split());
    let report = resumed(&place);
    assert_eq!((report.in_source, report.vanished, report.changed.len()), (undisturbed.in_source, 0, 0));
    assert_eq!(held(&place), whole);
}

#[test]
fn renamed_files_lose_no_mail_and_double_none() {
    // The second mail gets the name of the first one, or one that none had.
    for (name_of_second, ending) in [(1, ""), (99, ""), (1, ".eml"), (99, ".eml")] {
        let place = Place::new();
        for number in 1..=5 {
            place.put(&format!("jane/Inbox/{number}{ending}"), &mail(number));
        }
        // In another folder it is another mail.
        place.put(&format!("jane/Sent/2{ending}"), &mail(2));
        cut_off(&place.split());
        let path = |number: u64| place.source().join(format!("jane/Inbox/{number}{ending}"));
        fs::remove_file(path(1)).unwrap();
        fs::rename(path(2), path(name_of_second)).unwrap();
        for number in 3..=5 {
            fs::rename(path(number), path(number - 1)).unwrap();
        }
        let report = resumed(&place);
        let held = held(&place);
        assert_eq!((1..=5).map(|number| held[&hash(&mail(number))]).collect::<Vec<_>>(), [1, 2, 1, 1, 1]);
        // The first one is in the volumes and lies nowhere any more.
        assert_eq!((report.exported, report.vanished, report.changed.len()), (6, 1, 1));
        let named = report.changed.iter().next().unwrap();
        assert_eq!(named.source, format!("jane/Inbox/2{ending}"));
        assert!(named.reason.starts_with("another mail lies there"), "{}", named.reason);
    }
}

#[test]
fn a_file_of_the_same_size_and_other_bytes_is_another_mail() {
    let place = three_volumes();
    cut_off(&place.split());
    assert_eq!(noisy(9, 300_000).len(), noisy(1, 300_000).len());
    place.put("jane/Inbox/1.eml", &noisy(9, 300_000));
    let report = resumed(&place);
    let held = held(&place);
    assert!([1, 9].iter().all(|seed| held.contains_key(&hash(&noisy(*seed, 300_000)))));
    assert_eq!((report.in_source, report.vanished, report.changed.len()), (11, 1, 1));
}

#[test]
fn a_mail_of_a_maildir_that_was_read_is_not_doubled() {
    let place = Place::new();
    for seed in 0..5 {
        place.put(&format!("jane/Inbox/new/170000000{seed}.M1.host"), &mail(seed));
    }
    fs::create_dir(place.source().join("jane/Inbox/cur")).unwrap();
    cut_off(&place.split());
    let file = |name: &str| place.source().join("jane/Inbox").join(name);
    fs::rename(file("new/1700000000.M1.host"), file("cur/1700000000.M1.host:2,S")).unwrap();
    // The same name, and another mail.
    fs::remove_file(file("new/1700000001.M1.host")).unwrap();
    place.put("jane/Inbox/cur/1700000001.M1.host:2,", &mail(91));
    // A copy of the one that was read, under its old name.
    place.put("jane/Inbox/new/1700000000.M1.host", &mail(0));
    let report = resumed(&place);
    let held = held(&place);
    let count = |seed| held[&hash(&mail(seed))];
    assert_eq!([0, 1, 91, 2, 3, 4].map(count), [2, 1, 1, 1, 1, 1]);
    assert_eq!((report.in_source, report.vanished, report.changed.len()), (7, 1, 0));
}

#[test]
fn a_folder_that_has_become_a_maildir_doubles_none() {
    let place = Place::new();
    let names = ["one", "two", "three", "four", "five"];
    for (name, seed) in names.into_iter().zip(0..) {
        place.put(&format!("jane/Inbox/cur/{name}"), &mail(seed));
    }
    place.put("jane/Inbox/.Sent/cur/six", &mail(6));
    cut_off(&place.split());
    let folders = |place: &Place| -> Vec<String> {
        let mails = place.mails(Secret::None).into_iter().flatten();
        mails.map(|(_, mail, _)| mail.locations[0].join("/")).collect()
    };
    let before = folders(&place);
    assert!(before.iter().any(|folder| folder.ends_with("/cur")), "{before:?}");
    for made in ["jane/Inbox/new", "jane/Inbox/tmp", "jane/Inbox/.Sent/new", "jane/Inbox/.Sent/tmp"] {
        fs::create_dir(place.source().join(made)).unwrap();
    }
    let report = resumed(&place);
    let after = folders(&place);
    assert_eq!(after[..before.len()], before, "what is sealed stays where it was");
    assert!(after.iter().any(|folder| folder == "jane/Inbox"), "{after:?}");
    assert_eq!(held(&place), [0, 1, 2, 3, 4, 6].map(|seed| (hash(&mail(seed)), 1)).into());
    assert_eq!((report.in_source, report.exported, report.vanished, report.changed.len()), (6, 6, 0, 0));
}

#[test]
fn a_zip_that_was_packed_anew_doubles_nothing_and_keeps_each_place() {
    let place = Place::new();
    let pack = |names: &[(&str, u64)]| {
        fs::create_dir_all(place.source()).unwrap();
        let mut writer = zip::ZipWriter::new(fs::File::create(place.source().join("jane.zip")).unwrap());
        for (name, seed) in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            io::Write::write_all(&mut writer, &mail(*seed)).unwrap();
        }
        writer.finish().unwrap();
    };
    pack(&[("Inbox/a.eml", 1), ("Inbox/b.eml", 2), ("Inbox/c.eml", 3), ("Sent/d.eml", 4)]);
    cut_off(&place.split());
    // The first one is gone from where it was, and lies in another folder.
    pack(&[("Inbox/b.eml", 2), ("Inbox/c.eml", 3), ("Sent/d.eml", 4), ("Trash/a.eml", 1)]);
    let report = resumed(&place);
    assert_eq!((report.exported, report.vanished), (5, 1));
    let mails = place.mails(Secret::None).into_iter().flatten();
    let mut folders: Vec<_> =
        mails.map(|(_, mail, _)| (mail.source_key.unwrap(), mail.locations[0].join("/"))).collect();
    folders.sort();
    let folders: Vec<&str> = folders.iter().map(|(_, folder)| folder.as_str()).collect();
    assert_eq!(folders.iter().filter(|folder| **folder == "jane/Trash").count(), 1);
    assert_eq!(folders.iter().filter(|folder| **folder == "jane/Inbox").count(), 3);
}

/// By a clock to which every file is old.
fn long_after(progress: &dyn Progress) -> Surroundings<'_> {
    Surroundings { clock: &At(4_000_000_000), random: &Counted, generator: "test 1", progress }
}

/// What makes a resume of a million files quick: one that has not changed since before the export is not read again.
#[test]
fn a_file_that_is_older_than_the_export_is_not_read_again() {
    let place = three_volumes();
    let hook = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    export(&place.split(), &long_after(&hook)).unwrap_err();
    // By the clock of the export, this is long ago: only who reads it can tell.
    place.put("jane/Inbox/1.eml", &noisy(9, 300_000));
    let report = export(&place.split(), &long_after(&())).unwrap();
    assert_closes(&report);
    assert_eq!((report.vanished, report.changed.len(), report.exported), (0, 0, 9));
}
