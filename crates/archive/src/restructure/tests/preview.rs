//! Preview and mapping: they tell what a run does, and do nothing.

use std::{collections::BTreeMap, time::Duration};

use super::address;
use crate::{
    Archive, ErrorKind, MappingRow, MappingSource, Preview,
    import::{
        Report,
        tests::{World, world},
    },
    job,
    mailbox::Origin,
    ports::ObjectKey,
    process::{Failure, ProcessState},
    restructure::survey::Part,
    testing::volumes::{Sample, export, export_again},
};

/// Everything that is stored, apart from the process log.
async fn stored(world: &World) -> (BTreeMap<String, String>, BTreeMap<ObjectKey, Vec<u8>>) {
    let rows = world.memory.catalog.dump().into_iter();
    let rows = rows.filter(|(id, _)| !id.starts_with("process ") && !id.starts_with("line/")).collect();
    let mut objects = BTreeMap::new();
    for key in world.archive.keys_below("").await.unwrap() {
        objects.insert(key.clone(), world.bytes(&key).await);
    }
    (rows, objects)
}

async fn preview(world: &World) -> Preview {
    let process = world.archive.start_preview("test").await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let process = world.archive.process(&process).await.unwrap();
    serde_json::from_value(process.result.unwrap_or_else(|| panic!("{:?}", process.error))).unwrap()
}

async fn row(archive: &Archive, name: &str) -> MappingRow {
    archive.mapping().await.unwrap().into_iter().find(|row| row.archive == name).unwrap()
}

#[tokio::test]
async fn a_preview_says_what_the_run_does_and_changes_nothing() {
    let world = world(None);
    world.import(None).await;
    let before = stored(&world).await;
    let previewed = preview(&world).await;
    assert_eq!(stored(&world).await, before);
    assert!(world.memory.queue.is_empty());
    assert_eq!(previewed.total, world.restructure().await);
    assert!(previewed.dry_run);
    let figures = previewed
        .mailboxes
        .iter()
        .map(|mailbox| (mailbox.address.as_str(), mailbox.user_archive.as_str(), mailbox.exists, mailbox.mails));
    let expected = [
        ("anna@firma.example", "anna", false, 9),
        ("bob@firma.example", "bob", false, 1),
        ("catchall@firma.example", "@catchall", false, 1),
    ];
    assert_eq!(figures.collect::<Vec<_>>(), expected);
    for mailbox in previewed.mailboxes {
        let made = world.archive.mailbox(&mailbox.address).await.unwrap();
        assert_eq!((mailbox.mails, mailbox.folders_created), (made.mails, made.folders), "{made:?}");
    }
    // The same volume again: all of it would be found in its place.
    world.import(None).await;
    let before = stored(&world).await;
    let again = preview(&world).await;
    assert_eq!(stored(&world).await, before);
    assert_eq!((again.total.reports_processed, again.total.placements_created, again.total.folders_created), (1, 0, 0));
    assert!(again.mailboxes.iter().all(|mailbox| mailbox.exists && mailbox.placements_there > 0));
    assert_eq!(again.total, world.restructure().await);
    let nothing = preview(&world).await;
    assert_eq!((nothing.total, nothing.mailboxes), (world.restructure().await, vec![]));
}

#[tokio::test]
async fn a_preview_needs_a_domain_where_the_run_does() {
    let mut world = world(None);
    world.archive.domain = None;
    world.import(None).await;
    let process = world.archive.start_preview("test").await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.archive.process(&process).await.unwrap().error.unwrap().code, "domain_needed");
}

#[tokio::test]
async fn many_entries_are_surveyed_in_passes_with_equal_sums() {
    let world = world(None);
    world.import(None).await;
    world.import(None).await;
    let mut parts = Vec::new();
    for report in world.archive.all::<Report>(None).await.unwrap() {
        let contents = world.archive.report_contents(&report).await.unwrap();
        let addresses = world.archive.plan_addresses(&contents.user_archives).await.unwrap().addresses;
        parts.push(Part { contents, addresses });
    }
    let expected = world.archive.survey_in(&parts, 1).await.unwrap();
    assert_eq!(expected.values().map(|surveyed| surveyed.placements).sum::<u64>(), 12);
    for passes in [2, 7, 256] {
        assert_eq!(world.archive.survey_in(&parts, passes).await.unwrap(), expected, "{passes} passes");
    }
}

