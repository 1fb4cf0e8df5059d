//! Mails made to break readers: each must end soon, in bounded memory, without a panic.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use mail::{Defect, Limits, View, looks_like_mail, looks_like_mbox, message_date, scan_headers, summarize, view};
use proptest::prelude::*;

/// A build without optimisation on a busy machine; without bounds these inputs take minutes.
const SOON: Duration = Duration::from_secs(20);

fn seen(raw: &[u8]) -> View {
    let start = Instant::now();
    let view = view(raw, &Limits::default());
    let took = start.elapsed();
    assert!(took < SOON, "took {took:?} for {} bytes", raw.len());
    assert!(!view.defects.contains(Defect::ParserFailed));
    view
}

fn all_verbs(raw: &[u8]) {
    for complete in [true, false] {
        let scan = scan_headers(raw, complete);
        assert!(scan.body_offset.is_none_or(|at| at <= raw.len()));
        message_date(&scan, None);
        summarize(raw, complete);
    }
    looks_like_mail(raw);
    looks_like_mbox(raw);
    assert!(!view(raw, &Limits::default()).defects.contains(Defect::ParserFailed));
}

fn fixtures() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|tail| tail == "eml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn a_mail_may_be_cut_at_every_byte() {
    for raw in fixtures() {
        for end in 0..=raw.len() {
            all_verbs(&raw[..end]);
        }
    }
}

#[test]
fn what_is_read_of_a_prefix_is_what_is_read_of_the_whole() {
    for raw in fixtures() {
        let whole = scan_headers(&raw, true);
        let body = whole.body_offset.unwrap();
        for end in [body, body + (raw.len() - body) / 2, raw.len()] {
            let part = scan_headers(&raw[..end], end == raw.len());
            assert_eq!(part.fields, whole.fields);
        }
    }
}

#[test]
fn parts_without_number() {
    let raw = format!("Content-Type: multipart/mixed; boundary=B\n\n{}--B--\n", "--B\n\n".repeat(100_000));
    let view = seen(raw.as_bytes());
    assert!(view.defects.contains(Defect::MimeBomb));
    let raw =
        format!("Content-Type: multipart/mixed; boundary=B\n\n{}--B--\n", "--B\nContent-Type: a/b\n\n".repeat(100_000));
    assert!(seen(raw.as_bytes()).attachments.len() <= Limits::default().parts);
}

#[test]
fn parts_without_end() {
    for depth in [300, 20_000] {
        let level = |level| {
            format!(
                "Content-Type: multipart/mixed; boundary=b{level}

--b{level}
"
            )
        };
        let raw = (0..depth).map(level).collect::<Vec<_>>().concat();
        assert!(seen(raw.as_bytes()).defects.contains(Defect::MimeBomb), "{depth}");
        let nested = "Content-Type: message/rfc822\n\n".repeat(depth);
        assert!(seen(nested.as_bytes()).defects.contains(Defect::MimeBomb), "{depth}");
        let same = "Content-Type: multipart/mixed; boundary=B\n\n--B\n".repeat(depth);
        seen(same.as_bytes());
    }
}

#[test]
fn headers_without_end() {
    seen(format!("X: {}\n\nbody", "x".repeat(1 << 20)).as_bytes());
    seen(format!("X: {}\n\nbody", "a\n ".repeat(100_000)).as_bytes());
    seen(&b"X".repeat(3 << 20));
    seen(&b"a:\n".repeat(1 << 20));
    seen(&b"a\n".repeat(1 << 20));
    seen(&b"\n".repeat(1 << 20));
    seen(&b"From \n".repeat(1 << 18));
    seen(&b"a:\n\n".repeat(1 << 18));
    seen(&b"\r".repeat(1 << 20));
    seen(&b"\r\r\n".repeat(1 << 18));
    assert!(scan_headers(&b"a:b\n".repeat(1 << 20), true).fields.len() <= 10_000);
    for value in ["=?utf-8?q?", "=?", "=?utf-8?q?a?= ", "(", "\"", ";", ";a=", ";a*0=b", "%", "\\"] {
        for name in ["Subject", "Content-Type", "Content-Disposition", "Received", "Date", "Content-Transfer-Encoding"]
        {
            seen(format!("{name}: x{}\n\nbody", value.repeat((1 << 20) / value.len())).as_bytes());
        }
    }
}

#[test]
fn boundaries_everywhere() {
    seen(format!("Content-Type: multipart/mixed; boundary=B\n\n{}", "x--B".repeat(1 << 18)).as_bytes());
    seen(format!("Content-Type: multipart/mixed; boundary=B\n\n{}", "--Bx\n".repeat(1 << 18)).as_bytes());
    seen(format!("Content-Type: multipart/mixed; boundary=-\n\n{}", "-".repeat(1 << 20)).as_bytes());
    seen(format!("Content-Type: multipart/mixed; boundary={}\n\n--", "-".repeat(1 << 17)).as_bytes());
}

