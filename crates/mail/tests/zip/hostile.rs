//! Archives that lie.

use mail::source::{Item, ZipError};

use crate::support::{MAIL, open, outcome, outcomes};
use crate::writer::{Archive, Entry};

const DAMAGED: &str = "damaged in the zip archive";

fn two() -> [Entry; 2] {
    [Entry::deflated("a/1.eml", MAIL), Entry::stored("a/2.eml", b"Subject: y\n\n")]
}

#[test]
fn entries_of_one_name_are_both_mails() {
    let archive = Archive::of([Entry::stored("a.eml", MAIL), Entry::deflated("a.eml", b"Subject: other\n\n")]);
    assert_eq!(outcomes(&archive), ["0/a.eml", "1/a.eml"]);
}

#[test]
fn a_wrong_count_hides_nothing() {
    let mut archive = Archive { counted: Some(1), ..Archive::of(two()) };
    assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"]);
    archive.counted = Some(3);
    let missing = "! z: a zip archive that says it has 3 entries, of which 2 are there";
    assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml", missing]);
    let many: Vec<_> = (0..70_000).map(|n| Entry::stored(&format!("{n}.eml"), b"a:")).collect();
    let items = open(Archive::of(many).bytes()).unwrap();
    assert_eq!(items.filter(|item| matches!(item, Item::Mail(_))).count(), 70_000);
}

#[test]
fn an_end_record_in_the_comment_hides_nothing() {
    let false_end = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    for comment in [false_end.clone(), [b"..", &false_end[..], b".."].concat(), b"PK\x05\x06".repeat(20)] {
        let archive = Archive { comment, ..Archive::of(two()) };
        assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"]);
    }
    let other = Archive::of([Entry::stored("evil.eml", MAIL)]).bytes();
    let archive = Archive { comment: other, ..Archive::of(two()) };
    assert!(matches!(open(archive.bytes()), Err(ZipError::Ambiguous)));
}

#[test]
fn what_lies_before_and_behind_is_passed_over() {
    for is_zip64 in [false, true] {
        let whole = Archive { is_zip64, ..Archive::of(two()) };
        let prefixed = Archive { prefix: b"MZ a program".repeat(999), ..whole.clone() };
        let followed = Archive { suffix: vec![7; 5_000], ..whole.clone() };
        for archive in [whole, prefixed, followed] {
            assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"]);
        }
    }
}

#[test]
fn zip64_counts_where_the_short_field_says_so() {
    let zeros = [1, 0, 16, 0].into_iter().chain([0; 16]).collect();
    let archive = Archive {
        is_zip64: true,
        ..Archive::of([
            Entry { is_zip64: true, ..Entry::deflated("1.eml", MAIL) },
            Entry { extra: zeros, ..Entry::deflated("2.eml", MAIL) },
        ])
    };
    assert_eq!(outcomes(&archive), ["0/1.eml", "1/2.eml"]);
}

#[test]
fn headers_that_disagree_cost_their_mail_alone() {
    let local = |name: &[u8], entry: Entry| Entry { local_name: Some(name.to_vec()), ..entry };
    let archive = Archive::of([
        local(b"evil.exe", Entry::deflated("a.eml", MAIL)),
        local(&[b'x'; 900], Entry { local_extra: vec![0; 999], ..Entry::stored("b.eml", MAIL) }),
        Entry { local_method: Some(0), ..Entry::deflated("c.eml", MAIL) },
        Entry { local_size: Some(7), ..Entry::stored("d.eml", MAIL) },
        Entry { local_size: Some(0), ..Entry::deflated("e.eml", MAIL) },
        Entry { local_size: Some(u32::MAX), ..Entry::deflated("f.eml", MAIL) },
        local(b"j\x81rg/1.eml", Entry::stored("jürg/1.eml", MAIL)),
        local(b"j?rg\\1.eml", Entry::stored("jürg/1.eml", MAIL)),
        local(b"evil", Entry::stored("other", MAIL)),
    ]);
    let other = |number: &str, what: &str| {
        format!("! {number}: {DAMAGED}: its own header says another {what} than the directory")
    };
    let expected = [
        other("0/a.eml", "name"),
        other("1/b.eml", "name"),
        other("2/c.eml", "method"),
        other("3/d.eml", "size"),
        "4/e.eml".to_owned(),
        "5/f.eml".to_owned(),
        "6/jürg/1.eml".to_owned(),
        "7/jürg/1.eml".to_owned(),
        other("8/other", "name"),
    ];
    assert_eq!(outcomes(&archive), expected);
}

#[test]
fn what_stands_behind_the_data_is_no_limit_of_it() {
    let tricky = [MAIL, b"PK\x07\x08 and PK\x01\x02 and PK\x05\x06"].concat();
    let archive = Archive::of([
        Entry { has_descriptor: true, ..Entry::stored("c.eml", &tricky) },
        Entry { has_descriptor: true, ..Entry::deflated("d.eml", &tricky) },
    ]);
    assert_eq!(outcomes(&archive), ["0/c.eml", "1/d.eml"]);
}

