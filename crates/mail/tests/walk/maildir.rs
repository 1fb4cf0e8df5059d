//! Maildirs, as a layout and within a mixed tree.

use std::fs;

use mail::source::{Flag, Layout};

use crate::place::*;

const DOVECOT: Files = &[
    ("cur/1204680122.M1.host:2,S", MAIL),
    ("cur/1204680123.M2.host,S=17,W=20:2,FRS", MAIL),
    ("new/1204680124.M3.host", MAIL),
    ("tmp/1204680125.M4.host", "Subj"),
    ("dovecot-uidlist", "3 V1 N3 Gab\n1 :1204680122.M1.host\n"),
    ("dovecot-uidvalidity.4b5c", ""),
    ("subscriptions", "V\t2\n\nINBOX\n"),
    (".Sent/cur/1204680126.M5.host:2,", MAIL),
    (".Sent/maildirfolder", ""),
    (".Entw&APw-rfe.2023.R&D/new/1204680127.M6.host", MAIL),
    (".Büro/cur/1204680128.M7.host;2,D", MAIL),
    ("Kunden/M&APw-ller/cur/1204680129.M8.host", MAIL),
    (".Empty/cur/1204680130.M9.host:2,", ""),
    ("cur/notes.txt", "not a mail\n"),
    ("cur/sub/1204680131.Ma.host", MAIL),
];

#[test]
fn a_maildir_has_an_inbox_and_folders() {
    let root = tree(DOVECOT);
    let mut found = places(root.path(), Layout::Maildir);
    found.sort();
    let mut meant: Vec<&str> = vec![
        "cur/1204680122.M1.host:2,S = USER > INBOX",
        "cur/1204680123.M2.host,S=17,W=20:2,FRS = USER > INBOX",
        "- cur/notes.txt",
        "- cur/sub/1204680131.Ma.host",
        "new/1204680124.M3.host = USER > INBOX",
        "- tmp/1204680125.M4.host",
        "- dovecot-uidlist",
        "- dovecot-uidvalidity.4b5c",
        "- subscriptions",
        ".Sent/cur/1204680126.M5.host:2, = USER > Sent",
        "- .Sent/maildirfolder",
        ".Entw&APw-rfe.2023.R&D/new/1204680127.M6.host = USER > Entwürfe > 2023 > R&D",
        ".Büro/cur/1204680128.M7.host;2,D = USER > Büro",
        "Kunden/M&APw-ller/cur/1204680129.M8.host = USER > Kunden > Müller",
        "! .Empty/cur/1204680130.M9.host:2,: empty",
    ];
    meant.sort_unstable();
    assert_eq!(found, meant);
    let mut auto = places(root.path(), Layout::Auto);
    auto.sort();
    assert_eq!(auto, meant, "what --from itself is follows its own row");
}

#[test]
fn a_maildir_with_all_its_places_may_have_numbers_for_names() {
    let files: Files =
        &[("anna/new/7", MAIL), ("anna/cur/8", MAIL), ("anna/tmp/x", ""), ("bob/new/7", MAIL), ("bob/cur/8", MAIL)];
    let root = tree(files);
    let found = places(root.path(), Layout::Auto);
    let meant = [
        "anna/cur/8 = anna",
        "anna/new/7 = anna",
        "- anna/tmp/x",
        // Folders of MH may be called so.
        "bob/cur/8 = bob > cur",
        "bob/new/7 = bob > new",
    ];
    assert_eq!(found, meant);
}

#[test]
fn flags_are_those_of_the_name() {
    let root = tree(DOVECOT);
    let flags: Vec<_> = mails(root.path(), Layout::Maildir).into_iter().map(|found| found.flags).collect();
    let several = vec![Flag::Seen, Flag::Answered, Flag::Flagged];
    let none = Vec::new;
    assert_eq!(flags, [vec![Flag::Draft], none(), none(), none(), vec![Flag::Seen], several, none()]);
}

