//! The table of what may be killed.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;

use super::{SMALL, Scene};
use crate::{
    Archive, Error, MailboxAddress, Result,
    access::{Grantee, NewUser, Role},
    check::gallery,
    import::{
        ImportState, StartImports,
        tests::{World, key},
    },
    job::{self, Job},
    ports::{Objects as _, OpenMode, PutMode},
    testing::{
        faulty::Faults,
        volumes::{Sample, export_again},
    },
    uploads::Home,
};

/// Something that somebody asks for, or that events and the clock bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    FirstUser,
    AddUser,
    AddKey,
    ResetPassword,
    ChangePassword,
    SetGroups,
    RemoveUser,
    /// Beside another one.
    RemoveAdmin,
    AddGroup,
    SetRoles,
    Grant,
    Revoke,
    AddMailbox,
    SetMapping,
    ChangeMapping,
    KeepOlderRecords,
    RecipientCertificate,
    /// A volume over SFTP, and the look at it.
    Upload,
    UploadForeign,
    UploadRejected,
    /// An export's private key.
    UploadState,
    /// Over one that is there.
    ReplaceUpload,
    ResumeUpload,
    /// From the temporary name that clients give.
    RenameUpload,
    RenameOver,
    RemoveUpload,
    DeleteUpload,
    ExpirePartial,
    Cancel,
    GiveUp,
    /// When it had done some of its steps.
    GiveUpLate,
    /// All volumes of an export, of which one is started.
    FurtherVolumes,
    Restructure,
    RestructureInConflict,
    RestructureByTheClock,
    Sweep,
    Repair(&'static str),
    Rebuild,
}

pub(super) const ACCESS: [Deed; 12] = [
    Deed::FirstUser,
    Deed::AddUser,
    Deed::AddKey,
    Deed::ResetPassword,
    Deed::ChangePassword,
    Deed::SetGroups,
    Deed::RemoveUser,
    Deed::RemoveAdmin,
    Deed::AddGroup,
    Deed::SetRoles,
    Deed::Grant,
    Deed::Revoke,
];
pub(super) const MAILBOXES: [Deed; 5] =
    [Deed::AddMailbox, Deed::SetMapping, Deed::ChangeMapping, Deed::KeepOlderRecords, Deed::RecipientCertificate];
pub(super) const UPLOADS: [Deed; 11] = [
    Deed::Upload,
    Deed::UploadForeign,
    Deed::UploadRejected,
    Deed::UploadState,
    Deed::ReplaceUpload,
    Deed::ResumeUpload,
    Deed::RenameUpload,
    Deed::RenameOver,
    Deed::RemoveUpload,
    Deed::DeleteUpload,
    Deed::ExpirePartial,
];
pub(super) const IMPORTS: [Deed; 4] = [Deed::Cancel, Deed::GiveUp, Deed::GiveUpLate, Deed::FurtherVolumes];
pub(super) const RESTRUCTURE: [Deed; 3] = [Deed::Restructure, Deed::RestructureInConflict, Deed::RestructureByTheClock];

