//! What a reader is shown of a mail: HTML that neither acts nor loads, what is said about it, and dates.

use std::cell::Cell;

use mail::{Blocked, DateSource, Defect, Limits, View, message_date, scan_headers, summarize, view, view_while};

fn seen(raw: impl AsRef<[u8]>) -> View {
    view(raw.as_ref(), &Limits::default())
}

fn page(html: &str) -> View {
    seen(format!("Message-ID: <1>\nContent-Type: text/html; charset=utf-8\n\n{html}"))
}

#[test]
fn case_68_each_thing_that_acts_or_loads_is_removed_and_counted() {
    let table = [
        ("<script>x()</script>", 1, 0),
        ("<p onclick=x()>", 1, 0),
        ("<a href=\"javascript:x()\">", 1, 0),
        ("<form action=\"https://x.test\"><input></form>", 1, 0),
        ("<meta http-equiv=refresh content=\"0;url=https://x.test\">", 1, 0),
        ("<svg onload=x()></svg>", 2, 0),
        ("<math href=\"javascript:x()\"></math>", 2, 0),
        ("<iframe src=\"https://x.test\"></iframe>", 1, 1),
        ("<iframe srcdoc=\"<script>x()</script>\"></iframe>", 1, 0),
        ("<object data=\"https://x.test/x\"></object>", 1, 1),
        ("<base href=\"https://x.test/\">", 1, 0),
        ("<img src=\"https://x.test/pixel\" width=1>", 0, 1),
        ("<img srcset=\"https://x.test/a 1x\">", 0, 1),
        ("<img src=\"data:image/svg+xml;base64,PHN2Zz4=\">", 0, 0),
        ("<link rel=stylesheet href=\"https://x.test/a.css\">", 0, 1),
        ("<style>@import url(https://x.test/a.css)</style>", 0, 2),
        ("<p style=\"position:fixed;background:url('//x.test/a')\">", 0, 1),
        ("<table background=\"https://x.test/a\"></table>", 0, 1),
        ("<video poster=\"https://x.test/a\" src=\"https://x.test/b\"></video>", 0, 2),
    ];
    for (html, active, remote) in table {
        let view = page(&format!("<b>one</b>{html}<i>two</i>"));
        assert_eq!(view.blocked, Blocked { active, remote }, "{html}");
        let counted = active + remote > 0;
        assert_eq!(view.defects.contains(Defect::HtmlActive), counted, "{html}");
        assert!(!view.defects.partially_indexed());
        let safe = view.html_safe.unwrap().to_lowercase();
        for bad in ["script", "x.test", "onclick", "onload", "style", "svg", "data:", "x()", "src"] {
            assert!(!safe.contains(bad), "{bad} in {safe}");
        }
        assert!(safe.contains("<b>one</b>") && safe.contains("<i>two</i>"), "{safe}");
    }
    let both = "Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/html\n\n<img src=https://a>\n\
                --B\nContent-Type: text/html\n\n<img src=https://b><script>x</script>\n--B--\n";
    assert_eq!(seen(both).blocked, Blocked { active: 1, remote: 2 });
}

/// HTML that becomes another one when it is parsed, written and parsed again, or that parsers tokenize differently.
#[test]
fn case_68_no_mutation_brings_anything_back() {
    let hostile = [
        "<svg></p><style><a id=\"</style><img src=1 onerror=x()>\">",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=x()&gt;\">",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=x()>",
        "<noscript><p title=\"</noscript><img src=x onerror=x()>\">",
        "<title><p title=\"</title><img src=x onerror=x()>\">",
        "<textarea><p title=\"</textarea><img src=x onerror=x()>\">",
        "<xmp><p title=\"</xmp><img src=x onerror=x()>\">",
        "<iframe><p title=\"</iframe><img src=x onerror=x()>\">",
        "<noembed><p title=\"</noembed><img src=x onerror=x()>\">",
        "<!--><img src=x onerror=x()>-->",
        "<!-- --!><img src=x onerror=x()>-->",
        "<![CDATA[><img src=x onerror=x()>]]>",
        "<a title='`<img src=x onerror=x()>'>`",
        "<img src=\"x` `<script>x()</script>\"` `>",
        "<p title=\"&quot;><img src=x onerror=x()>\">",
        "<<img src=x onerror=x()>img src=y onerror=x()>",
        "<img \"\"\"><script>x()</script>\">",
        "<select><template><style><!--</style><a rel=\"--></style></template></select><img src onerror=x()>\">",
        "<plaintext><img src=x onerror=x()>",
        "<table><caption><svg><title><style><img src=x onerror=x()></style></title></svg>",
    ];
    for html in hostile {
        let once = page(html).html_safe.unwrap();
        let twice = page(&once).html_safe.unwrap();
        for safe in [&once, &twice] {
            // What stands in a text or in quotes is inert: tags alone count.
            for tag in safe.split('<').skip(1) {
                let outside: String = tag.split('"').step_by(2).collect();
                let outside = outside.split('>').next().unwrap();
                assert!(!outside.contains("onerror") && !outside.starts_with("script"), "{html}: {safe}");
            }
        }
        assert_eq!(page(&once).blocked.active, 0, "{once}");
    }
}

