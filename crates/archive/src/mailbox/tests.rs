//! Emptying over the in-memory twins: what it takes out, what it refuses, and a kill at every durable effect.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::{
    ErrorKind, FolderPath, ProcessId, Sizes,
    import::{
        Import, ImportState, StartImports,
        tests::{World, visible_state, world},
    },
    job::{self, Job},
    ports::{ObjectKey, Queue as _},
    process::{Process, ProcessState},
    testing::{
        faulty::Faults,
        volumes::{Sample, export, export_again},
    },
};

fn address(text: &str) -> MailboxAddress {
    MailboxAddress::parse(text).unwrap()
}

fn target() -> MailboxAddress {
    address("target@firma.example")
}

/// Imported and restructured: 10 mails in the target, each in a mailbox of its own too.
async fn restructured() -> World {
    let world = world(None);
    world.import(None).await;
    world.restructure().await;
    world
}

async fn ended(world: &World, process: &ProcessId) -> Process {
    world.memory.work(&world.archive).await.unwrap();
    world.archive.process(process).await.unwrap()
}

async fn empty(world: &World, mailbox: &MailboxAddress, confirmed: bool) -> Process {
    let process = world.archive.start_emptying(mailbox, confirmed, "eve").await.unwrap();
    ended(world, &process).await
}

fn emptying(process: &Process) -> Emptying {
    let result = process.result.clone().unwrap_or_else(|| panic!("{:?}", process.error));
    serde_json::from_value(result).unwrap()
}

fn refusal(process: &Process) -> (String, String) {
    let error = process.error.clone().unwrap_or_else(|| panic!("{:?}", process.result));
    assert_eq!((process.state, error.kind.as_str()), (ProcessState::Failed, "conflict"));
    (error.code, error.message)
}

async fn count(world: &World, mailbox: &MailboxAddress) -> (u64, u64) {
    let folders = world.archive.catalog.folders(mailbox).await.unwrap();
    let view = world.archive.mailbox(mailbox).await.unwrap();
    (view.mails, folders.iter().map(|folder| folder.mails).sum())
}

async fn is_whole(world: &World) {
    let checked = world.archive.check(true).await.unwrap();
    assert_eq!((checked.errors.as_slice(), checked.orphans.as_slice()), (&[][..], &[][..]));
    assert!(checked.balanced);
}

#[tokio::test]
async fn the_target_keeps_its_mails_until_somebody_empties_it() {
    let world = restructured().await;
    let before = visible_state(&world.archive).await;
    let shown = emptying(&empty(&world, &target(), false).await);
    let expected = Emptying { address: target(), dry_run: true, mails: 10, placements: 10, folders: 1 };
    assert_eq!(shown, expected);
    assert_eq!(visible_state(&world.archive).await, before, "that was a look");
    assert!(world.archive.keys_below("records/emptied/").await.unwrap().is_empty());

    let process = empty(&world, &target(), true).await;
    assert_eq!(emptying(&process), Emptying { dry_run: false, ..expected });
    assert_eq!((process.kind.as_str(), process.by.as_str()), ("empty", "eve"));
    let lines = world.archive.process_lines(&process.id, None, 10).await.unwrap();
    assert!(lines[0].text.starts_with("10 mails (10 placements) have left mailbox target@firma.example"), "{lines:?}");
    assert_eq!(count(&world, &target()).await, (0, 0));
    let left: std::collections::BTreeMap<_, _> =
        visible_state(&world.archive).await.into_iter().filter(|(name, _)| !name.contains("target@")).collect();
    let others: std::collections::BTreeMap<_, _> =
        before.into_iter().filter(|(name, _)| !name.contains("target@")).collect();
    assert_eq!(left, others, "every mail is there, and lies where else it lay");
    is_whole(&world).await;

    let again = emptying(&empty(&world, &target(), true).await);
    assert_eq!((again.mails, again.placements, again.folders), (0, 0, 0));
    assert_eq!(world.archive.keys_below("records/emptied/").await.unwrap().len(), 1, "nothing new was decided");
    is_whole(&world).await;
}

#[tokio::test]
async fn what_comes_later_stays() {
    let mut world = restructured().await;
    empty(&world, &target(), true).await;
    let mails = [Sample::new(2, "anna/Inbox"), Sample::new(50, "anna/Inbox")];
    world.exported = export_again(9, "second", &mails, 2, None);
    world.import(None).await;
    assert_eq!(count(&world, &target()).await, (2, 2), "one of them has been here before");
    is_whole(&world).await;
    assert_eq!(refusal(&empty(&world, &target(), true).await).0, "placements_missing");
    world.restructure().await;
    let emptied = emptying(&empty(&world, &target(), true).await);
    assert_eq!((emptied.mails, emptied.folders), (2, 1));
    is_whole(&world).await;
}

