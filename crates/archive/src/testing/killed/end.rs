//! What must be equal in the end, however often a run was killed.

use std::collections::BTreeMap;

use super::Scene;
use crate::{
    Archive,
    import::{ImportState, tests::visible_state},
    ports::Objects as _,
    rebuild::tests::lasting,
};

/// All that somebody can see, without ids and times.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    visible: BTreeMap<String, String>,
    access: Vec<String>,
    mapping: Vec<String>,
    uploads: Vec<String>,
    /// What lies in the upload store, with its size.
    files: Vec<(String, u64)>,
    /// By file, those that brought something: imported, already there, failed.
    imports: BTreeMap<String, (u64, u64, usize)>,
    reports_waiting: u64,
    schedules: Vec<(String, bool)>,
    servers: usize,
}

impl End {
    /// Looks at all of it, and finds everything sound: nothing is under way, `check` has no error, and the objects alone
    /// make the same catalogue.
    pub(super) async fn of(scene: &Scene) -> Self {
        let archive = &scene.world.archive;
        assert_sound(archive).await;
        assert_rebuilt_alike(scene).await;
        let schedules = archive.schedules.list().await.unwrap();
        Self {
            visible: visible_state(archive).await,
            access: access(archive).await,
            mapping: archive.mapping().await.unwrap().iter().map(|row| format!("{row:?}")).collect(),
            uploads: uploads(archive).await,
            files: files(scene).await,
            imports: imports(archive).await,
            reports_waiting: archive.reports_waiting().await.unwrap(),
            schedules: schedules.into_iter().map(|schedule| (schedule.id, schedule.enabled)).collect(),
            servers: archive.door.port.servers().await.unwrap().len(),
        }
    }
}

async fn assert_sound(archive: &Archive) {
    let checked = archive.check(true).await.unwrap();
    assert!(checked.errors.is_empty() && checked.balanced, "{checked:?}");
    for process in archive.processes(None, 1000).await.unwrap() {
        assert!(process.state.ended(), "{process:?}");
    }
    for import in archive.imports().await.unwrap() {
        assert!(import.state.ended(), "{import:?}");
    }
}

async fn assert_rebuilt_alike(scene: &Scene) {
    let memory = scene.world.memory.without_catalogue();
    let archive = Archive { domain: scene.world.archive.domain.clone(), ..memory.archive() };
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
    assert_sound(&archive).await;
    let (old, new) = (lasting(&scene.world.memory), lasting(&memory));
    // No object knows of the pack of a worker that died.
    let is_told = |id: &&String| !id.starts_with("pack ") || new.contains_key(*id);
    for id in old.keys().chain(new.keys()).filter(is_told) {
        assert_eq!(lasts(old.get(id)), lasts(new.get(id)), "{id}: the catalogue, and what the objects say");
    }
}

/// An import that was taken over while it was closed has a report that says who began to close it.
fn lasts(row: Option<&String>) -> Option<serde_json::Value> {
    let mut row: serde_json::Value = serde_json::from_str(row?).unwrap_or_else(|_| row.cloned().into());
    if let Some(body) = row.as_object_mut() {
        body.retain(|name, _| !["process", "earlier"].contains(&name.as_str()));
    }
    Some(row)
}

async fn access(archive: &Archive) -> Vec<String> {
    let mut all = Vec::new();
    for user in archive.users().await.unwrap() {
        let (keys, must_change) = (user.keys, user.must_change_password);
        all.push(format!("user {} {:?} {:?} {keys:?} {must_change}", user.name, user.groups, user.roles));
    }
    all.extend(archive.groups().await.unwrap().iter().map(|group| format!("{group:?}")));
    all.extend(archive.grants().await.unwrap().iter().map(|grant| format!("{grant:?}")));
    all
}

async fn uploads(archive: &Archive) -> Vec<String> {
    let uploads = archive.uploads().await.unwrap();
    let told = uploads.into_iter().map(|upload| {
        let told = (upload.state, upload.kind, upload.size_bytes, upload.volume, upload.mails, upload.code);
        format!("{} {told:?} {:?}", upload.key, upload.import)
    });
    told.collect()
}

async fn files(scene: &Scene) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for object in scene.world.memory.uploads.list("", None, 1000).await.unwrap() {
        files.push((object.key.to_string(), object.size_bytes));
    }
    for entry in scene.landing.list("anna").await.unwrap().into_iter().filter(|entry| !entry.whole) {
        files.push((format!("partial {}", entry.name), entry.size_bytes));
    }
    files
}

async fn imports(archive: &Archive) -> BTreeMap<String, (u64, u64, usize)> {
    let mut imports = BTreeMap::new();
    for import in archive.imports().await.unwrap() {
        if import.state == ImportState::Finished {
            let counts = (import.imported, import.already_there, import.failed.len());
            // One that was started again after its end finds everything there.
            imports.entry(format!("{} {:?}", import.file, import.mailbox)).or_insert(counts);
        }
    }
    imports
}
