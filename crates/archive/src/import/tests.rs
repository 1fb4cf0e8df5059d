//! Imports over the in-memory twins: outcomes, repetition, damage, and a kill at every durable effect.

mod claims;
mod closers;
mod deadline;
mod deletion;
mod events;
mod foreign;
mod further;
mod given_up;
mod moved;
mod room;
mod shards;
mod shown;
mod size;
mod starting;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use super::*;
use crate::{
    Archive, ErrorKind, FolderPath, MailQuery, Restructured, Sizes,
    access::Visible,
    ports::{Objects, PutMode},
    testing::{
        Memory,
        faulty::Faults,
        volumes::{Exported, Sample, export},
    },
    uploads::UploadState,
};

pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) archive: Archive,
    pub(crate) exported: Exported,
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut mails: Vec<_> = (1..=9).map(|n| Sample::new(n, "anna/Inbox")).collect();
    mails.push(Sample { location: vec!["anna".into(), "Projekte".into(), "A/B".into()], ..Sample::new(3, "") });
    mails.push(Sample { date: None, ..Sample::new(11, "bob") });
    mails.push(Sample { location: vec!["@catchall".into(), "x".into()], ..Sample::new(1, "") });
    mails
}

pub(crate) fn world(password: Option<&str>) -> World {
    let memory = Memory::new(1);
    // Far below the 400 KB that a row of DynamoDB holds.
    let mut archive = Faults::none().documents_up_to(350 << 10).before(&memory.archive());
    archive.domain = Some(crate::Domain::parse("firma.example").unwrap());
    World { archive, memory, exported: export("mine", &samples(), 100, password) }
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(format!("anna/{name}")).unwrap()
}

impl World {
    pub(crate) async fn upload(&self, name: &str, bytes: Bytes) {
        self.memory.uploads.put(&key(name), bytes, PutMode::Overwrite).await.unwrap();
        self.archive.upload_landed(&key(name)).await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
    }

    pub(crate) fn start(&self, names: &[&str], password: Option<&str>) -> StartImports {
        StartImports {
            sources: names.iter().map(|name| Source::Upload(key(name))).collect(),
            mailbox: MailboxAddress::parse("target@firma.example").unwrap(),
            certificate: Some(self.exported.certificate.clone()),
            password: password.map(str::to_owned),
            auto_start: false,
            each_alone: false,
            by: "test".into(),
        }
    }

    /// Uploads the first volume and starts its import; nothing works on it yet.
    pub(crate) async fn begin(&self) -> (Started, ImportId) {
        self.upload("v.mszip", self.exported.volumes[0].clone()).await;
        let started = self.archive.start_imports(self.start(&["v.mszip"], None)).await.unwrap();
        let id = started.imports[0].id.clone().unwrap();
        (started, id)
    }

    pub(crate) async fn import(&self, password: Option<&str>) -> ImportView {
        self.upload("v.mszip", self.exported.volumes[0].clone()).await;
        let started = self.archive.start_imports(self.start(&["v.mszip"], password)).await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
        let process = self.archive.process(&started.process).await.unwrap();
        let view = self.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
        assert_eq!(process.result.unwrap()["imports"][0], serde_json::json!(view));
        view
    }

    pub(crate) async fn restructure(&self) -> Restructured {
        let process = self.archive.start_restructure("test").await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
        let process = self.archive.process(&process).await.unwrap();
        serde_json::from_value(process.result.unwrap_or_else(|| panic!("{:?}", process.error))).unwrap()
    }
}

/// All that somebody can see: mailboxes, folders, mails with their places, raw bytes.
pub(crate) async fn visible_state(archive: &Archive) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for mailbox in archive.mailboxes().await.unwrap() {
        state.insert(format!("mailbox {}", mailbox.address), format!("{mailbox:?}"));
        for folder in archive.catalog.folders(&mailbox.address).await.unwrap() {
            let query = MailQuery {
                mailbox: Some(mailbox.address.clone()),
                folder: Some(folder.path.clone()),
                ..MailQuery::default()
            };
            let page = archive.mails(&Visible::All, query).await.unwrap();
            let hashes: Vec<_> = page.mails.iter().map(|mail| mail.id).collect();
            state.insert(
                format!("folder {} {:?}", mailbox.address, folder.path),
                format!("{} {hashes:?}", folder.mails),
            );
        }
    }
    for mail in archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails {
        let row = archive.find_mail(&Visible::All, &mail.id).await.unwrap();
        let raw = archive.read_whole(&row, 1 << 20).await.unwrap();
        assert_eq!(crate::MailHash::of(&raw), mail.id);
        state.insert(format!("mail {}", mail.id), format!("{:?} {:?}", mail.message_date, mail.locations));
    }
    state
}

