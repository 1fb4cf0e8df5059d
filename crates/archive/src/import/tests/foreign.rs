//! ZIP archives, mboxes and single mails: what they hold, where it lies, and what stops them.

use std::io::{Cursor, Write as _};

use super::*;

mod killed;
mod large;
mod unread;

const TARGET: &str = "target@firma.example";

fn mail(number: u64) -> Vec<u8> {
    Sample::new(number, "").raw
}

/// Mails as an mbox has them, one behind the other.
fn mbox(mails: &[u64]) -> Vec<u8> {
    let one = |number: &u64| [b"From a@b.example Mon Jan  2 10:00:00 2023\n", &mail(*number)[..], b"\n"].concat();
    mails.iter().flat_map(one).collect()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// One of everything that a ZIP may hold.
fn mixed() -> Vec<u8> {
    let (one, two, three) = (mail(1), mail(2), mail(3));
    zip(&[
        ("top.eml", &one),
        ("anna/Inbox/1.eml", &two),
        ("anna/Inbox/copy.EML", &one),
        ("anna/photo.jpg", b"\xFF\xD8\xFF"),
        ("__MACOSX/._1.eml", b"x"),
        ("anna/Projekte/old.mbox", &mbox(&[4, 5, 1])),
        ("../C:/ä|?/3.eml", &three),
    ])
}

impl World {
    /// Starts the import of what lies under `name` and works until nothing is left to do.
    async fn import_file(&self, name: &str) -> ImportView {
        let start = StartImports { certificate: None, ..self.start(&[name], None) };
        let started = self.archive.start_imports(start).await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
        let process = self.archive.process(&started.process).await.unwrap();
        let view = self.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
        assert_eq!(process.result.unwrap()["imports"][0], serde_json::json!(view));
        view
    }

    async fn upload_and_import(&self, name: &str, bytes: Vec<u8>) -> ImportView {
        self.upload(name, bytes.into()).await;
        let upload = self.archive.upload(key(name).as_str()).await.unwrap();
        assert_eq!((upload.state, upload.mails, upload.reason), (UploadState::Ready, None, None));
        self.import_file(name).await
    }

    /// The folders of the target with their numbers of mails.
    async fn folders(&self) -> Vec<(Vec<String>, u64)> {
        let folders = self.archive.catalog.folders(&MailboxAddress::parse(TARGET).unwrap()).await.unwrap();
        folders.into_iter().map(|folder| (folder.path.0, folder.mails)).collect()
    }

    async fn is_sound(&self) {
        let checked = self.archive.check(true).await.unwrap();
        assert!(checked.balanced && checked.errors.is_empty() && checked.orphans.is_empty(), "{checked:?}");
    }
}

fn paths(folders: &[(&[&str], u64)]) -> Vec<(Vec<String>, u64)> {
    folders.iter().map(|(path, mails)| (path.iter().map(ToString::to_string).collect(), *mails)).collect()
}

fn named(items: &[NotMail]) -> Vec<&str> {
    items.iter().map(|item| item.locator.as_str()).collect()
}

#[tokio::test]
async fn its_folders_are_no_user_archives_that_become_mailboxes() {
    let world = world(None);
    let (one, two) = (mail(101), mail(102));
    let folders = zip(&[("Anna/1.eml", &one), ("Bo b/2.eml", &two), ("bo-b/2.eml", &two)]);
    world.upload_and_import("old.zip", folders).await;
    assert_eq!(world.archive.mapping().await.unwrap(), []);
    world.import(None).await;
    let rows = world.archive.mapping().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.archive.as_str()).collect::<Vec<_>>(), ["@catchall", "anna", "bob"]);
    assert!(rows.iter().all(|row| !row.conflict), "{rows:?}");
    assert_eq!(world.restructure().await.conflicts, []);
}

