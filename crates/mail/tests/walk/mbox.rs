//! Mboxes of all kinds: where mails end, what their bytes are, and what is known of them.

use std::fs;
use std::io::{self, Read};
use std::sync::Arc;

use mail::FallbackDate;
use mail::source::{Content, FileContent, Flag, Found, Item, Layout, Mbox, Place};
use proptest::prelude::*;

use crate::place::*;

/// Bytes in memory, delivered a few at a time.
#[derive(Debug)]
struct Trickle {
    bytes: Vec<u8>,
    at_once: usize,
    changed: bool,
}

impl Content for Trickle {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = &self.bytes[usize::try_from(offset).unwrap().min(self.bytes.len())..];
        let count = rest.len().min(buffer.len()).min(self.at_once);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        if self.changed { Err(io::Error::other("changed")) } else { Ok(()) }
    }
}

fn items(bytes: &[u8], at_once: usize) -> Vec<Item> {
    let place = Place { key: "box".into(), segments: Vec::new(), user_archive: "USER".into() };
    let content = Trickle { bytes: bytes.to_vec(), at_once, changed: false };
    Mbox::new(Arc::new(content), place, "box".into()).collect()
}

fn found(bytes: &[u8]) -> Vec<Found> {
    let mail = |item| if let Item::Mail(found) = item { found } else { panic!("{item:?}") };
    items(bytes, usize::MAX).into_iter().map(mail).collect()
}

/// The raw mails; one that is empty is an empty text.
fn split(bytes: &[u8]) -> Vec<String> {
    let raw = |item| match item {
        Item::Mail(found) => {
            let raw = found.read(u64::MAX).unwrap();
            assert_eq!(raw.len() as u64, found.size_bytes);
            String::from_utf8(raw).unwrap()
        }
        Item::Skipped { reason, .. } if reason == "empty" => String::new(),
        other => panic!("{other:?}"),
    };
    items(bytes, usize::MAX).into_iter().map(raw).collect()
}

const FROM: &str = "From a@b Mon Jan  2 10:00:00 2023\n";

