//! Exports of what a query finds.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, Surroundings, dry_run};
use volume::Secret;
use zip::unstable::write::FileOptionsExt as _;

use crate::place::*;

fn filtered(place: &Place, query: &str) -> ExportOptions {
    ExportOptions { filter: Some(query.parse().unwrap()), ..place.split() }
}

fn keys(place: &Place) -> BTreeSet<String> {
    place.mails(Secret::None).into_iter().flatten().map(|(_, mail, _)| mail.source_key.unwrap()).collect()
}

/// Three user archives with mails that terms tell apart, one that is empty and one that lies nowhere.
fn mixed() -> Place {
    let place = Place::new();
    let attached = "From: Anna <a@x.test>\nDate: Sat, 01 Jun 2019 10:00:00 +0000\n\
        Content-Type: multipart/mixed; boundary=B\n\n--B\n\ntext\n--B\nContent-Type: application/pdf\n\n%PDF\n--B--\n";
    place.put("anna/Inbox/attached.eml", attached.as_bytes());
    place.put("anna/Inbox/empty.eml", b"");
    place.put("anna/Spam/1.eml", b"From: anna@x.test\nDate: Sat, 01 Jun 2019 10:00:00 +0000\n\nbuy\n");
    place.put("bob/2020.eml", "From: =?utf-8?Q?B=C3=B6b?= <b@x.test>\nDate: 1 Jun 2020 10:00 +0000\n\n".as_bytes());
    place.put("bob/Inbox/Alt/3.eml", b"To: Anna <a@x.test>\nDate: 1 Jun 2021 10:00 +0000\n\n");
    place.put("lies nowhere.eml", b"\xff\xfe\0\x01 no header");
    place
}

#[test]
fn what_a_query_leaves_out_is_counted_and_not_written() {
    // What becomes of the empty file is known without reading it only where the query asks for its place or length.
    let table: [(&str, &[&str], usize); 10] = [
        ("from:ANNA NOT folder:spam", &["anna/Inbox/attached.eml"], 1),
        ("from:böb OR to:anna", &["bob/2020.eml", "bob/Inbox/Alt/3.eml"], 1),
        ("has:attachment", &["anna/Inbox/attached.eml"], 1),
        ("date:2019..2020-06-01 NOT from:anna", &["bob/2020.eml"], 1),
        ("user-archive:bob folder:Inbox/Alt", &["bob/Inbox/Alt/3.eml"], 0),
        ("size:<20", &["lies nowhere.eml"], 1),
        ("size:>10MiB", &[], 0),
        ("flag:seen", &[], 1),
        ("user-archive:out NOT from:x", &["lies nowhere.eml"], 0),
        ("NOT folder:Inbox NOT user-archive:bob NOT size:<20", &["anna/Spam/1.eml"], 0),
    ];
    for (query, meant, skipped) in table {
        let place = mixed();
        let options = filtered(&place, query);
        let surroundings =
            Surroundings { clock: &At(1_700_000_000), random: &Counted, generator: "test 1", progress: &() };
        let expected = dry_run(&options, &surroundings).unwrap();
        assert_places_close(&expected);
        let report = run(&options).unwrap();
        assert_closes(&report);
        assert_eq!(keys(&place), meant.iter().map(|key| (*key).to_owned()).collect(), "{query}");
        let count = meant.len() as u64;
        assert_eq!(
            (report.in_source, report.filtered, report.exported),
            (6, 6 - count - skipped as u64, count),
            "{query}"
        );
        assert_eq!((expected.filtered, expected.exported), (report.filtered, report.exported), "{query}");
        assert_eq!((report.skipped.len(), expected.skipped.len()), (skipped, skipped), "{query}");
        assert_eq!(report.user_archives, expected.user_archives, "{query}");
        place.verify(Secret::None);
    }
}