#[tokio::test]
async fn a_zip_lies_in_the_target_with_its_folders() {
    let world = world(None);
    let view = world.upload_and_import("old mails.zip", mixed()).await;
    assert_eq!((view.kind, view.state, view.balanced), (Kind::Zip, ImportState::Finished, true), "{view:?}");
    assert_eq!((view.in_volume, view.imported, view.already_there), (7, 5, 2));
    assert_eq!((view.export_id, view.volume), (None, None));
    assert_eq!(named(&view.not_mail), ["anna/photo.jpg", "__MACOSX/._1.eml"]);
    assert!(world.archive.uploads().await.unwrap().is_empty(), "the upload goes when all of it is imported");
    let mut folders = world.folders().await;
    folders.sort();
    assert_eq!(
        folders,
        paths(&[
            (&[], 1),
            (&[".."], 0),
            (&["..", "C:"], 0),
            (&["..", "C:", "ä|?"], 1),
            (&["anna"], 0),
            (&["anna", "Inbox"], 2),
            (&["anna", "Projekte"], 0),
            (&["anna", "Projekte", "old"], 3),
        ])
    );
    let mails = world.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails;
    let first = mails.iter().find(|found| found.id == Sample::new(1, "").hash()).unwrap();
    let places = [&["anna", "Inbox"][..], &["anna", "Projekte", "old"], &["old mails"]];
    assert_eq!(first.locations, places.map(|place| place.iter().map(ToString::to_string).collect::<Vec<_>>()).into());
    let target = world.archive.mailbox(&MailboxAddress::parse(TARGET).unwrap()).await.unwrap();
    assert_eq!((target.mails, mails.len()), (5, 5));
    world.is_sound().await;
}

#[tokio::test]
async fn a_full_scratch_folder_is_no_entrys_fault() {
    let world = world(None);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("old.mbox", options).unwrap();
    writer.write_all(&mbox(&[1, 2]).repeat(1_000)).unwrap();
    world.upload("a.zip", writer.finish().unwrap().into_inner().into()).await;
    let start = StartImports { certificate: None, ..world.start(&["a.zip"], None) };
    let started = world.archive.start_imports(start).await.unwrap();
    let id = started.imports[0].id.clone().unwrap();
    let without_room = Archive { scratch: "/nowhere".into(), ..world.memory.archive() };
    let error = world.memory.work(&without_room).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let view = world.archive.import(&id).await.unwrap();
    assert!(matches!(view.state, ImportState::Waiting | ImportState::Running), "{view:?}");
    assert!(view.failed.is_empty());
}

#[tokio::test]
async fn foreign_files_leave_nothing_for_restructure() {
    let world = world(None);
    world.upload_and_import("a.zip", mixed()).await;
    assert!(world.archive.schedules.list().await.unwrap().is_empty());
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.reports_left, done.mailboxes_created), (0, 0, 0));
    world.is_sound().await;
}

#[tokio::test]
async fn an_mbox_is_a_folder_and_a_mail_lies_in_the_mailbox_itself() {
    let world = world(None);
    let flagged =
        [&b"From a Mon Jan  2 10:00:00 2023\nStatus: RO\nX-Status: F\n"[..], &mail(7), b"\n", &mbox(&[8])].concat();
    let view = world.upload_and_import("Archiv 2019.mbox", flagged).await;
    assert_eq!((view.kind, view.imported, view.balanced), (Kind::Mbox, 2, true));
    let view = world.upload_and_import("letter.eml", mail(9)).await;
    assert_eq!((view.kind, view.imported, view.balanced), (Kind::Eml, 1, true));
    let mut folders = world.folders().await;
    folders.sort();
    assert_eq!(folders, paths(&[(&[], 1), (&["Archiv 2019"], 2)]));
    let mails = world.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails;
    let found = |subject: &str| mails.iter().find(|mail| mail.subject.as_deref() == Some(subject)).unwrap();
    assert_eq!(found("7").flags, crate::Flags::parse(["seen", "flagged"]));
    assert_eq!(
        (found("7").message_date.as_deref(), found("7").message_date_source.as_deref()),
        (Some("2023-01-02T10:00:00Z"), Some("from-line"))
    );
    assert_eq!(found("8").locations, BTreeSet::from([vec!["Archiv 2019".to_owned(); 2]]));
    assert_eq!(found("9").message_date, None, "the time of an upload is no date of a mail");
    world.is_sound().await;
}

#[tokio::test]
async fn a_file_of_the_operator_is_kept_and_its_time_is_a_date() {
    let world = world(None);
    let file = ObjectKey::parse("home/anna/letter.eml").unwrap();
    world.memory.files.put(&file, mail(9).into(), PutMode::Overwrite).await.unwrap();
    let start = StartImports { sources: vec![Source::File(file.clone())], ..world.start(&[], None) };
    world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    assert!(world.memory.files.head(&file).await.unwrap().is_some());
    let mails = world.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails;
    assert_eq!(
        (mails[0].message_date.as_deref(), mails[0].message_date_source.as_deref()),
        (Some("2026-01-01T00:00:00Z"), Some("file"))
    );
}