#[test]
fn html_that_grows() {
    let image = "--B\nContent-Type: image/png\nContent-ID: <i>\n\n".to_owned() + &"x".repeat(1 << 20);
    let html = "--B\nContent-Type: text/html\n\n".to_owned() + &"<img src=\"cid:i\">".repeat(1 << 14);
    let raw = format!("Content-Type: multipart/related; boundary=B\n\n{html}\n{image}\n--B--\n");
    let safe = seen(raw.as_bytes()).html_safe.unwrap();
    assert!(safe.len() < 20 << 20, "{}", safe.len());
    for html in [
        "<div>",
        "<p><b x=",
        "<a href=x ",
        "<table><tr><td>",
        "<!--",
        "<![CDATA[",
        "&lt;",
        "<svg>",
        "<select><option>",
        " on",
    ] {
        seen(format!("Content-Type: text/html\n\n{}", html.repeat(200_000)).as_bytes());
    }
}

/// A parser opens formatting elements that nobody closed again in each paragraph, with all their attributes: 150 KB became
/// half a gigabyte.
#[test]
fn html_that_grows_in_its_parser() {
    let paragraphs = "<p>x".repeat(30_000);
    let numbered = |count: usize, piece: &dyn Fn(usize) -> String| (0..count).map(piece).collect::<Vec<_>>().concat();
    let pages = [
        format!("<p><a href=\"http://x.test/{}\">{paragraphs}", "h".repeat(8_000)),
        format!("<p><font color=\"{}\">{paragraphs}", "&quot;".repeat(900)),
        format!("<p>{}{paragraphs}", numbered(100, &|number| format!("<font size={number}>"))),
        // An end tag in a cell does not reach what is open around the table.
        format!(
            "<div>{}</div>{paragraphs}",
            numbered(1_000, &|number| format!("<b title={number}><table><td></b></table>"))
        ),
    ];
    for html in pages {
        let view = seen(format!("Content-Type: text/html\n\nword{html}").as_bytes());
        assert!(view.defects.contains(Defect::MimeBomb), "{}", &html[..40]);
        assert!(view.text.unwrap().starts_with("word\nx"), "{}", &html[..40]);
        let shown = view.html_safe.unwrap();
        assert!(shown.len() < 200_000 && !shown.contains("href"), "{} bytes of {}", shown.len(), &html[..40]);
    }
}

#[test]
fn html_that_grows_in_many_bodies() {
    let fonts = (0..20).map(|number| format!("<font size={number}>")).collect::<Vec<_>>().concat();
    let part = format!("--B\nContent-Type: text/html\n\n<p>{fonts}{}\n", "<p>x".repeat(500));
    let raw = format!("Content-Type: multipart/mixed; boundary=B\n\n{}--B--\n", part.repeat(500));
    let view = seen(raw.as_bytes());
    assert!(view.defects.contains(Defect::MimeBomb));
    let shown = view.html_safe.unwrap();
    assert!(shown.starts_with("<p><font size=\"0\">") && shown.len() < 16 << 20, "{}", shown.len());
}

#[test]
fn links_that_are_too_long_to_be_links() {
    let html = format!("<p><a href=\"http://x.test/{}\">{}", "h".repeat(20_000), "<p>x".repeat(10_000));
    let view = seen(format!("Content-Type: text/html\n\n{html}").as_bytes());
    assert!(view.defects.contains(Defect::SizeBig) && !view.defects.contains(Defect::MimeBomb));
    let shown = view.html_safe.unwrap();
    assert!(shown.contains("<p><a") && !shown.contains("href"), "{} bytes", shown.len());
}

/// Tags that people leave open, and tables of thousands of cells, are shown as they are.
#[test]
fn html_of_newsletters() {
    let font = "<font face=\"Verdana, Arial, sans-serif\" size=2 color=#333333 style=\"font-family:Verdana;margin:0 0 12px 0\">";
    let link = format!(
        "<a href=\"https://news.x.test/c?u={}\" style=\"color:#0066cc;text-decoration:none\">",
        "4f".repeat(200)
    );
    let cell =
        format!("<td width=200 valign=top style=\"border:1px solid #cccccc;padding:4px\">{font}x</font>&nbsp;</td>");
    let pages = [
        format!("<table>{}</table>", format!("<tr>{}</tr>\n", cell.repeat(3)).repeat(2_500)),
        format!("<table>{}</table>", "<tr><td>1<td>2<td>3\n".repeat(20_000)),
        format!("<p>{font}x").repeat(1_900),
        format!("<p>{font}<b><i><u>{link}{}", "<p>x<br>y\n".repeat(2_000)),
        format!("<ul>{}</ul>", format!("<li>{link}<b>x</li>\n").repeat(300)),
        "<table><tr><td>".repeat(40) + &format!("<p>{font}x</font></p>\n").repeat(5_000),
        "<p>a <b>b</b> <i>c</i> <a href=\"https://x.test/\">d</a><br>\n".repeat(25_000),
    ];
    for html in pages {
        let view = seen(format!("Content-Type: text/html\n\n{html}").as_bytes());
        assert!(!view.defects.partially_indexed(), "{:?} of {}", view.defects, &html[..40]);
        assert!(!view.html_safe.unwrap().starts_with("<pre>"), "{}", &html[..40]);
    }
}

