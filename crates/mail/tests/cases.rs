//! The failure cases of bulk imports, one test each: what was lost elsewhere must be read here.

use mail::{Defect, Limits, Summary, View, message_date, scan_headers, summarize, view};

fn seen(raw: impl AsRef<[u8]>) -> View {
    view(raw.as_ref(), &Limits::default())
}

fn summed(raw: impl AsRef<[u8]>) -> Summary {
    summarize(raw.as_ref(), true)
}

const WHOLE: &str =
    "From: a@x.test\r\nSubject: hello\r\nMessage-ID: <1@x.test>\r\nDate: Mon, 02 Jan 2023 10:00:00 +0000\r\n";

fn mail(head: &str, body: &str) -> String {
    format!("{WHOLE}{head}\r\n{body}")
}

#[test]
fn a_plain_mail_has_no_defect() {
    for raw in [mail("", "body\r\n"), mail("", "body\r\n").replace('\r', ""), mail("", ""), WHOLE.trim_end().to_owned()]
    {
        let view = seen(&raw);
        assert!(view.defects.is_empty(), "{raw:?}: {:?}", view.defects);
        assert_eq!((view.subject.as_deref(), view.from.as_deref()), (Some("hello"), Some("a@x.test")));
        assert_eq!(view.headers.len(), 4);
        assert_eq!(view.headers[1], ("Subject".to_owned(), "hello".to_owned()));
    }
}

#[test]
fn case_9_neither_id_nor_subject() {
    let summary = summed("From: a@x.test\n\nbody");
    assert_eq!((summary.subject, summary.message_id), (None, None));
    assert_eq!(summary.defects.iter().collect::<Vec<_>>(), ["id_missing"]);
    assert_eq!(summed("Subject:\nMessage-ID: \n\n").subject.as_deref(), Some(""));
}

#[test]
fn case_11_large_headers() {
    let trace = "Received: from a.x.test\r\n\tby b.x.test; Mon, 02 Jan 2023 10:00:00 +0000\r\n".repeat(4400);
    assert!(trace.len() > 300 << 10);
    let view = seen(format!("{trace}{}", mail("", "body")));
    assert_eq!(view.headers.len(), 4404);
    assert_eq!(view.text.as_deref(), Some("body"));
    assert!(view.defects.is_empty());
}

#[test]
fn case_11_dates_behind_ten_thousand_fields() {
    let many = "x:y\n".repeat(10_001);
    let raw = format!("{many}Subject: s\nFrom: a\nMessage-ID: <1>\nDate: Mon, 02 Jan 2023 10:00:00 +0000\n\nbody");
    let summary = summed(&raw);
    assert_eq!((summary.subject.as_deref(), summary.from.as_deref()), (Some("s"), Some("a")));
    assert_eq!(summary.message_id.as_deref(), Some("<1>"));
    assert_eq!(summary.defects.iter().collect::<Vec<_>>(), ["hdr_large"]);
    for field in [
        "X-MailStore-Date: 20230102100000",
        "X-OriginalArrivalTime: 02 Jan 2023 10:00:00.0123 (UTC)",
        "date: Mon, 02 Jan 2023 10:00:00 +0000",
        "Received: by a;\n Mon, 02 Jan 2023 10:00:00 +0000",
    ] {
        let scan = scan_headers(format!("{many}{field}\n\n").as_bytes(), true);
        assert_eq!(message_date(&scan, None).seconds, Some(1_672_653_600), "{field}");
    }
    let flood = format!("{many}{}", "Date: x\n".repeat(50_000));
    assert!(scan_headers(flood.as_bytes(), true).fields.len() < 10_100);
    let mime = format!("{many}Content-Type: text/html\n\n<p>word</p>");
    assert_eq!(seen(&mime).text.as_deref(), Some("word"));
}

#[test]
fn case_21_the_from_line_stands_in_the_header() {
    for line in [
        ">From x@y.test Mon Jan  2 10:00:00 2023",
        "From x@y.test Mon Jan  2 10:00:00 2023",
        "m x@y Mon Jan  2 10:00:00 2023",
    ] {
        let view = seen(format!("{line}\n{}", mail("", "body")));
        assert_eq!(view.from.as_deref(), Some("a@x.test"), "{line}");
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["mbox_from_hdr"], "{line}");
    }
    let view = seen("Return-Path: <a>\n>From x Mon Jan  2 10:00:00 2023\nFrom: a\nMessage-ID: <1>\n\nbody");
    assert_eq!(view.from.as_deref(), Some("a"));
    assert_eq!(view.headers[0].1, "<a>");
}

