//! The catalogue made anew equals the old one, row by row.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Archive, MailboxAddress,
    access::{Grantee, NewUser},
    import::{
        ImportState, StartImports,
        tests::{World, key, visible_state, world},
    },
    ports::Objects as _,
    testing::{
        Memory,
        faulty::Faults,
        volumes::{Sample, export_again},
    },
};

/// Kinds of rows of work in hand, which do not come back.
const WORKING: [&str; 15] = [
    "process ",
    "line/",
    "refused/",
    "starting ",
    "shard/",
    "slice/",
    "live ",
    "closing ",
    "turn ",
    "restructure-asked ",
    "emptying ",
    "emptying-asked ",
    "auto-start ",
    "upload ",
    "session ",
];

/// The rows that must come back. A pack's fence and the last touch of an import are of no use any more.
pub(crate) fn lasting(memory: &Memory) -> BTreeMap<String, String> {
    let rows = memory.catalog.dump().into_iter();
    let lasting = rows.filter(|(id, _)| !WORKING.iter().any(|kind| id.starts_with(kind)));
    let without = |text: String, name: &str| -> String {
        let Ok(serde_json::Value::Object(mut body)) = serde_json::from_str(&text) else { return text };
        body.remove(name);
        serde_json::Value::Object(body).to_string()
    };
    lasting.map(|(id, text)| (id, without(without(text, "fence"), "touched"))).collect()
}

fn rebuilt(memory: &Memory, archive: &Archive) -> (Memory, Archive) {
    let memory = memory.without_catalogue();
    let archive = Archive { domain: archive.domain.clone(), sizes: archive.sizes, ..memory.archive() };
    (memory, archive)
}

/// An archive with what can be in one: two exports, copies, a failed entry, flags, mapping, users, grants.
async fn busy() -> World {
    let mut world = world(Some("secret"));
    world.archive.create_first_user("the first one").await.unwrap();
    let address = |text| MailboxAddress::parse(text).unwrap();
    world.archive.add_mailbox(&address("by-hand@firma.example")).await.unwrap();
    world.import(Some("secret")).await;
    world.restructure().await;
    world.archive.set_mapping("carl", &address("karl@firma.example")).await.unwrap();
    let mut mails = vec![Sample::new(1, "carl/a"), Sample::new(2, "anna/Inbox"), Sample::new(40, "carl/b/c")];
    mails.push(Sample::new(41, "dora"));
    world.exported = export_again(9, "second", &mails, 2, None);
    let mut damaged = world.exported.volumes[1].to_vec();
    let name = b"mail/00000000004";
    let at = damaged.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 20;
    damaged[at] ^= 1;
    for (name, bytes) in [("a.mszip", world.exported.volumes[0].clone()), ("b.mszip", damaged.into())] {
        world.memory.clock.advance(Duration::from_mins(5));
        world.upload(name, bytes).await;
        world.archive.start_imports(world.start(&[name], None)).await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
    }
    world.restructure().await;
    let new = NewUser { name: "anna".into(), groups: vec!["readers".into()], ..NewUser::default() };
    world.archive.add_user(new).await.unwrap();
    world.archive.grant(&address("karl@firma.example"), Grantee::User("anna".into())).await.unwrap();
    let gone = world.archive.grant(&address("anna@firma.example"), Grantee::Group("readers".into())).await.unwrap();
    world.archive.revoke(&gone).await.unwrap();
    world.archive.recipient_certificate().await.unwrap();
    world
}

#[tokio::test]
async fn every_row_comes_back() {
    let world = busy().await;
    let checked = world.archive.check(true).await.unwrap();
    assert_eq!((checked.errors.as_slice(), checked.orphans.as_slice()), (&[][..], &[][..]));
    let (memory, archive) = rebuilt(&world.memory, &world.archive);
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
    assert_eq!(archive.check(true).await.unwrap(), checked);
    let (old, new) = (lasting(&world.memory), lasting(&memory));
    assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>());
    for (id, row) in &old {
        assert_eq!(new[id], *row, "{id}");
    }
    assert!(old.keys().any(|id| id.starts_with("failure/")) && old.keys().any(|id| id.starts_with("grant ")));
    assert_eq!(visible_state(&archive).await, visible_state(&world.archive).await);
    assert_eq!(archive.imports().await.unwrap(), world.archive.imports().await.unwrap());
    assert_eq!(archive.schedules.list().await.unwrap().len(), 1);
}

/// Work goes on after a rebuild as it would have without one.
#[tokio::test]
async fn what_comes_after_is_the_same() {
    let (old, mut new) = (busy().await, busy().await);
    let (memory, archive) = rebuilt(&new.memory, &new.archive);
    archive.rebuild().await.unwrap();
    (new.memory, new.archive) = (memory, archive);
    for world in [&old, &new] {
        world.archive.set_mapping("dora", &MailboxAddress::parse("d@firma.example").unwrap()).await.unwrap();
        world.upload("c.mszip", world.exported.volumes[1].clone()).await;
        let started = world.archive.start_imports(world.start(&["c.mszip"], None)).await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
        assert_eq!((view.imported, view.already_there), (1, 1));
        world.restructure().await;
        let checked = world.archive.check(true).await.unwrap();
        assert!(checked.errors.is_empty(), "{checked:?}");
    }
    assert_eq!(visible_state(&old.archive).await, visible_state(&new.archive).await);
}

