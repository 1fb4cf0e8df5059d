//! The report against what was done to the archive, and against what was done to its catalogue behind everyone's back.

use super::*;
use crate::{
    FolderPath, MailboxAddress,
    import::{
        FailureRow, Import, ImportState, StartImports,
        tests::{World, key, samples, world},
    },
    ports::{Expect, Objects as _, Scope},
    records::Record as _,
    testing::volumes::{Exported, Sample, export, export_again},
};

const EXPORT: &str = "0b0e6c1e-0000-4000-8000-000000000001";

fn three_volumes() -> World {
    let mut world = world(None);
    world.exported = export("mine", &samples(), 5, None);
    world
}

/// The volume with a byte changed in the frame of this mail.
fn damaged(volume: &bytes::Bytes, mail: u64) -> bytes::Bytes {
    let (mut bytes, name) = (volume.to_vec(), format!("mail/{mail:011}"));
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len() + 20;
    bytes[at] ^= 1;
    bytes.into()
}

impl World {
    async fn import_as(&self, name: &str, bytes: bytes::Bytes, certificate: &[u8]) -> ImportReport {
        // Ids sort by seconds.
        self.memory.clock.advance(std::time::Duration::from_mins(1));
        self.upload(name, bytes).await;
        let start = StartImports { certificate: Some(certificate.to_vec()), ..self.start(&[name], None) };
        let started = self.archive.start_imports(start).await.unwrap();
        self.memory.work(&self.archive).await.unwrap();
        self.archive.import_report(started.imports[0].id.as_ref().unwrap(), None).await.unwrap()
    }

    async fn refused(&self, name: &str, bytes: bytes::Bytes) -> crate::Error {
        self.upload(name, bytes).await;
        let start = StartImports { certificate: Some(self.exported.certificate.clone()), ..self.start(&[name], None) };
        self.archive.start_imports(start).await.unwrap_err()
    }

    /// Imports this volume of the world's export.
    async fn bring(&self, at: usize) -> ImportReport {
        let Exported { volumes, certificate } = &self.exported;
        self.import_as(&format!("v{at}.mszip"), volumes[at].clone(), certificate).await
    }

    async fn change(&self, id: &crate::ImportId, change: impl Fn(&mut Import) + Send + Sync) {
        let change = |import: &mut Import| {
            change(import);
            Ok(())
        };
        self.archive.update(&id.0, change).await.unwrap();
    }

    async fn export_report(&self) -> ExportReport {
        self.archive.export_report(EXPORT, None).await.unwrap()
    }
}

fn counts(sums: &[Sum]) -> Vec<[Option<u64>; 4]> {
    sums.iter().map(|sum| [sum.seal, sum.checkpoints, sum.ledger, sum.catalogue]).collect()
}

/// By volume, in the order of the report.
fn standings(report: &ExportReport) -> Vec<(u64, Standing)> {
    let number = |import: &ExportImport| import.report.volume.as_ref().unwrap().number;
    report.imports.iter().map(|import| (number(import), import.standing)).collect()
}