#[tokio::test]
async fn a_rebuild_does_not_bring_them_back() {
    let mut world = restructured().await;
    empty(&world, &target(), true).await;
    world.exported = export_again(9, "second", &[Sample::new(2, "anna/Inbox")], 2, None);
    world.import(None).await;
    let (before, checked) = (visible_state(&world.archive).await, world.archive.check(true).await.unwrap());
    let memory = world.memory.without_catalogue();
    world.archive = Archive { domain: world.archive.domain.clone(), ..memory.archive() };
    world.memory = memory;
    assert_eq!(world.archive.rebuild().await.unwrap(), [""; 0]);
    assert_eq!(visible_state(&world.archive).await, before);
    assert_eq!(world.archive.check(true).await.unwrap(), checked);
    assert_eq!(count(&world, &target()).await, (1, 1));
    world.restructure().await;
    assert_eq!(emptying(&empty(&world, &target(), true).await).mails, 1, "work goes on after it");
    is_whole(&world).await;
}

#[tokio::test]
async fn it_is_refused_while_placements_are_missing() {
    let mut world = world(None);
    let mails = [Sample::new(1, "Anna/a"), Sample::new(2, "anna/b"), Sample::new(3, "bob/c")];
    world.exported = export("mine", &mails, 10, None);
    world.import(None).await;
    let before = visible_state(&world.archive).await;
    for confirmed in [false, true] {
        let (code, message) = refusal(&empty(&world, &target(), confirmed).await);
        assert_eq!(code, "placements_missing");
        assert!(message.contains("v.mszip"), "{message}");
    }
    assert_eq!(visible_state(&world.archive).await, before);
    world.restructure().await;
    let (code, message) = refusal(&empty(&world, &target(), true).await);
    assert_eq!(code, "placements_missing");
    assert!(message.contains(r#"anna@firma.example: user archives ["Anna", "anna"] would"#), "{message}");
    world.archive.set_mapping("anna", &address("anna2@firma.example")).await.unwrap();
    world.restructure().await;
    assert_eq!(emptying(&empty(&world, &target(), true).await).mails, 3);
    is_whole(&world).await;
}

#[tokio::test]
async fn it_is_refused_while_an_import_is_under_way() {
    let world = restructured().await;
    let (_, id) = world.begin().await;
    let process = world.archive.start_emptying(&target(), true, "eve").await.unwrap();
    let job = Job::Empty { process: process.clone() };
    job::run(&world.archive, &job, Duration::MAX).await.unwrap();
    let (code, message) = refusal(&world.archive.process(&process).await.unwrap());
    assert_eq!(code, "import_running");
    assert!(message.contains(&id.0), "{message}");
    assert_eq!(count(&world, &target()).await.0, 10);
}

/// The check has passed, then an import begins: it waits until the mailbox is empty, and its mails stay.
#[tokio::test]
async fn an_import_that_begins_meanwhile_keeps_its_mails() {
    let mut world = restructured().await;
    world.archive.sizes.placements = 1;
    let process = world.archive.start_emptying(&target(), true, "eve").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    // Until it is decided, and the first mails are gone.
    for _ in 0..4 {
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    }
    let left = count(&world, &target()).await.1;
    assert!((1..10).contains(&left), "{left} left");
    assert_eq!(world.archive.check(true).await.unwrap().errors, [""; 0], "a check meanwhile finds no fault");
    // Its job is lost: the import that waits for it sends it again.
    world.memory.queue.drain();
    world.exported = export_again(9, "second", &[Sample::new(2, "anna/Inbox"), Sample::new(60, "anna")], 2, None);
    let (_, id) = world.begin().await;
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(emptying(&world.archive.process(&process).await.unwrap()).mails, 10);
    let import = world.archive.need::<Import>(&id.0).await.unwrap().value;
    assert_eq!((import.finished, count(&world, &target()).await.0), (None, 0));
    world.memory.clock.advance(Duration::from_mins(1));
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(&id).await.unwrap();
    assert_eq!((view.imported, view.already_there, view.state), (1, 1, ImportState::Finished));
    assert_eq!(count(&world, &target()).await, (2, 2));
    is_whole(&world).await;
}

/// Imports a single mail, which lies in its target alone.
async fn import_alone(world: &World, mail: &'static [u8], mailbox: &MailboxAddress) {
    world.upload("alone.eml", bytes::Bytes::from_static(mail)).await;
    let start = world.start(&["alone.eml"], None);
    let start = StartImports { certificate: None, mailbox: mailbox.clone(), ..start };
    world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
}

#[tokio::test]
async fn a_mail_that_lies_nowhere_else_is_named() {
    let world = restructured().await;
    let only = b"Subject: alone\r\n\r\nonly here\r\n";
    import_alone(&world, only, &target()).await;
    assert_eq!(count(&world, &target()).await.0, 11);
    for confirmed in [false, true] {
        let (code, message) = refusal(&empty(&world, &target(), confirmed).await);
        assert_eq!(code, "only_here");
        assert!(message.contains(&crate::MailHash::of(only).to_string()), "{message}");
    }
    assert_eq!(count(&world, &target()).await.0, 11);
    // In a second target it is not alone any more; then the second one cannot be emptied.
    let second = address("second@firma.example");
    import_alone(&world, only, &second).await;
    assert_eq!(emptying(&empty(&world, &target(), true).await).mails, 11);
    assert_eq!(refusal(&empty(&world, &second, true).await).0, "only_here");
    is_whole(&world).await;
}

/// Both look at the same time; only one of them may go.
#[tokio::test]
async fn two_mailboxes_do_not_count_on_each_other() {
    let world = world(None);
    let second = address("second@firma.example");
    for mailbox in [&target(), &second] {
        import_alone(&world, b"Subject: twice\r\n\r\nin two targets\r\n", mailbox).await;
    }
    let mut processes = Vec::new();
    for mailbox in [&target(), &second] {
        processes.push(world.archive.start_emptying(mailbox, true, "eve").await.unwrap());
    }
    while let Some(job) = world.memory.queue.take() {
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    }
    let mut ends = Vec::new();
    for process in processes {
        ends.push(world.archive.process(&process).await.unwrap().error.map(|error| error.code));
    }
    ends.sort();
    assert_eq!(ends, [None, Some("only_here".into())]);
    assert_eq!(count(&world, &target()).await.0 + count(&world, &second).await.0, 1);
    is_whole(&world).await;
}

#[tokio::test]
async fn recreated_and_unknown_mailboxes_are_not_emptied() {
    let world = restructured().await;
    let recreated = world.archive.start_emptying(&address("anna@firma.example"), true, "eve").await.unwrap_err();
    assert_eq!(recreated.kind(), ErrorKind::Invalid);
    let unknown = world.archive.start_emptying(&address("nobody@firma.example"), true, "eve").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    let hand = address("hand@firma.example");
    world.archive.add_mailbox(&hand).await.unwrap();
    assert_eq!(emptying(&empty(&world, &hand, true).await).mails, 0);
    is_whole(&world).await;
}

/// Kills at each durable effect, before it and after it, then goes on: the end is that of an undisturbed run.
#[tokio::test]
async fn a_kill_at_any_effect_changes_nothing_in_the_end() {
    let undisturbed = restructured().await;
    let expected = emptying(&empty(&undisturbed, &target(), true).await);
    let state = visible_state(&undisturbed.archive).await;
    for (after, deadline) in
        [(false, Duration::MAX), (true, Duration::MAX), (false, Duration::ZERO), (true, Duration::ZERO)]
    {
        for at in 0.. {
            let effect = format!("effect {at}, after: {after}, turns of {deadline:?}");
            let mut world = restructured().await;
            world.archive.sizes = Sizes { placements: 3, ..Sizes::default() };
            let faults = Faults::at(at, after);
            let killed = faults.before(&world.archive);
            let _ = killed.start_emptying(&target(), true, "eve").await;
            try_jobs(&world, &killed, deadline).await;
            rebuilt_is_all_or_nothing(&world, &effect).await;
            // The next one who comes asks again; if the first request came through, there is nothing left to do.
            try_jobs(&world, &world.archive, deadline).await;
            let second = world.archive.start_emptying(&target(), true, "eve").await.unwrap();
            try_jobs(&world, &world.archive, deadline).await;
            assert!(world.archive.process(&second).await.unwrap().state == ProcessState::Finished, "{effect}");
            let processes = world.archive.processes(None, 100).await.unwrap().into_iter();
            let dealt_with = processes.filter(|process| process.kind == "empty" && process.result.is_some());
            let results: Vec<_> = dealt_with.map(|process| emptying(&process)).collect();
            let taken: u64 = results.iter().map(|emptying| emptying.mails).sum();
            assert!(taken == expected.mails && results.contains(&expected), "{effect}: {results:?}");
            assert_eq!(visible_state(&world.archive).await, state, "{effect}");
            is_whole(&world).await;
            assert!(!world.archive.is_emptying().await.unwrap(), "{effect}");
            if !faults.struck() {
                break;
            }
            assert!(at < 200);
        }
    }
}

/// Where the catalogue is lost in between, the decision counts or it does not.
async fn rebuilt_is_all_or_nothing(world: &World, effect: &str) {
    let memory = world.memory.without_catalogue();
    let archive = Archive { domain: world.archive.domain.clone(), ..memory.archive() };
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0], "{effect}");
    let left = archive.mailbox(&target()).await.unwrap().mails;
    assert!(left == 0 || left == 10, "{effect}: {left}");
    let checked = archive.check(true).await.unwrap();
    assert!(checked.errors.is_empty(), "{effect}: {checked:?}");
}