#[test]
fn case_23_empty() {
    assert_eq!(summed("").defects.iter().collect::<Vec<_>>(), ["id_missing", "empty"]);
    assert!(seen("\n").headers.is_empty());
    assert!(seen("\r\n").headers.is_empty());
}

#[test]
fn case_31_the_first_of_two_counts_and_both_show() {
    let doubled = [
        "From: first@x\nFrom: second@x\nMessage-ID: <1>\n",
        "From: first@x\nMessage-ID: <1>\nMESSAGE-ID: <2>\n",
        "From: first@x\nMessage-ID: <1>\nDate: Mon, 02 Jan 2023 10:00:00 +0000\nDate: Mon, 02 Jan 2023 10:00:00 +0000\n",
        "From: first@x\nMessage-ID: <1>\nSubject: a\nSubject: a\n",
        "From: first@x\nMessage-ID: <1>\nContent-Type: text/plain\nContent-Type: text/html\n",
    ];
    for header in doubled {
        let view = seen(format!("{header}\nbody"));
        assert_eq!(view.from.as_deref(), Some("first@x"));
        assert_eq!(summed(header).message_id.as_deref(), Some("<1>"));
        assert_eq!(view.headers.len(), header.lines().count());
        assert!(view.defects.contains(Defect::DupHeader), "{header}");
    }
    assert!(!summed("Received: a\nReceived: b\nTo: a\nTo: b\nMessage-ID: <1>\n").defects.contains(Defect::DupHeader));
}

#[test]
fn case_32_long_ids() {
    for (length, long) in [(1, false), (300, false), (5_000, true)] {
        let id = format!("<{}>", "i".repeat(length));
        let summary = summed(format!("Message-ID:\r\n {id}\r\n\r\n"));
        assert_eq!(summary.message_id.as_deref(), Some(id.as_str()));
        assert_eq!(summary.defects.contains(Defect::IdLong), long);
    }
    let odd = summed("Message-ID: <a/b\0😀@x>\n\n");
    assert_eq!(odd.message_id.as_deref(), Some("<a/b␀😀@x>"));
}

#[test]
fn case_33_a_journal_report_shows_the_mail_inside() {
    let raw = mail(
        "X-MS-Journal-Report:\r\nContent-Type: multipart/mixed; boundary=B\r\n",
        "--B\r\nContent-Type: text/plain\r\n\r\nSender: a@x\r\nMessage-Id: <2>\r\nRecipient: b@x\r\n--B\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nsecret word\r\n--B--\r\n",
    );
    let view = seen(raw);
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["journal"]);
    assert_eq!(view.attachments[0].content_type, "message/rfc822");
    assert_eq!(view.attached_text.as_deref(), Some("inner\nsecret word"));
}

#[test]
fn case_41_a_banner_stands_before_the_header() {
    let banner = "Microsoft Mail Internet Headers Version 2.0\r\n";
    let view = seen(format!("{banner}{}", mail("", "body")));
    assert_eq!((view.subject.as_deref(), view.headers.len()), (Some("hello"), 4));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_banner"]);
    for blanks in 1..=3 {
        let view = seen(format!("{}{}", "\r\n".repeat(blanks), mail("", "body")));
        assert_eq!((view.subject.as_deref(), view.text.as_deref()), (Some("hello"), Some("body")));
        assert!(view.defects.contains(Defect::HdrBanner) && view.defects.contains(Defect::HdrJunk));
    }
    let view = seen(format!("x-store-info:\r\n{}", mail("", "body")));
    assert!(view.defects.is_empty());
    assert_eq!(view.headers[0], ("x-store-info".to_owned(), String::new()));
}

