//! A source that changes while it is walked: what could not be read is named, and nothing else is lost.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, ExportReport, Progress, Step, Surroundings, dry_run, export};
use mail::source::Layout;
use volume::Secret;

use crate::place::*;

/// More mails than are read ahead, so that what comes behind them has not been met when the first one is written.
const AHEAD: u64 = 700;

fn long_walk() -> (Place, ExportOptions) {
    let place = Place::new();
    for seed in 0..AHEAD {
        place.put(&format!("a/{seed:04}.eml"), &small(seed));
    }
    let options = ExportOptions { layout: Layout::Eml, ..place.options() };
    (place, options)
}

/// Runs, and lets something happen when the first mail has been written.
fn meanwhile(options: &ExportOptions, happen: impl Fn() + Sync) -> archive::Result<ExportReport> {
    run_with(
        options,
        &Watch(|step: Step<'_>| {
            if step.mails == 1 {
                happen();
            }
        }),
    )
}

fn skipped(report: &ExportReport) -> BTreeMap<String, String> {
    report.skipped.iter().map(|named| (named.source, named.reason)).collect()
}

#[test]
fn what_changes_behind_the_walk_is_named_or_read_as_it_is_then() {
    let (place, options) = long_walk();
    for name in ["becomes a directory", "becomes a link", "becomes a pipe", "goes", "grows", "is emptied"] {
        place.put(&format!("a/z {name}.eml"), &small(1));
    }
    place.put("z goes/1.eml", &small(2));
    place.put("z becomes a file/1.eml", &small(3));
    let path = |name: &str| place.source().join(name);
    let report = meanwhile(&options, || {
        for name in ["becomes a directory", "becomes a link", "becomes a pipe", "goes"] {
            fs::remove_file(path(&format!("a/z {name}.eml"))).unwrap();
        }
        fs::create_dir(path("a/z becomes a directory.eml")).unwrap();
        std::os::unix::fs::symlink("0001.eml", path("a/z becomes a link.eml")).unwrap();
        assert!(Command::new("mkfifo").arg(path("a/z becomes a pipe.eml")).status().unwrap().success());
        let mut grows = fs::OpenOptions::new().append(true).open(path("a/z grows.eml")).unwrap();
        grows.write_all(b"and more\n").unwrap();
        fs::write(path("a/z is emptied.eml"), "").unwrap();
        for folder in ["z goes", "z becomes a file"] {
            fs::remove_dir_all(path(folder)).unwrap();
        }
        fs::write(path("z becomes a file"), "no directory\n").unwrap();
    })
    .unwrap();
    assert_closes(&report);
    let skipped = skipped(&report);
    let named: Vec<&str> = skipped.keys().map(String::as_str).collect();
    let expected = ["a/z becomes a directory.eml", "a/z goes.eml", "a/z is emptied.eml", "z becomes a file", "z goes"];
    assert_eq!(named, expected, "{skipped:?}");
    assert_eq!(skipped["a/z is emptied.eml"], "empty");
    for gone in ["a/z goes.eml", "z goes"] {
        assert_eq!(skipped[gone], "it went away before it was read");
    }
    let not_mail: Vec<String> = report.not_mail.iter().map(|named| named.source).collect();
    assert_eq!(not_mail, ["a/z becomes a link.eml", "a/z becomes a pipe.eml"]);
    assert_eq!(report.exported, AHEAD + 1);
    let grown = [small(1).as_slice(), b"and more\n"].concat();
    assert!(place.mails(Secret::None).iter().flatten().any(|(_, _, raw)| *raw == grown));
    place.verify(Secret::None);
}

#[test]
fn mails_that_come_into_an_mbox_meanwhile_cost_none_that_was_there() {
    let place = Place::new();
    let mbox = |seeds: std::ops::Range<u64>| -> Vec<u8> {
        let from = b"From a@b Mon Jan  2 10:00:00 2023\n";
        seeds.flat_map(|seed| [from.as_slice(), &small(seed), b"\n"].concat()).collect()
    };
    place.put("jane/Inbox", &mbox(0..2_000));
    let path = place.source().join("jane/Inbox");
    let arrive = Watch(|step: Step<'_>| {
        // Before most are read, when all are met, and between the runs of the walk.
        if matches!(step.mails, 1 | 1_000 | 1_900) {
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(&mbox(step.mails + 5_000..step.mails + 5_002)).unwrap();
        }
    });
    let options = ExportOptions { layout: Layout::Mbox, ..place.options() };
    let report = run_with(&options, &arrive).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len()), (2_000, 0));
    let changed: Vec<_> = report.changed.iter().map(|named| named.source).collect();
    assert_eq!(changed, ["jane/Inbox"]);
    let raws: Vec<_> = place.mails(Secret::None).into_iter().flatten().map(|(_, _, raw)| raw).collect();
    assert!(raws.iter().eq(&(0..2_000).map(small).collect::<Vec<_>>()), "each in its place, byte for byte");
    // What came in is there for the next export.
    let next = run(&ExportOptions { name: "next".parse().unwrap(), ..options }).unwrap();
    assert_eq!((next.exported, next.skipped.len(), next.changed.len()), (2_006, 0, 0));
}

