//! Attachments told from a stream: as the view lists them, wherever the stream is cut in two.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Read};

use mail::{Defect, Limits, has_attachment, scan_headers, view};
use proptest::prelude::*;

fn told(raw: &[u8]) -> bool {
    has_attachment(&scan_headers(raw, true), raw, &mut io::empty()).unwrap()
}

fn listed(raw: &[u8]) -> bool {
    !view(raw, &Limits::default()).attachments.is_empty()
}

#[test]
fn odd_mails_are_told_as_the_view_lists_them() {
    let mixed = "Content-Type: multipart/mixed; boundary=B\n";
    let table = [
        ("Subject: a\n\ntext\n".to_owned(), false),
        ("Content-Type: application/pdf\n\n%PDF\n".to_owned(), true),
        ("Content-Disposition: attachment\n\ntext\n".to_owned(), true),
        (format!("{mixed}\n--B\n\ntext\n--B--\n"), false),
        (format!("{mixed}\n--B\n\ntext\n--B\nContent-Type: text/plain; name=a\n\nx\n--B--\n"), true),
        (format!("{mixed}\n--B\n\ntext\n--B\nContent-Type: image/png"), true),
        (format!("{mixed}\n--B\n\ntext\n--B--\n--B\nContent-Type: image/png\n\n"), false),
        (format!("{mixed}\nsee --B\nContent-Type: image/png\n\n--Bx\n"), false),
        (format!("{mixed}\n--B\nContent-Type: message/rfc822\n\nSubject: inner\n\n--B--\n"), true),
        (
            format!(
                "{mixed}\r\n--B  \r\nContent-Type: multipart/related; boundary=B2\r\n\r\n--B2\r\n\r\na\r\n--B2--\r\n--B--"
            ),
            false,
        ),
        (
            format!("{mixed}\n--B\nContent-Type: multipart/related; boundary=C\nno field\n--C\nContent-Type: a/b\n\n"),
            true,
        ),
        (format!("{mixed}\n--B\n \n\nContent-Type: a/b\n\n--B--"), false),
        ("Content-Type: multipart/digest; boundary=B\n\n--B\n\nSubject: inner\n\n--B--\n".to_owned(), true),
        ("Content-Type: multipart/mixed\n\n--B\nContent-Type: a/b\n\n".to_owned(), false),
        (mixed.replace('\n', "\r") + "\r--B\r\rtext\r--B\rContent-Type: a/b\r\rx\r--B--\r", true),
    ];
    for (raw, is_there) in table {
        assert_eq!((told(raw.as_bytes()), listed(raw.as_bytes())), (is_there, is_there), "{raw:?}");
    }
}

#[test]
fn a_mail_at_which_the_second_parser_panics_keeps_its_view() {
    let inner = "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n\n--B--\n";
    let raw = format!("Content-Type: multipart/mixed; boundary=B\n\n--B\n--C\n--B\n{inner}");
    let view = view(raw.as_bytes(), &Limits::default());
    assert!(told(raw.as_bytes()) && !view.attachments.is_empty());
    assert!(view.defects.contains(Defect::ParserDisagrees) && !view.defects.contains(Defect::ParserFailed));
}

#[test]
fn a_mail_of_any_size_is_read_in_pieces() {
    let head = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\n";
    let scan = scan_headers(head, false);
    let tail = b"\n--B\nContent-Type: a/b\n\nx\n--B--\n";
    // One line of 200 MiB.
    let mut rest = io::repeat(b'x').take(200 << 20).chain(tail.as_slice());
    assert!(has_attachment(&scan, head, &mut rest).unwrap());
    let mut broken = io::repeat(b'x').take(1 << 20).chain(Broken);
    assert!(has_attachment(&scan, head, &mut broken).is_err());
}

#[test]
fn a_mail_in_utf_16_is_read_on_as_far_as_its_header_may_reach() {
    let mail = |text_bytes: usize| -> Vec<u8> {
        let head = "Content-Type: multipart/mixed; boundary=B\n\n--B\n\n";
        let text = "text\n".repeat(text_bytes / 10);
        let mail = format!("\u{feff}{head}{text}\n--B\nContent-Type: image/png\n\nx\n--B--\n");
        mail.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    for (text_bytes, is_told) in [(1 << 10, true), (200 << 10, true), (3 << 20, true), (5 << 20, false)] {
        let raw = mail(text_bytes);
        assert!(listed(&raw));
        let (prefix, mut rest) = raw.split_at(raw.len().min(64 << 10));
        let scan = scan_headers(prefix, false);
        assert_eq!(has_attachment(&scan, prefix, &mut rest).unwrap(), is_told, "{text_bytes}");
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("gone"))
    }
}

/// Lines of which mails with parts consist, and some that only look so.
fn lines() -> impl Strategy<Value = String> {
    let lines = [
        "--B",
        "--B--",
        "--C",
        "--C--",
        "--B ",
        "-- B",
        "text",
        "",
        "",
        "",
        " folded",
        "From x",
        "Content-Type: multipart/mixed; boundary=C",
        "Content-Type: multipart/related; boundary=B",
        "Content-Type: multipart/alternative; boundary=\"C\"",
        "Content-Type: text/html; charset=utf-8",
        "Content-Type: text/plain; name=a.txt",
        "Content-Type: image/png",
        "Content-Type: message/rfc822",
        "Content-Disposition: attachment; filename=x",
        "Content-Disposition: inline",
        "Subject: a",
    ];
    let line = (prop::sample::select(lines.to_vec()), prop::sample::select(vec!["\n", "\r\n"]));
    prop::collection::vec(line.prop_map(|(line, end)| [line, end].concat()), 0..24).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn the_stream_tells_what_the_view_lists(lines in lines(), cut in 0_usize..200) {
        let raw = ["Content-Type: multipart/mixed; boundary=B\n\n--B\n", &lines].concat();
        let raw = raw.as_bytes();
        prop_assert_eq!(told(raw), listed(raw));
        let (start, rest) = raw.split_at(cut.clamp(45, raw.len()));
        let scan = scan_headers(start, false);
        prop_assert_eq!(has_attachment(&scan, start, &mut &*rest).unwrap(), listed(raw));
    }
}
