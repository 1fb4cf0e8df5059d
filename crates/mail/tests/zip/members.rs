//! What is in a sound archive.

use std::io::{Cursor, Write};

use mail::FallbackDate;
use mail::source::{Flag, Item};

use crate::support::{MAIL, items, mails, open, open_with, options, outcomes};
use crate::writer::{Archive, DEFLATED, Entry};

#[test]
fn directories_are_the_location() {
    let found = mails(&[
        Entry::deflated("jane/Inbox/Sub/1.eml", MAIL),
        Entry::stored("top.EML", MAIL),
        Entry::stored("./a//b\\c/2", MAIL),
        Entry::stored("/../C:/3.eml", MAIL),
        Entry::stored("M\u{fc}ller\0/4.eml", MAIL),
    ]);
    let short: Vec<_> = found
        .iter()
        .map(|found| (found.key.as_str(), found.locations[0].join("|"), found.locator.as_deref().unwrap()))
        .collect();
    assert_eq!(
        short,
        [
            ("z//0/jane/Inbox/Sub/1.eml", "jane|Inbox|Sub".to_owned(), "jane/Inbox/Sub/1.eml"),
            ("z//1/top.EML", "USER".to_owned(), "top.EML"),
            ("z//2/./a//b\\\\c/2", "a|b\\c".to_owned(), "./a//b\\c/2"),
            ("z//3//../C:/3.eml", "..|C:".to_owned(), "/../C:/3.eml"),
            ("z//4/Müller\0/4.eml", "Müller\0".to_owned(), "Müller\0/4.eml"),
        ]
    );
    for found in &found {
        assert_eq!((found.read(1 << 20).unwrap().as_slice(), found.locations.len()), (MAIL, 1));
    }
}

#[test]
fn backslashes_separate_where_no_name_has_a_slash() {
    let windows = [Entry::stored("jane\\Inbox\\1.eml", MAIL), Entry::stored("jane\\2.eml", MAIL)];
    let locations = |entries: &[Entry]| mails(entries).into_iter().map(|found| found.locations[0].join("|")).collect();
    let read: Vec<String> = locations(&windows);
    assert_eq!(read, ["jane|Inbox", "jane"]);
    let mixed = [&windows[..], &[Entry::stored("x/", b"")]].concat();
    let read: Vec<String> = locations(&mixed);
    assert_eq!(read, ["USER", "USER"]);
}

