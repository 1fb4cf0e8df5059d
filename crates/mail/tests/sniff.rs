//! Which files are mails by their first bytes: one too few is a mail lost.

use mail::{Defect, Limits, looks_like_mail, view};

#[test]
fn case_12_what_is_no_mail() {
    let foreign: [&[u8]; 9] = [
        b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a:b xmlns:a=\"x\">\n",
        b"<a:b>\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"{\"a\": 1}",
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        b"PK\x03\x04",
        b"Dear Bob: hello\n",
        b"http://x.test/\n",
        b"",
    ];
    for bytes in foreign {
        assert!(!looks_like_mail(bytes), "{bytes:?}");
        assert!(view(bytes, &Limits::default()).headers.is_empty(), "{bytes:?}");
    }
    assert!(view(b"<?xml version=\"1.0\"?>\n<a:b>\n", &Limits::default()).defects.contains(Defect::NotMail));
    assert_eq!(view(b"", &Limits::default()).defects.iter().collect::<Vec<_>>(), ["id_missing", "empty"]);
    let mails: [&[u8]; 8] = [
        b"Subject: x",
        b"x-store-info:\r\nFrom: a\r\n",
        b"\xEF\xBB\xBFFrom: a\n",
        b"From a@b Mon Jan  2 10:00:00 2023\nSubject: x\n",
        b"Microsoft Mail Internet Headers Version 2.0\r\nReceived: from a\r\n",
        b"Subject : x\n",
        b"Received: by a\rFrom: b\r\rbody",
        b"\xFF\xFEF\0r\0o\0m\0:\0 \0a\0\n\0",
    ];
    for bytes in mails {
        assert!(looks_like_mail(bytes), "{bytes:?}");
    }
}

/// Names in the wild; alone in the header, they still make a mail after a banner.
const FIELDS: &str = "x-store-info Delivery-date DKIM-Signature Authentication-Results ARC-Seal Status Envelope-to \
    In-Reply-To Thread-Topic Importance Bcc List-Id Content-Transfer-Encoding User-Agent Resent-From References \
    Errors-To X-Mailer x-ms-exchange-organization X-a FROM subject dAtE";

#[test]
fn case_41_a_field_follows_a_banner() {
    let banners = [
        "Microsoft Mail Internet Headers Version 2.0",
        "Exported by Archive 7",
        "*** SPAM ***",
        "[EXTERNAL] read with care",
        "Übermittelte Nachricht – vertraulich",
        "\tindented",
        "",
        "\n\n",
        "From a@b Mon Jan  2 10:00:00 2023",
        ">From a@b Mon Jan  2 10:00:00 2023",
    ];
    for (banner, name) in banners.iter().flat_map(|banner| FIELDS.split_whitespace().map(move |name| (banner, name))) {
        for raw in [format!("{banner}\r\n{name}:\r\n"), format!("{banner}\n{name}: x\n\nbody")] {
            assert!(looks_like_mail(raw.as_bytes()), "{raw:?}");
            assert_eq!(view(raw.as_bytes(), &Limits::default()).headers[0].0, name, "{raw:?}");
        }
    }
    let latin = b"\xDCbermittelt am 2. J\xE4nner\r\nReceived: by a\r\n";
    assert!(looks_like_mail(latin));
    let any = ["Microsoft Mail Internet Headers Version 2.0\r\nWhatever-It-Is: x\r\n", "From a 10:00\n_x: c\n"];
    for raw in any {
        assert!(looks_like_mail(raw.as_bytes()), "{raw:?}");
    }
}

#[test]
fn case_41_two_unknown_fields_follow_a_banner() {
    for raw in [
        "Exported by Archive 7\r\nArchive-Key: 1\r\nArchive-Owner: jane\r\n\r\nbody",
        "*** from the archive ***\nArchive-Key: 1\n folded: on\n\tand on\nArchive-Owner: jane\n",
        "---\nFrom: a\nSubject: b\n\nbody",
        "# exported\nArchive-Key: 1\nMessage-ID: <1>\n",
    ] {
        assert!(looks_like_mail(raw.as_bytes()), "{raw:?}");
    }
}

#[test]
fn texts_with_a_colon_are_no_mails() {
    let texts = [
        "Dear Bob\nNote: bring the keys\nand the car\n",
        "Dear Bob\n\nFrom: here\nTo: there\n",
        "Shopping list\nMilk: two\n",
        "name,time\nbob,10:00\nann,11:00\n",
        "Started\n10:00 up\n11:00 down\n",
        "Log of today\n2023-01-02T10:00:00 up\n2023-01-02T10:00:01 down\n",
        "---\ntitle: A post\ndate: 2023-01-02\n---\n",
        "---\ndate: 2023-01-02\nsubject: a\n---\n",
        "# settings\nversion: 3\nstatus: on\n",
        "HTTP/1.1 200 OK\nDate: Mon, 02 Jan 2023 10:00:00 GMT\nContent-Type: text/html\n",
        "GET / HTTP/1.1\r\nHost: x.test\r\nUser-Agent: y\r\n",
        "#include <x>\nstd::cout << 1;\nstd::cout << 2;\n",
        "int main() {\nout: return 0;\n}\n",
        "def f(x):\n    a: int\n    b: int\n",
        "/* style */\ncolor: red;\nmargin: 0;\n",
        "Files\nC:\\a\nC:\\b\n",
        "See\nhttp://x.test/\nhttp://y.test/\n",
        "{\n  \"from\": 1,\n  \"to\": 2\n}\n",
        "{\"from\":1}\n",
        "<a:b>\nfrom\n",
        "a banner\u{1}\nFrom: a\n",
        "\n\n\n\nFrom: a\n",
    ];
    for text in texts {
        assert!(!looks_like_mail(text.as_bytes()), "{text:?}");
    }
    let long = format!("{}\nFrom: a\n", "x".repeat(999));
    assert!(!looks_like_mail(long.as_bytes()));
}

/// RFC 5322, 2.2: a name is printable ASCII without the colon. So these are fields, whatever their writer meant.
#[test]
fn a_first_line_with_any_legal_name_makes_a_mail() {
    for raw in ["_x: c\n", "-a: b\n", "=x:y\n", "(x): y\n", ";a: b", "C:\\x\n", "key: value\n", "***SPAM***: yes\n"] {
        assert!(looks_like_mail(raw.as_bytes()), "{raw:?}");
        let view = view(raw.as_bytes(), &Limits::default());
        assert_eq!((view.headers.len(), view.defects.contains(Defect::HdrBanner)), (1, false), "{raw:?}");
    }
}
