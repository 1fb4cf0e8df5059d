//! Starts that are cut off: whatever they had come to, each process ends and says why, and nothing is doubled.

use super::*;
use crate::process::{Process, ProcessState};

const NAMES: [&str; 2] = ["v0.mszip", "v1.mszip"];

/// Two volumes whose start was killed at this effect; and whether it was.
async fn cut_off_at(at: i64) -> (World, bool) {
    let mut world = world(None);
    world.exported = export("mine", &samples(), 6, None);
    for (name, volume) in NAMES.iter().zip(&world.exported.volumes) {
        world.upload(name, volume.clone()).await;
    }
    let faults = Faults::at(at, false);
    let _ = faults.before(&world.archive).start_imports(world.start(&NAMES, None)).await;
    (world, faults.struck())
}

async fn processes(world: &World) -> Vec<Process> {
    world.archive.processes(None, 100).await.unwrap()
}

/// All of the files that were begun came to their end, none twice.
async fn assert_ended(world: &World, at: i64) -> Vec<Process> {
    let imports = world.archive.imports().await.unwrap();
    assert!(imports.iter().all(|import| import.state == ImportState::Finished && import.balanced), "effect {at}");
    let files: BTreeSet<_> = imports.iter().map(|import| &import.file).collect();
    assert_eq!(files.len(), imports.len(), "effect {at}: {imports:?}");
    let processes = processes(world).await;
    for process in &processes {
        assert!(process.state.ended(), "effect {at}: {process:?}");
        if process.state == ProcessState::Failed {
            let error = process.error.as_ref().unwrap();
            assert_eq!(error.code, "cut_off", "effect {at}");
            assert!(process.parts.is_empty() && error.hint.is_some(), "effect {at}");
        }
    }
    assert!(world.memory.catalog.dump().keys().all(|id| !id.starts_with("starting ")), "effect {at}");
    processes
}

#[tokio::test]
async fn a_sweep_ends_what_was_begun() {
    let mut failed = 0;
    for at in 0..200 {
        let (world, struck) = cut_off_at(at).await;
        world.memory.clock.advance(Duration::from_mins(20));
        world.archive.sweep().await.unwrap();
        world.memory.work(&world.archive).await.unwrap();
        let processes = assert_ended(&world, at).await;
        failed += processes.iter().filter(|process| process.state == ProcessState::Failed).count();
        if !struck {
            assert!(failed > 0);
            return;
        }
    }
    panic!("it never ends");
}

/// The clock stands still: the program was started again at once.
#[tokio::test]
async fn the_next_start_goes_on_with_what_was_begun() {
    for at in 0..200 {
        let (mut world, struck) = cut_off_at(at).await;
        world.archive.worker.process = "the next one".into();
        if struck {
            world.archive.start_imports(world.start(&NAMES, None)).await.unwrap();
        }
        world.memory.work(&world.archive).await.unwrap();
        assert_ended(&world, at).await;
        assert_eq!(world.archive.imports().await.unwrap().len(), NAMES.len(), "effect {at}");
        if !struck {
            return;
        }
    }
    panic!("it never ends");
}
