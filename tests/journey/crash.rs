//! Killed at any moment and run again: the same end as undisturbed.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    arrival::Half as _,
    folder::Data,
    program::Place,
    server::{Machine, Server, Sftp},
    source::{MAILBOX, Story},
};

/// Runs a command and kills it, each time a little later, until it comes to its end by itself: its document, and how
/// often it was killed.
pub(crate) fn killed_until_done(data: &Data<'_>, arguments: &[&str]) -> (Value, u32) {
    for kills in 0.. {
        let mut process = data.start(arguments);
        thread::sleep(Duration::from_millis(5 + 15 * u64::from(kills)));
        let _ = process.kill();
        let output = process.wait_with_output().unwrap();
        if let Some(exit) = output.status.code() {
            assert_eq!(exit, 0, "{}", String::from_utf8_lossy(&output.stderr));
            return (serde_json::from_slice(&output.stdout).unwrap(), kills);
        }
    }
    unreachable!("some run is long enough")
}

/// Everything that may be seen of an archive, without the times at which it was made.
type State = (Vec<Value>, BTreeMap<Vec<String>, BTreeSet<String>>, Value);

fn state(data: &Data<'_>) -> State {
    let mut mails = data.mails(MAILBOX, None);
    for mail in &mut mails {
        mail["import_date"] = Value::Null;
    }
    let mut checked = data.json(&["check", "--read-data"], 0);
    // A step that was cut off leaves its pack, and where it began again packs end elsewhere.
    for name in ["packs", "orphans", "dead_bytes"] {
        checked[name] = Value::Null;
    }
    (mails, Story::placed(data), checked)
}

fn counts(import: &Value) -> [Option<u64>; 3] {
    ["in_volume", "imported", "already_there"].map(|name| import[name].as_u64())
}

#[test]
fn what_was_killed_goes_on() {
    let story = Story::new(120, 40_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let (volumes, certificate) = (story.volumes(), story.certificate());
    let import =
        ["import", &volumes[0], "--mailbox", MAILBOX, "--certificate", &certificate, "--password-file", &password];

    let calm_dir = TempDir::new().unwrap();
    let calm = Data(calm_dir.path());
    let undisturbed = &calm.json(&import, 0)["imports"][0];
    calm.json(&["restructure"], 0);

    let data = story.data();
    let data = Data(&data);
    let (document, kills) = killed_until_done(&data, &import);
    assert!(kills > 2, "only {kills} kills");
    let disturbed = &document["imports"][0];
    assert_eq!((disturbed["state"].as_str(), disturbed["balanced"].as_bool()), (Some("finished"), Some(true)));
    // A run that was killed when its import had just ended is followed by a new import, which finds everything there.
    let all_there = [Some(story.files), Some(0), Some(story.files)];
    assert!([counts(undisturbed), all_there].contains(&counts(disturbed)), "{disturbed}");
    let (done, kills) = killed_until_done(&data, &["restructure"]);
    assert!(kills > 0);
    assert_eq!(done["reports_left"], 0);
    assert_eq!(state(&calm), state(&data));
    story.assert_recreated();
}

/// Whenever the first start is killed, the next one has an admin whose password is kept.
#[test]
fn a_first_start_that_was_killed_locks_nobody_out() {
    let begun = Instant::now();
    Data(TempDir::new().unwrap().path()).json(&["mailboxes"], 0);
    let whole = begun.elapsed();
    for part in 1..=8 {
        let story = Story::new(0, 0);
        let mut first = Data(&story.data()).start(&["mailboxes"]);
        thread::sleep(whole * part / 8);
        let _ = first.kill();
        let _ = first.wait();
        let (server, sftp) = (Server::start(&story), Sftp::new(&story));
        Machine { story: &story, server: &server, sftp: &sftp }.first_login();
        server.stop();
    }
}