#[tokio::test]
async fn every_entry_has_one_outcome_and_every_mail_its_places() {
    let world = world(Some("secret"));
    let view = world.import(Some("secret")).await;
    assert_eq!((view.in_volume, view.imported, view.already_there), (12, 10, 2));
    assert!(view.balanced && view.failed.is_empty() && view.state == ImportState::Finished);
    assert!(world.archive.uploads().await.unwrap().is_empty(), "the upload goes when all of it is imported");
    assert!(world.memory.uploads.head(&key("v.mszip")).await.unwrap().is_none());
    assert_eq!(world.archive.schedules.list().await.unwrap().len(), 1);

    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.reports_left, done.mailboxes_created), (1, 0, 3));
    assert_eq!((done.placements_created, done.folders_created), (12, 5));
    let mails = world.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails;
    assert_eq!(mails.len(), 10);
    assert_eq!(mails.last().unwrap().message_date, None, "unknown dates come last");
    let third = mails.iter().find(|mail| mail.id == Sample::new(3, "").hash()).unwrap();
    assert_eq!(third.locations.len(), 2);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.errors.is_empty() && checked.orphans.is_empty(), "{checked:?}");
    assert_eq!((checked.messages, checked.placements, checked.dead_bytes), (10, 22, 0));
}

/// The first entry of a mail has its texts; what refers to it brings none.
#[tokio::test]
async fn mails_with_copies_keep_their_texts() {
    let mut world = world(None);
    let mails = |folder: &'static str| (1..=60).map(move |number| Sample::new(number, folder));
    world.exported = export("mine", &mails("anna/Inbox").chain(mails("anna/Copies")).collect::<Vec<_>>(), 1000, None);
    let view = world.import(None).await;
    assert_eq!((view.imported, view.already_there), (60, 60));
    assert_eq!(world.archive.check(true).await.unwrap().errors, [""; 0]);
    for row in world.archive.catalog.locate(&mails("").map(|mail| mail.hash()).collect::<Vec<_>>()).await.unwrap() {
        let row = row.unwrap();
        assert!(row.first.entry <= 60 && row.subject.is_some() && row.message_id.is_some(), "{row:?}");
    }
}

#[tokio::test]
async fn what_was_imported_is_not_doubled() {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    let before = visible_state(&world.archive).await;
    let again = world.import(None).await;
    assert_eq!((again.imported, again.already_there), (0, 12));
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.placements_created, done.folders_created), (1, 0, 0));
    assert_eq!(visible_state(&world.archive).await, before);
}

