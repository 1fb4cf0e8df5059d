//! Dates as they occur in mails, each with what it means.

use mail::DateDefect::{Empty, Format, Invalid, Zone};
use mail::{DateDefect, DateSource, FallbackDate, message_date, parse_date, scan_headers};

/// 2023-01-02T10:00:00Z
const AT: i64 = 1_672_653_600;

const VALID: &[(&str, i64)] = &[
    ("Mon, 02 Jan 2023 10:00:00 +0000", AT),
    ("Mon, 2 Jan 2023 10:00:00 +0000", AT),
    ("  2 Jan 2023 10:00:00 +0000  ", AT),
    ("02 Jan 2023 10:00 +0000", AT),
    ("mon, 02 jan 2023 10:00:00 +0000", AT),
    ("MON, 02 JAN 2023 10:00:00 GMT", AT),
    ("Mon,02 Jan 2023 10:00:00 +0000", AT),
    ("Mon, 02Jan2023 10:00:00 +0000", AT),
    ("Mon, 02 Jan 2023 10:00:00 -0000", AT),
    ("Mon, 02 Jan 2023 12:00:00 +0200", AT),
    ("Mon, 02 Jan 2023 12:00:00 +0200 (CEST)", AT),
    ("Mon, 02 Jan 2023 12:00:00 +0200 (GMT+02:00)", AT),
    ("Mon, 02 Jan 2023 12:00:00 +0200 (a (nested) one)", AT),
    ("Mon, 02 Jan 2023 12:00:00 +0200 (quoted \\) pair)", AT),
    ("Mon (day), 02 (x) Jan 2023 (y) 12 (h) : 00 : 00 +0200", AT),
    ("(first) Mon, 02 Jan 2023 10:00:00 +0000", AT),
    ("Mon, 02 Jan 2023 15:30:00 +0530", AT),
    ("Mon, 02 Jan 2023 00:30:00 -0930", AT),
    ("Tue, 03 Jan 2023 00:00:00 +1400", AT),
    ("Mon, 02 Jan 2023 10:00:00 UT", AT),
    ("Mon, 02 Jan 2023 10:00:00 UTC", AT),
    ("Mon, 02 Jan 2023 10:00:00 gmt", AT),
    ("Mon, 02 Jan 2023 10:00:00 Z", AT),
    ("Mon, 02 Jan 2023 10:00:00 A", AT),
    ("Mon, 02 Jan 2023 05:00:00 EST", AT),
    ("Mon, 02 Jan 2023 06:00:00 EDT", AT),
    ("Mon, 02 Jan 2023 04:00:00 CST", AT),
    ("Mon, 02 Jan 2023 05:00:00 CDT", AT),
    ("Mon, 02 Jan 2023 03:00:00 MST", AT),
    ("Mon, 02 Jan 2023 04:00:00 MDT", AT),
    ("Mon, 02 Jan 2023 02:00:00 PST", AT),
    ("Mon, 02 Jan 2023 03:00:00 PDT", AT),
    ("Mon,\r\n\t02 Jan\r\n 2023 10:00:00 +0000", AT),
    ("Mon Jan  2 10:00:00 2023", AT),
    ("mon jan 02 10:00:00 2023\n", AT),
    // Years (RFC 5322, 4.3).
    ("02 Jan 03 10:00:00 +0000", 1_041_501_600),
    ("02 Jan 49 10:00:00 +0000", 2_493_194_400),
    ("02 Jan 50 10:00:00 +0000", -631_029_600),
    ("02 Jan 99 10:00:00 +0000", 915_271_200),
    ("02 Jan 102 10:00:00 +0000", 1_009_965_600),
    ("01 Jan 0001 00:00:00 +0000", -62_135_596_800),
    ("31 Dec 9999 23:59:59 +0000", 253_402_300_799),
    ("29 Feb 2024 00:00:00 +0000", 1_709_164_800),
    ("29 Feb 2000 00:00:00 +0000", 951_782_400),
    ("31 Dec 2016 23:59:60 +0000", 1_483_228_800),
];