#[test]
fn an_archive_within_the_archive_is_not_taken_for_it() {
    let inner = Archive::of([Entry::stored("inner.eml", MAIL)]).bytes();
    let archive = Archive::of([Entry::stored("a.eml", MAIL), Entry::stored("b.zip", &inner)]);
    assert_eq!(outcomes(&archive), ["0/a.eml", "- 1/b.zip: a zip archive within a zip archive"]);
    // A signature each, and all of them in the last bytes of the archive.
    let many: Vec<_> = (0..200).map(|n| Entry::stored(&format!("{n}.docx"), &inner)).collect();
    let many = [&[Entry::stored("a.eml", MAIL)], &many[..]].concat();
    assert_eq!(outcomes(&Archive::of(many))[..2], ["0/a.eml", "- 1/0.docx: a zip archive within a zip archive"]);
    let mut torn = archive.bytes();
    torn.truncate(torn.len() - 60);
    assert!(matches!(open(torn), Err(ZipError::NoEnd)));
}

#[test]
fn a_torn_archive_is_said_to_be_one() {
    let bytes = Archive::of(two()).bytes();
    for length in 0..bytes.len() {
        let error = open(bytes[..length].to_vec()).unwrap_err();
        assert!(matches!(error, ZipError::NotZip) == (length < 2), "{length}");
        assert!(matches!(error, ZipError::NoEnd) == (length >= 2), "{length}");
    }
}

#[test]
fn sizes_that_lie_cost_one_mail() {
    let zeros = [MAIL, &vec![b'0'; 10 << 20]].concat();
    let sized = |size, name: &str, data: &[u8]| Entry { size, ..Entry::deflated(name, data) };
    let archive = Archive::of([
        sized(10, "more.eml", &zeros),
        sized(100, "less.eml", MAIL),
        sized(0, "none.eml", MAIL),
        Entry { size: 5, ..Entry::stored("stored.eml", MAIL) },
        Entry { crc: 1, ..Entry::deflated("crc.eml", MAIL) },
        Entry { packed: vec![0xFF; 40], ..Entry::deflated("noise.eml", MAIL) },
        Entry { packed: vec![0xFF; 40], ..Entry::deflated("noise", MAIL) },
        sized(u32::MAX - 1, "bomb.eml", MAIL),
        Entry::stored("good.eml", MAIL),
    ]);
    let outcomes = outcomes(&archive);
    assert_eq!(
        outcomes.iter().map(String::as_str).filter(|line| !line.contains("noise")).collect::<Vec<_>>(),
        [
            &format!("! 0/more.eml: {DAMAGED}: it has more than the 10 bytes that the directory says"),
            &format!("! 1/less.eml: {DAMAGED}: it has less than the 100 bytes that the directory says"),
            &format!("! 2/none.eml: {DAMAGED}: it has more than the 0 bytes that the directory says"),
            &format!("! 3/stored.eml: {DAMAGED}: it has more than the 5 bytes that the directory says"),
            &format!("! 4/crc.eml: {DAMAGED}: its checksum is wrong"),
            "! 7/bomb.eml: would be unpacked to more than 1100 times its size",
            "8/good.eml",
        ]
    );
    let noise: Vec<_> = outcomes.iter().filter(|line| line.contains("noise")).collect();
    assert!(noise.iter().all(|line| line.starts_with("! ") && line.contains("cannot be unpacked")), "{noise:?}");
}

#[test]
fn the_archive_as_a_whole_is_bounded() {
    // Each of them is harmless, all together are more than an archive of this size may hold.
    let entry = |n: u32| Entry { size: 15 << 20, method: 93, ..Entry::stored(&format!("{n}.eml"), MAIL) };
    let archive = Archive::of((0..40).map(entry).collect::<Vec<_>>());
    let bombs = outcomes(&archive).into_iter().filter(|line| line.ends_with("more than 1100 times its size")).count();
    assert!((30..40).contains(&bombs), "{bombs}");
}

#[test]
fn entries_that_share_bytes_are_refused_alone() {
    let archive = Archive::of([
        Entry::stored("a.eml", MAIL),
        Entry::stored("b.eml", MAIL),
        Entry { same_as: Some(1), ..Entry::stored("c.eml", MAIL) },
        Entry::stored("d.eml", MAIL),
    ]);
    let shared = "shares bytes with another entry of the zip archive";
    assert_eq!(
        outcomes(&archive),
        ["0/a.eml", &format!("! 1/b.eml: {shared}"), &format!("! 2/c.eml: {shared}"), "3/d.eml"]
    );
}

/// The same archive with its two records the other way round.
fn turned(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = bytes.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    let half = start + (end - start) / 2;
    [&bytes[..start], &bytes[half..end], &bytes[start..half], &bytes[end..]].concat()
}

#[test]
fn entries_out_of_order_are_read() {
    let outcomes: Vec<_> = open(turned(&Archive::of(two()).bytes())).unwrap().map(outcome).collect();
    assert_eq!(outcomes, ["0/a/2.eml", "1/a/1.eml"]);
}