#[tokio::test]
async fn certificate_and_password_are_checked_before_anything_is_queued() {
    let world = world(Some("secret"));
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    for (password, code) in [(None, "password_needed"), (Some("wrong"), "wrong_password")] {
        let error = world.archive.start_imports(world.start(&["v.mszip"], password)).await.unwrap_err();
        assert_eq!((error.machine_code(), error.kind()), (code, ErrorKind::Denied));
    }
    let none = StartImports { certificate: None, ..world.start(&["v.mszip"], Some("secret")) };
    assert_eq!(world.archive.start_imports(none).await.unwrap_err().machine_code(), "certificate_needed");
    let alone = StartImports { each_alone: true, ..world.start(&["v.mszip"], Some("wrong")) };
    let refused = world.archive.start_imports(alone).await.unwrap();
    assert_eq!(refused.imports[0].state, ImportState::Refused);
    assert_eq!(refused.imports[0].code.as_deref(), Some("wrong_password"));
    assert!(world.memory.queue.is_empty() && world.archive.imports().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_mail_costs_that_mail_and_those_that_refer_to_it() {
    let world = world(None);
    let mut bytes = world.exported.volumes[0].to_vec();
    // Mail 3 is an entry of its own: flip a byte in the middle of it.
    let name = b"mail/00000000003";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    bytes[at] ^= 1;
    world.upload("v.mszip", bytes.into()).await;
    let started = world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    let failed: Vec<_> = view.failed.iter().map(|entry| (entry.number, entry.code.as_str())).collect();
    assert_eq!(failed, [(3, "mail_damaged"), (10, "mail_damaged")], "{view:?}");
    assert_eq!((view.imported, view.already_there, view.balanced), (9, 1, true));
    let upload = &world.archive.uploads().await.unwrap()[0];
    assert_eq!((upload.state, &upload.import), (UploadState::Ready, &None), "it stays for a retry");
}

#[tokio::test]
async fn a_volume_named_twice_is_imported_once() {
    let world = world(None);
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    let started = world.archive.start_imports(world.start(&["v.mszip", "v.mszip"], None)).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let process = world.archive.process(&started.process).await.unwrap();
    let imports = process.result.unwrap()["imports"].clone();
    assert_eq!((&imports[0]["id"], &imports[0]["imported"]), (&imports[1]["id"], &serde_json::json!(10)));
}

/// What one file lacks the other one brings, whichever of them is named first; each report is of the file that it names.
#[tokio::test]
async fn a_volume_that_lies_there_twice_is_read_from_both_files() {
    for names in [["v.mszip", "damaged.mszip"], ["damaged.mszip", "v.mszip"]] {
        let world = world(None);
        let mut damaged = world.exported.volumes[0].to_vec();
        let name = b"mail/00000000003";
        let at = damaged.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
        damaged[at] ^= 1;
        world.upload("v.mszip", world.exported.volumes[0].clone()).await;
        world.upload("damaged.mszip", damaged.into()).await;
        world.archive.start_imports(world.start(&names, None)).await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        let imports = world.archive.imports().await.unwrap();
        assert_eq!(imports.iter().map(|import| import.file.as_str()).collect::<Vec<_>>(), names);
        for import in &imports {
            let failed: Vec<_> = import.failed.iter().map(|entry| entry.number).collect();
            let expected: &[u64] = if import.file == "v.mszip" { &[] } else { &[3, 10] };
            assert!(import.balanced && failed == expected, "{import:?}");
        }
        assert_eq!(imports.iter().map(|import| import.imported).sum::<u64>(), 10, "{names:?}");
        let left = world.archive.uploads().await.unwrap();
        assert_eq!((left.len(), left[0].name()), (1, "damaged.mszip"));
    }
}

#[tokio::test]
async fn volumes_may_come_in_any_order() {
    let forward = world(None);
    let backward = world(None);
    let exported = export("mine", &samples(), 5, None);
    for (world, order) in [(&forward, [0, 1, 2]), (&backward, [2, 0, 1])] {
        for at in order {
            let name = format!("v{at}.mszip");
            world.upload(&name, exported.volumes[at].clone()).await;
            let start = StartImports { certificate: Some(exported.certificate.clone()), ..world.start(&[&name], None) };
            world.archive.start_imports(start).await.unwrap();
            world.memory.work(&world.archive).await.unwrap();
        }
        world.restructure().await;
    }
    assert_eq!(visible_state(&forward.archive).await, visible_state(&backward.archive).await);
}

/// The mails of all would lie in the mailbox of one of them, and could never be taken out.
#[tokio::test]
async fn a_recreated_mailbox_takes_in_no_volume() {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    let before = visible_state(&world.archive).await;
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    let anna = MailboxAddress::parse("Anna@firma.example").unwrap();
    let start = |each_alone| StartImports { mailbox: anna.clone(), each_alone, ..world.start(&["v.mszip"], None) };
    let refused = world.archive.start_imports(start(false)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.machine_code()), (ErrorKind::Conflict, "mailbox_recreated"));
    assert!(refused.advice().unwrap().contains("another mailbox"), "{refused:?}");
    let started = world.archive.start_imports(start(true)).await.unwrap();
    assert_eq!(started.imports[0].state, ImportState::Refused);
    assert_eq!(started.imports[0].code.as_deref(), Some("mailbox_recreated"));
    let reason = started.imports[0].reason.as_deref().unwrap();
    assert!(reason.ends_with(refused.advice().unwrap()), "{reason}");
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(visible_state(&world.archive).await, before);
    // A single mail is somebody's own, and was put there on purpose.
    world.upload("one.eml", Sample::new(70, "").raw.into()).await;
    let own = StartImports { mailbox: anna.clone(), certificate: None, ..world.start(&["one.eml"], None) };
    world.archive.start_imports(own).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(world.archive.mailbox(&anna).await.unwrap().mails, 10);
}

#[tokio::test]
async fn archives_of_one_address_are_a_conflict_until_the_mapping_says_otherwise() {
    let mut world = world(None);
    let mails = [Sample::new(1, "Anna/a"), Sample::new(2, "anna/b"), Sample::new(3, "bob/c")];
    world.exported = export("mine", &mails, 10, None);
    world.import(None).await;
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.reports_left, done.placements_created), (0, 1, 1));
    assert_eq!(done.conflicts[0].archives, ["Anna", "anna"]);
    let address = MailboxAddress::parse("anna2@firma.example").unwrap();
    world.archive.set_mapping("anna", &address).await.unwrap();
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.reports_left, done.placements_created), (1, 0, 2));
    assert!(done.conflicts.is_empty());
    let left = MailboxAddress::parse("anna@firma.example").unwrap();
    assert_eq!(world.archive.mailbox(&left).await.unwrap().mails, 1);
}