#[tokio::test]
async fn rows_of_what_is_no_mail_that_were_changed_or_deleted_are_found() {
    let world = world(None);
    let view = world.upload_and_import("old.zip", mixed()).await;
    let id = view.id.unwrap();
    let told = format!("import {id}: its rows of what is no mail are not what its report says");
    let is_found = async || {
        let errors = world.archive.check(true).await.unwrap().errors;
        assert!(errors.len() == 1 && errors[0].starts_with(&told), "{errors:?}");
    };
    world.archive.put_not_mail(&id, 0, &view.not_mail[1..]).await.unwrap();
    is_found().await;
    world.archive.put_not_mail(&id, 0, &view.not_mail).await.unwrap();
    world.is_sound().await;
    let row = "00000000000";
    assert!(world.archive.drop_record::<not_mail::NotMailRow>(Some(&id.0), row).await.unwrap());
    is_found().await;
}

#[tokio::test]
async fn what_was_there_is_not_doubled() {
    let world = world(None);
    world.upload_and_import("a.zip", mixed()).await;
    let before = visible_state(&world.archive).await;
    let again = world.upload_and_import("a.zip", mixed()).await;
    assert_eq!((again.imported, again.already_there, again.balanced), (0, 7, true));
    assert_eq!(visible_state(&world.archive).await, before);
    let other = world.upload_and_import("b.mbox", mbox(&[5, 6, 6])).await;
    assert_eq!((other.imported, other.already_there), (1, 2));
    world.is_sound().await;
}

