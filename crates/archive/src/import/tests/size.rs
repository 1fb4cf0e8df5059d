//! Documents stay small, however much there is to say.

use super::*;
use crate::process::ProcessState;

/// Changes a byte in every entry of a volume that is not encrypted.
fn damaged(volume: &Bytes, mails: u64) -> Bytes {
    let (mut bytes, mut at) = (volume.to_vec(), 0);
    for number in 1..=mails {
        let name = format!("mail/{number:011}").into_bytes();
        at += bytes[at..].windows(name.len()).position(|window| window == name).unwrap() + name.len();
        bytes[at + 20] ^= 1;
    }
    bytes.into()
}

#[tokio::test]
async fn five_thousand_failed_entries_are_all_named() {
    let mut world = world(None);
    let mails: Vec<_> = (1..=5000).map(|n| Sample::new(n, "anna/Inbox")).collect();
    world.exported = export("mine", &mails, mails.len(), None);
    world.upload("v.mszip", damaged(&world.exported.volumes[0], 5000)).await;
    let started = world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    assert_eq!((view.failed.len(), view.balanced), (5000, true));
    let process = world.archive.process(&started.process).await.unwrap();
    assert_eq!(process.result.unwrap()["imports"][0], serde_json::json!(view));
    let listed = world.archive.processes(None, 10).await.unwrap();
    assert_eq!((&listed[0].result, listed[0].state), (&None, ProcessState::Finished), "it is long");
    let key = listed[0].outcome.clone().unwrap().key;
    for read_data in [false, true] {
        let checked = world.archive.check(read_data).await.unwrap();
        assert!(checked.balanced && checked.orphans.is_empty(), "{checked:?}");
    }
    assert!(world.memory.objects.tamper(&key, |bytes| bytes[1000] ^= 1));
    assert_eq!(world.archive.process(&started.process).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(world.archive.check(true).await.unwrap().errors, [format!("{key} has changed")]);
    world.memory.objects.delete(&key, None).await.unwrap();
    assert_eq!(world.archive.check(false).await.unwrap().errors, [format!("{key} is missing")]);
}

#[tokio::test]
async fn of_more_than_ten_thousand_failed_entries_the_rest_is_counted() {
    let world = world(None);
    let id = world.import(None).await.id.unwrap();
    let entry = |number| FailedEntry::new(number, "mail_damaged", "test", None);
    world.archive.put_failures(&id, (1..=10_050).map(entry).collect()).await.unwrap();
    let told = |view: &ImportView| {
        let last = view.failed.last().unwrap();
        (view.failed.len(), last.number, last.code.clone(), last.reason.split(':').next().unwrap().to_owned())
    };
    let rest = |listed, number, more: &str| (listed, number, "more".to_owned(), more.to_owned());
    let view = world.archive.import(&id).await.unwrap();
    assert_eq!(told(&view), rest(10_001, 10_001, "50 more"));
    assert!(!view.balanced, "there are more rows than were counted");
    assert_eq!(told(&world.archive.imports().await.unwrap()[0]), rest(101, 101, "9950 more"));
    // Several imports in one document share the room.
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    let mut room = 10_060;
    let first = world.archive.view_within(import.clone(), &mut room).await.unwrap();
    assert_eq!((first.failed.len(), room), (10_050, 10));
    let second = world.archive.view_within(import, &mut room).await.unwrap();
    assert_eq!((told(&second), room), (rest(11, 11, "10040 more"), 0));
    let report = world.archive.import_report(&id, None).await.unwrap();
    assert_eq!(report.failed.len(), 10_050, "the report names all");
}

#[tokio::test]
async fn three_thousand_slices_are_all_in_the_report() {
    let mut world = world(None);
    world.archive.sizes = Sizes { step_mails: 1, shard_mails: 2000, ..Sizes::default() };
    let mails: Vec<_> = (1..=3000).map(|n| Sample::new(n, &format!("user {}/Inbox", n % 50))).collect();
    world.exported = export("mine", &mails, mails.len(), None);
    let view = world.import(None).await;
    assert_eq!((view.imported, view.balanced), (3000, true));
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.mailboxes_created, done.placements_created), (1, 50, 3000));
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.orphans.is_empty(), "{checked:?}");
    let report = world.archive.need::<Report>(&view.id.unwrap().0).await.unwrap().value;
    assert_eq!(world.archive.report_contents(&report).await.unwrap().slices.len(), 3000);
}

#[tokio::test]
async fn a_thousand_refusals_and_conflicts_are_all_named() {
    let mut world = world(None);
    let twins = (0..4000u64).map(|n| {
        let name = if n % 2 == 0 { "User" } else { "user" };
        Sample::new(n, &format!("{name} with a name that is rather long, as some names are, number {}/Inbox", n / 2))
    });
    let mails: Vec<_> = twins.collect();
    world.exported = export("mine", &mails, mails.len(), None);
    world.import(None).await;
    let done = world.restructure().await;
    assert_eq!((done.conflicts.len(), done.reports_left), (2000, 1));
    let names: Vec<_> = (0..1000).map(|n| format!("no such upload, but one with a long name, {n}.mszip")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let start = StartImports { each_alone: true, ..world.start(&names, None) };
    let started = world.archive.start_imports(start).await.unwrap();
    let process = world.archive.process(&started.process).await.unwrap();
    assert_eq!(process.result.unwrap()["imports"].as_array().unwrap().len(), 1000);
    assert!(process.title.len() < 300, "{}", process.title);
}

/// A slice that a worker wrote after another one had overtaken it never counts.
#[tokio::test]
async fn an_overtaken_worker_writes_over_no_slice() {
    let world = world(None);
    let (_, id) = world.begin().await;
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    let take = async |archive: &Archive| {
        let shard = archive.shard(&import, 0).await.unwrap();
        crate::lease::Lease::take(archive, shard).await.unwrap().unwrap()
    };
    let slow = take(&world.archive).await;
    world.memory.clock.advance(Duration::from_mins(3));
    let mut quick = take(&another(&world.archive)).await;
    let failed = |numbers: std::ops::RangeInclusive<u64>| -> Vec<_> {
        let outcome = Outcome::Failed { code: "mail_damaged".into(), reason: "test".into(), locator: None };
        numbers.map(|number| SliceEntry { number, outcome: outcome.clone() }).collect()
    };
    world.archive.put_slice(&import, &quick, failed(1..=5)).await.unwrap();
    let refused = world.archive.put_slice(&import, &slow, failed(1..=3)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(world.archive.slice_rows(&import).await.unwrap().is_empty(), "no checkpoint counts it");
    quick.save(&world.archive, |shard| shard.next = 6).await.unwrap();
    let rows = world.archive.slice_rows(&import).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.slice.entries).collect::<Vec<_>>(), [5]);
    quick.save(&world.archive, |shard| shard.next = 7).await.unwrap();
    assert_eq!(world.archive.slice_rows(&import).await.unwrap_err().kind(), ErrorKind::Corrupt, "a gap");
}
