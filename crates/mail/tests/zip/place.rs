//! Where archives lie, and what else lies in them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use mail::source::{Container, ContainerError, ContainerKind, Item, Layout, Options, Position, ZipEncoding, open};
use tempfile::TempDir;

use crate::support::{Bytes, MAIL, options};
use crate::writer::{Archive, Entry};

const MBOX: &str = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\n>From here\n\n\
                    From a Mon Jan  2 10:00:00 2023\nX-Gmail-Labels: Inbox,Work/Jane\nStatus: RO\nSubject: 2\n\n2\n";

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).unwrap().write_all(content).unwrap();
    }
    root
}

fn archive() -> Vec<u8> {
    let entries = [
        Entry::deflated("top.eml", MAIL),
        Entry::stored("x/1.eml", MAIL),
        Entry::deflated("x/y.mbox", MBOX.as_bytes()),
    ];
    Archive::of(entries).bytes()
}

fn short(item: Item) -> String {
    match item {
        Item::Mail(found) => {
            let bytes = found.read(1 << 20).unwrap();
            assert!(bytes.starts_with(b"Subject: ") || bytes.starts_with(b"X-Gmail-Labels: "));
            let locations: Vec<_> = found.locations.iter().map(|location| location.join(">")).collect();
            format!("{} = {}", found.key, locations.join(" | "))
        }
        Item::NotMail { source, reason } => format!("- {source}: {reason}"),
        Item::Skipped { source, reason, .. } => format!("! {source}: {reason}"),
        Item::Noted { source, reason } => format!("= {source}: {reason}"),
        Item::ScratchFailed(error) => panic!("{error}"),
    }
}

fn places(root: &Path, layout: Layout) -> Vec<String> {
    open(root, layout, &options()).unwrap().map(short).collect()
}

#[test]
fn an_archive_alone_adds_no_stem() {
    let root = tree(&[("old.zip", &archive()), ("old.bin", &archive())]);
    for (name, layout) in [("old.zip", Layout::Auto), ("old.zip", Layout::Zip), ("old.bin", Layout::Auto)] {
        assert_eq!(
            places(&root.path().join(name), layout),
            [
                format!("{name}//0/top.eml = USER"),
                format!("{name}//1/x/1.eml = x"),
                format!("{name}//2/x/y.mbox//0 = x>y"),
                format!("{name}//2/x/y.mbox//56 = x>Inbox | x>Work>Jane"),
            ]
        );
    }
}

#[test]
fn the_stem_of_an_archive_counts_as_a_directory() {
    let whole = archive();
    let files: &[(&str, &[u8])] = &[
        ("a.ZIP", &whole),
        ("b/c.zip", &whole[..whole.len() - 30]),
        ("b/backup", &whole),
        (
            "b/d.docx",
            &Archive::of([Entry::stored("[Content_Types].xml", b"<?xml"), Entry::stored("a.eml", MAIL)]).bytes(),
        ),
        ("b/e.zip", b"no zip archive"),
        ("b/f.zip", &Archive { prefix: b"MZ".to_vec(), ..Archive::of([Entry::stored("z.eml", MAIL)]) }.bytes()),
        ("b/g.eml", MAIL),
        ("__MACOSX/h.zip", &whole),
    ];
    let root = tree(files);
    let both = [
        "a.ZIP//0/top.eml = a",
        "a.ZIP//1/x/1.eml = a>x",
        "a.ZIP//2/x/y.mbox//0 = a>x>y",
        "a.ZIP//2/x/y.mbox//56 = a>x>Inbox | a>x>Work>Jane",
        "b/backup//0/top.eml = b>backup",
        "b/backup//1/x/1.eml = b>backup>x",
        "b/backup//2/x/y.mbox//0 = b>backup>x>y",
        "b/backup//2/x/y.mbox//56 = b>backup>x>Inbox | b>backup>x>Work>Jane",
        "! b/c.zip: a zip archive without an end record: it was cut off",
        "- b/d.docx: a document or program packed as a zip archive",
        "- b/e.zip: not a zip archive",
        "b/f.zip//0/z.eml = b>f",
    ];
    let helper = "- __MACOSX/h.zip: in __MACOSX/, which holds helper files of macOS";
    let auto: Vec<_> = [helper].into_iter().chain(both).chain(["b/g.eml = b"]).collect();
    assert_eq!(places(root.path(), Layout::Auto), auto);
    let single = "- b/g.eml: a single mail, which this layout does not read";
    let zip: Vec<_> = [helper].into_iter().chain(both).chain([single]).collect();
    assert_eq!(places(root.path(), Layout::Zip), zip);
    assert!(
        places(root.path(), Layout::Eml).contains(&"- a.ZIP: a zip archive, which this layout does not read".into())
    );
}