/// Changes the flags of the members with this name, in both headers, so that they say that they are encrypted.
fn encrypt(mut bytes: Vec<u8>, name: &str) -> Vec<u8> {
    for at in 0..bytes.len() - name.len() {
        for (signature, flags, header_bytes) in [(b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)] {
            let named = bytes[at..].get(header_bytes..).is_some_and(|rest| rest.starts_with(name.as_bytes()));
            if bytes[at..].starts_with(signature) && named {
                bytes[at + flags] |= 1;
            }
        }
    }
    bytes
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_costs_that_mail_alone() {
    let world = world(None);
    let entries: [(&str, &[u8]); 5] = [
        ("a/1.eml", &mail(1)),
        ("a/secret.eml", &mail(2)),
        ("a/0.eml", b""),
        ("a/torn.eml", &mail(3)),
        ("a/5.eml", &mail(5)),
    ];
    let mut bytes = encrypt(zip(&entries), "a/secret.eml");
    let at = bytes.windows(6).position(|window| window == b"mail 3").unwrap();
    bytes[at] ^= 1;
    let view = world.upload_and_import("a.zip", bytes.clone()).await;
    let failed: Vec<_> =
        view.failed.iter().map(|entry| (entry.number, entry.locator.as_str(), entry.code.as_str())).collect();
    assert_eq!(
        failed,
        [(2, "a/secret.eml", "unreadable"), (3, "a/0.eml", "empty"), (4, "a/torn.eml", "mail_damaged")],
        "{view:?}"
    );
    assert_eq!((view.in_volume, view.imported, view.balanced), (5, 2, true));
    assert!(view.failed[0].reason.contains("encrypted") && view.failed[2].reason.contains("checksum"), "{view:?}");
    let upload = &world.archive.uploads().await.unwrap()[0];
    assert_eq!((upload.state, &upload.import), (UploadState::Ready, &None), "it stays for a retry");
    let again = world.import_file("a.zip").await;
    assert_ne!(again.id, view.id);
    assert_eq!((again.imported, again.already_there, again.failed), (0, 2, view.failed));
    world.is_sound().await;
}

#[tokio::test]
async fn what_holds_no_mail_closes_too() {
    let world = world(None);
    let empty = world.upload_and_import("empty.zip", zip(&[])).await;
    assert_eq!((empty.state, empty.in_volume, empty.balanced), (ImportState::Finished, 0, true));
    let photos = world.upload_and_import("photos.zip", zip(&[("a.jpg", b"\xFF\xD8\xFF"), ("b/c.pdf", b"%PDF-")])).await;
    assert_eq!((photos.state, photos.in_volume, photos.balanced), (ImportState::Finished, 0, true));
    assert_eq!(named(&photos.not_mail), ["a.jpg", "b/c.pdf"]);
    let nothing = ObjectKey::parse("home/0.eml").unwrap();
    world.memory.files.put(&nothing, Bytes::new(), PutMode::Overwrite).await.unwrap();
    let start = StartImports { sources: vec![Source::File(nothing)], ..world.start(&[], None) };
    let started = world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    assert_eq!(
        (view.failed[0].code.as_str(), view.failed[0].locator.as_str(), view.balanced),
        ("empty", "0.eml", true)
    );
    world.is_sound().await;
}

#[tokio::test]
async fn a_file_that_holds_no_mails_is_refused_with_the_reason() {
    let world = world(None);
    let whole = mixed();
    let certificate = world.exported.certificate.clone();
    let volume = &world.exported.volumes[0];
    let cases: [(&str, Vec<u8>, Kind, &str); 8] = [
        ("empty.eml", Vec::new(), Kind::Unknown, "empty"),
        ("a.cer", certificate, Kind::Unknown, "certificate"),
        ("a.pdf", b"%PDF-1.7 and more".to_vec(), Kind::Unknown, "not_a_volume"),
        ("a.zip", b"no zip at all".to_vec(), Kind::Unknown, "not_a_volume"),
        ("torn.zip", whole[..whole.len() - 30].to_vec(), Kind::Zip, "zip_trunc"),
        // Never taken for a ZIP of mails.
        ("renamed.mszip", whole.clone(), Kind::Zip, "not_a_volume"),
        ("torn.mszip", volume[..volume.len() - 30].to_vec(), Kind::Volume, "truncated"),
        ("volume.zip", volume[..volume.len() - 30].to_vec(), Kind::Volume, "truncated"),
    ];
    for (name, bytes, kind, code) in cases {
        world.upload(name, bytes.into()).await;
        let upload = world.archive.upload(key(name).as_str()).await.unwrap();
        assert_eq!(
            (upload.state, upload.kind, upload.code.as_deref()),
            (UploadState::Rejected, kind, Some(code)),
            "{name}"
        );
        assert!(world.archive.start_imports(world.start(&[name], None)).await.is_err(), "{name}");
        let alone = StartImports { each_alone: true, ..world.start(&[name], None) };
        let refused = world.archive.start_imports(alone).await.unwrap().imports;
        assert_eq!((refused[0].state, refused[0].kind), (ImportState::Refused, kind), "{name}");
    }
    for (name, bytes, kind) in [("torn.zip", &whole[..99], Kind::Zip), ("torn.mszip", &volume[..99], Kind::Volume)] {
        let file = Source::File(key(name));
        world.memory.files.put(&key(name), bytes.to_vec().into(), PutMode::Overwrite).await.unwrap();
        let sources = vec![file, Source::File(key("missing.zip"))];
        let start = StartImports { sources, each_alone: true, ..world.start(&[], None) };
        let refused = world.archive.start_imports(start).await.unwrap().imports;
        assert_eq!([refused[0].kind, refused[1].kind], [kind, Kind::Unknown], "{name}");
    }
}

#[tokio::test]
async fn a_start_may_name_volumes_and_foreign_files_together() {
    let world = world(Some("secret"));
    world.upload("v.mszip", world.exported.volumes[0].clone()).await;
    world.upload("a.zip", mixed().into()).await;
    let start = StartImports { auto_start: true, ..world.start(&["v.mszip", "a.zip"], Some("secret")) };
    let started = world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    for (import, kind) in started.imports.iter().zip([Kind::Volume, Kind::Zip]) {
        let view = world.archive.import(import.id.as_ref().unwrap()).await.unwrap();
        assert_eq!((view.kind, view.state, view.balanced), (kind, ImportState::Finished, true));
    }
    world.is_sound().await;
}

#[tokio::test]
async fn a_cancelled_foreign_import_keeps_what_it_has() {
    let mut world = world(None);
    world.archive.sizes = Sizes { batch_mails: 1, ..Sizes::default() };
    world.upload("a.mbox", mbox(&[1, 2, 3, 4]).into()).await;
    let started = world.archive.start_imports(world.start(&["a.mbox"], None)).await.unwrap();
    let id = started.imports[0].id.clone().unwrap();
    let job = world.memory.queue.take().unwrap();
    crate::job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    assert_eq!(world.archive.import(&id).await.unwrap().in_volume, 1, "what it has so far");
    world.archive.cancel_import(&id).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(&id).await.unwrap();
    assert_eq!((view.state, view.imported, view.in_volume, view.balanced), (ImportState::Cancelled, 1, 1, false));
    let again = world.import_file("a.mbox").await;
    assert_eq!((again.imported, again.already_there, again.balanced), (3, 1, true));
    assert_eq!(world.folders().await, paths(&[(&["a"], 4)]));
    world.is_sound().await;
}

#[tokio::test]
async fn a_file_that_changes_ends_its_import() {
    let mut world = world(None);
    world.archive.sizes = Sizes { batch_mails: 1, ..Sizes::default() };
    let file = ObjectKey::parse("home/a.mbox").unwrap();
    world.memory.files.put(&file, mbox(&[1, 2]).into(), PutMode::Overwrite).await.unwrap();
    let start = StartImports { sources: vec![Source::File(file.clone())], ..world.start(&[], None) };
    let started = world.archive.start_imports(start.clone()).await.unwrap();
    let job = world.memory.queue.take().unwrap();
    crate::job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    world.memory.files.put(&file, mbox(&[1, 2, 3]).into(), PutMode::Overwrite).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    assert_eq!((view.state, view.code.as_deref(), view.imported), (ImportState::Failed, Some("source_changed"), 1));
    let started = world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let view = world.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap();
    assert_eq!((view.state, view.imported, view.already_there), (ImportState::Finished, 2, 1));
}

#[tokio::test]
async fn more_than_a_row_holds_of_what_is_no_mail_is_listed_up_to_a_bound() {
    let world = world(None);
    let names: Vec<_> = (0..20_010).map(|n| format!("a folder with a rather long name/photo {n:05}.jpg")).collect();
    let one = mail(1);
    let mut entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"\xFF\xD8\xFF"[..])).collect();
    entries.push(("1.eml", &one));
    let view = world.upload_and_import("photos.zip", zip(&entries)).await;
    assert_eq!((view.imported, view.not_mail.len(), view.balanced), (1, 20_001, true));
    assert!(view.not_mail.iter().zip(&names).take(20_000).all(|(item, name)| item.locator == *name));
    assert_eq!(view.not_mail[20_000].reason, "10 more that are no mails");
    world.is_sound().await;
}