/// Each damage that a repair undoes without losing anything.
pub(super) fn repairs() -> impl Iterator<Item = Deed> {
    let damages = [
        "pack-never-finished",
        "slice-unknown",
        "record-missing",
        "pack-row-missing",
        "report-row-missing",
        "message-row-missing",
        "location-removed",
        "placement-removed",
        "mailbox-removed",
    ];
    damages.into_iter().map(Deed::Repair)
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs me@there";
const FIRST: &str = "the first one";

fn address(text: &str) -> Result<MailboxAddress> {
    MailboxAddress::parse(text)
}

fn anna() -> NewUser {
    NewUser { name: "anna".into(), groups: vec!["compliance".into()], keys: vec![KEY.into()], ..NewUser::default() }
}

const NEW: OpenMode = OpenMode { create: true, exclusive: false, truncate: true };
const RESUME: OpenMode = OpenMode { create: true, exclusive: false, truncate: false };

impl Deed {
    /// What is there before, made by an undisturbed hand.
    pub(super) async fn prepare(self, scene: &mut Scene) {
        scene.world.archive.keep_older_records().await.unwrap();
        match self {
            Self::FirstUser
            | Self::RecipientCertificate
            | Self::Upload
            | Self::UploadForeign
            | Self::UploadRejected
            | Self::UploadState => {}
            Self::KeepOlderRecords => without_record_objects(scene).await,
            Self::AddUser | Self::AddGroup | Self::AddMailbox => people(&scene.world.archive).await,
            Self::AddKey | Self::ResetPassword | Self::ChangePassword | Self::SetGroups | Self::SetRoles => {
                with_anna(&scene.world.archive).await;
            }
            Self::Grant | Self::Revoke | Self::RemoveUser => with_grants(&scene.world.archive).await,
            Self::RemoveAdmin => with_two_admins(&scene.world.archive).await,
            Self::SetMapping | Self::Restructure | Self::RestructureByTheClock => imported(scene).await,
            Self::ChangeMapping => {
                imported(scene).await;
                scene.world.restructure().await;
            }
            Self::RestructureInConflict => in_conflict(scene).await,
            Self::ReplaceUpload | Self::RemoveUpload | Self::DeleteUpload => uploaded(scene, "v.mszip").await,
            Self::ResumeUpload | Self::ExpirePartial => cut_off(scene, "v.mszip").await,
            Self::RenameUpload => cut_off_whole(scene, "v.mszip.filepart").await,
            Self::RenameOver => {
                uploaded(scene, "v.mszip").await;
                scene.world.upload("w.mszip", Bytes::from_static(b"no volume")).await;
            }
            Self::Cancel | Self::GiveUp => drop(scene.world.begin().await),
            Self::GiveUpLate => half_imported(scene).await,
            Self::FurtherVolumes => several_volumes(scene).await,
            Self::Sweep => neglected(scene).await,
            Self::Repair(damage) => {
                scene.world = gallery::sound().await;
                scene.world.archive.sizes = SMALL;
                gallery::damage(&scene.world, damage).await;
            }
            Self::Rebuild => cut_off_import(scene).await,
        }
    }

    /// The deed itself, over ports with these faults.
    pub(super) async fn act(self, scene: &mut Scene, faults: &Faults) -> Result<()> {
        let archive = faults.before(&scene.world.archive);
        match self {
            Self::Upload
            | Self::UploadForeign
            | Self::UploadRejected
            | Self::UploadState
            | Self::ReplaceUpload
            | Self::ResumeUpload
            | Self::RenameUpload
            | Self::RenameOver
            | Self::RemoveUpload
            | Self::ExpirePartial => self.use_home(scene, &archive, faults).await,
            Self::DeleteUpload => archive.delete_upload("anna/v.mszip").await.map(drop),
            Self::Cancel | Self::GiveUp | Self::GiveUpLate | Self::FurtherVolumes => self.import(scene, &archive).await,
            Self::Restructure | Self::RestructureInConflict => {
                archive.start_restructure("test").await?;
                scene.work(&archive, Duration::ZERO).await;
                Ok(())
            }
            Self::RestructureByTheClock => {
                job::run(&archive, &Job::Restructure { process: None }, Duration::ZERO).await?;
                scene.work(&archive, Duration::ZERO).await;
                Ok(())
            }
            Self::Sweep => archive.sweep().await,
            Self::Repair(_) => archive.repair().await.map(drop),
            Self::Rebuild => {
                scene.lose_catalogue();
                faults.before(&scene.world.archive).rebuild().await.map(drop)
            }
            _ => self.decide(&archive).await,
        }
    }

    /// What people decide.
    async fn decide(self, archive: &Archive) -> Result<()> {
        let readers = || BTreeSet::from(["readers".to_owned()]);
        match self {
            Self::FirstUser => archive.create_first_user(FIRST).await,
            Self::AddUser => archive.add_user(anna()).await.map(drop),
            Self::AddKey => archive.add_key("anna", &KEY.replace("IKs", "IKt")).await.map(drop),
            Self::ResetPassword => archive.reset_password("anna").await.map(drop),
            Self::ChangePassword => change_password(archive).await,
            Self::SetGroups => archive.set_groups("anna", readers()).await.map(drop),
            Self::RemoveUser => archive.remove_user("anna").await.map(drop),
            Self::RemoveAdmin => archive.remove_user("admin").await.map(drop),
            Self::AddGroup => archive.add_group("movers", [Role::Compliance].into()).await.map(drop),
            Self::SetRoles => archive.set_roles("readers", [Role::Auditor].into()).await.map(drop),
            Self::Grant => {
                archive.grant(&address("b@firma.example")?, Grantee::Group("readers".into())).await.map(drop)
            }
            Self::Revoke => revoke_all(archive).await,
            Self::AddMailbox => archive.add_mailbox(&address("a@firma.example")?).await.map(drop),
            Self::SetMapping => archive.set_mapping("bob", &address("robert@firma.example")?).await.map(drop),
            Self::ChangeMapping => archive.set_mapping("anna", &address("a2@firma.example")?).await.map(drop),
            Self::KeepOlderRecords => archive.keep_older_records().await.map(drop),
            Self::RecipientCertificate => archive.recipient_certificate().await.map(drop),
            other => Err(Error::internal(format!("{other:?} is no decision"))),
        }
    }

    async fn use_home(self, scene: &Scene, archive: &Archive, faults: &Faults) -> Result<()> {
        let home = scene.home(faults)?;
        let volume = || scene.world.exported.volumes[0].clone();
        match self {
            Self::ResumeUpload => {
                let mut file = home.write("v.mszip", RESUME).await?;
                let bytes = volume().slice(CUT..);
                file.write_at(CUT as u64, bytes).await?;
                file.close().await?;
            }
            Self::RenameUpload => home.rename("v.mszip.filepart", "v.mszip", false).await?,
            Self::RenameOver => home.rename("v.mszip", "w.mszip", true).await?,
            Self::RemoveUpload => home.remove("v.mszip").await?,
            Self::ExpirePartial => {
                let landing = faults.before_landing(&scene.landing);
                Home::expire(archive, landing.as_ref()).await?;
            }
            Self::UploadForeign => send(&home, "a.mbox", Sample::new(1, "").raw.into()).await?,
            Self::UploadRejected => send(&home, "a.cer", scene.world.exported.certificate.clone().into()).await?,
            Self::UploadState => {
                let state = br#"{"format":"mszip export state","version":1}"#;
                send(&home, "mine.export-state", Bytes::from_static(state)).await?;
            }
            _ => send(&home, "v.mszip", volume()).await?,
        }
        scene.work(archive, Duration::MAX).await;
        Ok(())
    }

    async fn import(self, scene: &Scene, archive: &Archive) -> Result<()> {
        if self == Self::FurtherVolumes {
            let start = StartImports { auto_start: true, ..scene.world.start(&["v1.mszip"], None) };
            if scene.world.memory.uploads.head(&key("v1.mszip")).await?.is_some() {
                archive.start_imports(start).await?;
            }
        } else {
            let imports = scene.world.archive.imports().await?;
            let id = imports.into_iter().find_map(|import| import.id).ok_or_else(|| Error::not_found("import"))?;
            if self == Self::Cancel {
                archive.cancel_import(&id).await?;
            } else {
                archive.give_up_import(&id, &Error::internal("no luck")).await?;
            }
        }
        scene.work(archive, Duration::ZERO).await;
        Ok(())
    }
}

async fn send(home: &Home, name: &str, bytes: Bytes) -> Result<()> {
    let mut file = home.write(name, NEW).await?;
    file.write_at(0, bytes).await?;
    file.close().await
}

/// With the new password, once that is set.
async fn change_password(archive: &Archive) -> Result<()> {
    const NEW_PASSWORD: &str = "a long password";
    if archive.is_password_of("admin", NEW_PASSWORD).await? {
        return archive.login("admin", NEW_PASSWORD, None).await.map(drop);
    }
    archive.login("admin", FIRST, Some(NEW_PASSWORD)).await.map(drop)
}

async fn revoke_all(archive: &Archive) -> Result<()> {
    for grant in archive.grants().await? {
        archive.revoke(&grant).await?;
    }
    Ok(())
}

async fn people(archive: &Archive) {
    archive.create_first_user(FIRST).await.unwrap();
    archive.add_mailbox(&address("b@firma.example").unwrap()).await.unwrap();
}

async fn without_record_objects(scene: &Scene) {
    let World { memory, archive, .. } = &scene.world;
    people(archive).await;
    for key in archive.keys_below("").await.unwrap() {
        memory.objects.delete(&key, None).await.unwrap();
    }
}

async fn with_anna(archive: &Archive) {
    people(archive).await;
    archive.add_user(anna()).await.unwrap();
}

async fn with_two_admins(archive: &Archive) {
    with_grants(archive).await;
    archive.reset_password("anna").await.unwrap();
    archive.set_groups("anna", BTreeSet::from(["admins".to_owned()])).await.unwrap();
}

async fn with_grants(archive: &Archive) {
    with_anna(archive).await;
    let mailbox = archive.add_mailbox(&address("c@firma.example").unwrap()).await.unwrap().address;
    archive.grant(&mailbox, Grantee::User("anna".into())).await.unwrap();
    archive.grant(&mailbox, Grantee::Group("readers".into())).await.unwrap();
    archive.grant(&address("b@firma.example").unwrap(), Grantee::User("anna".into())).await.unwrap();
}

async fn imported(scene: &Scene) {
    scene.world.import(None).await;
}

/// Two reports; in the first, two archives want one address, and it is not the mapping that decides.
async fn in_conflict(scene: &mut Scene) {
    let mails = [Sample::new(1, "Anna/a"), Sample::new(2, "anna/b"), Sample::new(3, "bob/c"), Sample::new(4, "eva/d")];
    scene.world.exported = export_again(9, "mine", &mails, 2, None);
    for at in [0, 1] {
        let name = format!("v{at}.mszip");
        scene.world.upload(&name, scene.world.exported.volumes[at].clone()).await;
        scene.world.archive.start_imports(scene.world.start(&[&name], None)).await.unwrap();
        scene.world.memory.work(&scene.world.archive).await.unwrap();
    }
}

async fn uploaded(scene: &Scene, name: &str) {
    let home = scene.home(&Faults::none()).unwrap();
    send(&home, name, scene.world.exported.volumes[0].clone()).await.unwrap();
    scene.work(&scene.world.archive, Duration::MAX).await;
}

/// So much of a file had come when the line broke.
const CUT: usize = 1000;

async fn cut_off(scene: &Scene, name: &str) {
    let home = scene.home(&Faults::none()).unwrap();
    let mut file = home.write(name, NEW).await.unwrap();
    file.write_at(0, scene.world.exported.volumes[0].slice(..CUT)).await.unwrap();
    drop(file);
    scene.world.memory.clock.advance(Duration::from_hours(8 * 24));
}

/// Whole, under the name that it has until it is complete.
async fn cut_off_whole(scene: &Scene, name: &str) {
    uploaded(scene, name).await;
}

/// So far that closing it takes several batches.
async fn half_imported(scene: &Scene) {
    scene.world.begin().await;
    for _ in 0..2 {
        let job = scene.world.memory.queue.take().unwrap();
        job::run(&scene.world.archive, &job, Duration::ZERO).await.unwrap();
    }
    let imports = scene.world.archive.imports().await.unwrap();
    assert!(imports.iter().all(|import| import.state == ImportState::Running && import.imported > 4));
}

async fn several_volumes(scene: &mut Scene) {
    let mails: Vec<_> = (1..=9).map(|n| Sample::new(n, "anna/Inbox")).collect();
    scene.world.exported = export_again(11, "three", &mails, 3, None);
    for at in 0..3 {
        let name = format!("v{at}.mszip");
        scene.world.upload(&name, scene.world.exported.volumes[at].clone()).await;
    }
}

/// What a sweep is for: files that nobody told of, records without a file, uploads and choices that are too old, work
/// whose job was lost, a door whose time is over.
async fn neglected(scene: &mut Scene) {
    several_volumes(scene).await;
    let World { memory, archive, exported } = &scene.world;
    archive.open_door(1, "test").await.unwrap();
    let start = StartImports { auto_start: true, ..scene.world.start(&["v2.mszip"], None) };
    memory.uploads.delete(&key("v0.mszip"), None).await.unwrap();
    memory.uploads.delete(&key("v1.mszip"), None).await.unwrap();
    archive.start_imports(start).await.unwrap();
    memory.queue.drain();
    scene.world.upload("old.mbox", Sample::new(20, "").raw.into()).await;
    memory.clock.advance(Duration::from_hours(8 * 24));
    memory.uploads.put(&key("untold.mszip"), exported.volumes[0].clone(), PutMode::Overwrite).await.unwrap();
    archive.start_restructure("test").await.unwrap();
    memory.queue.drain();
    memory.clock.advance(Duration::from_mins(16));
}

/// An import that had done some of its steps when the catalogue was lost, beside people and one that has ended.
async fn cut_off_import(scene: &mut Scene) {
    with_grants(&scene.world.archive).await;
    imported(scene).await;
    scene.world.restructure().await;
    let mails: Vec<_> = (30..=39).map(|n| Sample::new(n, "carl/Inbox")).collect();
    scene.world.exported = export_again(12, "second", &mails, 20, None);
    scene.world.upload("w.mszip", scene.world.exported.volumes[0].clone()).await;
    scene.world.archive.start_imports(scene.world.start(&["w.mszip"], None)).await.unwrap();
    let first = scene.world.memory.queue.take().unwrap();
    job::run(&scene.world.archive, &first, Duration::ZERO).await.unwrap();
    let imports = scene.world.archive.imports().await.unwrap();
    assert!(imports.iter().any(|import| import.state == ImportState::Running && import.imported > 0));
}
