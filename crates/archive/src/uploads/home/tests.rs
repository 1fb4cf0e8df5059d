mod crossed;

use std::collections::BTreeSet;

use super::*;
use crate::{
    ErrorKind, ImportId, MailboxAddress, ProcessId,
    import::{Import, ImportState, Source, Tally},
    job::Job,
    ports::ETag,
    testing::{Memory, landing::MemoryLanding},
    uploads::Kind,
};

const NEW: OpenMode = OpenMode { create: true, exclusive: false, truncate: true };
const IMPORT: &str = "0123456789";
const RESUME: OpenMode = OpenMode { create: true, exclusive: false, truncate: false };

struct World {
    memory: Memory,
    archive: Archive,
    home: Home,
}

fn world() -> World {
    world_with(None)
}

fn world_with(quota_bytes: Option<u64>) -> World {
    let memory = Memory::new(1);
    let archive = memory.archive();
    let landing = Arc::new(MemoryLanding::new(memory.uploads.clone(), memory.clock.clone()).with_capacity(4096));
    let home = Home::new(archive.clone(), landing, "anna", quota_bytes).unwrap();
    World { memory, archive, home }
}

impl World {
    async fn upload(&self, name: &str, bytes: &'static [u8]) {
        let mut file = self.home.write(name, NEW).await.unwrap();
        file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
        file.close().await.unwrap();
    }

    async fn cut_off(&self, name: &str, bytes: &'static [u8]) {
        let mut file = self.home.write(name, NEW).await.unwrap();
        file.write_at(0, Bytes::from_static(bytes)).await.unwrap();
    }

    async fn record(&self, name: &str) -> Option<Upload> {
        self.archive.find::<Upload>(&format!("anna/{name}")).await.unwrap().map(|stored| stored.value)
    }

    async fn judge(&self, name: &str, state: UploadState) {
        let id = format!("anna/{name}");
        let judged = self.archive.update::<Upload>(&id, |upload| {
            upload.state = state;
            upload.kind = Kind::Zip;
            upload.mails = Some(7);
            Ok(())
        });
        judged.await.unwrap();
    }

    async fn add_import(&self, finished: Option<i64>) {
        let import = Import {
            id: ImportId(IMPORT.into()),
            process: ProcessId("p".into()),
            earlier: Vec::new(),
            source: Source::Upload(ObjectKey::parse("anna/a.zip").unwrap()),
            etag: ETag("e".into()),
            size_bytes: 3,
            file: "a.zip".into(),
            kind: Kind::Volume,
            mailbox: MailboxAddress::parse("a@b.example").unwrap(),
            state: if finished.is_some() { ImportState::Cancelled } else { ImportState::Running },
            export_id: String::new(),
            export_name: String::new(),
            volume: 1,
            last: false,
            seal: String::new(),
            certificate: String::new(),
            wrapped_key: None,
            previous_seal: None,
            skipped: 0,
            total_skipped: None,
            first_mail: 1,
            mails: 1,
            not_mail: 0,
            shard_mails: 1,
            shards_done: BTreeSet::new(),
            touched: 0,
            started: 0,
            finished,
            by: "anna".into(),
            tally: Tally::default(),
            error: None,
        };
        self.archive.put(import).await.unwrap();
    }

    /// Notes the import as the upload's reader.
    async fn mark(&self, name: &str) {
        let import = ImportId(IMPORT.into());
        let id = format!("anna/{name}");
        let begun = self.archive.update::<Upload>(&id, |upload| {
            upload.import = Some(import.clone());
            Ok(())
        });
        begun.await.unwrap();
    }

    async fn names(&self) -> BTreeSet<String> {
        self.home.list().await.unwrap().into_iter().map(|entry| entry.name).collect()
    }