#[test]
fn what_cannot_be_read_in_a_folder_that_is_left_out_is_no_failure() {
    let place = Place::new();
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let encrypted = zip::write::SimpleFileOptions::default().with_deprecated_encryption(b"secret").unwrap();
    for name in ["Spam/1.eml", "Inbox/2.eml", "Spam/a whole.mbox"] {
        writer.start_file(name, encrypted).unwrap();
        writer.write_all(&small(1)).unwrap();
    }
    place.put("jane.zip", &writer.finish().unwrap().into_inner());
    place.put("jane/Spam/3.emlx", b"no length line");
    place.put("jane/Inbox/4.eml", &small(4));
    let report = run(&filtered(&place, "NOT folder:Spam")).unwrap();
    assert_closes(&report);
    let skipped: Vec<String> = report.skipped.iter().map(|named| named.source).collect();
    // An mbox may have labels for its places, which only its bytes tell.
    assert_eq!(skipped, ["jane.zip//1/Inbox/2.eml", "jane.zip//2/Spam/a whole.mbox"]);
    assert_eq!((report.filtered, report.exported), (2, 1));
}

#[test]
fn a_large_mail_is_looked_through_without_being_held() {
    let place = Place::new();
    let parts = |tail: &str| {
        let mut mail = b"Subject: large\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n".to_vec();
        mail.resize(17 << 20, b'x');
        mail.write_all(tail.as_bytes()).unwrap();
        mail
    };
    place.put("anna/with.eml", &parts("\n--B\nContent-Type: image/png\n\npng\n--B--\n"));
    place.put("anna/without.eml", &parts("\n--B--\n"));
    let report = run(&filtered(&place, "subject:LARGE has:attachment")).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.filtered), (1, 1));
    assert_eq!(keys(&place), ["anna/with.eml".to_owned()].into());
}

#[test]
fn a_filtered_export_resumes_and_its_numbers_close() {
    let place = three_volumes();
    for seed in 20..40 {
        place.put(&format!("max/{seed}.eml"), &small(seed));
    }
    let options = filtered(&place, "folder:Inbox NOT subject:3");
    let undisturbed = run(&options).unwrap();
    assert_closes(&undisturbed);
    assert_eq!((undisturbed.in_source, undisturbed.filtered, undisturbed.exported), (30, 21, 8));
    let mails = place.mails(Secret::None);
    for at in ["out-0001.mszip", "out-0002.mszip", "out-0003.mszip", "out.report.json"] {
        fs::remove_dir_all(place.target()).unwrap();
        let cut_off = Hook(|effect: &Effect| match effect {
            Effect::Publish(name) if name == at => Err(io::Error::other("cut off")),
            _ => Ok(()),
        });
        run_with(&options, &cut_off).unwrap_err();
        assert_eq!(kind(run(&filtered(&place, "folder:Inbox"))), ErrorKind::Invalid, "another query");
        assert_eq!(kind(run(&place.split())), ErrorKind::Invalid, "no query");
        // The same query, written in another way.
        let report = run(&filtered(&place, "(folder:Inbox AND NOT (subject:3))")).unwrap();
        assert_closes(&report);
        assert_eq!(report.user_archives, undisturbed.user_archives);
        assert_eq!((report.in_source, report.filtered), (30, 21), "{at}");
        assert_eq!(place.mails(Secret::None), mails);
    }
}

#[test]
fn what_replaced_a_mail_between_two_runs_has_an_outcome_of_its_own() {
    let place = three_volumes();
    let options = filtered(&place, "folder:Inbox NOT subject:3");
    let cut_off = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    run_with(&options, &cut_off).unwrap_err();
    // Exported already, and the query would leave it out now; left out before, and found now.
    place.put("jane/Inbox/1.eml", b"Subject: 3\n\nchanged");
    place.put("jane/Inbox/3.eml", b"Subject: 4\n\nchanged");
    let report = run(&options).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.filtered, report.exported, report.vanished), (11, 1, 9, 1));
    assert_eq!(report.changed.len(), 1);
}

#[test]
fn skipped_mails_stand_where_they_lie() {
    let place = mixed();
    place.put("bob/Inbox/huge.eml", &noisy(1, 2_000_000));
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.exported, report.skipped.len()), (7, 5, 2));
    let bob = report.user_archives.iter().find(|archive| archive.user_archive == "bob").unwrap();
    let inbox = bob.folders.iter().find(|folder| folder.path == ["Inbox"]).unwrap();
    assert_eq!((inbox.counts.in_source, inbox.counts.skipped, inbox.counts.mails), (1, 1, 0));
    assert_eq!((bob.counts.in_source, bob.counts.exported, bob.counts.skipped), (3, 2, 1));
    let page = fs::read_to_string(place.target().join("out.report.html")).unwrap();
    assert!(page.contains("Done, but 2 items could not be read (mails, or whole folders and archives)."), "{page}");
}