#[test]
fn an_mbox_in_an_archive_is_read_whatever_its_size_and_method() {
    let mail = |n: usize| format!("From a Mon Jan  2 10:00:00 2023\nSubject: {n}\n\n{}\n\n", "text\n".repeat(n));
    let large: String = (0..400).map(mail).collect();
    let mut damaged = Entry::stored("d", large.as_bytes());
    damaged.crc ^= 1;
    let archive = Archive::of([
        Entry::deflated("a", large.as_bytes()),
        Entry::stored("b", large.as_bytes()),
        Entry::deflated("c.mbox/mbox", mail(1).as_bytes()),
        damaged,
    ]);
    let root = tree(&[("x.zip", &archive.bytes())]);
    let places = places(&root.path().join("x.zip"), Layout::Auto);
    let in_folder = |folder: &str| places.iter().filter(|place| place.ends_with(&format!(" = {folder}"))).count();
    assert_eq!((in_folder("USER>a"), in_folder("USER>b"), in_folder("c.mbox>mbox")), (400, 400, 1));
    assert_eq!(places.last().unwrap(), "! x.zip//3/d: damaged in the zip archive: its checksum is wrong");
    assert_eq!(places.len(), 802);
}

#[test]
fn where_an_mbox_cannot_be_unpacked_the_entry_is_not_to_blame() {
    let mbox = format!("{MBOX}\n").repeat(2_000);
    let mut damaged = Entry::deflated("b", mbox.as_bytes());
    damaged.crc ^= 1;
    let root = tree(&[("x.zip", &Archive::of([Entry::deflated("a", mbox.as_bytes()), damaged]).bytes())]);
    let items = |scratch: &Path| -> Vec<Item> {
        open(&root.path().join("x.zip"), Layout::Auto, &Options::new("USER", scratch)).unwrap().collect()
    };
    let without = items(&root.path().join("missing"));
    assert!(without.iter().all(|item| matches!(item, Item::ScratchFailed(_))), "{without:?}");
    let with = items(root.path());
    assert_eq!(with.len(), 4_001);
    assert!(matches!(with.last(), Some(Item::Skipped { reason, .. }) if reason.contains("checksum")));
}

#[test]
fn a_container_is_told_by_its_content() {
    let opened = |name: &str, bytes: &[u8]| {
        Container::open(Arc::new(Bytes(bytes.to_vec())), name, ZipEncoding::default(), &tempfile::env::temp_dir())
    };
    let emlx = [b"17\n".as_slice(), MAIL].concat();
    let cases: [(&str, &[u8], ContainerKind, &[&str]); 7] = [
        (
            "upload",
            &archive(),
            ContainerKind::Zip,
            &[
                "upload//0/top.eml = /",
                "upload//1/x/1.eml = x",
                "upload//2/x/y.mbox//0 = x>y",
                "upload//2/x/y.mbox//56 = x>Inbox | x>Work>Jane",
            ],
        ),
        (
            "a\\b.mbox",
            MBOX.as_bytes(),
            ContainerKind::Mbox,
            &["a\\\\b.mbox//0 = />a\\b", "a\\\\b.mbox//56 = />Inbox | />Work>Jane"],
        ),
        ("mail", MAIL, ContainerKind::Mail, &["mail = /"]),
        ("1.eml", b"Subject: no colon after this", ContainerKind::Mail, &["1.eml = /"]),
        ("1.emlx", &emlx, ContainerKind::Mail, &["1.emlx = /"]),
        ("2.emlx", MAIL, ContainerKind::Mail, &["! 2.emlx: emlx without a length line"]),
        ("3.eml", b"", ContainerKind::Mail, &["! 3.eml: empty"]),
    ];
    for (name, bytes, kind, meant) in cases {
        let container = opened(name, bytes).unwrap();
        assert_eq!(
            (container.kind(), container.map(short).collect::<Vec<_>>()),
            (kind, meant.iter().map(ToString::to_string).collect())
        );
    }
    assert!(matches!(opened("a.pdf", b"%PDF-1.7"), Err(ContainerError::NotMail("a PDF document"))));
    let torn = archive();
    assert!(matches!(opened("a.zip", &torn[..torn.len() - 9]), Err(ContainerError::Zip(_))));
}

