//! Killed at any moment and run again: the same end as undisturbed.

use std::{collections::BTreeMap, thread, time::Duration};

use serde_json::Value;

use crate::{
    program::Data,
    source::{MAILBOX, Story},
};

/// Everything that may be seen of an archive, without the times at which it was made.
fn state(story: &Story) -> (Vec<Value>, BTreeMap<Vec<String>, std::collections::BTreeSet<String>>, Value) {
    let data = story.data();
    let data = Data(&data);
    let mut mails = data.mails(MAILBOX, None);
    for mail in &mut mails {
        mail["import_date"] = Value::Null;
    }
    let mut checked = data.json(&["check", "--read-data"], 0);
    // A step that was cut off leaves its pack, and where it began again packs end elsewhere.
    for name in ["packs", "orphans", "dead_bytes"] {
        checked[name] = Value::Null;
    }
    (mails, Story::placed(&data), checked)
}

fn counts(import: &Value) -> [Option<u64>; 3] {
    ["in_volume", "imported", "already_there"].map(|name| import[name].as_u64())
}

#[test]
fn an_import_goes_on_where_it_was_killed() {
    let story = Story::new(300, 20_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let (volumes, certificate, data) = (story.volumes(), story.certificate(), story.data());
    let arguments =
        ["import", &volumes[0], "--mailbox", MAILBOX, "--certificate", &certificate, "--password-file", &password];
    let mut killed = 0;
    for milliseconds in [20, 100, 180, 260, 340, 420, 500, 600, 700, 850] {
        let mut import = Data(&data).start(&arguments);
        thread::sleep(Duration::from_millis(milliseconds));
        killed += usize::from(import.try_wait().unwrap().is_none());
        import.kill().unwrap();
        import.wait().unwrap();
    }
    assert!(killed > 0);
    let disturbed = &story.import(&volumes, &["--password-file", &password], 0)[0];
    Data(&data).json(&["restructure"], 0);
    let disturbed = (counts(disturbed), state(&story));

    let calm = Story { dir: tempfile::TempDir::new().unwrap(), ..Story::new(0, 0) };
    let calm_data = calm.data();
    let undisturbed = &Data(&calm_data).json(&arguments, 0)["imports"][0];
    Data(&calm_data).json(&["restructure"], 0);
    let undisturbed = (counts(undisturbed), state(&calm));
    assert_eq!(undisturbed.1.0, disturbed.1.0);
    assert_eq!(undisturbed.1, disturbed.1);
    // Where one of the runs came to its end before it was killed, the last one found all mails there.
    let last_was_new = disturbed.0[1] != Some(0);
    assert!(!last_was_new || undisturbed.0 == disturbed.0, "{:?} {:?}", undisturbed.0, disturbed.0);
    story.assert_recreated();
}