const REFUSED: &[(&str, DateDefect)] = &[
    // Nothing.
    ("", Empty),
    (" \r\n\t", Empty),
    ("(only a comment)", Empty),
    // What does not exist.
    ("02 Foo 2023 10:00:00 +0000", Invalid),
    ("31 Feb 2023 10:00:00 +0000", Invalid),
    ("29 Feb 2023 10:00:00 +0000", Invalid),
    ("29 Feb 1900 10:00:00 +0000", Invalid),
    ("32 Jan 2023 10:00:00 +0000", Invalid),
    ("00 Jan 2023 10:00:00 +0000", Invalid),
    ("02 Jan 2023 25:61:61 +0000", Invalid),
    ("02 Jan 2023 24:00:00 +0000", Invalid),
    ("02 Jan 2023 10:60:00 +0000", Invalid),
    ("02 Jan 2023 10:00:61 +0000", Invalid),
    ("02 Jan 0000 10:00:00 +0000", Invalid),
    ("02 Jan 99999 10:00:00 +0000", Invalid),
    ("02 Jan 99999999999999999999999999 10:00:00 +0000", Invalid),
    ("01 Jan 0001 00:00:00 +0100", Invalid),
    ("31 Dec 9999 23:59:59 -0100", Invalid),
    ("Mon Foo  2 10:00:00 2023", Invalid),
    ("Tue Feb 31 10:00:00 2023", Invalid),
    // Zones.
    ("02 Jan 2023 10:00:00", Zone),
    ("02 Jan 2023 10:00:00 EST5EDT", Zone),
    ("02 Jan 2023 10:00:00 CEST", Zone),
    ("02 Jan 2023 10:00:00 J", Zone),
    ("02 Jan 2023 10:00:00 GMT+02:00", Zone),
    ("02 Jan 2023 10:00:00 +02:00", Zone),
    ("02 Jan 2023 10:00:00 +9999", Zone),
    ("02 Jan 2023 10:00:00 +2400", Zone),
    ("02 Jan 2023 10:00:00 +0260", Zone),
    ("02 Jan 2023 10:00:00 +200", Zone),
    ("02 Jan 2023 10:00:00 +0200 GMT", Zone),
    ("02 Jan 2023 10:00:00 +0200 +0300", Zone),
    // Forms.
    ("Mo, 02 Jan 2023 10:00:00 +0000", Format),
    ("lun., 02 janv. 2023 10:00:00 +0000", Format),
    ("Mon Jan  2 10:00:00 +0000 2023", Format),
    ("Mon Jan  2 10:00:00 2023 +0100", Format),
    ("Mon Jan  2 10:00:00 23", Format),
    ("2023-01-02T10:00:00Z", Format),
    ("02-Jan-2023 10:00:00 +0000", Format),
    ("02 Jan 2023", Format),
    ("02 Jan 2023 9:00:00 +0000", Format),
    ("02 Jan 2023 10.00.00 +0000", Format),
    ("02 Jan 2023 10:00:00 +0000 (open", Format),
    ("Monday, 02 Jan 2023 10:00:00 +0000", Format),
    ("yesterday", Format),
    ("02 1月 2023 10:00:00 +0900", Format),
    ("Mon, 02 Jan 2023 10:00:00 \0 +0000", Zone),
];

#[test]
fn dates_mean_what_the_rfc_says() {
    for (written, meant) in VALID {
        assert_eq!(parse_date(written.as_bytes()), Ok(*meant), "{written:?}");
    }
    for (written, defect) in REFUSED {
        assert_eq!(parse_date(written.as_bytes()), Err(*defect), "{written:?}");
    }
}

#[test]
fn comments_may_hold_any_bytes() {
    assert_eq!(parse_date(b"Mon, 02 Jan 2023 11:00:00 +0100 (Mitteleurop\xE4ische Zeit)"), Ok(AT));
}

#[test]
fn long_and_deep_dates_are_refused() {
    assert_eq!(parse_date(&vec![b'('; 4000]), Err(Format));
    assert_eq!(parse_date(&vec![b' '; 1 << 20]), Err(Format));
}

