use std::time::{Duration, Instant};

use archive::testing::landing::suite;

use super::*;

fn landings(folder: &Path) -> Landings {
    let whole = Arc::new(Folder::open(&folder.join("whole")).unwrap());
    Landings::open(&folder.join("partial"), whole).unwrap()
}

const NEW: OpenMode = OpenMode { create: true, exclusive: false, truncate: true };

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let landings = landings(folder.path());
    suite(&landings, landings.whole.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_what_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let before = landings(folder.path());
    let mut file = before.open("anna", "a", NEW).await.unwrap();
    let block = Bytes::from(vec![7; 1 << 20]);
    file.write_at(0, block.clone()).await.unwrap();
    file.write_at(4 << 20, block).await.unwrap();
    std::mem::forget(file);
    let after = landings(folder.path());
    let entry = after.stat("anna", "a").await.unwrap().unwrap();
    assert_eq!((entry.size_bytes, entry.whole), (1 << 20, false));
    let file = after.open("anna", "a", OpenMode::default()).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_left_to_flush_at_the_close() {
    let folder = tempfile::tempdir().unwrap();
    let landings = landings(folder.path());
    let mut file = landings.open("anna", "a", NEW).await.unwrap();
    let block = Bytes::from(vec![7; 1 << 20]);
    for i in 0..200 {
        file.write_at(i << 20, block.clone()).await.unwrap();
    }
    let begun = Instant::now();
    file.close().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "the close took {:?}", begun.elapsed());
    assert_eq!(landings.stat("anna", "a").await.unwrap().unwrap().size_bytes, 200 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_work_was_dropped_frees_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let landings = landings(folder.path());
    for _ in 0..50 {
        let mut file = landings.open("anna", "a", NEW).await.unwrap();
        let write = file.write_at(0, Bytes::from(vec![7; 1 << 20]));
        drop(tokio::time::timeout(Duration::from_micros(50), write).await);
        drop(file);
        while landings.open("anna", "a", NEW).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!landings.stat("anna", "a").await.unwrap().unwrap().whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_says_how_much_room_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let space = landings(folder.path()).space().await.unwrap();
    assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
}