#[test]
fn mails_end_where_they_end() {
    let crlf = "From a@b Mon Jan  2 10:00:00 2023\r\n";
    let table: [(&str, String, &[&str]); 26] = [
        ("mark", format!("\u{feff}{FROM}A: 1\n\nx\n\n{FROM}A: 2\n"), &["A: 1\n\nx\n", "A: 2\n"]),
        ("blank lines before", format!("\n\n\n\n{FROM}A: 1\n\n{FROM}A: 2\n"), &["A: 1\n", "A: 2\n"]),
        ("both", format!("\u{feff}\r\n{crlf}A: 1\r\n\r\n{crlf}A: 2\r\n"), &["A: 1\r\n", "A: 2\r\n"]),
        ("one behind blank lines", format!("\n{FROM}A: 1\n"), &["A: 1\n"]),
        (
            "length without a blank line behind",
            format!("{FROM}Content-Length: 2\n\nx\n{FROM}A: 2\n\n"),
            &["Content-Length: 2\n\nx\n", "A: 2\n"],
        ),
        (
            "length that ends in prose",
            format!("{FROM}Content-Length: 2\n\nx\nFrom y\nB: 1\n"),
            &["Content-Length: 2\n\nx\nFrom y\nB: 1\n"],
        ),
        (
            "length that ends in a line",
            format!("{FROM}Content-Length: 2\n\nxy{FROM}B: 1\n"),
            &["Content-Length: 2\n\nxyFrom a@b Mon Jan  2 10:00:00 2023\nB: 1\n"],
        ),
        ("two", format!("{FROM}A: 1\n\nx\n\n{FROM}A: 2\n\ny\n\n"), &["A: 1\n\nx\n", "A: 2\n\ny\n"]),
        ("no blank line at the end", format!("{FROM}A: 1\n\nx\n"), &["A: 1\n\nx\n"]),
        ("no line end at the end", format!("{FROM}A: 1\n\nx"), &["A: 1\n\nx"]),
        ("crlf", format!("{crlf}A: 1\r\n\r\nx\r\n\r\n{crlf}A: 2\r\n\r\n\r\n"), &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\n"]),
        ("mixed", format!("{crlf}A: 1\n\nx\r\n\n{FROM}A: 2\n\n"), &["A: 1\n\nx\r\n", "A: 2\n"]),
        ("blank lines of the body", format!("{FROM}A: 1\n\nx\n\n\n\n{FROM}A: 2\n"), &["A: 1\n\nx\n\n\n", "A: 2\n"]),
        ("prose", format!("{FROM}A: 1\n\nx\n\nFrom here we go\nB: 1\n\n"), &["A: 1\n\nx\n\nFrom here we go\nB: 1\n"]),
        (
            "no field behind",
            format!("{FROM}A: 1\n\nx\n\n{FROM}and so on\n"),
            &["A: 1\n\nx\n\nFrom a@b Mon Jan  2 10:00:00 2023\nand so on\n"],
        ),
        (
            "at the end of a body",
            format!("{FROM}A: 1\n\nx\n\n{FROM}\n{FROM}A: 2\n"),
            &["A: 1\n\nx\n\nFrom a@b Mon Jan  2 10:00:00 2023\n", "A: 2\n"],
        ),
        (
            "no blank line before",
            format!("{FROM}A: 1\n\nx\n{FROM}A: 2\n\n"),
            &["A: 1\n\nx\nFrom a@b Mon Jan  2 10:00:00 2023\nA: 2\n"],
        ),
        (
            "quoted",
            format!("{FROM}A: 1\n\n>From x\n>>From y\n> From z\n>Fromm\nx >From\n"),
            &["A: 1\n\nFrom x\n>From y\n> From z\n>Fromm\nx >From\n"],
        ),
        ("quoted in the header", format!("{FROM}>From c@d\nA: 1\n\n"), &["From c@d\nA: 1\n"]),
        ("empty", format!("{FROM}\n{FROM}A: 2\n\n"), &["", "A: 2\n"]),
        ("nothing but a separator", FROM.to_owned(), &[""]),
        ("no field at all", "From x\nhello\n\nworld\n".to_owned(), &["hello\n\nworld\n"]),
        (
            "length",
            format!("{FROM}Content-Length: 48\n\n>From x\n\n{FROM}A: 3\n\n{FROM}A: 2\n\n"),
            &["Content-Length: 48\n\n>From x\n\nFrom a@b Mon Jan  2 10:00:00 2023\nA: 3\n", "A: 2\n"],
        ),
        ("length to the end", format!("{FROM}Content-Length: 9\n\n>From x\n\n"), &["Content-Length: 9\n\n>From x\n\n"]),
        (
            "length with the blank line",
            format!("{FROM}Content-Length: 9\n\n>From x\n\n{FROM}A: 2\n"),
            &["Content-Length: 9\n\n>From x\n", "A: 2\n"],
        ),
        (
            "length that is wrong",
            format!("{FROM}Content-Length: 8\n\n>From yy\n\n{FROM}A: 2\n"),
            &["Content-Length: 8\n\nFrom yy\n", "A: 2\n"],
        ),
    ];
    for (what, bytes, meant) in table {
        assert_eq!(split(bytes.as_bytes()), meant, "{what}");
    }
}

/// As an import does between two turns.
#[test]
fn a_walk_that_goes_on_finds_the_same_line_ends() {
    let cr = "From a@b Mon Jan  2 10:00:00 2023\r";
    let bytes = format!("{cr}A: 1\r\rx\r\r{cr}A: 2\nB: 3\r\ry\r\r{FROM}A: 4\n\n{cr}A: 5\r");
    let whole = split(bytes.as_bytes());
    assert_eq!(whole.len(), 4, "{whole:?}");
    for (at, _) in bytes.match_indices("From a@b") {
        let rest = split(&bytes.as_bytes()[at..]);
        assert!(whole.ends_with(&rest) && !rest.is_empty(), "{at}: {rest:?}");
    }
}

#[test]
fn mails_of_other_line_ends_may_follow() {
    let crlf = "From a@b Mon Jan  2 10:00:00 2023\r\n";
    let cr = "From a@b Mon Jan  2 10:00:00 2023\r";
    let table: [(&str, String, &[&str]); 5] = [
        (
            "carriage returns alone",
            format!("{cr}A: 1\r\rx\r\r{cr}A: 2\r\r>From y\r\rFrom here\r\r{cr}A: 3\r"),
            &["A: 1\r\rx\r", "A: 2\r\rFrom y\r\rFrom here\r", "A: 3\r"],
        ),
        (
            "line feeds behind carriage returns",
            format!("{cr}A: 1\r\rx\r\r{FROM}A: 2\n\ny\n\n{crlf}A: 3\r\n\r\nz\r\n\r\n{FROM}A: 4\n"),
            &["A: 1\r\rx\r", "A: 2\n\ny\n", "A: 3\r\n\r\nz\r\n", "A: 4\n"],
        ),
        (
            "carriage returns behind line feeds",
            format!("{FROM}A: 1\n\nx\n\n{cr}A: 2\r\ry\r\r{cr}A: 3\r\r{FROM}A: 4\n"),
            &["A: 1\n\nx\n", "A: 2\r\ry\r", "A: 3\r", "A: 4\n"],
        ),
        (
            "a line feed in a header behind carriage returns",
            format!("{cr}A: 1\r\rx\r\r{cr}A: 2\nB: 3\r\ry\r\r{cr}A: 4\r"),
            &["A: 1\r\rx\r", "A: 2\nB: 3\r\ry\r", "A: 4\r"],
        ),
        ("one with carriage returns alone", format!("{cr}A: 1\r\rx\n\ny\r"), &["A: 1\r\rx\n\ny\r"]),
    ];
    for (what, bytes, meant) in table {
        assert_eq!(split(bytes.as_bytes()), meant, "{what}");
    }
}

#[test]
fn a_header_begins_as_that_of_a_single_mail() {
    let heads: [&[u8]; 6] = [
        b"\xEF\xBB\xBFFrom: b\n",
        b"\xEF\xBB\xBF>From c@d Mon Jan  2 10:00:00 2023\nFrom: b\n",
        b"Microsoft Mail Internet Headers Version 2.0\nWhatever: b\n",
        b"Microsoft Mail Internet Headers Version 2.0\r\nReceived: by b\r\n",
        b"Betr\xE9ff: b\nSubject: b\n",
        "Überschrift: b\nMessage-ID: <b>\n".as_bytes(),
    ];
    let raw = |found: &Found| found.read(u64::MAX).unwrap();
    for head in heads {
        let middle = [head, b"\nb\n"].concat();
        let first = format!("{FROM}A: 1\n\nx\n\n{FROM}");
        let bytes = [first.as_bytes(), &middle, format!("\n{FROM}A: 2\n").as_bytes()].concat();
        let mails: Vec<_> = found(&bytes).iter().map(raw).collect();
        assert_eq!(mails, [&b"A: 1\n\nx\n"[..], &middle, b"A: 2\n"], "{}", head.escape_ascii());
    }
}

#[test]
fn an_mbox_that_was_cut_off_costs_the_mail_before_no_byte() {
    let whole = "Subject: 1\n\none\n";
    let next = "From a@b Mon Jan  2 10:00:00 2023\nSubject: 2\n\ntwo\n";
    let from_line = next.find('\n').unwrap();
    for cut in 0..next.len() {
        let mbox = format!("From a@b Mon Jan  2 10:00:00 2023\n{whole}\n{}", &next[..cut]);
        let last = next[..cut].get(from_line + 1..).unwrap_or_default();
        // A blank line at the end belongs to no mail.
        let last = if last.ends_with("\n\n") { &last[..last.len() - 1] } else { last };
        let expected = match cut {
            0 => vec![whole.to_owned()],
            // Up to here it may be a line of the mail before.
            _ if cut < from_line => vec![format!("{whole}\n{}", &next[..cut])],
            _ => vec![whole.to_owned(), last.to_owned()],
        };
        assert_eq!(split(mbox.as_bytes()), expected, "{cut}");
    }
    for prose in ["From here on\n", "From Mon Jan  2 10:00:00 2023\nit is quoted\n", "From 10:00 on"] {
        let mbox = format!("From a@b Mon Jan  2 10:00:00 2023\n{whole}\n{prose}");
        assert_eq!(split(mbox.as_bytes()), [format!("{whole}\n{prose}")]);
    }
}

/// Behind a line that only looks like a separator there is prose, or nothing.
#[test]
fn a_body_that_begins_as_a_banner_does_not_split() {
    let bodies = [
        format!("{FROM}\nnothing but a body\n"),
        format!("{FROM}Hi all,\nSubject: see below\n"),
        "From the log of Mon Jan  2 10:00:00 2023\n\nresult: ok\nstate: fine\n".to_owned(),
        // A line without end costs no more than its length.
        format!("From a{}\nx\nDate: 1\n", " Mon".repeat(950)).repeat(200),
        format!("{FROM}\n\n\n"),
        format!("{FROM}and so on\n\nFrom: here\nTo: there\n"),
        format!("{FROM}and so on\nNote: one\n"),
        format!("{FROM}\u{feff}and so on\n"),
        format!("{FROM}http://x.test/\nand so on\n"),
        format!("{FROM}{{\"a\": 1}}\n"),
        "From 10:00 to 12:00 we meet\nDear all\nDate: today\n".to_owned(),
        "From here on, at 10:00\n\nSubject: prose\n".to_owned(),
        "From x\nFrom: b\n".to_owned(),
    ];
    for body in bodies {
        let mail = format!("A: 1\n\nx\n\n{body}end\n");
        assert_eq!(split(format!("{FROM}{mail}\n{FROM}A: 2\n").as_bytes()), [&mail, "A: 2\n"], "{body}");
    }
}

#[test]
fn a_length_rules_only_where_it_leads_to_a_separator() {
    let inner = format!("x\n\n{FROM}A: 3\n\ny\n");
    let right = format!("{FROM}Content-Length: {}\n\n{inner}\n{FROM}A: 2\n\n", inner.len());
    assert_eq!(split(right.as_bytes()), [format!("Content-Length: {}\n\n{inner}", inner.len()), "A: 2\n".to_owned()]);
    for wrong in ["0", "1", "99999999999999999999", "-1", "x", "18446744073709551615", "5 5"] {
        let bytes = format!("{FROM}Content-Length: {wrong}\n\n{inner}\n{FROM}A: 2\n\n");
        assert_eq!(split(bytes.as_bytes()).len(), 3, "{wrong}");
    }
}

#[test]
fn what_is_known_of_a_mail() {
    let bytes = format!(
        "{FROM}Status: RO\nX-Status: AFT\nSubject: 1\n\n1\n\nFrom MAILER-DAEMON\nSubject: prose\n\n\
         From b@c Mon Jan  2 10:00:00 +0100 2023\nX-Gmail-Labels: Inbox,=?UTF-8?Q?Entw=C3=BCrfe?=\n\n2\n"
    );
    let [first, second] = <[Found; 2]>::try_from(found(bytes.as_bytes())).unwrap();
    assert_eq!((first.key.as_str(), first.locator.as_deref()), ("box//0", Some("0")));
    assert_eq!(first.flags, [Flag::Seen, Flag::Answered, Flag::Flagged, Flag::Draft]);
    assert_eq!(first.fallback_date, Some(FallbackDate::FromLine(1_672_653_600)));
    assert_eq!(first.locations, [["USER", "box"]]);
    let at = bytes.find("From b@c").unwrap();
    assert_eq!((second.key, second.locator), (format!("box//{at}"), Some(at.to_string())));
    assert_eq!(second.fallback_date, Some(FallbackDate::FromLine(1_672_650_000)));
    assert_eq!(second.locations, [["USER", "Inbox"], ["USER", "Entwürfe"]]);
    assert_eq!(second.flags, []);
}

#[test]
fn separators_and_quotes_are_seen_at_every_edge_of_a_read() {
    // Mails are split in pieces of 1 MiB and read in pieces of 64 KiB.
    for edge in [1 << 20, 64 << 10] {
        for shift in 0..100 {
            let body = "x".repeat(edge - 90 + shift);
            let bytes = format!("{FROM}A: 1\n\n{body}\n>>From q\n\n{FROM}A: 2\n\n>From r\n\n{FROM}A: 3\n");
            let meant = [format!("A: 1\n\n{body}\n>From q\n"), "A: 2\n\nFrom r\n".to_owned(), "A: 3\n".to_owned()];
            assert!(split(bytes.as_bytes()) == meant, "{edge} {shift}");
        }
    }
}

#[test]
fn lines_and_quotes_without_end_cost_no_mail() {
    let body = format!("{}\n{}From x\n", "y".repeat(3 << 20), ">".repeat(3 << 20));
    let bytes = format!("{FROM}X-Long: {}\n\n{body}\n{FROM}A: 2\n", "z".repeat(5 << 20));
    let mails = found(bytes.as_bytes());
    assert_eq!(mails.len(), 2);
    let raw = mails[0].read(u64::MAX).unwrap();
    assert_eq!(raw.len() as u64, mails[0].size_bytes);
    assert!(raw.ends_with(&[b">".repeat(100).as_slice(), b"From x\n"].concat()));
    assert_eq!(raw.len(), bytes.len() - 2 * FROM.len() - "\nA: 2\n".len() - 1);
}

#[test]
fn a_sparse_file_beyond_4_gib_keeps_its_offsets() {
    use std::io::{Seek, SeekFrom, Write};
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("big.mbox");
    let mut file = fs::File::create(&path).unwrap();
    let hole = (5_u64 << 30) + 7;
    let head = format!("Content-Length: {hole}\nA: 1\n\n");
    file.write_all(format!("{FROM}{head}").as_bytes()).unwrap();
    file.seek(SeekFrom::Current(i64::try_from(hole).unwrap())).unwrap();
    file.write_all(format!("\n{FROM}A: 2\n\n").as_bytes()).unwrap();
    let mails = mails(root.path(), Layout::Mbox);
    assert_eq!(mails.iter().map(|mail| mail.size_bytes).collect::<Vec<_>>(), [head.len() as u64 + hole, 5]);
    assert_eq!(mails[1].read(100).unwrap(), b"A: 2\n");
    let mut start = Vec::new();
    mails[0].open().unwrap().take(40).read_to_end(&mut start).unwrap();
    assert_eq!(start, [head.as_bytes(), &[0; 40]].concat()[..40]);
}

#[test]
fn an_mbox_that_changes_is_not_read_as_if_it_had_not() {
    let text = format!("{FROM}A: 1\n\nx\n\n{FROM}A: 2\n\ny\n\n");
    let root = tree(&[("a.mbox", &text)]);
    let found = mails(root.path(), Layout::Mbox);
    let mut half = found[0].open().unwrap();
    let mut some = [0; 3];
    half.read_exact(&mut some).unwrap();
    fs::write(root.path().join("a.mbox"), format!("{}{text}", text.replace('y', "z"))).unwrap();
    assert!(half.read_to_end(&mut Vec::new()).is_err());
    assert_eq!(found[0].read(100).unwrap(), b"A: 1\n\nx\n", "all that is before the change is the same");
    assert!(found[1].read(100).is_err());
    let content = FileContent::open(&root.path().join("a.mbox")).unwrap();
    assert_eq!(content.size_bytes(), 2 * text.len() as u64);
    content.verify_unchanged().unwrap();
}

#[test]
fn an_mbox_that_breaks_off_is_named_and_ends() {
    #[derive(Debug)]
    struct Broken(Trickle);
    impl Content for Broken {
        fn size_bytes(&self) -> u64 {
            self.0.size_bytes()
        }
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let good = usize::try_from((2_u64 << 20).saturating_sub(offset)).unwrap();
            let good = good.min(buffer.len());
            if good == 0 { Err(io::Error::other("bad sector")) } else { self.0.read_at(&mut buffer[..good], offset) }
        }
        fn verify_unchanged(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let bytes = format!("{FROM}A: 1\n\nx\n\n{FROM}A: 2\n\n{}", "y\n".repeat(3 << 20)).into_bytes();
    let content = Broken(Trickle { bytes, at_once: 1 << 16, changed: false });
    let place = Place { key: "box".into(), segments: Vec::new(), user_archive: "USER".into() };
    let items: Vec<_> = Mbox::new(Arc::new(content), place, "box".into()).collect();
    let [Item::Mail(first), Item::Skipped { source, reason, .. }] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((first.key.as_str(), source.as_str()), ("box//0", "box//43"));
    assert!(reason.starts_with("unreadable: bad sector"), "{reason}");
}

/// mboxrd as its definition says, written without a look at the reader.
fn write_mboxrd(mails: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for mail in mails {
        out.extend_from_slice(b"From someone@example.org Mon Jan  2 10:00:00 2023\n");
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            let quotes = line.iter().take_while(|byte| **byte == b'>').count();
            if line[quotes..].starts_with(b"From ") {
                out.push(b'>');
            }
            out.extend_from_slice(line);
        }
        out.push(b'\n');
    }
    out
}

fn a_mail() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"From a@b Mon Jan  2 10:00:00 2023".to_vec()),
        Just(b">From a@b Mon Jan  2 10:00:00 2023".to_vec()),
        Just(b">>>From ".to_vec()),
        Just(b"Subject: inner".to_vec()),
        Just(b"Content-Length: 99999".to_vec()),
        "[ -~]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 0..30),
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| {
        let mut mail = b"Subject: outer\n".to_vec();
        for line in lines {
            mail.extend_from_slice(&line);
            mail.push(b'\n');
        }
        mail
    })
}

proptest! {
    #[test]
    fn what_an_mboxrd_writer_wrote_comes_back(mails in prop::collection::vec(a_mail(), 1..8), at_once in 1_usize..70) {
        let bytes = write_mboxrd(&mails);
        let place = || Place { key: "box".into(), segments: Vec::new(), user_archive: "USER".into() };
        let content = Trickle { bytes, at_once, changed: false };
        let items: Vec<_> = Mbox::new(Arc::new(content), place(), "box".into()).collect();
        prop_assert_eq!(items.len(), mails.len());
        for (item, mail) in items.iter().zip(&mails) {
            let Item::Mail(found) = item else { panic!("{item:?}") };
            prop_assert_eq!(found.size_bytes, mail.len() as u64);
            prop_assert_eq!(&found.read(u64::MAX).unwrap(), mail);
        }
    }

    #[test]
    fn any_bytes_are_divided_among_the_mails(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let bytes = [FROM.as_bytes(), &bytes].concat();
        for item in items(&bytes, 17) {
            if let Item::Mail(found) = item {
                prop_assert_eq!(found.read(u64::MAX).unwrap().len() as u64, found.size_bytes);
            }
        }
    }
}
