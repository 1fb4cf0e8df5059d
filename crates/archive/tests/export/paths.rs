//! Where an export may read from and write to, however the paths are spelled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, Surroundings, dry_run};

use crate::place::*;

fn to(place: &Place, to: PathBuf) -> ExportOptions {
    ExportOptions { to, ..place.options() }
}

fn refused(options: &ExportOptions) {
    let surroundings = Surroundings { clock: &At(0), random: &Counted, generator: "test 1", progress: &() };
    assert_eq!(kind(run(options)), ErrorKind::Invalid, "{}", options.to.display());
    assert_eq!(kind(dry_run(options, &surroundings)), ErrorKind::Invalid, "{}", options.to.display());
}

#[test]
fn no_detour_leads_into_the_source() {
    let place = Place::new();
    place.put("u/1.eml", &small(1));
    let dir = place.dir.path();
    for detour in ["nope/../source/u/out", "source/../nope/../source/u", "source/u/..", "source/u/../new", "nope/.."] {
        refused(&to(&place, dir.join(detour)));
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.join("source/u"), dir.join("link")).unwrap();
        refused(&to(&place, dir.join("link/out")));
        refused(&to(&place, dir.join("link/../out")));
    }
    assert!(!dir.join("nope").exists());
    assert_eq!(fs::read_dir(place.source().join("u")).unwrap().count(), 1);
    assert_closes(&run(&to(&place, dir.join("source/../target/new"))).unwrap());
}

#[test]
fn a_target_that_is_no_directory_is_the_callers_mistake() {
    let place = Place::new();
    place.put("u/1.eml", &small(1));
    let dir = place.dir.path();
    fs::write(dir.join("file"), "mine").unwrap();
    for target in ["file", "file/", "file/below", "file/below/deeper", "file/../new"] {
        refused(&to(&place, dir.join(target)));
    }
    refused(&to(&place, PathBuf::new()));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.join("nowhere"), dir.join("dangling")).unwrap();
        refused(&to(&place, dir.join("dangling/out")));
    }
    assert_eq!(kind(run(&to(&place, dir.join("x".repeat(300))))), ErrorKind::Invalid);
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_no_source_and_no_report() {
    let place = Place::new();
    place.put("u/1.eml", &small(1));
    let pipe = place.dir.path().join("pipe");
    make_pipe(&pipe);
    for from in [pipe, PathBuf::from("/dev/zero"), PathBuf::from("/dev/null")] {
        refused(&ExportOptions { from, ..place.options() });
    }
    assert!(!place.target().exists());
    fs::create_dir(place.target()).unwrap();
    for name in ["out.export-state.part", "out.export-state", "out.report.json"] {
        let pipe = place.target().join(name);
        make_pipe(&pipe);
        assert_eq!(kind(run(&place.options())), ErrorKind::Invalid, "{name}");
        fs::remove_file(pipe).unwrap();
    }
    assert_closes(&run(&place.options()).unwrap());
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn another_spelling_of_the_source_goes_on_with_the_same_export() {
    let place = Place::new();
    place.put("u/1.eml", &small(1));
    place.put("v/2.eml", &small(2));
    let options = place.options();
    let cut = Hook(|effect: &Effect| match effect {
        Effect::Publish(name) if name == "out-0001.mszip" => Err(std::io::Error::other("cut off")),
        _ => Ok(()),
    });
    run_with(&options, &cut).unwrap_err();
    let from = |path: &str| ExportOptions { from: place.source().join(path), ..options.clone() };
    assert_eq!(kind(run(&from("u"))), ErrorKind::Invalid);
    assert_eq!(kind(run(&from("missing/.."))), ErrorKind::Invalid);
    let report = run(&from("u/..")).unwrap();
    assert_closes(&report);
    assert_eq!(run(&from("v/./../")).unwrap(), report);
    assert_eq!(run(&options).unwrap(), report);
    // Once the source is gone, only what is spelled as then can be known to be the same.
    fs::remove_dir_all(place.source()).unwrap();
    assert_eq!(run(&options).unwrap(), report);
    assert_eq!(kind(run(&from("u/.."))), ErrorKind::Invalid);
}