fn page(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_report_says_who_did_what_and_every_source_says_the_same() {
    let world = three_volumes();
    let report = world.bring(1).await;
    assert_eq!((report.by.as_str(), report.uploaded_by.as_deref()), ("test", Some("anna")));
    assert_eq!((report.file.as_str(), report.state), ("v1.mszip", ImportState::Finished));
    let volume = report.volume.clone().unwrap();
    assert_eq!((volume.number, volume.of, volume.first_mail), (2, None, 6));
    let certificate = volume::Certificate::parse(&world.exported.certificate).unwrap();
    assert_eq!(volume.certificate_sha256, crate::hash::to_hex(certificate.sha256()));
    let slice = &report.slices[0];
    assert_eq!((report.slices.len(), slice.first, slice.entries), (1, 6, 5));
    for (key, sha256) in [(&slice.key, &slice.sha256), report.ledger.as_ref().map(|it| (&it.key, &it.sha256)).unwrap()]
    {
        let key = crate::ports::ObjectKey::parse(key.clone()).unwrap();
        let size = world.memory.objects.head(&key).await.unwrap().unwrap().size_bytes;
        let bytes = world.memory.objects.get(&key, 0..size, None).await.unwrap();
        assert_eq!(crate::MailHash::of(&bytes).to_string(), *sha256);
    }
    // Mails 6 to 10, the last of them the third one again, which volume 1 is yet to bring.
    let five = Some(5);
    let expected =
        [[five; 4], [None, five, five, five], [None, Some(0), Some(0), Some(0)], [None, Some(0), Some(0), Some(0)]];
    assert_eq!(counts(&report.sums), expected);
    assert_eq!((report.balanced, report.not_recreated.as_slice()), (Some(true), &["anna".to_owned()][..]));
    assert_eq!(report.mailboxes.iter().map(|sum| (sum.ledger, sum.catalogue)).collect::<Vec<_>>(), [(5, 5)]);

    world.restructure().await;
    let again = world.archive.import_report(&report.import, None).await.unwrap();
    let mailboxes: Vec<_> = again.mailboxes.iter().map(|it| (it.mailbox.as_str(), it.ledger, it.closes)).collect();
    assert_eq!(mailboxes, [("target@firma.example", 5, true), ("anna@firma.example", 5, true)]);
    assert!(again.not_recreated.is_empty());
    assert_eq!(world.bring(2).await.volume.unwrap().of, Some(3));
    let again = world.archive.import_report(&report.import, None).await.unwrap();
    assert_eq!(again.volume.unwrap().of, Some(3), "the last volume says how many there are");
}

#[tokio::test]
async fn a_failed_entry_is_named_and_the_sums_close() {
    let world = three_volumes();
    let bytes = damaged(&world.exported.volumes[0], 3);
    let report = world.import_as("v0.mszip", bytes, &world.exported.certificate).await;
    assert_eq!(report.failed.iter().map(|entry| entry.number).collect::<Vec<_>>(), [3]);
    assert_eq!(counts(&report.sums)[0], [Some(5); 4]);
    assert_eq!(counts(&report.sums)[3], [None, Some(1), Some(1), Some(1)]);
    assert_eq!(report.balanced, Some(true));
    let page = page(|out| write_import(&report, out));
    assert!(page.contains("1 of 5 mails could not be imported") && page.contains("mail_damaged"), "{page}");
}

#[tokio::test]
async fn a_row_that_is_lost_does_not_close_and_is_named() {
    let world = three_volumes();
    let id = world.bring(0).await.import;
    let (first, second) = (Sample::new(1, "").hash(), Sample::new(2, "").hash());
    let report = async || world.archive.import_report(&id, None).await.unwrap();
    assert_eq!(report().await.balanced, Some(true));

    // A mail whose row is gone.
    let mut kept = None;
    world.memory.catalog.change_message(first, |row| kept = row.take());
    let open = report().await;
    assert_eq!(open.balanced, Some(false));
    assert_eq!(counts(&open.sums)[0], [Some(5), Some(5), Some(5), Some(4)]);
    assert_eq!(
        open.sums.iter().map(|sum| sum.closes).collect::<Vec<_>>(),
        [Some(false), Some(false), Some(true), Some(true)]
    );
    assert_eq!(open.faults, [format!("entry 1: mail {first} has no row in the catalogue")]);
    let shown = page(|out| write_import(&open, out));
    assert!(shown.contains("The sums do not close") && shown.contains(&open.faults[0]), "{shown}");
    world.memory.catalog.change_message(first, |row| *row = kept);
    assert_eq!(report().await.balanced, Some(true));

    // A mail that another import is said to have brought.
    world.memory.catalog.change_message(second, |row| row.as_mut().unwrap().first.entry = 99);
    let open = report().await;
    assert_eq!((counts(&open.sums)[1][3], counts(&open.sums)[2][3], open.balanced), (Some(4), Some(1), Some(false)));
}

#[tokio::test]
async fn a_placement_that_is_lost_does_not_close_and_is_named() {
    let world = three_volumes();
    let id = world.bring(0).await.import;
    world.restructure().await;
    let (mail, anna) = (Sample::new(1, "").hash(), MailboxAddress::parse("anna@firma.example").unwrap());
    assert!(world.memory.catalog.unplace(&Scope::Folder(anna, FolderPath(vec!["Inbox".into()])), &mail));
    let open = world.archive.import_report(&id, None).await.unwrap();
    let mailboxes: Vec<_> = open.mailboxes.iter().map(|sum| (sum.ledger, sum.catalogue, sum.closes)).collect();
    assert_eq!((mailboxes, open.balanced), (vec![(5, 5, true), (5, 4, false)], Some(false)));
    assert_eq!(open.faults, [format!("mail {mail}: it is missing in folder [\"Inbox\"] of anna@firma.example")]);
}

#[tokio::test]
async fn rows_of_outcomes_that_are_lost_do_not_close() {
    let world = three_volumes();
    let bytes = damaged(&world.exported.volumes[0], 3);
    let id = world.import_as("v0.mszip", bytes, &world.exported.certificate).await.import;
    let partition = format!("{}/{id}", FailureRow::KIND);
    assert!(world.archive.catalog.remove(&partition, "00000000003", Expect::Anything).await.unwrap());
    let open = world.archive.import_report(&id, None).await.unwrap();
    assert_eq!((counts(&open.sums)[3], open.balanced), ([None, Some(1), Some(1), Some(0)], Some(false)));

    let other = world.bring(1).await.import;
    world.change(&other, |import| import.tally.imported -= 1).await;
    let open = world.archive.import_report(&other, None).await.unwrap();
    assert_eq!((counts(&open.sums)[0], open.balanced), ([Some(5), Some(4), Some(5), Some(5)], Some(false)));
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_no_end_of_the_report() {
    let world = three_volumes();
    let report = world.bring(0).await;
    for (key, fault) in [
        (report.slices[0].key.clone(), format!("slice {} is damaged", report.slices[0].key)),
        (report.ledger.clone().unwrap().key, format!("{} has changed", report.ledger.clone().unwrap().key)),
    ] {
        let key = crate::ports::ObjectKey::parse(key).unwrap();
        world.memory.objects.put(&key, "changed".into(), crate::ports::PutMode::Overwrite).await.unwrap();
        let open = world.archive.import_report(&report.import, None).await.unwrap();
        assert!(open.faults.len() == 1 && open.faults[0].starts_with(&fault), "{:?}", open.faults);
        assert_eq!(open.balanced, Some(false));
    }
}

#[tokio::test]
async fn without_time_nothing_is_counted_and_the_report_says_so() {
    let world = three_volumes();
    let id = world.bring(0).await.import;
    let now = world.archive.clock.boot();
    let report = world.archive.import_report(&id, Some(now)).await.unwrap();
    assert_eq!((counts(&report.sums)[0], report.balanced), ([Some(5), Some(5), None, None], None));
    let export = world.archive.export_report(EXPORT, Some(now)).await.unwrap();
    assert_eq!((export.balanced, export.complete), (None, false));
    assert!(page(|out| write_import(&report, out)).contains("no time"));
}

#[tokio::test]
async fn a_cancelled_import_is_not_balanced() {
    let world = world(None);
    let (_, id) = world.begin().await;
    assert_eq!(world.archive.import_report(&id, None).await.unwrap().balanced, Some(false), "it has not begun");
    world.archive.cancel_import(&id).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let report = world.archive.import_report(&id, None).await.unwrap();
    assert_eq!((report.state, report.balanced), (ImportState::Cancelled, Some(false)));
    assert_eq!(counts(&report.sums)[0], [Some(12), Some(0), Some(0), Some(0)]);
    assert!(page(|out| write_import(&report, out)).contains("Not complete: the import is cancelled."));
}

#[tokio::test]
async fn a_target_that_was_emptied_is_not_counted() {
    let world = world(None);
    let id = world.bring(0).await.import;
    world.restructure().await;
    let target = MailboxAddress::parse("target@firma.example").unwrap();
    let report = async || world.archive.import_report(&id, None).await.unwrap();
    let before = report().await;
    assert_eq!((before.mailbox_emptied, before.mailboxes[0].mailbox.clone()), (Some(false), target.clone()));
    world.archive.start_emptying(&target, true, "eve").await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let after = report().await;
    assert_eq!((after.mailbox_emptied, after.balanced), (Some(true), Some(true)));
    assert_eq!(after.mailboxes, before.mailboxes[1..]);
    assert!(page(|out| write_import(&after, out)).contains("The mailbox was emptied"));
}

#[tokio::test]
async fn a_foreign_file_has_a_report_too() {
    let world = world(None);
    world.upload("one.eml", Sample::new(1, "").raw.into()).await;
    let start = StartImports { certificate: None, ..world.start(&["one.eml"], None) };
    let started = world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let report = world.archive.import_report(started.imports[0].id.as_ref().unwrap(), None).await.unwrap();
    assert_eq!((report.volume.as_ref(), report.in_volume, report.balanced), (None, 1, Some(true)));
    assert_eq!(counts(&report.sums)[0], [None, Some(1), Some(1), Some(1)]);
    assert_eq!((report.mailboxes[0].ledger, report.not_recreated.len()), (1, 0));
    assert!(world.archive.exports().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_export_is_complete_with_its_last_missing_volume() {
    let world = three_volumes();
    world.bring(2).await;
    let report = world.export_report().await;
    assert_eq!((report.volumes, report.missing_volumes.as_slice()), (Some(3), &[1, 2][..]));
    assert_eq!((report.balanced, report.complete), (Some(true), false));
    assert!(page(|out| write_export(&report, out)).contains("Not complete: 2 volumes are missing."));
    world.bring(0).await;
    world.bring(1).await;
    world.restructure().await;
    let report = world.export_report().await;
    let reordered: Vec<_> = report.imports.iter().map(|import| import.reordered).collect();
    assert_eq!(standings(&report), [(1, Standing::Counted), (2, Standing::Counted), (3, Standing::Counted)]);
    assert_eq!(reordered, [true, true, false]);
    assert_eq!((report.in_volumes, report.imported, report.already_there, report.failed), (12, 10, 2, 0));
    assert_eq!(counts(&report.sums)[0], [Some(12); 4]);
    assert_eq!(counts(&report.sums)[1], [None, Some(10), Some(10), Some(10)]);
    let places: Vec<_> = report.mailboxes.iter().map(|sum| (sum.mailbox.as_str(), sum.catalogue, sum.closes)).collect();
    let expected = [
        ("target@firma.example", 12, true),
        ("catchall@firma.example", 1, true),
        ("bob@firma.example", 1, true),
        ("anna@firma.example", 10, true),
    ];
    assert_eq!(places.iter().collect::<std::collections::BTreeSet<_>>(), expected.iter().collect());
    assert_eq!((report.balanced, report.complete, report.is_whole()), (Some(true), true, true));
    assert!(page(|out| write_export(&report, out)).contains("Complete: all 12 mails of the export are in the archive"));
    let exports = world.archive.exports().await.unwrap();
    assert_eq!(
        (exports.len(), exports[0].volumes, exports[0].imported_volumes.as_slice()),
        (1, Some(3), &[1, 2, 3][..])
    );
}

#[tokio::test]
async fn a_volume_that_is_not_the_last_leaves_the_end_open() {
    let world = three_volumes();
    world.bring(1).await;
    let report = world.export_report().await;
    assert_eq!((report.volumes, report.missing_volumes.as_slice(), report.complete), (None, &[1][..], false));
    assert_eq!(world.archive.export_report("none", None).await.unwrap_err().kind(), crate::ErrorKind::NotFound);
}

#[tokio::test]
async fn doubled_conflicting_and_foreign_volumes_are_told_apart() {
    let world = three_volumes();
    // The same keys, other mails: two different volumes of one number.
    let other = export("mine", &[Sample::new(70, "anna/Inbox")], 5, None);
    world.import_as("other.mszip", other.volumes[0].clone(), &other.certificate).await;
    let refused = world.refused("v1.mszip", world.exported.volumes[0].clone()).await;
    assert_eq!(refused.machine_code(), "volume_conflict");
    // The second one names the first.
    for at in [1, 2, 0] {
        world.bring(at).await;
    }
    assert!(world.export_report().await.complete);
    world.bring(1).await;
    let again = world
        .refused("other-again.mszip", export("mine", &[Sample::new(71, "anna")], 5, None).volumes[0].clone())
        .await;
    assert_eq!(again.machine_code(), "volume_conflict");
    // Other keys under the same id.
    let foreign = export_again(8, "theirs", &samples(), 5, None);
    world.import_as("foreign.mszip", foreign.volumes[1].clone(), &foreign.certificate).await;
    let report = world.export_report().await;
    let expected = [
        (1, Standing::Conflict),
        (1, Standing::Counted),
        (2, Standing::Counted),
        (2, Standing::Doubled),
        (3, Standing::Counted),
        (2, Standing::Foreign),
    ];
    assert_eq!(standings(&report), expected);
    assert_eq!((report.in_volumes, report.volumes, report.complete), (12, Some(3), true));
    let shown = page(|out| write_export(&report, out));
    for word in ["doubled", "conflict: another volume of this number", "foreign: of another export"] {
        assert!(shown.contains(word), "{word}");
    }
}

/// The last volume is the one of another writing of the export: no first volume that it names came in.
#[tokio::test]
async fn a_chain_that_is_broken_does_not_close() {
    let mut world = three_volumes();
    world.bring(0).await;
    let mut other =
        export("mine", &[Sample::new(70, "anna/Inbox"), Sample::new(71, "anna"), Sample::new(72, "anna")], 1, None);
    other.volumes.truncate(2);
    world.exported = other;
    world.bring(1).await;
    let report = world.export_report().await;
    assert!(
        report.faults.iter().any(|fault| fault.contains("names another volume 1 before it")),
        "{:?}",
        report.faults
    );
    assert_eq!((report.balanced, report.complete), (Some(false), false));
}

#[tokio::test]
async fn what_the_source_could_not_deliver_is_in_the_report() {
    let world = three_volumes();
    for at in 0..3 {
        world.bring(at).await;
    }
    let last = world.export_report().await.imports[2].report.import.clone();
    world.change(&last, |import| (import.skipped, import.total_skipped) = (2, Some(3))).await;
    let report = world.export_report().await;
    assert_eq!((report.skipped, report.complete), (Some(3), true));
    assert_eq!(report.imports[2].report.volume.as_ref().unwrap().skipped, 2);
    assert!(page(|out| write_export(&report, out)).contains("3 more could not be read in the source"));
}

#[tokio::test]
async fn copies_are_entries_of_their_own_and_one_mail() {
    let world = world(None);
    let report = world.bring(0).await;
    let target = &report.mailboxes[0];
    assert_eq!((target.ledger, target.catalogue, target.mails), (12, 12, Some(report.imported)));
}

/// A damaged volume that came in whole later: what counts is the better of the two.
#[tokio::test]
async fn of_a_volume_that_came_twice_the_one_with_fewer_failures_counts() {
    let world = three_volumes();
    let bytes = damaged(&world.exported.volumes[0], 3);
    world.import_as("v0.mszip", bytes, &world.exported.certificate).await;
    assert_eq!(world.export_report().await.failed, 1);
    for at in 0..3 {
        world.bring(at).await;
    }
    let report = world.export_report().await;
    let expected = [(1, Standing::Doubled), (1, Standing::Counted), (2, Standing::Counted), (3, Standing::Counted)];
    assert_eq!((standings(&report).as_slice(), report.failed, report.is_whole()), (&expected[..], 0, true));
}

/// What each volume says of itself may close, and the whole yet not.
#[tokio::test]
async fn a_gap_between_volumes_does_not_close() {
    let world = three_volumes();
    for at in 0..3 {
        world.bring(at).await;
    }
    let report = world.export_report().await;
    let last = report.imports[2].report.import.clone();
    world.change(&last, |import| import.first_mail += 1).await;
    let open = world.export_report().await;
    assert_eq!(open.sums[0].seal, Some(13));
    assert_eq!((open.sums[0].closes, open.balanced, open.complete), (Some(false), Some(false), false));
    assert!(
        open.faults[0].contains("volume 3 begins with mail 12, where volume 2 ends with mail 10"),
        "{:?}",
        open.faults
    );
}

#[tokio::test]
async fn names_are_no_markup_on_the_page() {
    let world = world(None);
    let name = "<script>alert(1)<b>.eml";
    world.upload(name, Sample::new(1, "").raw.into()).await;
    assert!(world.memory.uploads.head(&key(name)).await.unwrap().is_some());
    let start = StartImports { certificate: None, ..world.start(&[name], None) };
    let started = world.archive.start_imports(start).await.unwrap();
    world.memory.work(&world.archive).await.unwrap();
    let report = world.archive.import_report(started.imports[0].id.as_ref().unwrap(), None).await.unwrap();
    let page = page(|out| write_import(&report, out));
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"), "{page}");
}