#[test]
fn case_42_a_blank_line_stands_in_the_header() {
    let view = seen("From: a\n\nSubject: s\nMessage-ID: <1>\n\nbody");
    assert_eq!((view.subject.as_deref(), view.text.as_deref()), (Some("s"), Some("body")));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_junk"]);
    let view = seen("From: a\nthis is junk\nSubject: s\nMessage-ID: <1>\n\nbody");
    assert_eq!((view.subject.as_deref(), view.text.as_deref()), (Some("s"), Some("body")));
    let mime =
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nin the part\r\n--B--\r\n";
    assert_eq!(seen(mail("", mime)).text.as_deref(), Some("in the part"));
}

#[test]
fn case_42_a_body_that_looks_like_a_header_stays_a_body() {
    let bodies = [
        "From: other@x.test\n\ncommit message",
        "Subject: quoted\nDate: yesterday\n\ntext",
        "Name: Bob\nAge: 3\n\n",
        "Message-ID: <2@x>\nReceived: by a\n\ntext",
        "http://x.test/\n",
    ];
    for body in bodies {
        let view = seen(mail("", body));
        assert_eq!((view.text.as_deref(), view.headers.len()), (Some(body), 4), "{body}");
        assert!(view.defects.is_empty());
    }
    let form = seen("From: a\nTo: b\nSubject: form\nMIME-Version: 1.0\nMessage-ID: <1>\n\nDate: 5 May\nName: Bob\n");
    assert_eq!(form.headers.len(), 5);
}

#[test]
fn case_43_a_byte_order_mark() {
    let view = seen(format!("\u{FEFF}{}", mail("", "body")));
    assert_eq!(view.from.as_deref(), Some("a@x.test"));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_bom"]);
    for little in [true, false] {
        let text = format!("\u{FEFF}{}", mail("", "Käse"));
        let raw: Vec<u8> =
            text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect();
        let view = seen(&raw);
        assert_eq!((view.from.as_deref(), view.text.as_deref()), (Some("a@x.test"), Some("Käse")));
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_bom"]);
        assert_eq!(summed(&raw).subject.as_deref(), Some("hello"));
        let offset = scan_headers(&raw, true).body_offset.unwrap();
        assert_eq!(raw.len() - offset, 8);
    }
}

#[test]
fn case_44_no_blank_line_before_the_body() {
    for body in ["Hello Bob,\nthis is: text", "Dear all: please read\nmore", "--\nsignature", "http://x.test/ is it"] {
        let view = seen(format!("{WHOLE}{body}").replace('\r', ""));
        assert_eq!((view.text.as_deref(), view.headers.len()), (Some(body), 4), "{body}");
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_nosep"], "{body}");
    }
}

#[test]
fn case_46_loose_fields() {
    let view = seen("Subject:x\nFrom : a@x,\nCc: a@x,\nReturn-Path:\n <a@x>\nMessage-ID: <1>\n\nbody");
    assert_eq!((view.subject.as_deref(), view.from.as_deref()), (Some("x"), Some("a@x,")));
    assert_eq!(view.headers[3], ("Return-Path".to_owned(), "<a@x>".to_owned()));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_loose"]);
}

#[test]
fn case_47_long_lines() {
    for length in [1_001, 5_000, 1_048_500] {
        let view = seen(format!("X-Long: {}\r\n{}", "x".repeat(length), mail("", "body")));
        assert_eq!((view.headers[0].1.len(), view.subject.as_deref()), (length, Some("hello")));
        assert!(view.defects.is_empty());
    }
    let view = seen(format!("X-Long: {}\r\n{}", "x".repeat(1_048_576), mail("", "body")));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_longline"]);
    assert_eq!((view.subject.as_deref(), view.text.as_deref()), (Some("hello"), Some("body")));
}

#[test]
fn case_49_raw_8_bit_in_headers() {
    let (cyrillic, _, _) = encoding_rs::WINDOWS_1251.encode("Привет, это письмо о заказе");
    let subjects: [(&[u8], &str); 3] = [
        (b"Gr\xFC\xDFe aus M\xFCnchen", "Grüße aus München"),
        ("Grüße".as_bytes(), "Grüße"),
        (&cyrillic, "Привет, это письмо о заказе"),
    ];
    for (bytes, meant) in subjects {
        let raw = [b"Subject: ", bytes, b"\r\nMessage-ID: <1>\r\n\r\nbody"].concat();
        let view = seen(&raw);
        assert_eq!(view.subject.as_deref(), Some(meant));
        assert_eq!(view.headers[0].1, meant);
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["hdr_8bit"]);
    }
    let raw = b"Subject: \xC4\xC5\n\
                Content-Type: text/plain; charset=iso-8859-7\nMessage-ID: <1>\n\nbody";
    assert_eq!(seen(raw).subject.as_deref(), Some("ΔΕ"));
}