/// Killed at each durable effect, an import is closed over what it had, and the volume brings the rest.
#[tokio::test]
async fn an_import_that_was_under_way_loses_nothing() {
    let undisturbed = world(None);
    undisturbed.import(None).await;
    undisturbed.restructure().await;
    let expected = visible_state(&undisturbed.archive).await;
    for at in 0..200 {
        let mut world = world(None);
        world.archive.sizes.step_mails = 4;
        world.upload("v.mszip", world.exported.volumes[0].clone()).await;
        let faults = Faults::at(at, false);
        let killed = faults.before(&world.archive);
        let _ = killed.start_imports(world.start(&["v.mszip"], None)).await;
        let _ = world.memory.work(&killed).await;
        let (memory, archive) = rebuilt(&world.memory, &world.archive);
        assert_eq!(archive.rebuild().await.unwrap(), [""; 0], "effect {at}");
        let checked = archive.check(true).await.unwrap();
        assert!(checked.errors.is_empty(), "effect {at}: {checked:?}");
        (world.memory, world.archive) = (memory, archive);
        if world.memory.uploads.head(&key("v.mszip")).await.unwrap().is_some() {
            let view = world.import(None).await;
            assert_eq!(view.state, ImportState::Finished, "effect {at}");
        }
        world.restructure().await;
        assert_eq!(visible_state(&world.archive).await, expected, "effect {at}");
        let checked = world.archive.check(true).await.unwrap();
        assert!(checked.errors.is_empty() && checked.balanced, "effect {at}: {checked:?}");
        if !faults.struck() {
            return;
        }
    }
    panic!("it never ends");
}

/// Killed between its rows and its slice, an import never goes on; another one has found the mails there, and counts on
/// their pack.
#[tokio::test]
async fn a_pack_that_only_another_import_speaks_of_is_kept() {
    for at in 0..200 {
        let world = world(None);
        world.upload("v.mszip", world.exported.volumes[0].clone()).await;
        world.upload("copy.mszip", world.exported.volumes[0].clone()).await;
        let faults = Faults::at(at, false);
        let killed = faults.before(&world.archive);
        let _ = killed.start_imports(world.start(&["v.mszip"], None)).await;
        let _ = world.memory.work(&killed).await;
        world.archive.start_imports(world.start(&["copy.mszip"], None)).await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        world.restructure().await;
        let before = visible_state(&world.archive).await;
        let (_, archive) = rebuilt(&world.memory, &world.archive);
        assert_eq!(archive.rebuild().await.unwrap(), [""; 0], "effect {at}");
        let checked = archive.check(true).await.unwrap();
        assert!(checked.errors.is_empty(), "effect {at}: {checked:?}");
        assert_eq!(visible_state(&archive).await, before, "effect {at}");
        if !faults.struck() {
            return;
        }
    }
    panic!("it never ends");
}

/// A report and one slice are lost with the catalogue: no whole mail is lost from sight, and what is missing is named each time.
#[tokio::test]
async fn mails_behind_a_lost_slice_stay_in_sight() {
    for lost in [0, 1] {
        let mut world = world(None);
        world.archive.sizes.step_mails = 4;
        world.archive.sizes.shard_mails = 1000;
        world.import(None).await;
        let mails = world.archive.check(true).await.unwrap().messages;
        let reports = world.memory.objects.list("reports/", None, 10).await.unwrap();
        let slices = world.memory.objects.list("slices/", None, 10).await.unwrap();
        assert!(slices.len() > 2);
        for gone in [&reports[0], &slices[lost]] {
            world.memory.objects.delete(&gone.key, None).await.unwrap();
        }
        for _ in 0..2 {
            let (memory, archive) = rebuilt(&world.memory, &world.archive);
            let faults = archive.rebuild().await.unwrap();
            let named = faults.iter().filter(|fault| fault.contains("no slice tells of its entries")).count();
            assert!(named > 0, "{faults:?}");
            let checked = archive.check(true).await.unwrap();
            assert_eq!((checked.messages, checked.balanced), (mails, false), "{checked:?}");
            (world.memory, world.archive) = (memory, archive);
        }
        // The volume comes once more, and nothing is missing any longer.
        world.import(None).await;
        world.restructure().await;
        let (_, archive) = rebuilt(&world.memory, &world.archive);
        assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
        let checked = archive.check(true).await.unwrap();
        assert_eq!((checked.messages, checked.errors.as_slice(), checked.balanced), (mails, &[][..], true));
    }
}

#[tokio::test]
async fn a_volume_that_had_come_whole_is_finished_without_its_report() {
    let world = world(None);
    let view = world.import(None).await;
    world
        .memory
        .objects
        .delete(&world.memory.objects.list("reports/", None, 10).await.unwrap()[0].key, None)
        .await
        .unwrap();
    let (_, archive) = rebuilt(&world.memory, &world.archive);
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
    let again = archive.import(view.id.as_ref().unwrap()).await.unwrap();
    assert_eq!((again.state, again.imported, again.balanced), (ImportState::Finished, view.imported, true));
}

#[tokio::test]
async fn a_long_result_is_found_again() {
    let world = world(None);
    let names: Vec<_> = (0..1000).map(|n| format!("no such upload, but one with a long name, {n}.mszip")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let start = StartImports { each_alone: true, ..world.start(&names, None) };
    let started = world.archive.start_imports(start).await.unwrap();
    let before = world.archive.process(&started.process).await.unwrap();
    let (_, archive) = rebuilt(&world.memory, &world.archive);
    archive.rebuild().await.unwrap();
    let after = archive.process(&started.process).await.unwrap();
    assert_eq!((after.result, after.finished, after.state), (before.result, before.finished, before.state));
    assert!(archive.check(true).await.unwrap().orphans.is_empty());
}