#[test]
fn a_directory_of_maildirs_has_a_user_archive_each() {
    let root = tree(&[
        ("jane/cur/1204680122.M1.host:2,S", MAIL),
        ("jane/.Sent.Old/cur/1204680123.M1.host:2,S", MAIL),
        ("joe/Maildir/new/1204680124.M1.host", MAIL),
        ("joe/Maildir/.Sent/cur/1204680125.M1.host", MAIL),
        ("r&AOQ-/cur/1204680126.M1.host:2,", MAIL),
        ("readme.txt", "hello\n"),
    ]);
    assert_eq!(
        places(root.path(), Layout::Maildir),
        [
            "jane/.Sent.Old/cur/1204680123.M1.host:2,S = jane > Sent > Old",
            "jane/cur/1204680122.M1.host:2,S = jane > INBOX",
            "joe/Maildir/.Sent/cur/1204680125.M1.host = joe > Maildir > Sent",
            "joe/Maildir/new/1204680124.M1.host = joe > Maildir",
            "r&AOQ-/cur/1204680126.M1.host:2, = r&AOQ- > INBOX",
            "- readme.txt",
        ]
    );
    assert_eq!(
        places(root.path(), Layout::Auto),
        [
            "jane/.Sent.Old/cur/1204680123.M1.host:2,S = jane > Sent > Old",
            "jane/cur/1204680122.M1.host:2,S = jane",
            "joe/Maildir/.Sent/cur/1204680125.M1.host = joe > Maildir > Sent",
            "joe/Maildir/new/1204680124.M1.host = joe > Maildir",
            "r&AOQ-/cur/1204680126.M1.host:2, = r&AOQ-",
            "- readme.txt",
        ]
    );
}

#[test]
fn a_maildir_may_have_lost_its_empty_directories() {
    let root = tree(&[(".Sent/cur/1204680122.M1.host:2,S", MAIL)]);
    for layout in [Layout::Maildir, Layout::Auto] {
        assert_eq!(places(root.path(), layout), [".Sent/cur/1204680122.M1.host:2,S = USER > Sent"]);
    }
    let only_new = tree(&[("jane/new/1204680122.M1.host", MAIL)]);
    assert_eq!(places(only_new.path(), Layout::Auto), ["jane/new/1204680122.M1.host = jane"]);
}

#[test]
fn one_file_of_a_maildir_is_one_mail() {
    let two = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\n1\n\nFrom a Mon Jan  2 10:00:00 2023\nSubject: 2\n\n2\n";
    let root = tree(&[("cur/1204680122.M1.host:2,S", two)]);
    for layout in [Layout::Maildir, Layout::Auto] {
        let found = mails(root.path(), layout);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].read(1 << 20).unwrap(), two.as_bytes());
    }
}

#[test]
fn folders_of_email_files_may_have_any_name() {
    let root = tree(&[
        ("a/cur/1.eml", MAIL),
        ("a/new/2.EML", MAIL),
        ("a/new/x.txt", "no mail"),
        ("a/3.eml", MAIL),
        ("b/new/1204680122.M1.host.eml", MAIL),
    ]);
    assert_eq!(
        places(root.path(), Layout::Auto),
        [
            "a/3.eml = a",
            "a/cur/1.eml = a > cur",
            "a/new/2.EML = a > new",
            "- a/new/x.txt",
            "b/new/1204680122.M1.host.eml = b > new",
        ]
    );
}

#[test]
fn folders_of_mboxes_may_have_any_name() {
    let one = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\n1\n\n";
    let root = tree(&[
        ("a/Inbox/cur/cur.mbox", one),
        ("a/Inbox/new/new.MBX", one),
        ("a/Inbox/new/plain", one),
        ("a/mh/cur/1", MAIL),
        ("a/mh/new/2", MAIL),
        ("jane/cur/1204680122.M1.host:2,S", one),
        ("jane/cur/old.mbox", one),
    ]);
    assert_eq!(
        places(root.path(), Layout::Auto),
        [
            "a/Inbox/cur/cur.mbox//0 = a > Inbox > cur > cur",
            "a/Inbox/new/new.MBX//0 = a > Inbox > new > new",
            "a/Inbox/new/plain = a > Inbox > new",
            "a/mh/cur/1 = a > mh > cur",
            "a/mh/new/2 = a > mh > new",
            "jane/cur/1204680122.M1.host:2,S = jane",
            "jane/cur/old.mbox//0 = jane > old",
        ]
    );
}