/// A job that fails stays in the queue, as SQS keeps it.
async fn try_jobs(world: &World, archive: &Archive, deadline: Duration) {
    for _ in 0..100 {
        let Some(job) = world.memory.queue.take() else { return };
        if job::run(archive, &job, deadline).await.is_err() {
            world.memory.queue.send(&job, Duration::ZERO).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_lost_job_is_sent_again_by_the_sweep() {
    let world = restructured().await;
    let process = world.archive.start_emptying(&target(), true, "eve").await.unwrap();
    assert!(world.memory.queue.take().is_some());
    world.memory.clock.advance(Duration::from_hours(2));
    world.archive.sweep().await.unwrap();
    assert_eq!(emptying(&ended(&world, &process).await).mails, 10);
}

#[tokio::test]
async fn what_is_given_up_blocks_nobody() {
    let world = restructured().await;
    let process = world.archive.start_emptying(&target(), true, "eve").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    assert!(world.archive.is_emptying().await.unwrap());
    job::give_up(&world.archive, &job, Error::internal("no luck")).await.unwrap();
    assert_eq!(world.archive.process(&process).await.unwrap().error.unwrap().message, "no luck");
    assert!(!world.archive.is_emptying().await.unwrap());
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(count(&world, &target()).await.0, 10);
}

#[tokio::test]
async fn what_was_decided_is_done_even_if_its_job_is_given_up() {
    let mut world = restructured().await;
    world.archive.sizes.placements = 1;
    world.archive.start_emptying(&target(), true, "eve").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    for _ in 0..3 {
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    }
    job::give_up(&world.archive, &job, Error::internal("no luck")).await.unwrap();
    world.memory.queue.drain();
    assert!((1..10).contains(&count(&world, &target()).await.1));
    world.memory.clock.advance(Duration::from_hours(2));
    world.archive.sweep().await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert_eq!(count(&world, &target()).await, (0, 0));
    assert!(!world.archive.is_emptying().await.unwrap());
    is_whole(&world).await;
}

/// What was decided is told by its object. Damaged, it is told by its row; without either the mails come back, and are
/// none the less whole.
#[tokio::test]
async fn a_damaged_record_is_written_anew_from_its_row() {
    let world = restructured().await;
    empty(&world, &target(), true).await;
    let key: ObjectKey = world.archive.keys_below("records/emptied/").await.unwrap().pop().unwrap();
    assert!(world.memory.objects.tamper(&key, |bytes| bytes[40] ^= 1));
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.errors.iter().any(|error| error.contains("its object is damaged")), "{checked:?}");
    let repaired = world.archive.repair().await.unwrap();
    assert!(repaired.errors.is_empty() && !repaired.repaired.is_empty(), "{repaired:?}");
    assert_eq!(count(&world, &target()).await, (0, 0));
    let kept: Value = serde_json::from_slice(&world.bytes(&key).await).unwrap();
    assert_eq!((&kept["body"]["by"], &kept["body"]["mails"]), (&Value::from("eve"), &Value::from(10)));
    let folder = FolderPath(vec!["mine".into()]);
    assert_eq!(world.archive.catalog.count(&Scope::Folder(target(), folder)).await.unwrap(), 0);
}
