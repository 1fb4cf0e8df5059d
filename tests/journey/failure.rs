//! A failure is one document and an exit code.

use std::process::{Command, Stdio};

use crate::{
    folder::Data,
    program::{Place, command, end, json},
    source::Story,
};

#[test]
fn every_failure_is_a_document() {
    let story = Story::new(0, 0);
    let data = story.data();
    let data = Data(&data);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["show", &"0".repeat(64)], 4, "not_found"),
        (&["folders", "--mailbox", "nobody@example.org"], 4, "not_found"),
        (&["mailbox", "add", "no address"], 2, "invalid"),
        (&["mails", "--limit", "0"], 2, "invalid"),
        (&["user", "add", "x", "--groups", "nowhere"], 4, "not_found"),
        (&["mapping", "set", "somebody", "nowhere"], 2, "invalid"),
    ];
    for (arguments, exit, kind) in cases {
        let error = &data.json(arguments, exit)["error"];
        assert_eq!(error["kind"], kind, "{arguments:?}");
        assert!(error["message"].is_string() && error["code"].is_string() && error.get("hint").is_some());
    }
    data.json(&["mailbox", "add", "a@example.org"], 0);
    assert_eq!(data.json(&["mailbox", "add", "A@example.org"], 5)["error"]["kind"], "conflict");
}

#[test]
fn arguments_that_are_wrong_are_a_document_too() {
    for arguments in [&["import"][..], &["sail"], &["mails", "--limit", "many"], &[]] {
        assert_eq!(json(arguments, 2)["error"]["kind"], "invalid", "{arguments:?}");
    }
    let ended = end(command(&["import"]));
    assert_eq!((ended.exit, ended.stdout.len()), (2, 0));
    let help = end(command(&["--help"]));
    assert_eq!(help.exit, 0);
    let help = String::from_utf8(help.stdout).unwrap();
    for later in ["search", "extract", "audit"] {
        assert!(!help.contains(&format!("\n  {later} ")), "{later} is not built yet");
    }
}

/// README has POSTKAHN_SERVER set for good: a folder that a command names is meant all the same.
#[test]
fn a_folder_that_is_named_goes_before_a_server_of_the_environment() {
    let story = Story::new(0, 0);
    let data = story.data();
    let with_server = |mut command: Command| {
        command.env("POSTKAHN_SERVER", "http://127.0.0.1:1").arg("--json");
        end(command)
    };
    for verb in ["mailboxes", "rebuild"] {
        let ended = with_server(Data(&data).command(&[verb]));
        assert_eq!(ended.exit, 0, "{verb}: {}", ended.stderr);
    }
    assert_eq!(with_server(command(&["mailboxes"])).exit, 6);
    let refused = with_server(command(&["rebuild"]));
    assert_eq!(refused.exit, 2);
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("POSTKAHN_SERVER"), "{}", refused.stderr);
    assert_eq!(Data(&data).json(&["mailboxes", "--server", "http://127.0.0.1:1"], 2)["error"]["kind"], "invalid");
}

#[test]
fn a_missing_domain_is_said_before_anything_is_done() {
    let story = Story::new(4, 500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let data = story.data();
    let data = data.to_str().unwrap();
    assert_eq!(json(&["restructure", "--data", data], 2)["error"]["kind"], "invalid");
    let mailboxes = json(&["mailboxes", "--data", data], 0);
    assert_eq!(mailboxes.as_array().unwrap().len(), 1);
}

#[test]
fn archives_that_meet_are_a_conflict_until_the_mapping_decides() {
    let story = Story::new(7, 500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let data = story.data();
    let data = Data(&data);
    data.json(&["mailbox", "add", "catchall@example.org"], 0);
    let done = data.json(&["restructure"], 5);
    assert_eq!(done["conflicts"][0]["address"], "catchall@example.org");
    assert_eq!((done["mailboxes_created"].as_u64(), done["reports_left"].as_u64()), (Some(2), Some(1)));
    let row = data.json(&["mapping", "set", "@catchall", "lost@example.org"], 0);
    assert_eq!(row["address"], "lost@example.org");
    let done = data.json(&["restructure"], 0);
    assert_eq!((done["mailboxes_created"].as_u64(), done["reports_left"].as_u64()), (Some(1), Some(0)));
    story.assert_recreated();
}

/// A limit on the size of files stands in for a full disk: the log of the catalogue grows until it meets it, in one run
/// before the work begins, in the next one amid it.
#[test]
fn on_a_full_disk_nobody_waits_for_ever() {
    let story = Story::new(2, 500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let folder = story.data();
    let data = Data(&folder);
    let mut exits = Vec::new();
    for blocks in (20..=160).step_by(10).chain([8_192]) {
        // Without a signal the write is an error; whoever hangs is ended with another exit code.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec timeout 60 \"$@\"");
        let mut limited = Command::new("sh");
        limited.args(["-c", &script, "sh"]);
        let ended = end(within(limited, &data.command(&["check", "--json"])));
        assert!([0, 6].contains(&ended.exit), "{blocks}: {} {}", ended.exit, ended.stderr);
        if ended.exit == 6 {
            assert_eq!(ended.json()["error"]["kind"], "unavailable");
        }
        exits.push(ended.exit);
        // With room again, all is as it was.
        data.json(&["check"], 0);
    }
    assert!(exits.contains(&0) && exits.contains(&6), "{exits:?}");
}

/// The same command, run by another program: `around` takes a command line as its last arguments.
pub(crate) fn within(mut around: Command, command: &Command) -> Command {
    around.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => around.env(name, value),
            None => around.env_remove(name),
        };
    }
    around
}