fn dated(header: &str) -> (Option<i64>, Option<&'static str>, Vec<&'static str>) {
    let date = message_date(&scan_headers(format!("{header}\n\nbody").as_bytes(), true), None);
    (date.seconds, date.source.map(DateSource::as_str), date.defects.iter().collect())
}

#[test]
fn sources_are_taken_in_order() {
    let mailstore = "X-MailStore-Date: 20230102100000";
    let arrival = "X-OriginalArrivalTime: 02 Jan 2023 10:00:00.0123 (UTC) FILETIME=[5A2B3C4D:01D91E8E]";
    let date = "Date: Mon, 02 Jan 2023 10:00:00 +0000";
    let received = "Received: from a by b;\r\n\tMon, 02 Jan 2023 10:00:00 +0000";
    let all = [received, date, arrival, mailstore];
    for (left_out, source) in [(0, "x-mailstore-date"), (1, "x-originalarrivaltime"), (2, "date"), (3, "received")] {
        let header = all[..4 - left_out].join("\n");
        assert_eq!(dated(&header), (Some(AT), Some(source), vec![]), "{header}");
    }
    assert_eq!(dated("Subject: none"), (None, None, vec![]));
}

#[test]
fn an_invalid_source_gives_way_with_a_defect() {
    let table = [
        ("X-MailStore-Date: 20230231100000\nDate: 2 Jan 2023 10:00:00 +0000", "date", "date_invalid"),
        ("X-MailStore-Date: 2023010210\nDate: 2 Jan 2023 10:00:00 +0000", "date", "date_format"),
        ("X-OriginalArrivalTime: 02 Jan 2023 10:00:00.0123\nDate: 2 Jan 2023 10:00:00 +0000", "date", "date_zone"),
        ("Date:\nReceived: a; 2 Jan 2023 10:00:00 +0000", "received", "date_empty"),
        ("Date: 2 Jan 2023 10:00:00 CEST\nReceived: a; 2 Jan 2023 10:00:00 +0000", "received", "date_zone"),
        ("Received: a; never\nReceived: b; 2 Jan 2023 10:00:00 +0000", "received", "date_format"),
    ];
    for (header, source, defect) in table {
        assert_eq!(dated(header), (Some(AT), Some(source), vec![defect]), "{header}");
    }
}

#[test]
fn the_topmost_received_with_a_date_counts() {
    let header = "Received: from a by b\nReceived: by c (x; y);\t2 Jan 2023 10:00:00 +0000 (env; z)\nReceived: by d; 3 Jan 2023 10:00:00 +0000";
    assert_eq!(dated(header), (Some(AT), Some("received"), vec![]));
    assert_eq!(dated("Received: by c (open; 2 Jan 2023 10:00:00 +0000"), (Some(AT), Some("received"), vec![]));
}

#[test]
fn other_forms_of_the_arrival_time() {
    for value in ["Mon, 2 Jan 2023 10:00:00 +0000", "02 Jan 2023 10:00:00 (UTC)", "02 Jan 2023 10:00:00.0000000 (UTC)"]
    {
        assert_eq!(dated(&format!("X-OriginalArrivalTime: {value}")).0, Some(AT), "{value}");
    }
}

#[test]
fn of_two_dates_the_first_valid_one_counts() {
    assert_eq!(dated("Date: 2 Jan 2023 10:00:00 +0000\nDate: 3 Jan 2023 10:00:00 +0000").0, Some(AT));
    assert_eq!(dated("Date: \nDate: 2 Jan 2023 10:00:00 +0000"), (Some(AT), Some("date"), vec!["date_empty"]));
}

#[test]
fn a_file_time_comes_last_and_within_bounds() {
    let scan = scan_headers(b"Subject: x\n\n", true);
    assert_eq!(message_date(&scan, Some(FallbackDate::File(AT))).source, Some(DateSource::File));
    assert_eq!(message_date(&scan, Some(FallbackDate::FromLine(AT))).source, Some(DateSource::FromLine));
    assert_eq!(message_date(&scan, Some(FallbackDate::File(i64::MAX))).seconds, None);
    for source in ["x-mailstore-date", "x-originalarrivaltime", "date", "received", "file", "from-line"] {
        assert_eq!(DateSource::parse(source).unwrap().as_str(), source);
    }
}