/// Each of them took minutes in the HTML parser, whose steps look at every attribute, open element or sibling.
#[test]
fn html_that_is_quadratic() {
    let numbered = |piece: &dyn Fn(usize) -> String| (0..150_000).map(piece).collect::<Vec<_>>().concat();
    let pages = [
        format!("<p {}>", numbered(&|number| format!("a{number} "))),
        format!("<p title='<b' \"=\">\" {}>", numbered(&|number| format!("a{number} "))),
        numbered(&|number| format!("<html a{number}>")),
        numbered(&|number| format!("<body a{number}><b a{number}></b>")),
        format!("<table>{}", "<div></div>x".repeat(150_000)),
        format!("<table><tr><td></td>{}", "x<tr>".repeat(150_000)),
        "<b><p></b></p>".repeat(100_000),
        "<a><div></a><i><p></i>".repeat(60_000),
        format!("{}{}", "<div>".repeat(1_900), "</p></b></i>".repeat(100_000)),
        "<x-y>".repeat(200_000),
        "<svg><style>".repeat(100_000),
    ];
    for html in pages {
        let view = seen(format!("Content-Type: text/html\n\nword{html}").as_bytes());
        assert!(view.text.unwrap().contains("word"));
    }
}

/// At each comment, character to escape or piece of words all the rest, or all siblings, were looked through again: the first
/// ones took half a minute.
#[test]
fn html_whose_rest_is_searched_again_and_again() {
    let bytes = Limits::default().html_bytes;
    let filled = |piece: &str| piece.repeat(bytes / piece.len());
    let pages = [
        filled("<!-- -->"),
        filled("<!--x--!>"),
        filled("&"),
        filled("\u{A0}"),
        filled("&<!-- -->"),
        filled("&<tr>"),
        format!("<p title=\"{}\">", "&".repeat(bytes - 100)),
        format!("<table>{}", filled("&")),
        format!("{}<table>{}", "<br>".repeat(bytes / 16), filled("&")),
        format!("{}<table>x{}", "<br>".repeat(bytes / 16), filled("\n")),
    ];
    for html in pages {
        let view = seen(format!("Content-Type: text/html; charset=utf-8\n\nword{html}").as_bytes());
        assert!(view.text.unwrap().contains("word"));
    }
}

#[test]
fn large_bodies_are_read_in_part() {
    let line = "A".repeat(76) + "\n";
    let part = line.repeat((30 << 20) / line.len());
    let raw = format!("Content-Type: application/x\nContent-Transfer-Encoding: base64\n\n{part}");
    let view = seen(raw.as_bytes());
    assert_eq!(view.attachments[0].size_bytes, part.len() as u64 / 77 * 76 / 4 * 3);
    let raw = format!("Subject: x\n\n{}", "x".repeat(30 << 20));
    let view = seen(raw.as_bytes());
    assert_eq!(view.text.unwrap().len(), Limits::default().text_bytes);
    assert!(view.defects.contains(Defect::SizeBig));
}

#[test]
fn words_that_start_everywhere() {
    let raw = "From a\n\n".repeat(1 << 17);
    assert!(!looks_like_mbox(raw.as_bytes()));
    seen(raw.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
        all_verbs(&raw);
    }

    #[test]
    fn anything_that_looks_like_mail(raw in proptest::collection::vec(prop_oneof![
        Just("From: a\n"), Just("Subject: =?utf-8?q?"), Just("?="), Just("\r\n"), Just("\n"), Just("\r"), Just(" "),
        Just("Content-Type: multipart/mixed; boundary=B"), Just("--B"), Just("--B--"), Just("\0"), Just("\u{FEFF}"),
        Just("Content-Type: message/rfc822"), Just("Content-Transfer-Encoding: base64"), Just("AAAA"), Just("="),
        Just("Content-Type: text/html"), Just("<b>"), Just("Content-Disposition: attachment; filename*0*="), Just("'"),
        Just("Date: 02 Jan 2023 10:00:00 +0000"), Just("From x Mon Jan  2 10:00:00 2023"), Just("ä"), Just(":"),
    ], 0..60)) {
        all_verbs(raw.concat().as_bytes());
    }

    #[test]
    fn any_date(value in "[ 0-9:+,A-Za-z()\\\\-]{0,40}") {
        if let Ok(seconds) = mail::parse_date(value.as_bytes()) {
            prop_assert!((-62_135_596_800..=253_402_300_799).contains(&seconds));
        }
    }
}
