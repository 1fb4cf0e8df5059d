//! A check as a job.

use std::time::Duration;

use super::gallery;
use crate::{
    Depth, Flags, MailHash, MailboxAddress, MessageRow, PlacementKey,
    access::{Grantee, NewUser},
    import::{Import, ImportState, REPORTS, tests::world},
    inventory::SLICES,
    job, kept,
    ports::{Catalog as _, Objects as _, PutMode, Scope},
    process::{Failure, ProcessState},
    restructure::PLACEMENTS,
    store::PACKS,
    testing::volumes::Sample,
};

#[tokio::test]
async fn one_that_does_not_end_in_time_fails_once_and_says_what_does() {
    let world = world(None);
    world.import(None).await;
    for (depth, flag) in [
        (Depth::default(), "check --aws STACK`"),
        (Depth { read_data: true, repair: false }, "check --aws STACK --read-data`"),
        (Depth { read_data: true, repair: true }, "check --aws STACK --repair`"),
    ] {
        let id = world.archive.start_check(depth, "test").await.unwrap();
        let job = world.memory.queue.take().unwrap();
        // Done, so that no queue delivers it again.
        job::run(&world.archive, &job, world.archive.clock.boot()).await.unwrap();
        let process = world.archive.process(&id).await.unwrap();
        let Some(Failure { code, hint: Some(hint), .. }) = process.error else { panic!("{process:?}") };
        assert_eq!((process.state, code.as_str()), (ProcessState::Failed, "check_too_long"));
        assert!(hint.contains(flag), "{hint}");
        // Delivered once more all the same, it stays as it is.
        job::run(&world.archive, &job, Duration::MAX).await.unwrap();
        assert_eq!(world.archive.process(&id).await.unwrap().state, ProcessState::Failed);
    }
}

/// A placement is looked for where the row's date puts it: placed once more by that of the objects, the mail would lie there
/// twice.
#[tokio::test]
async fn a_mail_under_another_date_is_not_placed_once_more() {
    let world = world(None);
    world.import(None).await;
    let (catalog, hash) = (&world.memory.catalog, Sample::new(4, "").hash());
    assert!(catalog.unplace(&Scope::All, &hash));
    let repair = Depth { read_data: false, repair: true };
    let missing = world.archive.check_to(repair).await.unwrap();
    assert!(
        missing.errors.is_empty() && missing.repaired.iter().any(|text| text.contains("it is missing")),
        "{missing:?}"
    );

    let date = Some(7);
    catalog.change_message(hash, |row| row.as_mut().unwrap().message_date = date);
    assert!(catalog.unplace(&Scope::All, &hash));
    catalog.place("by hand", &Scope::All, &[PlacementKey { date, hash, flags: Flags::default() }]).await.unwrap();
    let misdated = world.archive.check_to(repair).await.unwrap();
    assert!(misdated.repaired.is_empty(), "{misdated:?}");
    assert!(misdated.errors.iter().any(|text| text.contains("it has another date in")), "{misdated:?}");
}

/// No byte of them is read for that.
#[tokio::test]
async fn an_object_that_a_row_speaks_of_is_missed_by_any_check() {
    let world = gallery::sound().await;
    let address = MailboxAddress::parse("anna@firma.example").unwrap();
    world.archive.create_first_user("the first one").await.unwrap();
    world.archive.add_user(NewUser { name: "anna".into(), ..NewUser::default() }).await.unwrap();
    world.archive.grant(&address, Grantee::User("anna".into())).await.unwrap();
    world.archive.set_mapping("dora", &address).await.unwrap();
    let kinds = ["mailbox/", "mapping/", "user/", "group/", "grant/"].map(|kind| format!("{}{kind}", kept::PREFIX));
    for prefix in kinds.iter().map(String::as_str).chain([PACKS, SLICES, REPORTS, PLACEMENTS]) {
        let keys = world.archive.keys_below(prefix).await.unwrap();
        assert!(!keys.is_empty(), "{prefix}");
        // What was begun tells nothing more once it is done.
        for key in keys.iter().filter(|key| !key.as_str().ends_with("-begun.json")) {
            let bytes = world.bytes(key).await;
            world.memory.objects.delete(key, None).await.unwrap();
            let missed = world.archive.check(false).await.unwrap();
            assert!(!missed.errors.is_empty() && !missed.balanced, "{key}");
            world.memory.objects.put(key, bytes.into(), PutMode::IfAbsent).await.unwrap();
        }
    }
    assert_eq!(world.archive.check(false).await.unwrap().errors, [""; 0]);
}

