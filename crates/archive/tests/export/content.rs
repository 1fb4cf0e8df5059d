//! What stands in the volumes and in the report.

use std::fs::{self};

use archive::ErrorKind;
use archive::export::{ExportOptions, Surroundings, dry_run};
use volume::Secret;

use crate::place::*;

#[test]
fn bytes_places_and_dates_are_kept() {
    let place = Place::new();
    let mails: [(&str, &[u8]); 5] = [
        ("jane/Inbox/Ä b/1.eml", b"Date: Mon, 02 Jan 2023 10:00:00 +0100\r\nSubject: x\r\n\r\nhello\r\n"),
        ("jane/Sent/2.EML", b"X-MailStore-Date: 20220304050607\nDate: Mon, 02 Jan 2023 10:00:00 +0100\n\n\0\xff"),
        ("max/3.eml", b"\xef\xbb\xbfSubject: bom\r\rcr only"),
        ("max/Inbox/4.eml", b"not a header at all"),
        ("5.eml", b"Date: nonsense\n\nno valid date"),
    ];
    for (path, bytes) in mails {
        place.put(path, bytes);
    }
    let report = run(&place.options()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.unique_mails, report.skipped.len()), (5, Some(5), 0));
    place.verify(Secret::None);

    let found = place.mails(Secret::None).remove(0);
    for (path, bytes) in mails {
        let (_, metadata, raw) = found.iter().find(|(_, m, _)| m.source_key.as_deref() == Some(path)).unwrap();
        assert_eq!(raw, bytes, "{path}");
        let mut place: Vec<&str> = path.split('/').collect();
        place.pop();
        let expected = if place.is_empty() { vec!["out"] } else { place };
        assert_eq!(metadata.locations, [expected], "{path}");
        assert_eq!(metadata.archive_date, None);
    }
    let dates: Vec<_> = found.iter().map(|(_, m, _)| (m.message_date, m.message_date_source.as_deref())).collect();
    assert_eq!(dates[1], (Some(1_672_650_000), Some("date")));
    assert_eq!(dates[2], (Some(1_646_370_367), Some("x-mailstore-date")));
    assert_eq!(dates[0].1, Some("file"));
    let page = fs::read_to_string(place.target().join("out.report.html")).unwrap();
    assert!(page.contains("every mail of the source is in the volumes") && page.contains("Inbox"));
    let expected = ["out-0001.mszip", "out.cer", "out.report.html", "out.report.json"];
    assert_eq!(place.files(), expected.map(str::to_owned).into());
}

#[test]
fn a_full_volume_is_followed_by_the_next_and_copies_refer_within_one() {
    let place = three_volumes();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.exported, report.unique_mails), (10, 9, Some(7)));
    let skipped = report.skipped.iter().next().unwrap();
    assert_eq!((skipped.source.as_str(), skipped.reason.as_str()), ("jane/Inbox/6 empty.eml", "empty"));
    assert_eq!(report.not_mail.iter().next().unwrap().source, "jane/Inbox/notes.xyz");
    place.verify(Secret::None);
    let volumes = place.mails(Secret::None);
    assert_eq!(volumes.len(), 3);
    for (path, volume) in place.volumes().iter().zip(&report.volumes) {
        assert_eq!(fs::metadata(path).unwrap().len(), volume.bytes);
        assert!(volume.bytes <= 1 << 20);
    }
    let all: Vec<_> = volumes.iter().flatten().collect();
    let keys: Vec<_> = all.iter().map(|(_, m, _)| m.source_key.clone().unwrap()).collect();
    assert!(keys.is_sorted());
    assert!(all.iter().zip(1..).all(|((number, ..), expected)| *number == expected));
    // The copy beside the first mail refers to it; the one two volumes later stands for itself.
    let references: Vec<_> = all.iter().filter_map(|(number, m, _)| m.reference.map(|r| (*number, r))).collect();
    assert_eq!(references, [(2, 1)]);
    let last = all.iter().find(|(_, m, _)| m.source_key.as_deref() == Some("jane/Inbox/6 copy.eml")).unwrap();
    assert_eq!(last.2, noisy(0, 300_000));
}

#[test]
fn an_empty_source_makes_one_empty_volume() {
    let place = Place::new();
    let report = run(&place.options()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.volumes.len()), (0, 1));
    place.verify(Secret::None);
}

#[test]
fn large_mails_are_spooled_and_what_fits_no_volume_is_named() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    place.put("jane/2.eml", &noisy(2, 20_000_000));
    place.put("jane/3.eml", &small(3));
    place.put("jane/4.eml", &noisy(2, 20_000_000));
    let report = run(&ExportOptions { password: Some("p".into()), ..place.options() }).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.unique_mails), (4, Some(3)));
    let mails = place.mails(Secret::Password("p")).remove(0);
    assert_eq!(mails[1].2, noisy(2, 20_000_000));
    assert_eq!(mails[1].1.message_date, Some(1_672_653_600));
    assert_eq!(mails[3].1.reference, Some(2));
    place.verify(Secret::Password("p"));

    fs::remove_dir_all(place.target()).unwrap();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len(), report.volumes.len()), (2, 2, 1));
    assert!(report.skipped.iter().all(|skipped| skipped.reason.contains("does not fit")));
}

#[test]
fn a_dry_run_writes_nothing() {
    let place = three_volumes();
    let nobody = Surroundings { clock: &At(0), random: &Counted, generator: "test 1", progress: &() };
    let report = dry_run(&place.split(), &nobody).unwrap();
    assert_eq!((report.in_source, report.exported, report.skipped.len()), (10, 9, 1));
    assert_eq!((report.volumes_expected, report.complete), (Some(3), false));
    assert!(report.raw_bytes >= 2_700_000);
    assert!(!place.target().exists());
}

#[test]
fn a_target_inside_the_source_is_refused() {
    let place = Place::new();
    let options = ExportOptions { to: place.source().join("a/b"), ..place.options() };
    assert_eq!(kind(run(&options)), ErrorKind::Invalid);
    assert!(!place.source().join("a").exists());
}
