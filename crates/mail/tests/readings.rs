//! What two readers read in two ways, or an older charset hides, is read as it was meant, or told.

use mail::{Limits, View, summarize, view};

fn seen(head: &str, body: &[u8]) -> View {
    let whole = "Message-ID: <1@x.test>\r\nDate: Mon, 02 Jan 2023 10:00:00 +0000\r\n";
    let from = if head.contains("From:") { "" } else { "From: a@x.test\r\n" };
    view(&[whole.as_bytes(), from.as_bytes(), head.as_bytes(), b"\r\n", body].concat(), &Limits::default())
}

fn codes(view: &View) -> Vec<&'static str> {
    view.defects.iter().collect()
}

#[test]
fn charsets_of_seven_bits_are_read() {
    let table: &[(&str, &[u8], &str)] = &[
        ("iso-2022-kr", b"\x1B$)C\x0EGQ19\x0F!", "한국!"),
        ("csISO2022KR", b"\x1B$)C\x0EGQ19\x0F!", "한국!"),
        ("hz-gb-2312", b"~{VPND~}!", "中文!"),
        ("utf-7", b"+AOQ-!", "ä!"),
        ("utf7", b"+AOQ-!", "ä!"),
        ("unicode-1-1-utf-7", b"+AOQ-!", "ä!"),
    ];
    for (charset, body, meant) in table {
        let view = seen(&format!("Content-Type: text/plain; charset={charset}\r\n"), body);
        assert_eq!(view.text.as_deref(), Some(*meant), "{charset}");
        assert_eq!(codes(&view), [""; 0], "{charset}");
    }
    let view = seen("Subject: =?iso-2022-kr?B?GyQpQw5HUTE5Dw==?= =?hz-gb-2312?Q?=7E=7BVPND=7E=7D?=\r\n", b"");
    assert_eq!(view.subject.as_deref(), Some("한국中文"));
}

#[test]
fn a_charset_that_nobody_knows_is_told() {
    let view = seen("Content-Type: text/plain; charset=iso-2022-cn\r\n", b"\x1B$)A\x0EVPND\x0F and plain");
    assert!(view.text.as_deref().unwrap().contains("and plain"));
    assert_eq!(codes(&view), ["charset"]);
    assert!(view.defects.partially_indexed());
}

#[test]
fn a_cr_alone_ends_no_line_and_is_told() {
    let view = seen("Subject: a\rFrom: boss@firma.test\r\nX: y\r\n", b"body");
    assert_eq!(view.subject.as_deref(), Some("a From: boss@firma.test"));
    assert_eq!(view.from, None);
    assert_eq!(codes(&view), ["hdr_cr"]);
    assert!(view.defects.partially_indexed());
    // It folds a line, or ends one twice: all read the same.
    assert_eq!(codes(&seen("Subject: a\r b\r\r\nX: y\r\r\n", b"body")), [""; 0]);
}

#[test]
fn comments_in_an_encoding_are_none_of_it() {
    for field in ["(x) base64", "base64 (x)", "(a(b)) BASE64; c"] {
        let view = seen(&format!("Content-Transfer-Encoding: {field}\r\n"), b"SGVsbG8=");
        assert_eq!((view.text.as_deref(), codes(&view).len()), (Some("Hello"), 0), "{field}");
    }
    let view = seen("Content-Transfer-Encoding: (base64)\r\n", b"SGVsbG8=");
    assert_eq!(codes(&view), ["cte_broken"]);
}

#[test]
fn doubled_fields_of_a_part_are_told() {
    let twice = seen("Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n", b"SGVsbG8=");
    assert_eq!((twice.text.as_deref(), codes(&twice)), (Some("SGVsbG8="), vec!["dup_header"]));
    let part = b"--B\r\nContent-Type: text/plain\r\nContent-Type: application/pdf; name=x.pdf\r\n\r\na\r\n--B--\r\n";
    let view = seen("Content-Type: multipart/mixed; boundary=B\r\n", part);
    assert_eq!((view.text.as_deref(), codes(&view)), (Some("a"), vec!["dup_header"]));
}

