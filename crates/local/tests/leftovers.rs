//! What is in the making shows nowhere, and does not outlast its process.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use archive::ports::{ObjectKey, Objects as _, PutMode};
use bytes::Bytes;
use local::Folder;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn temporaries(root: &Path) -> usize {
    fs::read_dir(root.join("%tmp")).unwrap().count()
}

async fn keys(store: &Folder) -> Vec<String> {
    let list = store.list("", None, 1000).await.unwrap();
    list.into_iter().map(|meta| meta.key.as_str().to_owned()).collect()
}

#[tokio::test]
async fn an_object_in_the_making_is_in_no_list() {
    let dir = tempfile::tempdir().unwrap();
    let store = Folder::open(dir.path()).unwrap();
    let mut writer = store.create(&key("a/b")).await.unwrap();
    writer.write(Bytes::from(vec![1; 3 << 20])).await.unwrap();
    assert_eq!(temporaries(dir.path()), 1);
    assert!(keys(&store).await.is_empty());
    // Not even under the name that its file has.
    let name = fs::read_dir(dir.path().join("%tmp")).unwrap().next().unwrap().unwrap().file_name();
    for guess in ["%tmp".to_owned(), format!("%tmp/{}", name.to_str().unwrap())] {
        assert!(store.head(&key(&guess)).await.unwrap().is_none());
        store.put(&key(&guess), Bytes::from_static(b"own"), PutMode::IfAbsent).await.unwrap();
    }
    drop(writer);
    assert_eq!(temporaries(dir.path()), 0);
    assert_eq!(keys(&store).await.len(), 2);
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_and_what_it_finished_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Folder::open(dir.path()).unwrap();
    store.put(&key("whole"), Bytes::from_static(b"1"), PutMode::Overwrite).await.unwrap();
    let mut writer = store.create(&key("torn")).await.unwrap();
    writer.write(Bytes::from(vec![1; 3 << 20])).await.unwrap();
    std::mem::forget(writer);
    assert_eq!(temporaries(dir.path()), 1);
    let again = Folder::open(dir.path()).unwrap();
    assert_eq!(temporaries(dir.path()), 0);
    assert_eq!(keys(&again).await, ["whole"]);
}
