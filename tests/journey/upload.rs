//! `postkahn upload`: an export goes up, whatever is killed meanwhile, and nothing but its volumes.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    arrival::{self, Half, until},
    program::{command, end},
    server::{Machine, Server, Sftp},
    source::Story,
};

/// What leads to a server as the user of the key.
fn arguments(half: &Machine<'_>, user: &str, more: &[&str]) -> Vec<String> {
    let to = format!("sftp://{user}@{}", half.server.sftp);
    let key = format!("{}/key", half.key().trim_end_matches("/key.pub"));
    let fixed = ["upload", "--to", &to, "--key", &key, "--json"];
    fixed.iter().chain(more).map(|&argument| argument.to_owned()).collect()
}

/// Uploads with the right fingerprint; the exit code must be the one given.
fn upload(half: &Machine<'_>, more: &[&str], exit: i32) -> Value {
    let trusted = [more, &["--host-key-fingerprint", &half.server.fingerprint]].concat();
    let ended = end(command(&arguments(half, "clara", &trusted)));
    assert_eq!(ended.exit, exit, "{}\n{}", String::from_utf8_lossy(&ended.stdout), ended.stderr);
    ended.json()
}

fn start(half: &Machine<'_>, more: &[&str]) -> Child {
    let trusted = [more, &["--host-key-fingerprint", &half.server.fingerprint]].concat();
    let mut command = command(&arguments(half, "clara", &trusted));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// An officer who may upload; the admin's token.
fn officer(half: &Machine<'_>) -> String {
    let admin = half.first_login();
    half.json(&admin, &["group", "add", "officers", "--roles", "Compliance"]);
    half.json(&admin, &["user", "add", "clara", "--groups", "officers", "--key", &half.key()]);
    admin
}

/// The bytes of an upload, as another client gets them.
fn fetched(half: &Machine<'_>, name: &str) -> Vec<u8> {
    let target = half.story.path("fetched");
    let got = half.sftp.run("clara", half.server, &format!("get \"{name}\" \"{target}\"\n"));
    assert_eq!(got.exit, 0, "{}", got.stderr);
    fs::read(target).unwrap()
}

/// Bytes that lie in the home of a cut-off upload.
fn arrived(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| {
        let facts = entry.metadata().ok()?;
        Some(if facts.is_dir() { arrived(&entry.path()) } else { facts.len() })
    };
    entries.flatten().filter_map(size).sum()
}

/// The single binary, where files go up by our own client.
struct ByOurs<'a>(Machine<'a>);

impl Half for ByOurs<'_> {
    fn address(&self) -> &str {
        self.0.address()
    }
    fn first_password(&self) -> Option<String> {
        self.0.first_password()
    }
    fn key(&self) -> String {
        self.0.key()
    }
    fn lets_in(&self, user: &str) -> bool {
        let trusted = ["--dry-run", "--partial", "--host-key-fingerprint", &self.0.server.fingerprint];
        let volume = &self.0.story.volumes()[0];
        let ended = end(command(&arguments(&self.0, user, &[&trusted[..], &[volume]].concat())));
        assert!(ended.exit == 0 || ended.exit == 3, "{}", ended.stderr);
        ended.exit == 0
    }
    fn upload(&self, user: &str, file: &str) {
        let trusted = ["--host-key-fingerprint", &self.0.server.fingerprint, file];
        let ended = end(command(&arguments(&self.0, user, &trusted)));
        assert_eq!(ended.exit, 0, "{}", ended.stderr);
        assert_eq!(ended.json()["uploads"][0]["state"], "ready");
    }
    fn shows(&self, user: &str, name: &str) -> bool {
        self.0.shows(user, name)
    }
}