#[test]
fn what_comes_when_the_last_mail_has_been_written_is_exported_too_or_named() {
    let (place, options) = long_walk();
    let options = ExportOptions { layout: Layout::Auto, ..options };
    let (half, rest) = (small(1), b"and the rest\n".as_slice());
    for name in ["a.eml", "b.eml", "c.eml", "d.eml"] {
        place.put(&format!("z/{name}"), &half);
    }
    place.put("box.mbox", &[b"From a@b Mon Jan  2 10:00:00 2023\n".as_slice(), &half].concat());
    let path = |name: &str| place.source().join(name);
    let all = AHEAD + 5;
    let at_the_end = Watch(|step: Step<'_>| {
        if step.mails != all {
            return;
        }
        for name in ["z/a.eml", "box.mbox"] {
            fs::OpenOptions::new().append(true).open(path(name)).unwrap().write_all(rest).unwrap();
        }
        // The same bytes, another time; and what is of no mail any more.
        fs::File::open(path("z/b.eml")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::remove_file(path("z/c.eml")).unwrap();
        fs::write(path("z/d.eml"), "").unwrap();
    });
    let report = run_with(&options, &at_the_end).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.exported), (all + 2, all + 1));
    let skipped = skipped(&report);
    assert!(skipped["box.mbox"].starts_with("its last mail was still being written"), "{skipped:?}");
    let changed: Vec<_> = report.changed.iter().map(|named| named.source).collect();
    assert!(changed.contains(&"z/a.eml".to_owned()) && !changed.iter().any(|source| source.contains("b.eml")));
    let whole = [half.as_slice(), rest].concat();
    let mails = place.mails(Secret::None);
    let count = |raw: &[u8]| mails.iter().flatten().filter(|(_, _, found)| found == raw).count();
    assert_eq!((count(&half), count(&whole)), (6, 1), "once in a/ as well");
    place.verify(Secret::None);
}

/// By a clock to which every file is old.
fn long_after(options: &ExportOptions, progress: &dyn Progress) -> archive::Result<ExportReport> {
    export(options, &Surroundings { clock: &At(4_000_000_000), random: &Counted, generator: "test 1", progress })
}

#[test]
fn what_comes_to_files_of_any_age_is_exported_too_and_named() {
    let (place, options) = long_walk();
    let options = ExportOptions { layout: Layout::Auto, ..options };
    for seed in 0..4 {
        place.put(&format!("z/{seed}.eml"), &small(1_000 + seed));
    }
    let path = |name: &str| place.source().join(name);
    let at_the_end = Watch(|step: Step<'_>| {
        if step.mails == AHEAD + 4 {
            fs::OpenOptions::new().append(true).open(path("a/0000.eml")).unwrap().write_all(b"and more\n").unwrap();
            // To another folder, to another name in the same one, and from outside.
            fs::rename(path("z/0.eml"), path("a/moved.eml")).unwrap();
            fs::rename(path("z/1.eml"), path("z/renamed.eml")).unwrap();
            fs::write(path("a/new.eml"), small(2_000)).unwrap();
            fs::write(path("a/none.eml"), "").unwrap();
        }
    });
    let report = long_after(&options, &at_the_end).unwrap();
    assert_closes(&report);
    let changed: BTreeMap<_, _> = report.changed.iter().map(|named| (named.source, named.reason)).collect();
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["a/0000.eml", "a/moved.eml", "a/new.eml", "a/none.eml"]);
    assert!(changed["a/none.eml"].ends_with("not in the volumes as it is now: empty"), "{changed:?}");
    assert_eq!((report.exported, report.skipped.len()), (AHEAD + 4 + 3, 0));
    let mails = place.mails(Secret::None);
    let count = |raw: &[u8]| mails.iter().flatten().filter(|(_, _, found)| found == raw).count();
    let longer = [small(0).as_slice(), b"and more\n"].concat();
    let counts = [small(0), longer, small(1_000), small(1_001), small(2_000)].map(|raw| count(&raw));
    assert_eq!(counts, [1, 1, 2, 1, 1], "what was moved lies in both folders");
    place.verify(Secret::None);
}