#[test]
fn folders_of_a_maildir_may_have_any_name() {
    let root = tree(&[
        ("u/I/cur/1204680122.M1.host:2,S", MAIL),
        ("u/I/cur/cur/1204680123.M1.host:2,S", MAIL),
        ("u/I/cur/tmp/1204680124.M1.host", MAIL),
        ("u/I/cur/Sub/new/1204680125.M1.host", MAIL),
        ("u/I/new/new/1204680126.M1.host", MAIL),
        ("u/I/new/junk/deep/1204680127.M1.host", MAIL),
        ("u/I/tmp/1204680128.M1.host", MAIL),
        ("u/I/tmp/cur/1204680129.M1.host:2,", MAIL),
        ("u/J/cur/new/1204680130.M1.host", MAIL),
        ("u/J/new/cur/1204680131.M1.host:2,", MAIL),
        ("u/.hidden/below/cur/1204680132.M1.host:2,", MAIL),
    ]);
    for layout in [Layout::Maildir, Layout::Auto] {
        let found: Vec<_> = places(root.path(), layout);
        assert_eq!(
            found,
            [
                "u/.hidden/below/cur/1204680132.M1.host:2, = u > .hidden > below",
                "u/I/cur/1204680122.M1.host:2,S = u > I",
                "u/I/cur/Sub/new/1204680125.M1.host = u > I > cur > Sub",
                "u/I/cur/cur/1204680123.M1.host:2,S = u > I > cur",
                "- u/I/cur/tmp/1204680124.M1.host",
                "- u/I/new/junk/deep/1204680127.M1.host",
                "u/I/new/new/1204680126.M1.host = u > I > new",
                "- u/I/tmp/1204680128.M1.host",
                "u/I/tmp/cur/1204680129.M1.host:2, = u > I > tmp",
                "u/J/cur/new/1204680130.M1.host = u > J > cur",
                "u/J/new/cur/1204680131.M1.host:2, = u > J > new",
            ],
            "{layout}"
        );
    }
    let users = tree(&[("new/cur/1204680122.M1.host:2,", MAIL), ("cur/new/1204680123.M1.host", MAIL)]);
    let found = places(users.path(), Layout::Maildir);
    assert_eq!(found, ["cur/new/1204680123.M1.host = cur > INBOX", "new/cur/1204680122.M1.host:2, = new > INBOX"]);
}

#[test]
fn tmp_is_a_folder_where_no_maildir_is() {
    let root = tree(&[("a/tmp/1.eml", MAIL), ("a/tmp/2", MAIL), ("tmp/Inbox/2.eml", MAIL), ("a/TMP/3.eml", MAIL)]);
    let meant =
        ["a/TMP/3.eml = a > TMP", "a/tmp/1.eml = a > tmp", "a/tmp/2 = a > tmp", "tmp/Inbox/2.eml = tmp > Inbox"];
    for layout in [Layout::Auto, Layout::Eml, Layout::Mailstore] {
        assert_eq!(places(root.path(), layout), meant, "{layout}");
    }
    let maildir = tree(&[("a/cur/1:2,S", MAIL), ("a/tmp/1.eml", MAIL), ("a/tmp/sub/2", MAIL)]);
    assert_eq!(places(maildir.path(), Layout::Auto), ["a/cur/1:2,S = a", "- a/tmp/1.eml", "- a/tmp/sub/2"]);
    // A folder of MH is called `new`.
    let mh = tree(&[("a/new/1", MAIL), ("a/tmp/1", MAIL)]);
    assert_eq!(places(mh.path(), Layout::Auto), ["a/new/1 = a > new", "a/tmp/1 = a > tmp"]);
}