#[test]
fn what_was_encoded_is_no_syntax_of_addresses() {
    let table = [
        ("=?utf-8?q?Boss_=3Cboss=40x=2Etest=3E=2C?= <evil@x.test>", "\"Boss <boss@x.test>,\" <evil@x.test>"),
        ("=?utf-8?q?Doe=2C?= =?utf-8?q?_J=C3=B6hn?= <j@x.test>", "\"Doe, Jöhn\" <j@x.test>"),
        ("=?utf-8?q?J=C3=B6hn?= <j@x.test>, b@x.test", "Jöhn <j@x.test>, b@x.test"),
        ("\"=?utf-8?q?Doe=2C_=22J=C3=B6hn=22?=\" <j@x.test>", "\"Doe, \\\"Jöhn\\\"\" <j@x.test>"),
        ("\"a\\\"\" =?utf-8?q?b=2C?= <j@x.test>", "\"a\\\"\" \"b,\" <j@x.test>"),
        ("Doe, J <j@x.test>", "Doe, J <j@x.test>"),
    ];
    for (value, meant) in table {
        let view = seen(&format!("From: {value}\r\nTo: {value}\r\nSubject: {value}\r\n"), b"");
        assert_eq!((view.from.as_deref(), view.to.as_deref()), (Some(meant), Some(meant)), "{value}");
        assert_eq!(codes(&view), [""; 0], "{value}");
    }
    assert_eq!(seen("Subject: =?utf-8?q?a=2C_b?= c\r\n", b"").subject.as_deref(), Some("a, b c"));
}

#[test]
fn an_empty_text_beside_html_gives_way_to_its_words() {
    let body = "--B\r\n\r\n  \r\n--B\r\nContent-Type: text/html\r\n\r\n<p>Important</p>\r\n--B--\r\n";
    let view = seen("Content-Type: multipart/alternative; boundary=B\r\n", body.as_bytes());
    assert_eq!(view.text.as_deref(), Some("Important"));
    assert_eq!(seen("", b" \r\n").text.as_deref(), Some(" \r\n"));
}

#[test]
fn a_boundary_in_pieces_is_read() {
    let body = b"--abcd\r\n\r\ntext\r\n--abcd\r\nContent-Type: image/png\r\n\r\nx\r\n--abcd--\r\n";
    let head = "Content-Type: multipart/mixed; boundary*0=ab; boundary*1=cd\r\n";
    let view = seen(head, body);
    assert_eq!((view.text.as_deref(), view.attachments.len()), (Some("text"), 1));
    assert_eq!(codes(&view), [""; 0]);
    let raw = [head.as_bytes(), b"\r\n", body].concat();
    let scan = mail::scan_headers(&raw, true);
    assert!(mail::has_attachment(&scan, &raw, &mut std::io::empty()).unwrap());
}

#[test]
fn images_that_have_no_room_are_told() {
    let page = "--B\r\nContent-Type: text/html\r\n\r\n<img src=cid:1><img src=cid:2>\r\n".to_owned();
    let image = |id: u8| {
        let data = "A".repeat(4 << 20);
        format!(
            "--B\r\nContent-Type: image/png\r\nContent-ID: <{id}>\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}\r\n"
        )
    };
    let head = "Content-Type: multipart/related; boundary=B\r\n";
    let shown = |images: &str| seen(head, format!("{page}{images}--B--\r\n").as_bytes());
    let one = shown(&image(1));
    assert_eq!((one.html_safe.unwrap().matches("data:").count(), one.defects.is_empty()), (1, true));
    let two = shown(&(image(1) + &image(2)));
    assert_eq!(codes(&two), ["size_big"]);
    assert_eq!((two.html_safe.unwrap().matches("data:").count(), two.attachments.len()), (1, 2));
}

#[test]
fn long_subjects_are_whole_in_the_mail_and_cut_in_lists() {
    let long = "ä".repeat(10_000);
    let raw = format!("From: a\r\nSubject: {long}\r\nMessage-ID: <1>\r\n\r\n");
    assert_eq!(view(raw.as_bytes(), &Limits::default()).subject.as_deref(), Some(long.as_str()));
    assert_eq!(summarize(raw.as_bytes(), true).subject.unwrap().len(), 8 << 10);
    let word = format!("Subject: =?utf-8?q?{}?=\r\n", "a".repeat(10_000));
    assert_eq!(codes(&seen(&word, b"")), ["hdr_longline"]);
}

#[test]
fn openpgp_in_a_text_is_told() {
    let view = seen("", b"hello\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQ==\r\n-----END PGP MESSAGE-----\r\n");
    assert_eq!(codes(&view), ["encrypted"]);
    assert_eq!(codes(&seen("", b"> -----BEGIN PGP MESSAGE-----\r\n")), [""; 0]);
}
