//! Several exporters that want one name.

use std::fs::{self, File};
use std::io;
use std::sync::Mutex;

use archive::ErrorKind;
use archive::export::{ExportOptions, ExportReport, Surroundings, export};
use archive::ports::Random;

use crate::place::*;

/// Lets something happen after an exporter has looked at target and source, and before it makes its state file: when
/// it draws its keys.
struct Meanwhile<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send> Random for Meanwhile<F> {
    fn fill(&self, bytes: &mut [u8]) {
        let first = self.0.lock().unwrap().take();
        if let Some(happen) = first {
            happen();
        }
        Counted.fill(bytes);
    }
}

/// An export during whose beginning something else happens.
fn overtaken(options: &ExportOptions, happen: impl FnOnce() + Send) -> archive::Result<ExportReport> {
    let random = Meanwhile(Mutex::new(Some(happen)));
    export(options, &Surroundings { clock: &At(1_700_000_000), random: &random, generator: "test 1", progress: &() })
}

const STATE: &str = "out.export-state";
const STATE_PART: &str = "out.export-state.part";
const ENDED: [&str; 4] = ["out-0001.mszip", "out.cer", "out.report.html", "out.report.json"];

#[test]
fn overtaken_at_any_point_an_exporter_waits_or_repeats_the_report() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let options = place.options();
    for at in 0.. {
        let mut first = None;
        let second = overtaken(&options, || first = Some(run_with(&options, &CutOff::at(at))));
        let first = first.unwrap();
        let state_is_there = place.target().join(STATE).exists();
        assert!(!place.target().join(STATE_PART).exists(), "keys were left behind, effect {at}");
        match (&first, second) {
            (Ok(first), second) => assert_eq!(second.unwrap(), *first),
            // The first one died before the name was its own.
            (Err(_), Ok(second)) => assert!(at == 0 && second.complete),
            (Err(_), Err(error)) => assert!(error.kind() == ErrorKind::Unavailable && state_is_there, "{at}: {error}"),
        }
        assert_closes(&run(&options).unwrap());
        assert!(place.files().iter().eq(ENDED), "{:?}", place.files());
        fs::remove_dir_all(place.target()).unwrap();
        if first.is_ok() {
            assert!(at > 8, "{at}");
            break;
        }
    }
}

#[test]
fn an_exporter_that_began_meanwhile_keeps_the_name_while_it_runs() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let options = place.options();
    let mut held = None;
    let result = overtaken(&options, || {
        run_with(&options, &CutOff::at(6)).unwrap_err();
        let state = File::options().read(true).write(true).open(place.target().join(STATE)).unwrap();
        state.try_lock().unwrap();
        held = Some(state);
    });
    assert!(place.files().contains("out.cer"));
    assert_eq!(kind(result), ErrorKind::Unavailable);
    assert_eq!(kind(run(&options)), ErrorKind::Unavailable);
    assert!(!place.files().contains(STATE_PART));
    drop(held);
    assert_closes(&run(&options).unwrap());
}

#[test]
fn files_of_another_export_that_came_meanwhile_leave_no_keys() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let result = overtaken(&place.options(), || {
        fs::create_dir_all(place.target()).unwrap();
        fs::write(place.target().join("out.cer"), "foreign").unwrap();
    });
    assert_eq!(kind(result), ErrorKind::Invalid);
    assert!(place.files().iter().eq(["out.cer"]), "{:?}", place.files());
}

#[test]
fn repeating_the_report_removes_keys_that_were_left_behind() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let options = place.options();
    let report = run(&options).unwrap();
    let part = place.target().join(STATE_PART);
    fs::write(&part, "keys").unwrap();
    let alive = File::options().read(true).write(true).open(&part).unwrap();
    alive.try_lock().unwrap();
    assert_eq!(run(&options).unwrap(), report);
    assert!(part.exists(), "its exporter is alive and removes it itself");
    drop(alive);
    assert_eq!(run(&options).unwrap(), report);
    assert!(!part.exists());
}

#[test]
fn of_many_exporters_at_once_one_writes() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let options = place.options();
    for _ in 0..20 {
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| run(&options))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let again = run(&options).unwrap();
        assert!(place.files().iter().eq(ENDED), "{:?}", place.files());
        assert!(results.iter().any(Result::is_ok));
        for result in results {
            match result {
                Ok(report) => assert_eq!(report, again),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        }
        fs::remove_dir_all(place.target()).unwrap();
    }
}

#[test]
fn a_begin_that_failed_is_taken_over() -> io::Result<()> {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    run_with(&place.options(), &CutOff::at(0)).unwrap_err();
    assert!(fs::metadata(place.target().join(STATE_PART))?.len() > 0);
    assert_closes(&run(&place.options()).unwrap());
    assert!(place.files().iter().eq(ENDED), "{:?}", place.files());
    Ok(())
}