fn unlisted() -> Entry {
    Entry { is_unlisted: true, ..Entry::stored("a/3.eml", MAIL) }
}

/// What is said of so many bytes that look like entries.
fn further(bytes: usize) -> String {
    format!("! z: a zip archive in which {bytes} bytes look like further entries that its directory does not list")
}

#[test]
fn entries_that_the_directory_does_not_list_are_said() {
    let [first, second] = two();
    let streamed = Entry { has_descriptor: true, padding: vec![0; 4_000], ..first.clone() };
    let long = Entry { local_extra: vec![0; 999], ..first.clone() };
    let one = 30 + "a/3.eml".len() + MAIL.len();
    for (entries, bytes) in [
        ([unlisted(), first.clone(), second.clone()].to_vec(), one),
        ([first.clone(), unlisted(), second.clone()].to_vec(), one),
        ([first.clone(), second.clone(), unlisted()].to_vec(), one),
        ([streamed, unlisted(), second.clone()].to_vec(), one),
        ([long, unlisted(), unlisted(), second.clone(), unlisted()].to_vec(), 3 * one),
    ] {
        for is_zip64 in [false, true] {
            let archive = Archive { is_zip64, ..Archive::of(entries.clone()) };
            assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml", &further(bytes)]);
        }
    }
    assert_eq!(outcomes(&Archive::of([unlisted()])), [further(one)]);
    // The directory turned, so that the entries do not lie in its order.
    let bytes = Archive::of([first, unlisted(), second]).bytes();
    assert_eq!(open(turned(&bytes)).unwrap().map(outcome).last(), Some(further(one)));
    let archive = Archive { counted: Some(3), ..Archive::of([Entry::stored("a.eml", MAIL), unlisted()]) };
    let both = format!("! z: a zip archive that says it has 3 entries, of which 1 are there; {}", &further(one)[5..]);
    assert_eq!(outcomes(&archive), ["0/a.eml", &both]);
}

#[test]
fn of_two_archives_one_after_the_other_neither_is_passed_over() {
    let (front, back) = (Archive::of(two()).bytes(), Archive::of([Entry::stored("b.eml", MAIL)]).bytes());
    let said = |bytes: Vec<u8>| open(bytes).unwrap().map(outcome).collect::<Vec<_>>();
    assert_eq!(said([&front[..], &back].concat()), ["0/b.eml", &further(front.len())]);
    let torn = &back[..back.len() - 30];
    assert_eq!(said([&front[..], torn].concat()), ["0/a/1.eml", "1/a/2.eml", &further(torn.len())]);
}

#[test]
fn what_is_no_entry_is_not_taken_for_one() {
    let [first, second] = two();
    // A header without name and data, as programs fill room with that they leave for later.
    let filler = [b"PK\x03\x04".as_slice(), &[0; 24], &[200, 0], &[0; 200]].concat();
    let records = [b"PK\x01\x02".as_slice(), &[7; 90]].concat();
    let paddings = [
        vec![7; 12],
        [b"PK\x07\x08".as_slice(), &[7; 12]].concat(),
        vec![7; 20],
        [b"PK\x07\x08".as_slice(), &[7; 20]].concat(),
        vec![0; 4_095],
        [vec![0; 20], filler.clone(), filler].concat(),
        records,
        vec![0; 20_000],
    ];
    for padding in paddings {
        let padded = |entry: &Entry| Entry { padding: padding.clone(), ..entry.clone() };
        let entries = [padded(&first), Entry { local_extra: vec![0; 4_000], ..padded(&second) }];
        for is_zip64 in [false, true] {
            let archive = Archive { is_zip64, ..Archive::of(entries.clone()) };
            assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"], "{padding:?}");
        }
    }
    for prefix in [b"#!/bin/sh\n".repeat(20), [b"MZ".as_slice(), &Archive::of([unlisted()]).bytes()].concat()] {
        let archive = Archive { prefix, ..Archive::of(two()) };
        assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"]);
    }
}

#[test]
fn a_break_in_the_directory_is_said() {
    let mut archive = Archive { gap: b"nothing".to_vec(), ..Archive::of(two()) };
    assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml"]);
    archive.counted = Some(9);
    let broken = "! z: a zip archive whose directory is damaged after 2 entries";
    assert_eq!(outcomes(&archive), ["0/a/1.eml", "1/a/2.eml", broken]);
}

#[test]
fn offsets_beyond_the_archive_cost_one_mail() {
    let mut bytes = Archive::of(two()).bytes();
    let second = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    let outcomes: Vec<_> = open(bytes).unwrap().map(outcome).collect();
    let lost = format!("! 1/a/2.eml: {DAMAGED}: the directory points at no local header");
    // What it should point at is listed nowhere else.
    let there = further(30 + "a/2.eml".len() + "Subject: y\n\n".len());
    assert_eq!(outcomes, ["0/a/1.eml", &lost, &there]);
}