/// The same archive over the objects alone.
fn without_catalogue(world: &mut World) {
    let memory = world.memory.without_catalogue();
    let archive = Archive { domain: world.archive.domain.clone(), sizes: world.archive.sizes, ..memory.archive() };
    (world.memory, world.archive) = (memory, archive);
}

#[tokio::test]
async fn a_rebuild_brings_everything_back() {
    let mut world = world(None);
    world.import(None).await;
    let entries: [(&str, &[u8]); 4] =
        [("old/1.eml", &mail(1)), ("x.jpg", b"\xFF\xD8\xFF"), ("a/0.eml", b""), ("30.eml", &mail(30))];
    world.upload_and_import("old.zip", zip(&entries)).await;
    world.upload_and_import("more.zip", mixed()).await;
    world.restructure().await;
    let said = (visible_state(&world.archive).await, world.archive.imports().await.unwrap(), world.folders().await);
    let checked = world.archive.check(true).await.unwrap();
    without_catalogue(&mut world);
    assert_eq!(world.archive.rebuild().await.unwrap(), [""; 0]);
    assert_eq!(world.archive.check(true).await.unwrap(), checked);
    let rebuilt = (visible_state(&world.archive).await, world.archive.imports().await.unwrap(), world.folders().await);
    assert_eq!(rebuilt, said);
    assert_eq!(world.restructure().await.reports_processed, 0);
}

#[tokio::test]
async fn a_rebuild_closes_an_import_that_was_under_way() {
    let mut world = world(None);
    world.archive.sizes = Sizes { batch_mails: 2, ..Sizes::default() };
    world.upload("a.zip", mixed().into()).await;
    world.archive.start_imports(world.start(&["a.zip"], None)).await.unwrap();
    let job = world.memory.queue.take().unwrap();
    crate::job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    without_catalogue(&mut world);
    assert_eq!(world.archive.rebuild().await.unwrap(), [""; 0]);
    let cut_off = world.archive.imports().await.unwrap().remove(0);
    assert_eq!((cut_off.state, cut_off.imported, cut_off.in_volume), (ImportState::Failed, 2, 2));
    world.is_sound().await;
    let again = world.upload_and_import("a.zip", mixed()).await;
    assert_eq!((again.imported, again.already_there, again.balanced), (3, 4, true));
    world.is_sound().await;
}