#[test]
fn images_of_the_mail_are_shown_by_their_content_id() {
    let image = |id: &str, kind: &str| format!("--B\nContent-Type: {kind}\nContent-ID: <{id}>\n\nIMG\n");
    let html = "<img src=\"cid:a%40b\"><img src=\"CID:a@b\"><img src=\"cid:c@d\"><img src=\"cid:none\">";
    let raw = format!(
        "Content-Type: multipart/related; boundary=B\n\n--B\nContent-Type: text/html\n\n{html}\n{}{}--B--\n",
        image("a@b", "image/gif"),
        image("c@d", "image/svg+xml"),
    );
    let view = seen(raw);
    let shown = "<img src=\"data:image/gif;base64,SU1H\">";
    assert_eq!(view.html_safe.unwrap(), format!("{shown}{shown}<img><img>"));
    assert_eq!((view.blocked, view.attachments.len()), (Blocked::default(), 2));
}

#[test]
fn addresses_are_decoded() {
    let view = seen(
        "From: a@x\nTo: =?utf-8?q?M=C3=BCller?= <m@x>,\n b@x\nTo: c@x\nCc:\nBCC: d@x\nReply-To: \"e, f\" <e@x>\n\n",
    );
    assert_eq!(view.to.as_deref(), Some("Müller <m@x>, b@x, c@x"));
    assert_eq!((view.cc.as_deref(), view.bcc.as_deref()), (Some(""), Some("d@x")));
    assert_eq!(view.reply_to.as_deref(), Some("\"e, f\" <e@x>"));
    let many = (0..10_000).map(|number| format!("someone-{number}@example.org, ")).collect::<Vec<_>>().concat();
    assert!(seen(format!("To: {many}last@x\n\n")).to.unwrap().ends_with("last@x"));
}

#[test]
fn a_mail_whose_content_is_missing_or_doubtful_is_partially_indexed() {
    let part = |head: &str, body: &str| {
        format!("Message-ID: <1>\nContent-Type: multipart/mixed; boundary=B\n\n--B\n{head}\n{body}\n--B--\n")
    };
    let table = [
        (part("", "whole"), "", false),
        (part("Content-Transfer-Encoding: base64\n", "YWJj*ZGVm"), "cte_broken", true),
        (part("Content-Type: text/plain; charset=x-nonsense\n", "K\u{E4}se"), "charset", true),
        (part("Content-Type: application/ms-tnef\n", "x"), "tnef", true),
        (part("Content-Type: application/pkcs7-mime\n", "x"), "smime", true),
        (part("", "cut").replace("--B--\n", ""), "boundary_missing", true),
        (part("", "see --B here"), "boundary_mid", false),
        (part("Content-Type: text/html\n", "<script>x</script>word"), "html_active", false),
        (part("Content-Disposition: attachment; filename=../x\n", "x"), "att_name", false),
        ("no header\nat all\n".to_owned(), "not_mail", true),
        ("From: a\nSubject: s\n\nbody".to_owned(), "id_missing", false),
    ];
    for (raw, code, partial) in table {
        let defects = seen(&raw).defects;
        assert!(code.is_empty() || defects.iter().any(|found| found == code), "{code}: {defects:?}");
        assert_eq!(defects.partially_indexed(), partial, "{code}: {defects:?}");
    }
}

