//! What becomes of an export that is cut off, or whose source changes.

use std::fs::{self};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, ExportReport, Progress};
use mail::source::Layout;
use volume::Secret;

use crate::place::*;

#[test]
fn cut_off_before_any_effect_it_ends_like_an_undisturbed_run() {
    let place = three_volumes();
    let undisturbed = {
        let counter = CutOff::at(usize::MAX);
        let report = run_with(&place.split(), &counter).unwrap();
        (report, place.mails(Secret::None), place.files(), counter.seen.into_inner())
    };
    assert!(undisturbed.3 > 15, "{}", undisturbed.3);
    for at in 0..undisturbed.3 {
        fs::remove_dir_all(place.target()).unwrap();
        let options = place.split();
        run_with(&options, &CutOff::at(at)).unwrap_err();
        // A second time, somewhere else, before it may end.
        let _ = run_with(&options, &CutOff::at(at % 5));
        let report = run(&options).unwrap();
        assert_closes(&report);
        assert_eq!(place.files(), undisturbed.2, "cut off before effect {at}");
        assert_eq!(place.mails(Secret::None), undisturbed.1, "cut off before effect {at}");
        let same = ExportReport {
            export_id: undisturbed.0.export_id.clone(),
            certificate_sha256: undisturbed.0.certificate_sha256.clone(),
            volumes: undisturbed.0.volumes.clone(),
            ..report.clone()
        };
        assert_eq!(same, undisturbed.0, "cut off before effect {at}");
        place.verify(Secret::None);
        assert_eq!(run(&options).unwrap(), report, "the report is repeated");
    }
}

/// An export that was cut off when its first volumes were finished.
fn unfinished(options: &ExportOptions) {
    let error = run_with(
        options,
        &Hook(|effect: &Effect| match effect {
            Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
            _ => Ok(()),
        }),
    );
    assert_eq!(kind(error), ErrorKind::Unavailable);
}

/// Which finished volumes are being read back, of how many.
#[derive(Default)]
struct Checked(Mutex<Vec<(u64, u64)>>);

impl Progress for Checked {
    fn checking(&self, volume: u64, volumes: u64) {
        self.0.lock().unwrap().push((volume, volumes));
    }
}

#[test]
fn a_resumed_export_tells_which_finished_volume_it_reads_back() {
    let place = three_volumes();
    unfinished(&place.split());
    let checked = Checked::default();
    run_with(&place.split(), &checked).unwrap();
    assert_eq!(checked.0.into_inner().unwrap(), [(1, 2), (2, 2)]);
}

#[test]
fn a_zip_resumes_like_the_tree_that_it_was_made_of() {
    let place = three_volumes();
    let tree = run(&place.split()).unwrap();
    let of_tree = contents(&place);
    fs::remove_dir_all(place.target()).unwrap();
    let options = ExportOptions { from: zipped(&place), ..place.split() };
    unfinished(&options);
    let report = run(&options).unwrap();
    assert_closes(&report);
    assert_eq!(contents(&place), of_tree);
    assert_eq!((report.exported, report.raw_bytes), (tree.exported, tree.raw_bytes));
    let reasons = |report: &ExportReport| -> Vec<_> {
        report.skipped.iter().chain(report.not_mail.iter()).map(|named| named.reason).collect()
    };
    assert_eq!(reasons(&report), reasons(&tree));
    place.verify(Secret::None);
}

/// The source as an archive beside it.
fn zipped(place: &Place) -> PathBuf {
    let path = place.dir.path().join("source.zip");
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for entry in fs::read_dir(place.source().join("jane/Inbox")).unwrap() {
        let entry = entry.unwrap();
        let name = format!("jane/Inbox/{}", entry.file_name().to_str().unwrap());
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&fs::read(entry.path()).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// Locations and hash of each mail.
fn contents(place: &Place) -> Vec<(Vec<Vec<String>>, [u8; 32])> {
    let mails = place.mails(Secret::None).into_iter().flatten();
    let mut contents: Vec<_> = mails.map(|(_, metadata, _)| (metadata.locations, metadata.sha256)).collect();
    contents.sort_unstable();
    contents
}

#[test]
fn other_options_do_not_resume() {
    let place = three_volumes();
    let options = ExportOptions { password: Some("geheim".into()), ..place.split() };
    unfinished(&options);
    let with_password =
        |password: Option<&str>| ExportOptions { password: password.map(str::to_owned), ..options.clone() };
    assert_eq!(kind(run(&with_password(Some("falsch")))), ErrorKind::Denied);
    assert_eq!(run(&with_password(None)).unwrap_err().machine_code(), "password_needed");
    for other in [
        ExportOptions { volume_size: "2MiB".parse().unwrap(), ..options.clone() },
        ExportOptions { layout: Layout::Eml, ..options.clone() },
        ExportOptions { user_archive: Some("jane".into()), ..options.clone() },
        ExportOptions { zip_encoding: "cp850".parse().unwrap(), ..options.clone() },
        ExportOptions { from: place.source().join("jane"), ..options.clone() },
    ] {
        assert_eq!(kind(run(&other)), ErrorKind::Invalid);
    }
    let report = run(&options).unwrap();
    assert_closes(&report);
    place.verify(Secret::Password("geheim"));
    assert_eq!(kind(run(&place.options())), ErrorKind::Invalid);
    assert_eq!(run(&options).unwrap(), report);
}

#[test]
fn a_finished_volume_that_was_moved_away_is_named() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    let volume = |number: u64| place.target().join(format!("out-000{number}.mszip"));
    let away = |number: u64| place.dir.path().join(format!("away-{number}"));
    for moved in [vec![1], vec![2], vec![1, 2]] {
        for number in &moved {
            fs::rename(volume(*number), away(*number)).unwrap();
        }
        let error = run(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(&format!("out-000{}.mszip", moved[0])), "{error}");
        for number in &moved {
            fs::rename(away(*number), volume(*number)).unwrap();
        }
    }
    assert_closes(&run(&options).unwrap());
    place.verify(Secret::None);
}

#[test]
fn a_finished_volume_that_was_changed_stops_the_resume() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    let path = place.target().join("out-0001.mszip");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[500_000] ^= 1;
    fs::write(&path, &changed).unwrap();
    let error = run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("out-0001.mszip"), "{error}");
    fs::copy(place.target().join("out-0002.mszip"), &path).unwrap();
    assert_eq!(kind(run(&options)), ErrorKind::Invalid);
    fs::write(&path, whole).unwrap();
    assert_closes(&run(&options).unwrap());
}