#[test]
fn names_follow_the_code_page() {
    let archive = Archive::of([Entry { name: b"M\x81ller/1.eml".to_vec(), ..Entry::stored("", MAIL) }]);
    let location = |encoding: &str| {
        let mut options = options();
        options.zip_encoding = encoding.parse().unwrap();
        match open_with(archive.bytes(), &options).unwrap().next() {
            Some(Item::Mail(found)) => found.locations[0][0].clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(location("cp437"), "Müller");
    assert_eq!(location("cp866"), "MБller");
    assert_eq!(location("utf-8"), "M\\x81ller");
}

#[test]
fn tmp_is_a_folder_where_no_maildir_is() {
    let names = [
        "tmp/1",
        "u/tmp/2",
        "v/tmp/3",
        "v/tmp/4.eml",
        "v/tmp/x/5",
        "v/tmp/cur/6",
        "v/new/7",
        "v/new/tmp/8",
        "w/tmp",
        "new/9",
    ];
    let archive = Archive::of(names.map(|name| Entry::stored(name, MAIL)));
    let unfinished: Vec<_> = outcomes(&archive).into_iter().filter(|outcome| outcome.starts_with('-')).collect();
    let meant = ["0/tmp/1", "2/v/tmp/3", "4/v/tmp/x/5"];
    assert_eq!(unfinished, meant.map(|key| format!("- {key}: in tmp/, which holds unfinished files")));
    let archive = Archive::of([r"v\tmp\1", r"v\cur\2", r"tmp\3"].map(|name| Entry::stored(name, MAIL)));
    assert_eq!(
        outcomes(&archive),
        [r"- 0/v\\tmp\\1: in tmp/, which holds unfinished files", r"1/v\\cur\\2", r"2/tmp\\3"]
    );
}

#[test]
fn each_entry_has_one_outcome() {
    let link = |name| Entry { made_by: 3 << 8, attributes: 0o120_777 << 16, ..Entry::stored(name, b"/etc/passwd") };
    let pipe = |name| Entry { made_by: 3 << 8, attributes: 0o010_644 << 16, ..Entry::stored(name, b"") };
    let folder = |name| Entry { attributes: 0x10, ..Entry::stored(name, b"") };
    let inner = Archive::of([Entry::stored("a.eml", MAIL)]).bytes();
    let archive = Archive::of([
        folder("u/"),
        folder("v"),
        Entry::stored("w/", b""),
        Entry::stored("u/0.eml", b""),
        Entry::stored("u/1.eml", b"<?xml version=\"1.0\"?>"),
        Entry::deflated("u/2.xml", b"<?xml version=\"1.0\"?>"),
        Entry::stored("u/3", MAIL),
        Entry::deflated("u/4.txt", b"Dear Bob, hello\n"),
        link("u/5.eml"),
        pipe("u/6.eml"),
        Entry::stored("__MACOSX/u/._a.eml", MAIL),
        Entry::stored("u/._a.eml", MAIL),
        Entry::stored("u/.DS_Store", b"\0"),
        Entry::stored("u/tmp/7.eml", MAIL),
        Entry::stored("u/8.zip", &inner),
        Entry { flags: 1, ..Entry::stored("u/9.eml", b"012345678901") },
        Entry { method: 99, flags: 1, ..Entry::stored("u/10.eml", MAIL) },
        Entry { method: 14, ..Entry::stored("u/11.eml", MAIL) },
        Entry::stored("u/empty", b""),
    ]);
    assert_eq!(
        outcomes(&archive),
        [
            "! 3/u/0.eml: empty",
            "4/u/1.eml",
            "- 5/u/2.xml: an XML document",
            "6/u/3",
            "- 7/u/4.txt: the first line is no header field",
            "- 8/u/5.eml: a symbolic link, which is not followed",
            "- 9/u/6.eml: a pipe, socket or device",
            "- 10/__MACOSX/u/._a.eml: in __MACOSX/, which holds helper files of macOS",
            "- 11/u/._a.eml: a helper file of macOS",
            "- 12/u/.DS_Store: a helper file of macOS",
            "13/u/tmp/7.eml",
            "- 14/u/8.zip: a zip archive within a zip archive",
            "! 15/u/9.eml: encrypted in the zip archive",
            "! 16/u/10.eml: encrypted in the zip archive",
            "! 17/u/11.eml: packed by method 14 of ZIP, which is not read",
            "! 18/u/empty: empty",
        ]
    );
}

#[test]
fn times_are_utc() {
    let extended = [b"UT\x05\0\x01".as_slice(), &1_672_653_600_i32.to_le_bytes()].concat();
    let found = mails(&[
        Entry { date: (43 << 9) | (1 << 5) | 2, time: 10 << 11, ..Entry::stored("1.eml", MAIL) },
        Entry { extra: extended, ..Entry::stored("2.eml", MAIL) },
        Entry { date: 0, ..Entry::stored("3.eml", MAIL) },
    ]);
    let dates: Vec<_> = found.iter().map(|found| found.fallback_date).collect();
    let file = |seconds| Some(FallbackDate::File(seconds));
    assert_eq!(dates, [file(1_672_653_600), file(1_672_653_600), None]);
}

#[test]
fn an_emlx_is_its_counted_bytes() {
    let plist = "<plist><dict><key>flags</key>\n<integer>17</integer></dict></plist>\n";
    let emlx = format!("{:<10}\n{}{plist}", MAIL.len(), String::from_utf8_lossy(MAIL));
    let found = mails(&[Entry::deflated("a.emlx", emlx.as_bytes()), Entry::stored("b.emlx", emlx.as_bytes())]);
    for found in &found {
        assert_eq!(found.read(1 << 20).unwrap(), MAIL);
        assert_eq!((found.size_bytes, found.flags.as_slice()), (MAIL.len() as u64, &[Flag::Seen, Flag::Flagged][..]));
    }
    let mut wrong = Entry::stored("a.emlx", emlx.as_bytes());
    wrong.crc ^= 1;
    let archive =
        Archive::of([wrong, Entry::stored("b.emlx", b"99999\nSubject: x\n\n"), Entry::stored("c.emlx", b"0\n")]);
    assert_eq!(
        outcomes(&archive),
        [
            "! 0/a.emlx: damaged in the zip archive: its checksum is wrong",
            "! 1/b.emlx: emlx that was cut off: says 99999 bytes, has 12",
            "! 2/c.emlx: empty",
        ]
    );
}

/// The archives of another writer, in each method that it has.
#[test]
fn archives_of_an_independent_writer() {
    use zip::write::{SimpleFileOptions, ZipWriter};
    use zip::{CompressionMethod, DateTime};

    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let methods = [CompressionMethod::Stored, CompressionMethod::Deflated, CompressionMethod::Zstd];
    let body = |n: usize| [MAIL, &b"0123456789abcdef\r\n".repeat(n * 3_000)].concat();
    let time = DateTime::from_date_and_time(2023, 1, 2, 10, 0, 0).unwrap();
    for (n, method) in methods.into_iter().enumerate() {
        let options = SimpleFileOptions::default().compression_method(method).last_modified_time(time);
        writer.start_file(format!("jané/{n}.eml"), options.large_file(n % 2 == 0)).unwrap();
        writer.write_all(&body(n)).unwrap();
    }
    writer.add_directory("empty", SimpleFileOptions::default()).unwrap();
    writer.add_symlink("link.eml", "0.eml", SimpleFileOptions::default()).unwrap();
    writer.set_comment("a comment").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let mut items = open(bytes).unwrap();
    for n in 0..methods.len() {
        let Some(Item::Mail(found)) = items.next() else { panic!("mail {n}") };
        assert_eq!(found.read(1 << 20).unwrap(), body(n));
        assert_eq!(found.locations, [["jané"]]);
        assert_eq!(found.fallback_date, Some(FallbackDate::File(1_672_653_600)));
    }
    assert!(matches!(items.next(), Some(Item::NotMail { reason, .. }) if reason.contains("link")));
    assert!(items.next().is_none());
}

#[test]
fn an_empty_archive_has_no_items() {
    assert_eq!(items(&Archive::default()).len(), 0);
}

/// Two equal lines with 40,000 bytes between them, packed by the Python package inflate64 1.0.4: a run that is longer than
/// a match of Deflate, and a match that reaches further back. Who takes it for Deflate unpacks something else.
const DEFLATE64: &[u8] =
    b"\xed\xc1\xbb\x0d\xc0\x20\x0c\x05\xc0\xde\x53\xbc\x39\x58\x83\x82\xda\x01\xc4\x57\x80\xb0\x11\x19\x3f\
    \x8b\xe4\xce\x9e\xa7\x46\xaf\x06\x2c\x70\x65\x84\x79\x05\x8b\x7d\x13\xdc\xcc\x8a\x22\xe8\xbc\x53\x24\
    \x7a\x7f\x1e\x4e\x64\xcf\x53\xa3\x57\x03\x16\xb8\x32\xc2\xbc\x82\xc5\xbe\x09\x6e\x66\x45\x11\x74\xde\
    \x29\xd2\x07";

#[test]
fn deflate64_is_read() {
    let line = "Subject: as Windows packs what is large\n";
    let data = format!("{line}\n{}\n{line}", "x".repeat(40_000));
    let entry = |method| Entry { packed: DEFLATE64.to_vec(), method, ..Entry::stored("1.eml", data.as_bytes()) };
    let [found] = mails(&[entry(9)]).try_into().unwrap();
    assert!(found.read(1 << 20).unwrap() == data.as_bytes());
    assert!(mails(&[entry(DEFLATED)])[0].read(1 << 20).is_err());
}