#[tokio::test]
async fn a_row_that_says_more_than_the_objects_is_found() {
    let world = gallery::sound().await;
    let (catalog, known, unknown) = (&world.memory.catalog, Sample::new(4, "").hash(), MailHash([0; 32]));
    let copied = catalog.locate(&[known]).await.unwrap().remove(0).unwrap();
    catalog.change_message(known, |row| row.as_mut().unwrap().defects = u64::MAX);
    catalog.change_message(unknown, |row| *row = Some(MessageRow { hash: unknown, ..copied }));
    let mut errors = world.archive.check(true).await.unwrap().errors;
    errors.sort();
    let told = [format!("mail {unknown}: no object tells of it"), format!("mail {known}: it has a defect too many")];
    assert_eq!(errors.len(), told.len(), "{errors:?}");
    for (error, told) in errors.iter().zip(told) {
        assert!(error.starts_with(&told) && error.ends_with("`postkahn rebuild`"), "{error}");
    }
}

/// Nobody is left who would end it.
#[tokio::test]
async fn an_import_that_has_not_ended_although_its_report_is_filed_is_found() {
    for state in [ImportState::Running, ImportState::Failed] {
        let world = gallery::sound().await;
        let ended = world.archive.all::<Import>(None).await.unwrap().pop().unwrap();
        world.archive.put(Import { state, finished: None, ..ended.clone() }).await.unwrap();
        let repaired = world.archive.check_to(Depth { read_data: true, repair: true }).await.unwrap();
        let told = format!("import {}: its row differs from its report", ended.id);
        assert_eq!((repaired.repaired, repaired.errors), (vec![told], Vec::new()));
        let row = world.archive.need::<Import>(&ended.id.0).await.unwrap().value;
        assert_eq!((row.state, row.finished), (ended.state, ended.finished));
    }
}

/// A rebuild would take its import for one that was cut off.
#[tokio::test]
async fn a_report_that_is_lost_is_written_anew_as_it_was() {
    let world = gallery::sound().await;
    let repair = Depth { read_data: true, repair: true };
    let (objects, keys) = (&world.memory.objects, world.archive.keys_below(REPORTS).await.unwrap());
    for key in &keys {
        let written = world.bytes(key).await;
        world.memory.clock.advance(Duration::from_hours(1));
        assert!(objects.delete(key, None).await.unwrap());
        let missed = world.archive.check(false).await.unwrap().errors;
        let told = format!("{key} is missing");
        let advised = format!("{told}; to put it right: `postkahn check --repair`");
        assert!(missed.len() == 1 && missed[0].starts_with(&advised), "{missed:?}");
        let repaired = world.archive.check_to(repair).await.unwrap();
        assert_eq!((repaired.repaired, repaired.errors), (vec![told], Vec::new()));
        assert_eq!(world.bytes(key).await, written);
    }
    // Not where the slices count something else than the row.
    let mut import = world.archive.all::<Import>(None).await.unwrap().remove(0);
    import.tally.imported += 1;
    world.archive.put(import).await.unwrap();
    assert!(objects.delete(&keys[0], None).await.unwrap());
    world.archive.check_to(repair).await.unwrap();
    assert!(objects.head(&keys[0]).await.unwrap().is_none());
}