#[test]
fn case_50_nul() {
    let view = seen("Subject: a\0b\nFrom: x\0@y\nMessage-ID: <1\0>\n\nbody");
    assert_eq!((view.subject.as_deref(), view.from.as_deref()), (Some("a␀b"), Some("x␀@y")));
    assert_eq!(view.headers[2].1, "<1␀>");
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["nul", "nul_db"]);
    assert_eq!(seen("Subject: =?utf-8?Q?a=00b=0Ac?=\nMessage-ID: <1>\n\n").subject.as_deref(), Some("a␀b c"));
    let view = seen(mail("Content-Type: application/x; name=\"a\0b\"\r\n", "x"));
    assert_eq!(view.attachments[0].name.as_deref(), Some("a␀b"));
}

#[test]
fn case_51_headers_that_made_parsers_panic() {
    let heads = [
        "Content-Disposition:\r\n",
        "Content-Disposition: attachment; filename=\r\n",
        "Content-Disposition: attachment; filename*=\r\n",
        "Content-Disposition: attachment; filename*0*='';;=;*=\r\n",
        "Content-Type: ;;;\r\nContent-Disposition: ;=\r\n",
        "Content-Type: /; boundary\r\n",
        "Content-Type: multipart/mixed; boundary=\"\r\n",
        "Received: from a by b;\r\n \r\n",
        "Subject: =?=?=??=?utf-8?b?=?utf-8?q??=\r\n",
        ":\r\n",
    ];
    for head in heads {
        let view = seen(mail(head, "body"));
        assert!(!view.defects.contains(Defect::ParserFailed), "{head}");
        assert_eq!(view.from.as_deref(), Some("a@x.test"));
    }
}

#[test]
fn case_53_boundary_text_in_mid_line() {
    let raw = mail(
        "Content-Type: multipart/mixed; boundary=BND\r\n",
        "--BND\r\n\r\nsee --BND for details\r\nand more\r\n--BND\r\nContent-Type: text/csv\r\n\r\na --BND-- b\r\n--BND--\r\n",
    );
    let view = seen(raw);
    assert_eq!(view.text.as_deref(), Some("see --BND for details\r\nand more"));
    assert_eq!(view.attachments[0].size_bytes, 11);
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["boundary_mid"]);
}

#[test]
fn case_55_boundaries_that_are_missing() {
    let bodies = [
        ("Content-Type: multipart/mixed; boundary=B\r\n", "--B\r\n\r\nword\r\n"),
        ("Content-Type: multipart/mixed; boundary=B\r\n", "word\r\n"),
        ("Content-Type: multipart/mixed\r\n", "word\r\n"),
        ("Content-Type: multipart/mixed; boundary=B\r\n", "word\r\n--B--\r\n"),
    ];
    for (head, body) in bodies {
        let view = seen(mail(head, body));
        assert!(view.text.as_deref().unwrap_or_default().starts_with("word\r\n"), "{head}{body}");
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["boundary_missing"]);
    }
}

#[test]
fn case_56_an_attached_mail_is_encoded() {
    let body = "--B\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                U3ViamVjdDogaW5uZXINCg0Kc2VjcmV0DQo=\r\n--B--\r\n";
    let view = seen(mail("Content-Type: multipart/mixed; boundary=B\r\n", body));
    assert_eq!(view.attached_text.as_deref(), Some("inner\nsecret\r\n"));
    assert_eq!(view.attachments[0].size_bytes, 26);
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["nested_enc"]);
}

#[test]
fn case_57_words_of_attached_mails_are_found() {
    let inner = "Subject: two\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\nContent-Type: message/rfc822\r\n\r\n\
                 Subject: three\r\n\r\ndeepest\r\n--C--\r\n";
    let body = format!("--B\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--B--\r\n");
    let view = seen(mail("Content-Type: multipart/mixed; boundary=B\r\n", &body));
    let text = view.attached_text.unwrap();
    assert!(text.contains("two") && text.contains("three") && text.contains("deepest"), "{text}");
    assert_eq!(view.attachments.len(), 1);
    assert_eq!(view.text, None);
}