#[tokio::test]
async fn without_a_domain_nothing_is_done() {
    let mut world = world(None);
    world.archive.domain = None;
    world.import(None).await;
    let process = world.archive.start_restructure("test").await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let process = world.archive.process(&process).await.unwrap();
    assert_eq!(process.error.unwrap().code, "domain_needed");
    assert_eq!(world.archive.mailboxes().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_cancelled_import_keeps_what_it_has_and_can_be_started_again() {
    let world = world(None);
    let (started, id) = world.begin().await;
    assert_eq!(world.archive.cancel_import(&id).await.unwrap().state, ImportState::Cancelled);
    assert!(world.archive.cancel_import(&id).await.is_err());
    world.memory.work(&world.archive).await.unwrap();
    assert!(world.archive.process(&started.process).await.unwrap().state.ended());
    assert_eq!(world.import(None).await.imported, 10);
}

/// Kills at each durable effect, before it and after it, then starts again: the end is that of an undisturbed run.
#[tokio::test]
async fn a_kill_at_any_effect_changes_nothing_in_the_end() {
    kill_everywhere(Sizes::default(), Duration::MAX).await;
}

/// The same where every turn ends after its first batch, and everything takes several of them.
#[tokio::test]
async fn a_kill_between_short_turns_changes_nothing_in_the_end() {
    kill_everywhere(Sizes { batch_mails: 4, placements: 4, ..Sizes::default() }, Duration::ZERO).await;
}

async fn kill_everywhere(sizes: Sizes, deadline: Duration) {
    let undisturbed = world(None);
    let view = undisturbed.import(None).await;
    undisturbed.restructure().await;
    let expected = visible_state(&undisturbed.archive).await;
    for after in [false, true] {
        for at in 0.. {
            let mut world = world(None);
            world.archive.sizes = sizes;
            world.upload("v.mszip", world.exported.volumes[0].clone()).await;
            let faults = Faults::at(at, after);
            journey(&world, &faults.before(&world.archive), deadline).await;
            journey(&world, &world.archive, deadline).await;
            let effect = format!("killed at effect {at}, after: {after}");
            assert_eq!(visible_state(&world.archive).await, expected, "{effect}");
            let imports = world.archive.imports().await.unwrap();
            let first = imports.iter().find(|import| import.state == ImportState::Finished).unwrap();
            assert_eq!((first.imported, first.already_there), (view.imported, view.already_there), "{effect}");
            let checked = world.archive.check(true).await.unwrap();
            assert!(checked.errors.is_empty() && checked.balanced, "{effect}: {checked:?}");
            world.memory.clock.advance(Duration::from_mins(20));
            world.archive.sweep().await.unwrap();
            try_jobs(&world, &world.archive, deadline).await;
            for process in world.archive.processes(None, 100).await.unwrap() {
                assert!(process.state.ended(), "{effect}: {process:?}");
            }
            assert_eq!(world.archive.all::<Import>(None).await.unwrap().len(), imports.len(), "{effect}");
            if !faults.struck() {
                break;
            }
            assert!(at < 500);
        }
    }
}

/// Import and restructure as far as they go.
async fn journey(world: &World, archive: &Archive, deadline: Duration) {
    if world.memory.uploads.head(&key("v.mszip")).await.unwrap().is_some() {
        let _ = archive.start_imports(world.start(&["v.mszip"], None)).await;
    }
    try_jobs(world, archive, deadline).await;
    let _ = archive.start_restructure("test").await;
    try_jobs(world, archive, deadline).await;
}

/// A job that fails stays in the queue, as SQS keeps it.
async fn try_jobs(world: &World, archive: &Archive, deadline: Duration) {
    for _ in 0..50 {
        let Some(job) = world.memory.queue.take() else { return };
        if crate::job::run(archive, &job, deadline).await.is_err() {
            crate::ports::Queue::send(&*world.memory.queue, &job, Duration::ZERO).await.unwrap();
        }
    }
}

#[test]
fn folder_paths_of_the_samples_differ() {
    let paths: BTreeSet<_> = samples().iter().map(|sample| FolderPath(sample.location.clone())).collect();
    assert_eq!(paths.len(), 4);
}

/// The same archive, worked on by another loop of the same process.
fn another(archive: &Archive) -> Archive {
    let mut other = archive.clone();
    other.worker.number += 1;
    other
}

#[tokio::test]
async fn two_loops_do_not_work_on_one_shard() {
    let world = world(None);
    let (_, id) = world.begin().await;
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    let shard = world.archive.shard(&import, 0).await.unwrap();
    let mut lease = crate::lease::Lease::take(&world.archive, shard).await.unwrap().unwrap();
    let other = another(&world.archive);
    other.run_import(&id, 0, Duration::MAX).await.unwrap();
    assert_eq!(world.archive.counted(import.clone()).await.unwrap().tally, Tally::default(), "the shard is held");
    world.memory.clock.advance(Duration::from_mins(3));
    world.memory.work(&other).await.unwrap();
    assert_eq!(world.archive.import(&id).await.unwrap().state, ImportState::Finished, "the lease ran out");
    assert_eq!(lease.confirm(&world.archive).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_cancelled_import_is_closed_once_nobody_writes_to_it() {
    let world = world(None);
    let (started, id) = world.begin().await;
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    let shard = world.archive.shard(&import, 0).await.unwrap();
    let lease = crate::lease::Lease::take(&world.archive, shard).await.unwrap().unwrap();
    let other = another(&world.archive);
    other.cancel_import(&id).await.unwrap();
    world.memory.work(&other).await.unwrap();
    let open = world.archive.need::<Import>(&id.0).await.unwrap().value;
    assert_eq!(open.finished, None, "a worker has a step in hand");
    lease.release(&world.archive, |_| {}).await.unwrap();
    world.memory.clock.advance(Duration::from_secs(5));
    world.memory.work(&other).await.unwrap();
    assert!(world.archive.process(&started.process).await.unwrap().state.ended());
}

/// It stood still in the middle of a step until its lease was over, and the import was closed without that step.
#[tokio::test]
async fn a_worker_that_stood_still_writes_nothing_to_a_closed_import() {
    let world = world(None);
    let (_, id) = world.begin().await;
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    let shard = world.archive.shard(&import, 0).await.unwrap();
    let mut lease = crate::lease::Lease::take(&world.archive, shard).await.unwrap().unwrap();
    world.memory.clock.advance(world.archive.worker.lease + Duration::from_secs(1));
    let other = another(&world.archive);
    other.cancel_import(&id).await.unwrap();
    world.memory.work(&other).await.unwrap();
    assert!(world.archive.need::<Import>(&id.0).await.unwrap().value.finished.is_some());
    assert_eq!(lease.confirm(&world.archive).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_upload_goes_into_one_mailbox_at_a_time() {
    let world = world(None);
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap();
    let mailbox = MailboxAddress::parse("other@firma.example").unwrap();
    let elsewhere = StartImports { mailbox, ..world.start(&["v.mszip"], None) };
    assert_eq!(world.archive.start_imports(elsewhere).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(world.archive.delete_upload("anna/v.mszip").await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_export_state_is_deleted_at_once_whatever_its_name() {
    let world = world(None);
    let state = br#"{"format":"mszip export state","version":1}"#;
    world.upload("firma.EXPORT-STATE", Bytes::from_static(state)).await;
    assert!(world.memory.uploads.head(&key("firma.EXPORT-STATE")).await.unwrap().is_none());
    assert!(world.archive.uploads().await.unwrap().is_empty());
}
