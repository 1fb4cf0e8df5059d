//! An upload that an import needs is neither replaced nor deleted, from the first moment on: no import ends because its file
//! went away.

use futures::future::join;
use tokio::task::yield_now;

use super::*;

async fn ready() -> World {
    let world = world(None);
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    world
}

/// All that was begun came to a good end.
async fn assert_whole(world: &World, case: &str) -> usize {
    world.memory.clock.advance(Duration::from_mins(20));
    world.archive.sweep().await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let imports = world.archive.imports().await.unwrap();
    assert!(
        imports.iter().all(|import| import.state == ImportState::Finished && import.balanced),
        "{case}: {imports:?}"
    );
    imports.len()
}

#[tokio::test]
async fn a_start_that_was_cut_off_leaves_no_import_without_its_upload() {
    for at in 0..200 {
        let world = ready().await;
        let faults = Faults::at(at, false);
        let _ = faults.before(&world.archive).start_imports(world.start(&["v.mszip"], None)).await;
        let begun = world.archive.imports().await.unwrap();
        let shown = world.archive.upload("anna/v.mszip").await.unwrap().import;
        assert_eq!(shown.is_some(), !begun.is_empty(), "effect {at}: {shown:?}");
        match world.archive.delete_upload("anna/v.mszip").await {
            Ok(_) => assert!(begun.is_empty(), "effect {at}: {begun:?}"),
            Err(error) => {
                let import = begun[0].id.as_ref().unwrap();
                assert_eq!(error.kind(), ErrorKind::Conflict, "effect {at}");
                assert!(error.advice().unwrap().contains(&import.0), "effect {at}: {error:?}");
            }
        }
        assert_eq!(assert_whole(&world, &format!("effect {at}")).await, begun.len());
        if !faults.struck() {
            assert_eq!(begun.len(), 1);
            return;
        }
    }
    panic!("it never ends");
}

/// The same steps of both, in many orders.
#[tokio::test]
async fn a_start_and_a_deletion_at_once() {
    let mut started = BTreeSet::new();
    for seed in 0..200 {
        let world = ready().await;
        let [one, other] = [0, 1].map(|number| Faults::none().mixed(seed * 2 + number).before(&world.archive));
        let start = one.start_imports(world.start(&["v.mszip"], None));
        let deletion = async {
            while world.memory.catalog.dump().keys().all(|id| !id.starts_with("starting ")) {
                yield_now().await;
            }
            // What comes first in a start has little to do with the upload.
            for _ in 0..seed % 20 {
                yield_now().await;
            }
            other.delete_upload("anna/v.mszip").await
        };
        let (start, deletion) = Box::pin(join(start, deletion)).await;
        let imports = assert_whole(&world, &format!("seed {seed}: {start:?} {deletion:?}")).await;
        assert_eq!(imports, usize::from(deletion.is_err()), "seed {seed}");
        started.insert(imports);
    }
    assert_eq!(started.len(), 2, "both come first now and then");
}

#[tokio::test]
async fn two_starts_into_different_mailboxes_at_once() {
    for seed in 0..200 {
        let world = ready().await;
        let [one, other] = [0, 1].map(|number| Faults::none().mixed(seed * 2 + number).before(&world.archive));
        let here = StartImports { each_alone: true, ..world.start(&["v.mszip"], None) };
        let mailbox = MailboxAddress::parse("other@firma.example").unwrap();
        let there = StartImports { mailbox, ..here.clone() };
        let (here, there) = Box::pin(join(one.start_imports(here), other.start_imports(there))).await;
        let states = [here, there].map(|started| started.unwrap().imports[0].state);
        assert!(states.contains(&ImportState::Waiting), "seed {seed}: {states:?}");
        assert_eq!(assert_whole(&world, &format!("seed {seed}")).await, 1, "{states:?}");
    }
}

/// One import, whichever of them it belongs to.
#[tokio::test]
async fn two_starts_into_one_mailbox_at_once() {
    for seed in 0..200 {
        let world = ready().await;
        let [one, other] = [0, 1].map(|number| Faults::none().mixed(seed * 2 + number).before(&world.archive));
        let start = || world.start(&["v.mszip"], None);
        let (one, other) = Box::pin(join(one.start_imports(start()), other.start_imports(start()))).await;
        assert!(one.is_ok() || other.is_ok(), "seed {seed}: {one:?} {other:?}");
        assert_eq!(assert_whole(&world, &format!("seed {seed}: {one:?} {other:?}")).await, 1, "seed {seed}");
    }
}

/// Nobody is left to close it: its jobs are gone, as they are for a command that is told to do nothing else.
#[tokio::test]
async fn an_import_that_was_cut_off_while_it_ended_is_ended_by_the_next_start() {
    let world = ready().await;
    let first = world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap().imports.remove(0);
    world.archive.cancel_import(first.id.as_ref().unwrap()).await.unwrap();
    while world.memory.queue.take().is_some() {}
    let second = world.archive.start_imports(world.start(&["v.mszip"], None)).await.unwrap().imports.remove(0);
    assert_ne!(first.id, second.id);
    world.memory.work(&world.archive).await.unwrap();
    let [first, second] = [first, second].map(|import| import.id.unwrap());
    assert_eq!(world.archive.import(&first).await.unwrap().state, ImportState::Cancelled);
    assert!(world.archive.need::<Import>(&first.0).await.unwrap().value.finished.is_some());
    assert_eq!(world.archive.import(&second).await.unwrap().imported, 10);
}

/// What passes ends the start, wherever the file lies: only a file that cannot be read itself is refused.
#[tokio::test]
async fn a_catalogue_that_fails_refuses_no_file() {
    let (mut failed, file) = (0, ObjectKey::parse("old/v.mszip").unwrap());
    for seed in 0..200 {
        let world = world(None);
        world.memory.files.put(&file, world.exported.volumes[0].clone(), PutMode::Overwrite).await.unwrap();
        let sources = vec![Source::File(file.clone())];
        let start = StartImports { sources, each_alone: true, ..world.start(&[], None) };
        // The file itself can be read: what the start has looked at is asked of the archive alone.
        let troubled = Faults::none().troubled(seed, 5).before(&world.archive);
        let troubled = Archive { files: world.archive.files.clone(), ..troubled };
        match troubled.start_imports(start).await {
            Ok(started) => assert_ne!(started.imports[0].state, ImportState::Refused, "seed {seed}"),
            Err(error) => failed += usize::from(error.kind() == ErrorKind::Unavailable),
        }
    }
    assert!(failed > 10, "{failed}");
}