#[test]
fn case_59_and_60_opaque_parts_are_listed() {
    let parts = [
        ("application/ms-tnef; name=winmail.dat", "tnef"),
        ("application/octet-stream; name=WINMAIL.DAT", "tnef"),
        ("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", "smime"),
        ("application/octet-stream; name=smime.p7m", "smime"),
    ];
    for (kind, code) in parts {
        let view = seen(mail(&format!("Content-Type: {kind}\r\n"), "xyz"));
        assert_eq!(view.attachments[0].size_bytes, 3);
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), [code]);
        assert!(view.defects.partially_indexed());
    }
}

#[test]
fn case_61_flowed_text() {
    let view = seen(mail("Content-Type: text/plain; format=flowed; delsp=yes\r\n", "Zusam \r\nmen\r\n> a \r\n> b\r\n"));
    assert_eq!(view.text.as_deref(), Some("Zusammen\r\n> ab\r\n"));
}

#[test]
fn case_62_charsets() {
    let bodies: [(&str, &[u8], &str, bool); 10] = [
        ("charset=utf-16", b"\xFF\xFEK\0\xE4\0", "Kä", false),
        ("charset=utf-16", b"\0K\0\xE4", "Kä", false),
        ("charset=utf-16le", b"K\0\xE4\0", "Kä", false),
        ("charset=cp850", b"K\x84se", "Käse", false),
        ("charset=windows-1252", "Käse".as_bytes(), "Käse", true),
        ("charset=\"utf-8", "Käse".as_bytes(), "Käse", false),
        ("charset=iso-8859-8-i", b"\xF9\xEC\xE5\xED", "שלום", false),
        ("charset=utf-8", b"K\xE4se und Brot", "Käse und Brot", true),
        ("charset=x-nonsense", b"K\xE4se und Brot", "Käse und Brot", true),
        ("charset=utf-7", b"K+AOQ-se", "Käse", false),
    ];
    for (charset, bytes, meant, defect) in bodies {
        let raw = [mail(&format!("Content-Type: text/plain; {charset}\r\n"), "").as_bytes(), bytes].concat();
        let view = seen(&raw);
        assert_eq!(view.text.as_deref(), Some(meant), "{charset}");
        assert_eq!(view.defects.contains(Defect::Charset), defect, "{charset}");
    }
}

#[test]
fn case_64_broken_encodings_are_decoded_as_far_as_possible() {
    let parts = [
        ("base64", "SGVs*bG8=", "Hello"),
        ("base64", "SGVs=bG8=", "Hello"),
        ("base64", "SGVsbG8", "Hello"),
        ("quoted-printable", "a=ZZb=3D", "a=ZZb="),
        ("x-nonsense", "as it is", "as it is"),
    ];
    for (encoding, body, meant) in parts {
        let view = seen(mail(&format!("Content-Transfer-Encoding: {encoding}\r\n"), body));
        assert_eq!(view.text.as_deref(), Some(meant), "{encoding} {body}");
        assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["cte_broken"]);
    }
}

#[test]
fn case_65_nul_in_a_body() {
    let head = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n";
    let view = seen(mail(head, "<p>one=00two</p>"));
    assert_eq!((view.text.as_deref(), view.html_safe.as_deref()), (Some("onetwo"), Some("<p>onetwo</p>")));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["nul", "nul_body"]);
}

#[test]
fn case_66_names_of_attachments() {
    let names = [
        ("filename*0*=UTF-8''%e2%82; filename*1*=%ac.txt", "€.txt", false),
        ("filename=\"=?utf-8?B?4oKsLnR4dA==?=\"", "€.txt", false),
        ("filename=\"100%25.txt\"", "100%25.txt", false),
        ("filename=\"..\\..\\x\"", "..\\..\\x", true),
        ("filename*=UTF-8''a%E2%80%AEtxt.exe", "a<U+202E>txt.exe", true),
    ];
    for (parameter, meant, odd) in names {
        let view = seen(mail(&format!("Content-Disposition: attachment; {parameter}\r\n"), "x"));
        assert_eq!(view.attachments[0].name.as_deref(), Some(meant));
        assert_eq!(view.defects.contains(Defect::AttName), odd, "{parameter}");
    }
}