#[tokio::test]
async fn the_mapping_says_what_a_run_would_meet() {
    let mut world = world(None);
    let mails = [Sample::new(1, "Anna/a"), Sample::new(2, "anna/b"), Sample::new(2, "anna/c"), Sample::new(3, "bob/c")];
    world.exported = export("mine", &[&mails[..], &[Sample::new(4, "@catchall")]].concat(), 10, None);
    world.archive.add_mailbox(&address("bob@firma.example")).await.unwrap();
    world.import(None).await;
    let anna = row(&world.archive, "anna").await;
    assert_eq!((anna.conflict, anna.conflict_with.as_slice(), anna.mailbox), (true, &["Anna".to_owned()][..], None));
    assert_eq!(anna.mails_waiting, Some(1), "a mail in two folders is one");
    let bob = row(&world.archive, "bob").await;
    assert_eq!((bob.conflict, bob.conflict_with.len(), bob.mailbox), (true, 0, Some(Origin::Hand)));
    let catchall = row(&world.archive, "@catchall").await;
    assert_eq!((catchall.address.unwrap().as_str(), catchall.conflict), ("catchall@firma.example", false));
    assert_eq!((catchall.source, catchall.mails_waiting), (MappingSource::Default, Some(1)));

    let previewed = preview(&world).await;
    let conflicts: Vec<_> =
        previewed.total.conflicts.iter().map(|conflict| (conflict.archives.len(), conflict.mailbox)).collect();
    assert_eq!(conflicts, [(2, None), (1, Some(Origin::Hand))]);
    let set = world.archive.set_mapping("bob", &address("target@firma.example")).await.unwrap();
    assert_eq!((set.conflict, set.mailbox, set.source), (true, Some(Origin::Import), MappingSource::Mapping));
    let set = world.archive.set_mapping("bob", &address("robert@firma.example")).await.unwrap();
    assert_eq!((set.conflict, set.mailbox), (false, None));
    assert_eq!(world.restructure().await.reports_left, 1);
    let waiting = [("bob", 0), ("anna", 1), ("Anna", 1), ("@catchall", 0)];
    for (name, mails) in waiting {
        assert_eq!(row(&world.archive, name).await.mails_waiting, Some(mails), "{name}");
    }
    world.archive.set_mapping("anna", &address("anna2@firma.example")).await.unwrap();
    assert_eq!(world.restructure().await.reports_left, 0);

    let bob = row(&world.archive, "bob").await;
    assert_eq!((bob.mailbox, bob.mails_waiting, bob.conflict), (Some(Origin::Restructure), Some(0), false));
    // What was recreated once is in the way of another archive, and named.
    let set = world.archive.set_mapping("eve", &address("robert@firma.example")).await.unwrap();
    assert_eq!((set.conflict, set.conflict_with), (true, vec!["bob".to_owned()]));
}

#[tokio::test]
async fn what_lies_in_its_own_mailbox_is_in_conflict_with_nobody() {
    let mut world = world(None);
    world.import(None).await;
    world.restructure().await;
    world.exported = export_again(9, "second", &[Sample::new(40, "Anna/a")], 10, None);
    world.import(None).await;
    let (late, placed) = (row(&world.archive, "Anna").await, row(&world.archive, "anna").await);
    assert_eq!((late.conflict, late.conflict_with), (true, vec!["anna".to_owned()]));
    assert_eq!((placed.conflict, placed.mailbox), (false, Some(Origin::Restructure)));
    assert_eq!(preview(&world).await.total.conflicts.len(), 1);
    world.archive.set_mapping("Anna", &address("anna2@firma.example")).await.unwrap();
    assert!(!row(&world.archive, "Anna").await.conflict);
    assert_eq!(world.restructure().await.conflicts, []);
}

#[tokio::test]
async fn another_address_names_where_mails_of_the_archive_lie_already() {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    assert!(row(&world.archive, "bob").await.elsewhere.is_empty());
    let set = world.archive.set_mapping("bob", &address("robert@firma.example")).await.unwrap();
    assert_eq!((set.mailbox, set.elsewhere), (None, vec![address("bob@firma.example")]));
    assert!(world.archive.reset_mapping("bob").await.unwrap().elsewhere.is_empty());
}

#[tokio::test]
async fn an_address_that_was_set_can_be_taken_back() {
    let world = world(None);
    world.import(None).await;
    world.archive.set_mapping("bob", &address("robert@firma.example")).await.unwrap();
    let back = world.archive.reset_mapping("bob").await.unwrap();
    assert_eq!((back.address.unwrap().as_str(), back.source), ("bob@firma.example", MappingSource::Default));
    assert_eq!(world.archive.reset_mapping("bob").await.unwrap_err().kind(), ErrorKind::NotFound);
    world.restructure().await;
    assert!(world.archive.mailbox(&address("robert@firma.example")).await.is_err());
}

#[tokio::test]
async fn one_that_does_not_end_in_time_fails_once_and_says_what_does() {
    let world = world(None);
    world.import(None).await;
    let id = world.archive.start_preview("test").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    assert!(!job.keeps_its_place());
    // Done, so that no queue delivers it again.
    job::run(&world.archive, &job, world.archive.clock.boot()).await.unwrap();
    let process = world.archive.process(&id).await.unwrap();
    let Some(Failure { code, hint: Some(hint), .. }) = process.error else { panic!("{process:?}") };
    assert_eq!((process.state, code.as_str()), (ProcessState::Failed, "preview_too_long"));
    assert!(hint.contains("restructure"), "{hint}");
    job::run(&world.archive, &job, Duration::MAX).await.unwrap();
    assert_eq!(world.archive.process(&id).await.unwrap().state, ProcessState::Failed);
}