#[test]
fn an_export_goes_up_and_becomes_mailboxes() {
    let story = Story::new(30, 2_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = ByOurs(Machine { story: &story, server: &server, sftp: &sftp });
    arrival::an_export_comes_in_and_becomes_mailboxes(&half, &story);
    server.stop();
    story.assert_recreated();
}

#[test]
fn all_volumes_go_up_once_and_nothing_else() {
    let story = Story::new(80, 40_000);
    story.export(&["--volume-size", "1MiB"]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    let admin = officer(&half);
    let (volumes, export) = (story.volumes(), story.path("volumes/old"));
    let sizes: u64 = volumes.iter().map(|volume| fs::metadata(volume).unwrap().len()).sum();

    let planned = upload(&half, &["--dry-run", &export], 0);
    assert_eq!((planned["bytes"].as_u64(), planned["complete"].as_bool()), (Some(sizes), Some(false)));
    assert_eq!(half.ask("GET", "/uploads", &admin, &Value::Null).1, json!([]));

    let sent = upload(&half, &[&export], 0);
    assert_eq!((sent["complete"].as_bool(), sent["host_key"].as_str()), (Some(true), Some(&*server.fingerprint)));
    let uploads = sent["uploads"].as_array().unwrap();
    assert_eq!(uploads.len(), volumes.len());
    assert!(uploads.iter().all(|upload| upload["state"] == "ready" && upload["sent_bytes"] == upload["bytes"]));
    let again = upload(&half, &["--from", &story.path("volumes")], 0);
    let again = again["uploads"].as_array().unwrap();
    assert!(again.iter().all(|upload| upload["already_there"] == true && upload["sent_bytes"] == 0), "{again:?}");
    let (_, listed) = half.ask("GET", "/uploads", &admin, &Value::Null);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|upload| upload["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), volumes.len());
    assert!(names.iter().all(|name| Path::new(name).extension() == Some("mszip".as_ref())), "{names:?}");
}

#[test]
fn what_is_not_a_whole_export_does_not_leave() {
    let story = Story::new(80, 40_000);
    story.export(&["--volume-size", "1MiB"]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    officer(&half);
    let (volumes, export) = (story.volumes(), story.path("volumes/old"));
    let code = |more: &[&str], exit| upload(&half, more, exit)["error"]["code"].as_str().unwrap().to_owned();

    let disguised = story.path("disguised.mszip");
    fs::copy(story.certificate(), &disguised).unwrap();
    for certificate in [story.certificate(), disguised, story.path("volumes/old.report.json")] {
        assert_eq!(code(&["--partial", &certificate], 2), "never_sent");
    }
    assert_eq!(code(&[&volumes[0]], 2), "incomplete");
    assert_eq!(upload(&half, &["--partial", &volumes[0]], 8)["missing_volumes"][0]["last_seen"], false);
    let cut = story.path("cut-0001.mszip");
    let bytes = fs::read(&volumes[1]).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(code(&["--partial", &cut], 2), "truncated");
    assert_eq!(code(&[&story.path("nothing")], 4), "not_found");
    fs::remove_file(&volumes[0]).unwrap();
    let missing = &upload(&half, &[&export], 2)["error"];
    assert!(missing["message"].as_str().unwrap().contains("volumes missing: 1"), "{missing}");
}

#[test]
fn a_server_and_a_user_must_be_the_right_ones() {
    let story = Story::new(5, 500);
    story.export(&[]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    officer(&half);
    let (export, known, wrong) = (story.path("volumes/old"), story.path("known"), story.path("wrong"));
    let run = |user: &str, more: &[&str]| {
        let ended = end(command(&arguments(&half, user, &[&[export.as_str()], more].concat())));
        (ended.exit, ended.json()["error"].clone())
    };
    let (exit, error) = run("clara", &["--known-hosts", &known]);
    assert_eq!((exit, error["code"].as_str()), (3, Some("host_key_unknown")));
    assert!(error["hint"].as_str().unwrap().contains(&server.fingerprint), "{error}");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    fs::write(&known, format!("[127.0.0.1]:{} {key}\n", server.sftp.rsplit_once(':').unwrap().1)).unwrap();
    let (exit, error) = run("clara", &["--known-hosts", &known]);
    assert_eq!((exit, error["code"].as_str()), (3, Some("host_key_changed")));
    // Whoever names the key now knows better than a list of then.
    let ended = end(command(&arguments(
        &half,
        "clara",
        &[&export, "--dry-run", "--known-hosts", &known, "--host-key-fingerprint", &server.fingerprint],
    )));
    assert_eq!((ended.exit, ended.json()["host_key"].as_str()), (0, Some(&*server.fingerprint)));
    let (exit, error) = run("nobody", &["--host-key-fingerprint", &server.fingerprint]);
    assert_eq!((exit, error["code"].as_str()), (3, Some("wrong_login")));

    fs::write(&wrong, "guessed").unwrap();
    let to = format!("sftp://clara@{}", server.sftp);
    let mut by_password = command(&["upload", &export, "--json", "--to", &to, "--password-file", &wrong]);
    by_password.args(["--host-key-fingerprint", &server.fingerprint]);
    let ended = end(by_password);
    assert_eq!((ended.exit, ended.json()["error"]["code"].as_str()), (3, Some("wrong_login")));
    // Said before any volume is compared, so a dry run says it too.
    let key = format!("{}/key", half.key().trim_end_matches("/key.pub"));
    let mut deeper = command(&["upload", &export, "--json", "--dry-run", "--to", &format!("{to}/in"), "--key", &key]);
    deeper.args(["--host-key-fingerprint", &server.fingerprint]);
    let ended = end(deeper);
    let error = ended.json()["error"].clone();
    assert_eq!((ended.exit, error["code"].as_str()), (4, Some("not_found")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("no folder /in"), "{error}");
    let address = server.sftp.clone();
    server.stop();
    let ended = end(command(&["upload", &export, "--json", "--to", &format!("sftp://clara@{address}")]));
    assert_eq!(ended.exit, 6);
}

#[test]
fn a_client_that_is_killed_goes_on() {
    let story = Story::new(100, 500_000);
    story.export(&[]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    officer(&half);
    let (export, partial) = (story.path("volumes/old"), story.data().join("uploads/partial"));
    let mut before = 0;
    for _ in 0..2 {
        let mut client = start(&half, &[&export]);
        until("the first bytes", || (arrived(&partial) > before || client.try_wait().unwrap().is_some()).then_some(()));
        client.kill().unwrap();
        client.wait().unwrap();
        before = arrived(&partial);
    }
    // The server lets go of the file once it has noticed; until then the client tries again.
    let sent = upload(&half, &[&export], 0);
    let upload = &sent["uploads"][0];
    let from = upload["resumed_from"].as_u64().unwrap();
    assert!(from > 0 && upload["sent_bytes"].as_u64().unwrap() < upload["bytes"].as_u64().unwrap(), "{upload}");
    assert!(fetched(&half, "old-0001.mszip") == fs::read(&story.volumes()[0]).unwrap());
}

#[test]
fn a_server_that_is_killed_is_found_again() {
    let story = Story::new(100, 500_000);
    story.export(&[]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    officer(&half);
    let partial = story.data().join("uploads/partial");
    let mut client = start(&half, &[&story.path("volumes/old")]);
    until("the first bytes", || (arrived(&partial) > 0 || client.try_wait().unwrap().is_some()).then_some(()));
    let address = server.sftp.clone();
    drop(server);
    thread::sleep(Duration::from_millis(100));
    let server = Server::start_at(&story, &address);
    let output = client.wait_with_output().unwrap();
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{sent}");
    assert!(sent["uploads"][0]["resumed_from"].is_u64(), "{sent}");
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    assert!(fetched(&half, "old-0001.mszip") == fs::read(&story.volumes()[0]).unwrap());
}