#[test]
fn a_second_reader_that_reads_otherwise_is_a_defect() {
    let ambiguous = "Message-ID: <1>\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: multipart/mixed; \
                     boundary=B\n\n--B\n\none\n--B--\n--B\n\ntwo\n--B--\n";
    let view = seen(ambiguous);
    assert!(view.defects.partially_indexed(), "{:?}", view.defects);
}

#[test]
fn a_reader_that_is_told_to_stop_shows_what_it_has() {
    let parts = (0..10).map(|number| format!("--B\n\nword {number}\n")).collect::<Vec<_>>().concat();
    let raw = format!("Subject: s\nContent-Type: multipart/mixed; boundary=B\n\n{parts}--B--\n");
    let whole = seen(&raw);
    let asked = Cell::new(0);
    let stop_after = |limit: u32| {
        asked.set(0);
        view_while(raw.as_bytes(), true, &Limits::default(), &|| asked.replace(asked.get() + 1) < limit)
    };
    for limit in 0..10 {
        let view = stop_after(limit);
        assert_eq!((view.subject.as_deref(), asked.get() > limit), (Some("s"), true));
        assert!(view.defects.contains(Defect::ParserFailed) && view.defects.partially_indexed());
        assert!(whole.text.as_deref().unwrap().starts_with(view.text.as_deref().unwrap_or_default()));
    }
    assert_eq!(stop_after(1_000), whole);
    let html = format!("Subject: s\nContent-Type: text/html\n\n{}", "<p>word</p>".repeat(10_000));
    asked.set(0);
    let view = view_while(html.as_bytes(), true, &Limits::default(), &|| asked.replace(asked.get() + 1) < 5);
    assert!(view.defects.contains(Defect::ParserFailed), "{:?}", view.defects);
    assert!(view.text.unwrap().trim_end().ends_with("word"));
}

#[test]
fn case_67_of_a_mail_that_is_cut_off_only_whole_parts_are_listed() {
    let part = |name: &str, content: &str| {
        format!("--B\nContent-Type: application/x; name={name}\nContent-Transfer-Encoding: base64\n\n{content}\n")
    };
    let raw = format!(
        "Subject: s\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\ntext\n{}{}--B--\n",
        part("first", "aGVsbG8="),
        part("second", &"QUFB".repeat(100))
    );
    let begun = |end: usize| view_while(&raw.as_bytes()[..end], false, &Limits::default(), &|| true);
    let names = |view: &View| view.attachments.iter().filter_map(|part| part.name.clone()).collect::<Vec<_>>();
    let whole = seen(&raw);
    assert_eq!(names(&whole), ["first", "second"]);
    let cut = begun(raw.len() - 50);
    assert_eq!((cut.text.as_deref(), names(&cut)), (Some("text"), vec!["first".to_owned()]));
    assert_eq!(cut.attachments[0], whole.attachments[0]);
    assert_eq!(cut.defects.iter().collect::<Vec<_>>(), ["id_missing", "size_big"]);
    for end in 0..raw.len() {
        let cut = begun(end);
        assert!(cut.attachments.iter().all(|part| whole.attachments.contains(part)), "{end}");
        assert!(cut.defects.partially_indexed());
    }
}

#[test]
fn case_39_a_date_is_never_made_up() {
    let dates = [
        ("", None, &[][..]),
        ("Date:\n", None, &["date_empty"]),
        ("Date: yesterday\n", None, &["date_format"]),
        ("Date: 31 Feb 2023 10:00:00 +0000\n", None, &["date_invalid"]),
        ("Date: 02 Jan 2023 10:00:00 GMT+02:00\n", None, &["date_zone"]),
        ("Date: x\nReceived: by a; 02 Jan 2023 10:00:00 +0000\n", Some(DateSource::Received), &["date_format"]),
        ("X-MailStore-Date: 20230102100000\nDate: x\n", Some(DateSource::XMailstoreDate), &[]),
    ];
    for (fields, source, codes) in dates {
        let raw = format!("Message-ID: <1>\n{fields}\nbody");
        let date = message_date(&scan_headers(raw.as_bytes(), true), None);
        assert_eq!((date.source, date.seconds.is_some()), (source, source.is_some()), "{fields}");
        let listed: Vec<_> = summarize(raw.as_bytes(), true).defects.iter().collect();
        assert_eq!(listed, codes, "{fields}");
        assert_eq!(seen(&raw).defects.iter().collect::<Vec<_>>(), codes, "{fields}");
    }
}
