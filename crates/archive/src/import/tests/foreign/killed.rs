//! A kill at every durable effect of a foreign import.

use super::*;

/// All that is said of the import that has finished first, and all that somebody sees.
async fn end_of(world: &World) -> (serde_json::Value, BTreeMap<String, String>) {
    let imports = world.archive.imports().await.unwrap();
    let mut first = imports.into_iter().find(|import| import.state == ImportState::Finished).unwrap();
    (first.id, first.process) = (None, None);
    (serde_json::json!(first), visible_state(&world.archive).await)
}

async fn go(world: &World, archive: &Archive, name: &str, deadline: Duration) {
    let is_there = world.memory.uploads.head(&key(name)).await.unwrap().is_some();
    let has_ended = world.archive.imports().await.unwrap().iter().any(|import| import.state == ImportState::Finished);
    if is_there && !has_ended {
        let _ = archive.start_imports(world.start(&[name], None)).await;
    }
    try_jobs(world, archive, deadline).await;
}

async fn kill_everywhere(name: &str, bytes: Vec<u8>, sizes: Sizes, deadline: Duration) {
    let undisturbed = world(None);
    undisturbed.upload_and_import(name, bytes.clone()).await;
    let expected = end_of(&undisturbed).await;
    for after in [false, true] {
        for at in 0.. {
            let mut world = world(None);
            world.archive.sizes = sizes;
            world.upload(name, bytes.clone().into()).await;
            let faults = Faults::at(at, after);
            go(&world, &faults.before(&world.archive), name, deadline).await;
            go(&world, &world.archive, name, deadline).await;
            let effect = format!("killed at effect {at}, after: {after}");
            assert_eq!(end_of(&world).await, expected, "{effect}");
            let checked = world.archive.check(true).await.unwrap();
            assert!(checked.errors.is_empty() && checked.balanced, "{effect}: {checked:?}");
            for process in world.archive.processes(None, 100).await.unwrap() {
                assert!(process.parts.is_empty() || process.state.ended(), "{effect}: {process:?}");
            }
            if !faults.struck() {
                break;
            }
            assert!(at < 500);
        }
    }
}

const SMALL: Sizes = Sizes { shard_mails: 3, step_mails: 2, batch_mails: 2, imports: None, placements: 2 };

#[tokio::test]
async fn a_zip_ends_as_if_undisturbed() {
    kill_everywhere("a.zip", mixed(), Sizes::default(), Duration::MAX).await;
}

#[tokio::test]
async fn a_zip_in_short_turns_ends_as_if_undisturbed() {
    kill_everywhere("a.zip", mixed(), SMALL, Duration::ZERO).await;
}

#[tokio::test]
async fn a_zip_with_failures_ends_as_if_undisturbed() {
    let (one, two) = (mail(1), mail(2));
    let bytes = zip(&[("a/1.eml", &one), ("0.eml", b""), ("a.jpg", b"\xFF\xD8\xFF"), ("b.jpg", b"x"), ("2.eml", &two)]);
    kill_everywhere("a.zip", bytes, SMALL, Duration::ZERO).await;
}

#[tokio::test]
async fn an_mbox_in_short_turns_ends_as_if_undisturbed() {
    kill_everywhere("a.mbox", mbox(&[1, 2, 3, 2, 4, 5, 5, 6]), SMALL, Duration::ZERO).await;
}

#[tokio::test]
async fn a_mail_ends_as_if_undisturbed() {
    kill_everywhere("1.eml", mail(1), Sizes::default(), Duration::MAX).await;
}
