//! The vectors of `docs/formats/vectors`: a whole object store of version 2, which every later version must read, and
//! packs that must be refused. `POSTKAHN_UPDATE_VECTORS=1` writes them anew; that is never right once they were published.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    PackId,
    check::gallery::sound,
    import::tests::{World, visible_state},
    inventory::scan_pack,
    ports::{ObjectKey, Objects as _, PutMode},
    testing::Memory,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/vectors")
}

#[expect(clippy::disallowed_methods, reason = "a test that is told to write its files anew")]
fn is_told_to_write() -> bool {
    std::env::var_os("POSTKAHN_UPDATE_VECTORS").is_some()
}

/// Every file below a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(self::files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

async fn write_store(world: &World) {
    for key in world.archive.keys_below("").await.unwrap() {
        let path = folder().join("store").join(key.as_str());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, world.bytes(&key).await).unwrap();
    }
    let state = serde_json::to_string_pretty(&visible_state(&world.archive).await).unwrap();
    fs::write(folder().join("store.json"), state + "\n").unwrap();
}

#[tokio::test]
async fn a_store_of_version_2_is_read() {
    if is_told_to_write() {
        write_store(&sound().await).await;
    }
    let memory = Memory::new(3);
    for (key, bytes) in files(&folder().join("store")) {
        memory.objects.put(&ObjectKey::parse(key).unwrap(), bytes.into(), PutMode::IfAbsent).await.unwrap();
    }
    let archive = memory.archive();
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
    let checked = archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.errors.is_empty() && checked.orphans.is_empty(), "{checked:?}");
    let told: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(folder().join("store.json")).unwrap()).unwrap();
    assert_eq!(visible_state(&archive).await, told);
}

/// Name, what is changed, and what is said of it.
type Bad = (&'static str, fn(&mut Vec<u8>), &'static str);

const BAD: [Bad; 7] = [
    ("magic", |pack| pack[0] ^= 1, "it does not begin like a pack"),
    ("version", |pack| pack[6] = b'2', "it does not begin like a pack"),
    ("record", |pack| pack[8] ^= 1, "its bytes have changed"),
    ("length", |pack| pack[8 + 40 + 5] = 1, "reaches beyond the end"),
    ("frame", |pack| pack[8 + 48 + 12] ^= 1, "its bytes have changed"),
    ("cut", |pack| pack.truncate(pack.len() - 1), "its hash is not the one in its footer"),
    ("index", |pack| *pack.iter_mut().rev().nth(48 + 9).unwrap() ^= 1, "its index does not agree with its records"),
];

#[tokio::test]
async fn what_is_no_sound_pack_is_refused() {
    let store = files(&folder().join("store"));
    let (_, good) = store.iter().find(|(key, _)| key.starts_with("packs/")).unwrap();
    for (name, change, fault) in BAD {
        let path = folder().join("bad").join(format!("{name}.pack"));
        if is_told_to_write() {
            let mut bad = good.clone();
            change(&mut bad);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bad).unwrap();
        }
        let memory = Memory::new(3);
        let id = PackId("ab".repeat(16));
        let key = super::pack_key(&id).unwrap();
        memory.objects.put(&key, fs::read(&path).unwrap().into(), PutMode::IfAbsent).await.unwrap();
        let (found, scan) = scan_pack(&memory.archive(), &id).await.unwrap();
        assert!(!found.is_sound && scan.faults.iter().any(|text| text.contains(fault)), "{name}: {:?}", scan.faults);
    }
}