#[test]
fn what_comes_to_a_mail_of_a_finished_volume_is_exported_too_and_named_on_each_resume() {
    let place = three_volumes();
    let options = place.split();
    let cut_off = |name: &'static str| {
        Hook(move |effect: &Effect| match effect {
            Effect::Publish(published) if published == name => Err(io::Error::other("cut off")),
            _ => Ok(()),
        })
    };
    long_after(&options, &cut_off("out-0002.mszip")).unwrap_err();
    let path = place.source().join("jane/Inbox/0.eml");
    let rest = [noisy(0, 300_000), noisy(77, 300_000)].concat();
    // While the resumed export runs, which has met it already.
    let comes = Hook(|effect: &Effect| match effect {
        Effect::Publish(published) if published == "out-0002.mszip" => fs::write(&path, &rest),
        Effect::Publish(published) if published == "out-0004.mszip" => Err(io::Error::other("cut off")),
        _ => Ok(()),
    });
    long_after(&options, &comes).unwrap_err();
    for _ in 0..2 {
        let report = long_after(&options, &()).unwrap();
        assert_closes(&report);
        let changed: Vec<_> = report.changed.iter().map(|named| named.source).collect();
        assert_eq!(changed, ["jane/Inbox/0.eml"]);
        place.verify(Secret::None);
    }
    let mails: Vec<_> = place.mails(Secret::None).into_iter().flatten().map(|(_, _, raw)| raw).collect();
    assert!([noisy(0, 300_000), rest].iter().all(|raw| mails.contains(raw)));
}

#[test]
fn a_source_that_is_another_one_in_mid_walk_stops_all_and_goes_on_when_it_is_back() {
    let (place, options) = long_walk();
    place.put("z/1.eml", &small(7));
    let away = place.dir.path().join("away");
    // As when a share drops off and leaves the empty directory on which it was mounted.
    let error = meanwhile(&options, || {
        fs::rename(place.source(), &away).unwrap();
        fs::create_dir(place.source()).unwrap();
    })
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Between the two steps there is none.
    let said = ["another folder is in its place", "it cannot be reached any more"];
    assert!(said.iter().any(|said| error.to_string().contains(said)), "{error}");
    assert!(error.advice().unwrap().contains("goes on from here"));
    fs::remove_dir(place.source()).unwrap();
    fs::rename(&away, place.source()).unwrap();
    let report = run(&options).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len()), (AHEAD + 1, 0));
    place.verify(Secret::None);
}

/// An mbox of 2,000 mails that is packed, so that it must be laid out before it is read.
fn packed_mbox() -> Vec<u8> {
    let mbox = b"From a@b Mon Jan  2 10:00:00 2023\nSubject: packed\n\ntext\n\n".repeat(2_000);
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("old.mbox", options).unwrap();
    writer.write_all(&mbox).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn what_finds_no_room_in_the_target_is_not_skipped() {
    let (place, options) = long_walk();
    let options = ExportOptions { layout: Layout::Auto, ..options };
    place.put("z.zip", &packed_mbox());
    let away = place.dir.path().join("away");
    let error = meanwhile(&options, || fs::rename(place.target(), &away).unwrap()).unwrap_err();
    assert!(error.to_string().contains("target"), "{error}");
    fs::rename(&away, place.target()).unwrap();
    let report = run(&options).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len()), (AHEAD + 2_000, 0));
    place.verify(Secret::None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_dry_run_that_finds_no_room_is_none() {
    let place = Place::new();
    place.put("z.zip", &packed_mbox());
    let surroundings = Surroundings { clock: &At(0), random: &Counted, generator: "test 1", progress: &() };
    assert_eq!(dry_run(&place.options(), &surroundings).unwrap().exported, 2_000);
    // Where nobody can make a file.
    let options = ExportOptions { to: "/proc/target".into(), ..place.options() };
    let error = dry_run(&options, &surroundings).unwrap_err();
    assert!(error.to_string().contains("/proc"), "{error}");
}

/// Root may read and write what nobody may.
fn is_root(place: &Place) -> bool {
    let path = place.dir.path().join("locked");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let is_root = fs::read(&path).is_ok();
    if is_root {
        let _ = writeln!(io::stderr(), "SKIPPED: permissions do not hold for who runs this test");
    }
    is_root
}

#[test]
fn permissions_that_are_taken_away_in_mid_walk_are_named_or_stop_all() {
    let (place, options) = long_walk();
    if is_root(&place) {
        return;
    }
    let mode = |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    place.put("a/z.eml", &small(1));
    place.put("z/1.eml", &small(2));
    let report = meanwhile(&options, || {
        mode(place.source().join("a/z.eml"), 0);
        mode(place.source().join("z"), 0);
    })
    .unwrap();
    mode(place.source().join("z"), 0o700);
    assert_closes(&report);
    let skipped = skipped(&report);
    assert_eq!(skipped.keys().collect::<Vec<_>>(), ["a/z.eml", "z"]);
    assert!(skipped.values().all(|reason| reason.contains("ermission denied")), "{skipped:?}");

    fs::remove_dir_all(place.target()).unwrap();
    let closed = Hook(|effect: &Effect| {
        if matches!(effect, Effect::Publish(name) if name == "out-0001.mszip") {
            mode(place.target(), 0o500);
        }
        Ok(())
    });
    let error = run_with(&options, &closed).unwrap_err();
    mode(place.target(), 0o700);
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.advice().unwrap().contains("must be able to write"));
    mode(place.source().join("a/z.eml"), 0o600);
    let report = run(&options).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len()), (AHEAD + 2, 0));
}