#[test]
fn case_68_html_that_acts() {
    let html = "<p>hi</p><img src=\"http://x.test/p.gif\"><script>alert(1)</script><a href=\"https://x.test/\">l</a>";
    let view = seen(mail("Content-Type: text/html\r\n", html));
    assert_eq!(
        view.html_safe.as_deref(),
        Some("<p>hi</p><img><a href=\"https://x.test/\" rel=\"noopener noreferrer\">l</a>")
    );
    assert_eq!(view.text.as_deref(), Some("hi\nl"));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["html_active"]);
}

#[test]
fn lines_may_end_in_cr_alone() {
    let raw =
        mail("Content-Type: multipart/mixed; boundary=B\r\n", "--B\r\n\r\none\r\ntwo\r\n--B--\r\n").replace('\n', "");
    let view = seen(raw);
    assert_eq!((view.subject.as_deref(), view.text.as_deref()), (Some("hello"), Some("one\ntwo")));
    assert_eq!(view.defects.iter().collect::<Vec<_>>(), ["eol_cr"]);
    let lone = seen("From: a\nSubject: one\rtwo\nMessage-ID: <1>\n\nbody");
    assert_eq!((lone.headers.len(), lone.text.as_deref()), (3, Some("body")));
}

#[test]
fn bodies_and_attachments_are_told_apart() {
    let body = "--A\r\nContent-Type: multipart/alternative; boundary=B\r\n\r\n\
        --B\r\n\r\nplain\r\n--B\r\nContent-Type: multipart/related; boundary=C\r\n\r\n\
        --C\r\nContent-Type: text/html\r\n\r\n<b>html</b><img src=\"cid:i@x\">\r\n\
        --C\r\nContent-Type: image/png\r\nContent-ID: <i@x>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--C--\r\n\
        --B--\r\n--A\r\nContent-Type: text/plain; name=n.txt\r\nContent-Disposition: attachment\r\n\r\nnote\r\n\
        --A\r\n\r\nfooter\r\n--A--\r\n";
    let view = seen(mail("Content-Type: multipart/mixed; boundary=A\r\n", body));
    assert_eq!(view.text.as_deref(), Some("plain\nfooter"));
    assert_eq!(
        view.html_safe.as_deref(),
        Some("<b>html</b><img src=\"data:image/png;base64,AAAA\">\n<pre>footer</pre>")
    );
    let listed: Vec<_> = view.attachments.iter().map(|part| (part.content_type.as_str(), part.size_bytes)).collect();
    assert_eq!(listed, [("image/png", 3), ("text/plain", 4)]);
    assert!(view.defects.is_empty());
}

#[test]
fn an_attachment_has_the_hash_of_its_content() {
    let view = seen(mail("Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n", "aGVsbG8=\r\n"));
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let hash = view.attachments[0].sha256.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(hash, hello);
}

#[test]
fn encoded_words() {
    let subjects = [
        ("=?utf-8?Q?caf=C3=A9?=", "café"),
        ("=?UTF-8?B?8J+Y?=\r\n =?UTF-8?B?gA==?=", "😀"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=E4?= b", "aä b"),
        ("a =?utf-8?q?b?=c", "a bc"),
        ("=?utf-8*de?q?M=C3=BCller?=", "Müller"),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=\r\n\t=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テストテスト"),
        ("folded\r\n line\tand tab", "folded line and tab"),
    ];
    for (written, meant) in subjects {
        assert_eq!(summed(format!("Subject: {written}\r\n\r\n")).subject.as_deref(), Some(meant), "{written}");
    }
}

#[test]
fn a_cut_header_gives_no_half_values() {
    let raw = mail("", "body");
    let cut = raw.len() - 20;
    let scan = scan_headers(&raw.as_bytes()[..cut], false);
    assert_eq!((scan.fields.len(), scan.body_offset), (3, None));
    assert!(scan.defects.contains(Defect::HdrLarge));
    let summary = summarize(&raw.as_bytes()[..raw.len() - 4], false);
    assert_eq!(summary, summed(&raw), "the whole header is enough");
}