#[test]
fn thunderbird_has_maildirs_too() {
    let files: Files = &[
        ("u/Inbox/cur/1520000000000.eml", MAIL),
        ("u/Inbox/tmp/1520000000001.eml", "Subj"),
        ("u/Inbox.sbd/Work/cur/1520000000002000.eml", MAIL),
        ("u/Inbox.sbd/Work/tmp/x", ""),
        ("u/plain/cur/1.eml", MAIL),
        ("u/plain/tmp/2.eml", MAIL),
        ("u/dated/cur/2018030214133700.eml", MAIL),
        ("u/dated/tmp/1999030214133700.eml", MAIL),
        ("u/proj/new/1520000000000.eml", MAIL),
        ("u/proj/tmp/1520000000001.eml", MAIL),
    ];
    let mut found = places(tree(files).path(), Layout::Auto);
    found.retain(|outcome| !outcome.starts_with("- "));
    found.sort();
    let expected = [
        "u/Inbox.sbd/Work/cur/1520000000002000.eml = u > Inbox.sbd > Work",
        "u/Inbox/cur/1520000000000.eml = u > Inbox",
        "u/dated/cur/2018030214133700.eml = u > dated > cur",
        "u/dated/tmp/1999030214133700.eml = u > dated > tmp",
        "u/plain/cur/1.eml = u > plain > cur",
        "u/plain/tmp/2.eml = u > plain > tmp",
        "u/proj/new/1520000000000.eml = u > proj > new",
        "u/proj/tmp/1520000000001.eml = u > proj > tmp",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_says_its_kind_is_read_wherever_it_lies_and_makes_no_maildir() {
    let root = tree(&[
        ("anna/cur/1.eml", MAIL),
        ("anna/cur/2019/2.eml", MAIL),
        ("anna/new/mail-from-bob", MAIL),
        ("bob/cur/nur!2,50 Euro.eml", MAIL),
        ("bob/cur/2019/2.eml", MAIL),
        ("carl/cur/1:2,S", MAIL),
        ("carl/Projekte/new/2019/2.eml", MAIL),
    ]);
    let places = places(root.path(), Layout::Auto);
    assert_eq!(places.len(), 7);
    assert!(places.iter().all(|place| !place.starts_with('-')), "{places:?}");
    assert!(places.contains(&"bob/cur/nur!2,50 Euro.eml = bob > cur".to_owned()), "{places:?}");
}

#[test]
fn names_of_folders_are_decoded_where_maildirs_are() {
    let root = tree(&[
        ("b/anna/&AMQ-/cur/1:2,S", MAIL),
        ("b/&ANY-/x/&ANw-/y/new/1204680122.M1.host", MAIL),
        ("b/&ANY-/x/subscriptions", "V\t2\n"),
        ("b/plain&AMQ-/1.eml", MAIL),
        ("b/mixed&AMQ-/1.eml", MAIL),
        ("b/mixed&AMQ-/x/cur/1:2,S", MAIL),
        ("b/box&AMQ-/cur/1.eml", MAIL),
    ]);
    for directory in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.path().join("b/&APY-").join(directory)).unwrap();
    }
    fs::create_dir_all(root.path().join("b/&APY-/&APw-/cur")).unwrap();
    fs::write(root.path().join("b/&APY-/&APw-/cur/1:2,S"), MAIL).unwrap();
    assert_eq!(
        places(root.path(), Layout::Auto),
        [
            "b/&ANY-/x/&ANw-/y/new/1204680122.M1.host = b > &ANY- > x > &ANw- > y",
            "- b/&ANY-/x/subscriptions",
            "b/&APY-/&APw-/cur/1:2,S = b > ö > ü",
            "b/anna/&AMQ-/cur/1:2,S = b > anna > Ä",
            "b/box&AMQ-/cur/1.eml = b > box&AMQ- > cur",
            "b/mixed&AMQ-/1.eml = b > mixed&AMQ-",
            "b/mixed&AMQ-/x/cur/1:2,S = b > mixed&AMQ- > x",
            "b/plain&AMQ-/1.eml = b > plain&AMQ-",
        ]
    );
}

#[test]
fn a_mail_that_is_renamed_while_it_waits_is_found_again() {
    let root = tree(&[("new/1204680122.M1.host", MAIL), ("cur/1204680123.M1.host:2,S", MAIL)]);
    let found = mails(root.path(), Layout::Maildir);
    let rename = |from: &str, to: &str| fs::rename(root.path().join(from), root.path().join(to)).unwrap();
    rename("new/1204680122.M1.host", "cur/1204680122.M1.host:2,RS");
    rename("cur/1204680123.M1.host:2,S", "cur/1204680123.M1.host:2,");
    let again: Vec<_> = found.iter().map(|found| found.look_again().unwrap()).collect();
    assert_eq!(
        again.iter().map(|found| &found.key).collect::<Vec<_>>(),
        found.iter().map(|found| &found.key).collect::<Vec<_>>()
    );
    assert_eq!(
        again.iter().map(|found| found.flags.as_slice()).collect::<Vec<_>>(),
        [&[][..], &[Flag::Seen, Flag::Answered]]
    );
    assert!(found.iter().all(|found| found.read(100).is_err()));
    assert!(again.iter().all(|found| found.read(100).unwrap() == MAIL.as_bytes()));
    fs::remove_dir_all(root.path().join("cur")).unwrap();
    assert!(found.iter().all(|found| found.look_again().is_err()));
}