/// What a walk delivers, each item with the position behind it.
fn walk(mut container: Container) -> Vec<(String, Position)> {
    std::iter::from_fn(|| container.next().map(|item| (short(item), container.reached()))).collect()
}

#[test]
fn a_walk_goes_on_from_every_position() {
    let mut scattered = Archive::of([
        Entry::deflated("a/", b""),
        Entry::stored("a/1.eml", MAIL),
        Entry::deflated("a/b.mbox", MBOX.as_bytes()),
        Entry::stored("a/x.pdf", b"%PDF"),
        Entry::stored("c.mbox", MBOX.as_bytes()),
        Entry::deflated("d.eml", b""),
        Entry::deflated("e.eml", MAIL),
    ]);
    scattered.counted = Some(9);
    for (name, bytes, count) in
        [("x.zip", scattered.bytes(), 9), ("x.mbox", MBOX.into(), 2), ("x.eml", MAIL.to_vec(), 1)]
    {
        let open = || {
            let content = Arc::new(Bytes(bytes.clone()));
            Container::open(content, name, ZipEncoding::default(), &tempfile::env::temp_dir()).unwrap()
        };
        let whole = walk(open());
        assert_eq!(whole.len(), count, "{whole:?}");
        for (at, (_, position)) in whole.iter().enumerate() {
            let mut container = open();
            container.go_to(*position);
            assert_eq!(container.reached(), *position);
            assert_eq!(walk(container), whole[at + 1..], "{name} after item {at}");
        }
        let mut from_start = open();
        from_start.go_to(Position::default());
        assert_eq!(walk(from_start), whole);
    }
}

#[test]
fn what_was_unpacked_before_counts_after_a_pause() {
    // Three entries that say that they unpack to more than the archive may, all of them together.
    let said = u32::try_from(16 << 20).unwrap();
    let entries = (0..3).map(|n| Entry { size: said, ..Entry::deflated(&format!("{n}.eml"), MAIL) });
    let bytes = Archive::of(entries.collect::<Vec<_>>()).bytes();
    let open = || {
        let content = Arc::new(Bytes(bytes.clone()));
        Container::open(content, "x.zip", ZipEncoding::default(), &tempfile::env::temp_dir()).unwrap()
    };
    let refused = |item: &Item| matches!(item, Item::Skipped { reason, .. } if reason.contains("more than"));
    let mut first = open();
    assert!(!refused(&first.next().unwrap()));
    let mut second = open();
    second.go_to(first.reached());
    assert_eq!(refused(&second.next().unwrap()), refused(&first.next().unwrap()));
    assert!(refused(&second.next().unwrap()), "so is the third");
}

#[test]
fn locators_are_for_people() {
    let locator = |name: &str, bytes: &[u8], key: &str| {
        let content = Arc::new(Bytes(bytes.to_vec()));
        Container::open(content, name, ZipEncoding::default(), &tempfile::env::temp_dir()).unwrap().locator(key)
    };
    for (key, meant) in [("a.zip//1/x/1.eml", "x/1.eml"), ("a.zip//2/x/y.mbox//56", "x/y.mbox//56"), ("a.zip", "a.zip")]
    {
        assert_eq!(locator("a.zip", &archive(), key), meant);
    }
    assert_eq!(locator("a.zip", &archive(), "a.zip//0/a\\\\b\\x81"), "a\\b\\x81");
    assert_eq!(locator("a.mbox", MBOX.as_bytes(), "a.mbox//56"), "56");
    assert_eq!(locator("1.eml", MAIL, "1.eml"), "1.eml");
}