    /// How often a look was asked for since this was last called.
    fn looks(&self) -> usize {
        let jobs = self.memory.queue.drain();
        jobs.iter().filter(|job| matches!(job, Job::Intake { .. })).count()
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn the_listing_tells_the_state() {
    let world = world();
    for name in ["pending", "ready", "rejected"] {
        world.upload(name, b"x").await;
    }
    world.cut_off("partial", b"1234").await;
    world.upload("a.zip.filepart", b"x").await;
    world.judge("ready", UploadState::Ready).await;
    world.judge("rejected", UploadState::Rejected).await;
    let expected = ["(Pending) pending", "ready", "(Rejected) rejected", "partial", "a.zip.filepart"];
    assert_eq!(world.names().await, names(expected));
    let partial = world.home.stat("partial").await.unwrap();
    assert_eq!((partial.name.as_str(), partial.size_bytes), ("partial", 4));
}

#[tokio::test]
async fn a_partial_file_is_told_from_a_ready_one() {
    let world = world();
    for name in ["pending", "ready", "rejected"] {
        world.upload(name, b"x").await;
    }
    world.cut_off("partial", b"1234").await;
    world.upload("a.zip.filepart", b"x").await;
    world.judge("ready", UploadState::Ready).await;
    world.judge("rejected", UploadState::Rejected).await;
    let expected = [
        ("(Pending) pending", FileState::Pending),
        ("ready", FileState::Ready),
        ("rejected", FileState::Rejected(String::new())),
        ("partial", FileState::Partial),
        ("a.zip.filepart", FileState::Partial),
    ];
    for (name, state) in expected {
        assert_eq!(world.home.state(name).await.unwrap(), state, "{name}");
    }
    assert_eq!(kind(world.home.state("nothing").await), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn both_forms_of_a_name_mean_the_file() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    for form in ["a.zip", "(Pending) a.zip", "(Rejected) a.zip"] {
        assert_eq!(world.home.stat(form).await.unwrap().name, "(Pending) a.zip");
        assert_eq!(world.home.read(form, 1, 9).await.unwrap(), "bc");
    }
    world.home.rename("(Pending) a.zip", "(Pending) b.zip", false).await.unwrap();
    assert_eq!(world.names().await, names(["(Pending) b.zip"]));
    world.home.rename("(Pending) b.zip", "b.zip", false).await.unwrap();
    world.home.remove("(Pending) b.zip").await.unwrap();
    assert_eq!(world.names().await, names([]));
    assert_eq!(kind(world.home.stat("b.zip").await), Some(ErrorKind::NotFound));
    assert_eq!(kind(world.home.remove("b.zip").await), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn an_upload_is_looked_at_once_under_its_lasting_name() {
    let world = world();
    world.upload("a.zip.filepart", b"abc").await;
    assert_eq!((world.looks(), world.record("a.zip.filepart").await), (0, None));
    world.home.rename("a.zip.filepart", "a.zip", false).await.unwrap();
    assert_eq!(world.looks(), 1);
    assert_eq!(world.record("a.zip").await.unwrap().state, UploadState::Pending);
    assert_eq!(world.names().await, names(["(Pending) a.zip"]));
}

#[tokio::test]
async fn a_cut_off_file_is_never_whole_whatever_it_is_called() {
    let world = world();
    world.cut_off("a.zip.part", b"abc").await;
    world.home.rename("a.zip.part", "a.zip", false).await.unwrap();
    assert_eq!((world.looks(), world.record("a.zip").await), (0, None));
    assert_eq!(world.names().await, names(["a.zip"]));
    let mut file = world.home.write("a.zip", RESUME).await.unwrap();
    assert_eq!(file.size_bytes(), 3);
    file.append(Bytes::from_static(b"def")).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(world.home.read("a.zip", 0, 9).await.unwrap(), "abcdef");
    assert_eq!(world.looks(), 1);
}

#[tokio::test]
async fn a_rejected_file_can_be_resumed() {
    let world = world();
    world.upload("a.mszip", b"abc").await;
    assert_eq!(world.looks(), 1);
    world.judge("a.mszip", UploadState::Rejected).await;
    let mut file = world.home.write("a.mszip", RESUME).await.unwrap();
    assert_eq!(world.record("a.mszip").await, None);
    file.write_at(3, Bytes::from_static(b"d")).await.unwrap();
    assert_eq!(world.names().await, names(["a.mszip"]));
    file.close().await.unwrap();
    assert_eq!(world.names().await, names(["(Pending) a.mszip"]));
    assert_eq!(world.looks(), 1);
}

#[tokio::test]
async fn a_rename_keeps_what_is_known() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    world.judge("a.zip", UploadState::Ready).await;
    world.home.rename("a.zip", "b.zip", false).await.unwrap();
    let record = world.record("b.zip").await.unwrap();
    assert_eq!((record.state, record.mails, record.name()), (UploadState::Ready, Some(7), "b.zip"));
    assert_eq!(record.etag, world.archive.uploads.head(&record.key).await.unwrap().unwrap().etag);
    assert_eq!(world.record("a.zip").await, None);
    assert_eq!(world.names().await, names(["b.zip"]));
    world.archive.upload_landed(&record.key).await.unwrap();
    assert_eq!(world.record("b.zip").await.unwrap().state, UploadState::Ready);
}

#[tokio::test]
async fn a_plain_rename_replaces_only_what_is_worth_nothing() {
    let world = world();
    for name in ["ready", "pending", "rejected", "new"] {
        world.upload(name, b"x").await;
    }
    world.cut_off("partial", b"1").await;
    world.judge("ready", UploadState::Ready).await;
    world.judge("rejected", UploadState::Rejected).await;
    for taken in ["ready", "pending"] {
        assert_eq!(kind(world.home.rename("new", taken, false).await), Some(ErrorKind::Conflict));
    }
    assert_eq!(world.record("ready").await.unwrap().state, UploadState::Ready);
    world.home.rename("new", "rejected", false).await.unwrap();
    world.home.rename("rejected", "partial", false).await.unwrap();
    world.home.rename("partial", "ready", true).await.unwrap();
    assert_eq!(world.names().await, names(["(Pending) ready", "(Pending) pending"]));
}

#[tokio::test]
async fn what_an_import_reads_is_not_touched() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    world.upload("b.zip", b"abc").await;
    world.judge("a.zip", UploadState::Ready).await;
    world.add_import(None).await;
    world.mark("a.zip").await;
    let home = &world.home;
    let refused = [
        home.write("a.zip", NEW).await.err(),
        home.write("a.zip", RESUME).await.err(),
        home.rename("a.zip", "c.zip", true).await.err(),
        home.rename("b.zip", "a.zip", true).await.err(),
        home.remove("a.zip").await.err(),
        home.set_size("a.zip", 0).await.err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("is being imported"), "{error}");
    }
    assert_eq!(world.home.read("a.zip", 0, 9).await.unwrap(), "abc");
    assert_eq!(world.names().await, names(["a.zip", "(Pending) b.zip"]));
    assert!(world.record("b.zip").await.is_some(), "the record that was taken first is back");
}

#[tokio::test]
async fn an_import_that_ended_or_is_gone_reads_nothing() {
    let world = world();
    for name in ["a.zip", "b.zip", "c.zip"] {
        world.upload(name, b"abc").await;
        world.judge(name, UploadState::Ready).await;
        world.mark(name).await;
    }
    world.home.remove("a.zip").await.unwrap();
    world.add_import(Some(7)).await;
    world.home.rename("b.zip", "d.zip", false).await.unwrap();
    let record = world.record("d.zip").await.unwrap();
    assert_eq!((record.state, record.import), (UploadState::Ready, None));
    world.home.write("c.zip", NEW).await.unwrap().close().await.unwrap();
    assert_eq!(world.names().await, names(["(Pending) c.zip", "d.zip"]));
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    world.judge("a.zip", UploadState::Ready).await;
    let writer = world.home.write("b.zip", NEW).await.unwrap();
    assert_eq!(kind(world.home.rename("a.zip", "b.zip", true).await), Some(ErrorKind::Conflict));
    assert_eq!(kind(world.home.write("b.zip", NEW).await.map(drop)), Some(ErrorKind::Conflict));
    let exclusive = OpenMode { exclusive: true, ..NEW };
    assert_eq!(kind(world.home.write("a.zip", exclusive).await.map(drop)), Some(ErrorKind::Conflict));
    assert_eq!(world.record("a.zip").await.unwrap().state, UploadState::Ready);
    drop(writer);
}

#[tokio::test]
async fn cutting_a_whole_file_has_it_looked_at_anew() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    world.judge("a.zip", UploadState::Ready).await;
    world.home.set_size("a.zip", 3).await.unwrap();
    assert_eq!(world.record("a.zip").await.unwrap().state, UploadState::Ready);
    world.home.set_size("a.zip", 2).await.unwrap();
    assert_eq!(world.record("a.zip").await.unwrap().state, UploadState::Pending);
    world.cut_off("b.zip", b"abc").await;
    world.home.set_size("b.zip", 1).await.unwrap();
    assert_eq!(world.names().await, names(["(Pending) a.zip", "b.zip"]));
    assert_eq!(world.home.stat("b.zip").await.unwrap().size_bytes, 1);
}

#[tokio::test]
async fn a_full_disk_leaves_a_partial_file() {
    let world = world();
    let mut file = world.home.write("a.zip", NEW).await.unwrap();
    file.append(Bytes::from_static(&[1; 4000])).await.unwrap();
    assert_eq!(kind(file.append(Bytes::from_static(&[1; 4000])).await), Some(ErrorKind::Unavailable));
    assert!(file.close().await.is_err(), "OpenSSH closes a file that could not be written");
    let entry = world.home.stat("a.zip").await.unwrap();
    assert_eq!((entry.name.as_str(), entry.size_bytes), ("a.zip", 4000));
}

#[tokio::test]
async fn the_quota_counts_all_files_of_the_home() {
    let world = world_with(Some(10));
    world.upload("a", b"123456").await;
    assert_eq!(world.home.space().await.unwrap(), LandingSpace { total_bytes: 10, free_bytes: 4 });
    let mut file = world.home.write("b", NEW).await.unwrap();
    file.append(Bytes::from_static(b"1234")).await.unwrap();
    let error = file.append(Bytes::from_static(b"5")).await.unwrap_err();
    assert!(error.message().contains("quota"), "{error}");
    file.write_at(0, Bytes::from_static(b"4321")).await.unwrap();
    assert!(file.close().await.is_err());
    world.home.write("b", RESUME).await.unwrap().close().await.unwrap();
    world.home.remove("a").await.unwrap();
    assert_eq!(world.home.space().await.unwrap().free_bytes, 6);
    assert!(world.home.set_size("b", 11).await.is_err());
}

#[tokio::test]
async fn nobody_resumes_after_a_week() {
    let world = world();
    world.cut_off("old", b"1").await;
    world.upload("whole", b"1").await;
    world.memory.clock.advance(std::time::Duration::from_hours(7 * 24 - 1));
    world.cut_off("new", b"1").await;
    let writer = world.home.write("busy", NEW).await.unwrap();
    world.memory.clock.advance(std::time::Duration::from_hours(2));
    Home::expire(&world.archive, world.home.landing.as_ref()).await.unwrap();
    assert_eq!(world.names().await, names(["new", "busy", "(Pending) whole"]));
    world.memory.clock.advance(std::time::Duration::from_hours(7 * 24));
    Home::expire(&world.archive, world.home.landing.as_ref()).await.unwrap();
    assert_eq!(world.names().await, names(["busy", "(Pending) whole"]));
    drop(writer);
}

#[tokio::test]
async fn offsets_without_end_are_refused() {
    let world = world();
    let mut file = world.home.write("a", NEW).await.unwrap();
    assert!(file.write_at(u64::MAX, Bytes::from_static(b"x")).await.is_err());
    assert!(file.write_at(1 << 40, Bytes::from_static(b"x")).await.is_err());
    assert!(file.set_size(u64::MAX).await.is_err());
    assert_eq!(file.size_bytes(), 0);
}

#[tokio::test]
async fn homes_are_apart() {
    let world = world();
    world.upload("a.zip", b"abc").await;
    for user in ["", ".", "..", "anna/x", "a\0", "/"] {
        assert!(Home::new(world.archive.clone(), world.home.landing.clone(), user, None).is_err(), "{user:?}");
    }
    let other = Home::new(world.archive.clone(), world.home.landing.clone(), "ann", None).unwrap();
    assert_eq!(other.list().await.unwrap(), []);
    assert!(other.stat("a.zip").await.is_err());
}
