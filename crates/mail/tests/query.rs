//! Saved searches: what is a query, where a text is none, and which mails are meant.
#![expect(clippy::unwrap_used, reason = "tests")]

use mail::query::{DateRange, Facts, MAX_DEPTH, MAX_QUERY_BYTES, MAX_TERMS, Period, Phrase, Query, SizeRange};
use mail::query::{Term, TextField};
use mail::source::Flag;
use mail::{has_attachment, message_date, scan_headers};
use proptest::prelude::*;

fn parsed(text: &str) -> Query {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_query_has_one_way_to_be_written() {
    let table = [
        ("from:anna", "from:anna"),
        ("  FROM:Anna  AND  to:bob ", "from:Anna to:bob"),
        ("from:a OR from:b to:c", "from:a OR from:b to:c"),
        ("(from:a OR from:b) to:c", "(from:a OR from:b) to:c"),
        ("((from:a (to:b cc:c)))", "from:a to:b cc:c"),
        ("from:a OR (to:b OR cc:c)", "from:a OR to:b OR cc:c"),
        ("NOT from:a to:b", "NOT from:a to:b"),
        ("NOT(from:a to:b)", "NOT (from:a to:b)"),
        ("NOT NOT from:a", "NOT NOT from:a"),
        ("subject:\"annual report\"", "subject:\"annual report\""),
        ("subject:\"annual\"", "subject:annual"),
        (r#"subject:"say \"hi\" \\ (x)""#, r#"subject:"say \"hi\" \\ (x)""#),
        ("subject:re:foo", "subject:re:foo"),
        ("subject:OR", "subject:OR"),
        ("date:2019", "date:2019"),
        ("date:2019..2019", "date:2019"),
        ("date:2019-03..2021-01-31", "date:2019-03..2021-01-31"),
        ("date:..2019 date:2020..", "date:..2019 date:2020.."),
        ("size:>1024KiB size:0..5", "size:>1MiB size:0..5"),
        ("size:..3GiB size:5KiB..", "size:<=3GiB size:>=5KiB"),
        ("size:<100 size:1025 size:\"<=2MiB\"", "size:<100 size:1025 size:<=2MiB"),
        ("has:Attachment", "has:attachment"),
        ("flag:seen flag:Answered", "flag:seen flag:answered"),
        ("folder:Inbox/2019 user-archive:\"M. Lehmann\"", "folder:Inbox/2019 user-archive:\"M. Lehmann\""),
        (
            "from:anna subject:\"annual report\" date:2019..2021 NOT folder:Spam (size:>10MiB OR has:attachment)",
            "from:anna subject:\"annual report\" date:2019..2021 NOT folder:Spam (size:>10MiB OR has:attachment)",
        ),
    ];
    for (text, canonical) in table {
        assert_eq!(parsed(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn a_query_that_is_as_deep_as_any_may_be_is_printed_no_deeper() {
    let alternating =
        |depth: usize| (0..depth).fold("to:x".to_owned(), |inner, _| format!("(from:a OR from:b {inner})"));
    let negated = |depth: usize| (0..depth / 2).fold("to:x".to_owned(), |inner, _| format!("NOT (from:a {inner})"));
    for text in [alternating(MAX_DEPTH), negated(MAX_DEPTH)] {
        let query = parsed(&text);
        assert_eq!(query.to_string().parse::<Query>().as_ref(), Ok(&query));
        assert!(query.to_string().len() <= text.len());
    }
}

#[test]
fn a_wrong_query_says_where() {
    let table = [
        ("", 0, "a field"),
        ("   ", 3, "a field"),
        ("anna", 0, "a field"),
        ("from:anna Übung", 10, "a field"),
        ("sender:anna", 0, "user-archive"),
        (":anna", 0, "a field"),
        ("from:", 5, "a word"),
        ("from: anna", 5, "a word"),
        ("from:\"\"", 5, "a word"),
        ("subject:ä from:\"open", 15, "no closing quote"),
        ("subject:\"open\\\"", 8, "no closing quote"),
        ("(from:a", 7, "expected a closing parenthesis"),
        ("(from:a OR (to:b) cc:d", 22, "expected a closing parenthesis"),
        ("from:a)", 6, "no parenthesis is open"),
        ("()", 1, "a field"),
        ("from:a OR", 9, "a field"),
        ("from:a AND", 10, "a field"),
        ("from:a AND OR to:b", 11, "stand between"),
        ("OR from:a", 0, "stand between"),
        ("NOT", 3, "a field"),
        ("from:a or to:b", 7, "capitals"),
        ("size:10MB", 5, "KiB"),
        ("size:=5", 5, "KiB"),
        ("size:2MiB..1MiB", 5, "KiB"),
        ("size:99999999999GiB", 5, "KiB"),
        ("from:a date:2019-02-30", 12, "a year"),
        ("date:2021..2019", 5, "a year"),
        ("date:..", 5, "a year"),
        ("has:attachments", 4, "attachment"),
        ("flag:read", 5, "seen"),
        ("\"from:a\"", 0, "a field"),
    ];
    for (text, at, expected) in table {
        let error = text.parse::<Query>().unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.expected.contains(expected), "{text}: {error}");
    }
    let error = "from:anna sise:>1".parse::<Query>().unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines[0].starts_with("the query is wrong at character 11: expected a field"), "{error}");
    assert_eq!(lines[1..], ["  from:anna sise:>1", "            ^"]);
}

#[test]
fn queries_have_bounds() {
    let deep = |depth: usize| format!("{}from:a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(deep(MAX_DEPTH).parse::<Query>().is_ok());
    assert_eq!(deep(MAX_DEPTH + 1).parse::<Query>().unwrap_err().at, MAX_DEPTH);
    assert!("NOT ".repeat(1_900).parse::<Query>().unwrap_err().expected.contains("within each other"));
    let many = |count: usize| vec!["to:a"; count].join(" ");
    assert!(many(MAX_TERMS).parse::<Query>().is_ok());
    assert_eq!(many(MAX_TERMS + 1).parse::<Query>().unwrap_err().at, MAX_TERMS * 5);
    assert!(format!("from:{}", "ä".repeat(MAX_QUERY_BYTES)).parse::<Query>().unwrap_err().expected.contains("longer"));
}

/// The answer with all that is known, and that what is not known yet never turns it.
fn answer(query: &str, raw: &str, location: &[&str]) -> bool {
    let query = parsed(query);
    let scan = scan_headers(raw.as_bytes(), true);
    let locations = [location.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>()];
    let mut facts = Facts::new(&locations, &[Flag::Seen], raw.len() as u64);
    let mut early = vec![query.answer(&facts)];
    facts.set_header(&scan, message_date(&scan, None).seconds);
    early.push(query.answer(&facts));
    facts.set_attachment(has_attachment(&scan, raw.as_bytes(), &mut std::io::empty()).unwrap());
    let answer = query.answer(&facts).unwrap();
    assert!(early.into_iter().flatten().all(|early| early == answer), "{query}");
    assert_eq!(parsed(&format!("NOT ({query})")).answer(&facts), Some(!answer), "{query}");
    answer
}

const MAIL: &str = "From: =?UTF-8?Q?J=C3=B6rg_M=C3=BCller?= <Jorg@Example.org>\r\n\
    From: second@example.net\r\n\
    To: Team: anna@a.example, \"Behr, \\\"Bob\\\"\" <bob@b.example>;,\r\n\
    \tcarl@c.example (Carl\r\n Comment)\r\n\
    Cc: =?iso-8859-1?B?R3L8?=\r\n =?iso-8859-1?B?3mU=?= <g@x.example>\r\n\
    subject : Re: annual\r\n  REPORT =?utf-8?B?U3RyYcOfZQ==?=\r\n\
    Subject: doubled\r\n\
    Date: Sat, 31 Dec 2022 23:30:00 -0100\r\n\
    Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\ntext\r\n--B\r\n\
    Content-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n--B--\r\n";

#[test]
fn terms_mean_what_the_page_says() {
    let location = ["anna@example.org", "Exchange", "Inbox", "Größe XL"];
    let table = [
        ("from:jörg", true),
        ("from:\"JÖRG MÜLLER\"", true),
        ("from:\"mu\u{308}ller\"", true),
        ("from:jorg@example.ORG", true),
        ("from:second", true),
        ("from:jo", true),
        ("from:u\u{308}ller", true),
        ("from:muller", false),
        ("from:anna", false),
        ("to:anna@a.example to:carl to:comment to:bob@b to:team", true),
        ("to:\"behr, \"", true),
        ("to:g@x", false),
        ("cc:grüÞe", true),
        ("subject:\"annual report\" subject:STRASSE subject:doubled", true),
        ("subject:annualreport", false),
        ("date:2023 date:2023-01-01 date:..2023 date:2022..2023", true),
        ("date:2022", false),
        ("date:2024..", false),
        ("folder:inbox folder:Exchange/Inbox folder:\"GRÖSSE XL\"", true),
        ("folder:box", false),
        ("folder:anna@example.org", false),
        ("folder:Exchange/Größe", false),
        ("user-archive:Anna@Example.org", true),
        ("user-archive:anna", false),
        ("has:attachment", true),
        ("flag:seen NOT flag:draft", true),
        ("size:>100 size:<10KiB", true),
        ("from:anna OR to:anna", true),
        ("from:anna OR to:nobody", false),
        ("from:jörg NOT subject:doubled", false),
    ];
    for (query, is_meant) in table {
        assert_eq!(answer(query, MAIL, &location), is_meant, "{query}");
    }
}

#[test]
fn what_a_mail_lacks_no_term_matches() {
    for raw in ["X: y\n\n", "\n", "no header at all", "\u{feff}Date: never\n\n", "To:\nFrom\n\n", "\0\0\0"] {
        for term in ["from:a", "to:a", "cc:a", "subject:a", "date:0001..9999", "has:attachment", "folder:a"] {
            assert!(!answer(term, raw, &["user"]), "{term} on {raw:?}");
        }
    }
    let many = (0..20_000).map(|number| format!("user{number}@example.org,\r\n ")).collect::<Vec<_>>().concat();
    assert!(answer("to:USER19999@", &format!("To: {many}\r\n\r\n"), &["user"]), "a long list is searched to its end");
    let utf16: Vec<u8> = "\u{feff}From: ä@x\r\n\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let scan = scan_headers(&utf16, true);
    let mut facts = Facts::new(&[], &[], 0);
    facts.set_header(&scan, None);
    assert_eq!(parsed("from:Ä@x").answer(&facts), Some(true));
}

fn phrase() -> impl Strategy<Value = Phrase> {
    "[a-zA-Zäß(\")\\\\: .>\u{301}\u{a0}-]{1,8}".prop_filter_map("nothing to be found", |text| Phrase::new(&text))
}

fn period() -> impl Strategy<Value = Period> {
    (1_u16..=9999, prop::option::of(1_u8..=12), prop::option::of(1_u8..=31))
        .prop_filter_map("no day", |(year, m, d)| Period::new(year, m, d))
}

fn size_range() -> impl Strategy<Value = SizeRange> {
    let size =
        prop_oneof![any::<u64>(), (0_u64..5000).prop_map(|size| size << 10), (0_u64..5000).prop_map(|s| s << 20)];
    (size.clone(), size, 0..5).prop_map(|(a, b, kind)| match kind {
        0 => SizeRange::Above(a),
        1 => SizeRange::AtLeast(a),
        2 => SizeRange::Below(a),
        3 => SizeRange::AtMost(a),
        _ => SizeRange::Between(a.min(b), a.max(b)),
    })
}

fn some_term() -> impl Strategy<Value = Query> {
    let field = prop::sample::select(vec![TextField::From, TextField::To, TextField::Cc, TextField::Subject]);
    let flag = prop::sample::select(vec![Flag::Seen, Flag::Answered, Flag::Flagged, Flag::Forwarded, Flag::Draft]);
    prop_oneof![
        (field, phrase()).prop_map(|(field, phrase)| Term::Text(field, phrase)),
        phrase().prop_map(Term::Folder),
        phrase().prop_map(Term::UserArchive),
        (prop::option::of(period()), prop::option::of(period()))
            .prop_filter_map("no range", |(first, last)| DateRange::new(first, last).map(Term::Date)),
        size_range().prop_map(Term::Size),
        Just(Term::HasAttachment),
        flag.prop_map(Term::Flag),
    ]
    .prop_map(Query::Term)
}

fn some_query() -> impl Strategy<Value = Query> {
    some_term().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::all),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Query::any),
            inner.prop_map(Query::not),
        ]
    })
}

proptest! {
    #[test]
    fn a_query_that_is_printed_is_parsed_to_the_same(query in some_query()) {
        let text = query.to_string();
        prop_assert_eq!(text.parse::<Query>().unwrap(), query);
    }

    #[test]
    fn no_text_makes_the_grammar_panic(text in "([a-z]{0,4}:|\\(|\\)|\"|\\\\| |NOT|OR|AND|\\PC){0,24}") {
        match text.parse::<Query>() {
            Ok(query) => prop_assert_eq!(query.to_string().parse::<Query>().unwrap(), query),
            Err(error) => prop_assert!(error.at <= text.chars().count() && !error.to_string().is_empty()),
        }
    }
}