#[test]
fn a_source_that_changed_between_two_runs_is_told_truthfully() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    fs::remove_file(place.source().join("jane/Inbox/0.eml")).unwrap();
    place.put("jane/Inbox/1.eml", &small(1));
    place.put("jane/Inbox/0 new.eml", &small(99));
    place.put("jane/Inbox/6 empty.eml", &small(6));
    let report = run(&options).unwrap();
    assert_closes(&report);
    // Ten mails before: one gone that is in a volume, one replaced, one new, one that can be read now. Of the one that is
    // gone a copy that lies beside it was not yet in a volume, and is met in its place: there are two, as in the source.
    assert_eq!((report.in_source, report.exported, report.vanished), (11, 11, 1));
    assert_eq!(report.changed.len(), 1);
    assert_eq!(report.changed.iter().next().unwrap().source, "jane/Inbox/1.eml");
    place.verify(Secret::None);
    let mails: Vec<_> = place.mails(Secret::None).into_iter().flatten().collect();
    let raw = |key: &str| -> Vec<_> {
        let named = mails.iter().filter(|(_, m, _)| m.source_key.as_deref() == Some(key));
        named.map(|(_, _, raw)| raw.clone()).collect()
    };
    assert!(raw("jane/Inbox/0.eml") == [noisy(0, 300_000)]);
    assert_eq!(mails.iter().filter(|(_, _, raw)| *raw == noisy(0, 300_000)).count(), 2);
    assert!(raw("jane/Inbox/1.eml") == [noisy(1, 300_000), small(1)]);
    assert!(raw("jane/Inbox/0 new.eml") == [small(99)]);
}

#[test]
fn a_mail_that_goes_away_is_named_and_a_source_that_goes_away_stops_all() {
    let place = Place::new();
    for seed in 0..4 {
        place.put(&format!("jane/{seed}.eml"), &small(seed));
    }
    let options = ExportOptions { layout: Layout::Eml, ..place.options() };
    let (source, hidden) = (place.source(), place.dir.path().join("hidden"));
    let error = run_with(
        &options,
        &Hook(|effect: &Effect| match effect {
            Effect::Publish(name) if name == "out.cer" => fs::rename(&source, &hidden),
            _ => Ok(()),
        }),
    );
    assert_eq!(kind(error), ErrorKind::NotFound);
    assert_eq!(kind(run(&options)), ErrorKind::NotFound);
    fs::rename(&hidden, &source).unwrap();
    let changing = Watch(|step: archive::export::Step<'_>| {
        if step.mails == 1 {
            let _ = fs::remove_file(source.join("jane/3.eml"));
        }
    });
    let report = run_with(&options, &changing).unwrap();
    assert_closes(&report);
    assert_eq!(report.in_source, report.exported + report.skipped.len() as u64);
    place.verify(Secret::None);
}

#[test]
fn a_source_that_was_never_there_leaves_nothing_behind() {
    let place = Place::new();
    let options = ExportOptions { from: place.dir.path().join("missing"), ..place.options() };
    assert_eq!(kind(run(&options)), ErrorKind::NotFound);
    assert!(!place.target().exists());
}

#[test]
fn a_full_disk_leaves_an_export_that_goes_on() {
    let place = three_volumes();
    let options = place.split();
    let error = run_with(
        &options,
        &Hook(|effect: &Effect| match effect {
            Effect::Flush(name) if name.starts_with("out-0002") => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }),
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.advice().unwrap().contains("make room"));
    assert_closes(&run(&options).unwrap());
    place.verify(Secret::None);
}
