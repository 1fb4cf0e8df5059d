//! Files that are not where they were when their import was cut off.

use super::*;
use crate::{import::claim::Live, records::Record as _};

async fn put(world: &World, name: &str, bytes: &Bytes) {
    world.memory.files.put(&key(name), bytes.clone(), PutMode::Overwrite).await.unwrap();
}

/// Starts the import of a file beside the archive; nothing works on it yet.
async fn begin(world: &World, name: &str) -> ImportId {
    let start = StartImports { sources: vec![Source::File(key(name))], ..world.start(&[], None) };
    world.archive.start_imports(start).await.unwrap().imports[0].id.clone().unwrap()
}

async fn live_rows(world: &World) -> usize {
    world.archive.all::<Live>(None).await.unwrap().len()
}

#[tokio::test]
async fn a_volume_that_was_moved_goes_on_under_its_id() {
    let world = world(None);
    let volume = &world.exported.volumes[0];
    put(&world, "old/v.mszip", volume).await;
    let id = begin(&world, "old/v.mszip").await;
    put(&world, "new/w.mszip", volume).await;
    world.memory.files.delete(&key("old/v.mszip"), None).await.unwrap();
    assert_eq!(begin(&world, "new/w.mszip").await, id);
    assert_eq!(live_rows(&world).await, 1);
    world.memory.work(&world.archive).await.unwrap();
    let imports = world.archive.imports().await.unwrap();
    assert_eq!((imports.len(), imports[0].file.as_str(), imports[0].imported), (1, "w.mszip", 10));
    assert!(imports[0].balanced && live_rows(&world).await == 0);
}

#[tokio::test]
async fn a_copy_beside_it_is_an_import_of_its_own() {
    let world = world(None);
    let volume = &world.exported.volumes[0];
    for name in ["old/v.mszip", "new/w.mszip"] {
        put(&world, name, volume).await;
    }
    let (one, other) = (begin(&world, "old/v.mszip").await, begin(&world, "new/w.mszip").await);
    assert_ne!(one, other);
    world.memory.work(&world.archive).await.unwrap();
    let imports = world.archive.imports().await.unwrap();
    assert_eq!(imports.iter().map(|import| import.imported).sum::<u64>(), 10);
    assert!(imports.iter().all(|import| import.balanced) && live_rows(&world).await == 0);
}

#[tokio::test]
async fn an_import_whose_file_is_another_one_now_ends_when_that_begins() {
    let world = world(None);
    put(&world, "a.eml", &Bytes::from_static(b"Subject: 1\n\nold\n")).await;
    let old = begin(&world, "a.eml").await;
    put(&world, "a.eml", &Bytes::from_static(b"Subject: 1\n\nnew and more\n")).await;
    let new = begin(&world, "a.eml").await;
    let ended = world.archive.import(&old).await.unwrap();
    assert_eq!((ended.state, ended.code.as_deref()), (ImportState::Failed, Some("source_changed")));
    assert_eq!(live_rows(&world).await, 1);
    world.memory.work(&world.archive).await.unwrap();
    let import = world.archive.import(&new).await.unwrap();
    assert_eq!((import.state, import.imported), (ImportState::Finished, 1));
}

#[tokio::test]
async fn a_cancelled_import_that_nobody_works_on_is_closed_at_once() {
    let world = world(None);
    put(&world, "v.mszip", &world.exported.volumes[0]).await;
    let id = begin(&world, "v.mszip").await;
    world.memory.files.delete(&key("v.mszip"), None).await.unwrap();
    world.archive.cancel_import(&id).await.unwrap();
    assert!(world.archive.need::<Import>(&id.0).await.unwrap().value.finished.is_some());
    assert_eq!(live_rows(&world).await, 0);
}

/// Such rows are of programs that knew one import of a volume, wherever it lay.
#[tokio::test]
async fn an_import_with_a_row_of_old_goes_on_under_its_id() {
    let world = world(None);
    put(&world, "v.mszip", &world.exported.volumes[0]).await;
    let id = begin(&world, "v.mszip").await;
    let live = world.archive.all::<Live>(None).await.unwrap().remove(0);
    let mut old = serde_json::to_value(&live).unwrap();
    old.as_object_mut().unwrap().remove("source");
    let old: Live = serde_json::from_value(old).unwrap();
    world.archive.drop_record::<Live>(None, &live.id()).await.unwrap();
    world.archive.put(old).await.unwrap();
    assert_eq!(begin(&world, "v.mszip").await, id);
    world.memory.work(&world.archive).await.unwrap();
    world.archive.sweep().await.unwrap();
    assert_eq!((world.archive.imports().await.unwrap().len(), live_rows(&world).await), (1, 0));
}
