//! Mails that lie in containers: the same promises hold as for mails that are files.

use std::io;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, dry_run};
use mail::source::Layout;
use volume::{Metadata, Secret};

use crate::place::*;

const FROM: &[u8] = b"From a@b Mon Jan  2 10:00:00 2023\n";
const MAILS: u64 = 7;

/// A mail of 300,000 bytes, with a line that an mbox must quote.
fn quoted(seed: u64) -> Vec<u8> {
    [noisy(seed, 300_000), b"\nFrom here on\n".to_vec()].concat()
}

/// Mails that make three volumes of 1 MiB, in one mbox beside a Maildir, and a separator with nothing behind it.
fn mixed() -> Place {
    let place = Place::new();
    let mut bytes = FROM.to_vec();
    for seed in 0..MAILS {
        bytes.push(b'\n');
        bytes.extend_from_slice(FROM);
        bytes.extend_from_slice(&noisy(seed, 300_000));
        bytes.extend_from_slice(b"\n>From here on\n");
    }
    place.put("jane/Inbox.mbox", &bytes);
    place.put("jane/Sent/cur/1204680122.M1.host:2,RS", b"Subject: x\n\nbody\n");
    place.put("jane/labels.mbox", &[FROM, b"X-Gmail-Labels: a,b/c\nStatus: RO\n\nbody\n"].concat());
    place
}

fn mails(place: &Place) -> Vec<(Metadata, Vec<u8>)> {
    let volumes = place.mails(Secret::None);
    volumes.into_iter().flatten().map(|(_, metadata, raw)| (metadata, raw)).collect()
}

#[test]
fn bytes_places_and_flags_of_members_are_kept() {
    let place = mixed();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.exported), (MAILS + 3, MAILS + 2));
    let skipped = report.skipped.iter().next().unwrap();
    assert_eq!((skipped.source.as_str(), skipped.reason.as_str()), ("jane/Inbox.mbox//0", "empty"));
    place.verify(Secret::None);
    let mails = mails(&place);
    for (seed, (metadata, raw)) in (0..MAILS).zip(&mails) {
        assert!(*raw == quoted(seed), "{seed}");
        assert_eq!(metadata.locations, [["jane", "Inbox"]]);
        assert_eq!(metadata.message_date_source.as_deref(), Some("date"));
    }
    let [.., (sent, _), (labels, _)] = mails.as_slice() else { panic!() };
    assert_eq!(
        (sent.locations.as_slice(), sent.flags.as_slice()),
        (&[vec!["jane".to_owned(), "Sent".to_owned()]][..], &["seen".to_owned(), "answered".to_owned()][..],)
    );
    let places = [vec!["jane".to_owned(), "a".to_owned()], vec!["jane".to_owned(), "b".to_owned(), "c".to_owned()]];
    assert_eq!((labels.locations.as_slice(), labels.flags.as_slice()), (&places[..], &["seen".to_owned()][..]));
    assert_eq!((labels.message_date, labels.message_date_source.as_deref()), (Some(1_672_653_600), Some("from-line")));
}

#[test]
fn an_mbox_that_was_cut_off_is_resumed_by_its_offsets() {
    let place = mixed();
    let counter = CutOff::at(usize::MAX);
    let undisturbed = run_with(&place.split(), &counter).unwrap();
    let whole = mails(&place);
    let publish_third = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    std::fs::remove_dir_all(place.target()).unwrap();
    assert_eq!(kind(run_with(&place.split(), &publish_third)), ErrorKind::Unavailable);
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.vanished, report.changed.len()), (0, 0));
    assert_eq!((report.in_source, &report.skipped), (undisturbed.in_source, &undisturbed.skipped));
    assert!(mails(&place) == whole);
    place.verify(Secret::None);
}

#[test]
fn an_mbox_that_grew_before_the_resume_brings_its_new_mails() {
    let place = mixed();
    let publish_third = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    assert_eq!(kind(run_with(&place.split(), &publish_third)), ErrorKind::Unavailable);
    let path = place.source().join("jane/Inbox.mbox");
    let grown = [std::fs::read(&path).unwrap(), b"\n".to_vec(), FROM.to_vec(), small(9)].concat();
    std::fs::write(&path, grown).unwrap();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.vanished, report.changed.len()), (MAILS + 3, 0, 0));
    assert!(mails(&place).iter().any(|(_, raw)| *raw == small(9)));
}

#[test]
fn a_single_mbox_is_a_source_and_a_dry_run_counts_it() {
    let place = mixed();
    let from = place.source().join("jane/Inbox.mbox");
    let options = ExportOptions { from, layout: Layout::Mbox, user_archive: Some("jo".into()), ..place.options() };
    let surroundings =
        archive::export::Surroundings { clock: &At(0), random: &Counted, generator: "test 1", progress: &() };
    let expected = dry_run(&options, &surroundings).unwrap();
    let report = run(&options).unwrap();
    assert_eq!((report.in_source, report.exported), (MAILS + 1, MAILS));
    assert_eq!((expected.in_source, expected.exported, expected.raw_bytes), (MAILS + 1, MAILS, report.raw_bytes));
    assert!(mails(&place).iter().all(|(metadata, _)| metadata.locations == [["jo", "Inbox"]]));
}