#[test]
fn a_source_that_may_not_be_read_says_which_right_is_missing() {
    let place = Place::new();
    if is_root(&place) {
        return;
    }
    place.put("a/1.eml", &small(1));
    let mode = |path: PathBuf, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let refused = |from: &str| {
        let error = run(&ExportOptions { from: place.source().join(from), ..place.options() }).unwrap_err();
        assert_eq!((error.kind(), place.files().len()), (ErrorKind::Denied, 0), "{error}");
        error.advice().unwrap().to_owned()
    };
    mode(place.source().join("a/1.eml"), 0);
    assert!(refused("a/1.eml").contains("to read it (r)"));
    for (bits, missing) in [(0o300, "to list it (r)"), (0o600, "to enter it (x)")] {
        mode(place.source().join("a"), bits);
        assert!(refused("a").contains(missing));
    }
    assert!(refused("a/1.eml").contains("a directory above it (x)"));
    mode(place.source().join("a"), 0o700);
    mode(place.source().join("a/1.eml"), 0o600);
    let report = run(&ExportOptions { from: place.source().join("a"), ..place.options() }).unwrap();
    assert_eq!(report.exported, 1);
}

/// Deeper than any path may be: only by going there step by step can it be made.
#[test]
fn paths_and_names_as_long_as_the_system_has_them_are_exported_or_named() {
    let place = Place::new();
    let longest = format!("{}.eml", "ü".repeat(125) + "x");
    assert_eq!(longest.len(), 255);
    place.put(&format!("a/{longest}"), &small(1));
    let bad = place.source().join(std::ffi::OsStr::from_bytes(b"a/\xff\xfe.eml"));
    if fs::write(&bad, small(2)).is_err() {
        // A file system that takes UTF-8 alone.
        place.put("a/plain.eml", &small(2));
    }
    let script =
        "for i in $(seq 30); do d=$(printf '%0200d' $i); mkdir $d; cd -P ./$d; printf 'Subject: x\\n\\n' >m.eml; done";
    let made = Command::new("sh").args(["-ec", script]).current_dir(place.source()).status().unwrap();
    assert!(made.success());
    let report = run(&ExportOptions { layout: Layout::Eml, ..place.options() }).unwrap();
    assert_closes(&report);
    // Whatever the length of the path to the source, some levels are reached, and the first that is not is named.
    assert!((10..25).contains(&report.exported), "{}", report.exported);
    let skipped: Vec<_> = report.skipped.iter().collect();
    let [named] = skipped.as_slice() else { panic!("{skipped:?}") };
    assert!(named.reason.contains("too long"), "{}", named.reason);
    assert!(
        place
            .mails(Secret::None)
            .iter()
            .flatten()
            .any(|(_, metadata, _)| { metadata.source_key.as_deref().is_some_and(|key| key.ends_with(&longest)) })
    );
    assert!(Command::new("rm").args(["-rf"]).arg(place.source()).status().unwrap().success());
}
