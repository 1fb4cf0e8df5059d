//! The server: uploads by SFTP, everything else by HTTP.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::{
    arrival::{self, ADMIN_PASSWORD, Half},
    folder::Data,
    foreign,
    program::{Ended, Place as _, command, end},
    source::{MAILBOX, Story},
};

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    http: String,
    pub(crate) sftp: String,
    pub(crate) fingerprint: String,
    first_password: Option<String>,
}

impl Server {
    pub(crate) fn start(story: &Story) -> Self {
        Self::start_at(story, "127.0.0.1:0")
    }

    pub(crate) fn start_at(story: &Story, sftp: &str) -> Self {
        let data = story.data();
        let is_first = !fs::exists(data.join("keys/sftp-host-key")).unwrap();
        let arguments = Data(&data).arguments(&["serve", "--http", "127.0.0.1:0", "--sftp", sftp]);
        let mut process = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let http = lines.next().unwrap().strip_prefix("http: ").unwrap().to_owned();
        let door = lines.next().unwrap();
        let (sftp, fingerprint) = door.strip_prefix("sftp: ").unwrap().split_once(' ').unwrap();
        let (sftp, fingerprint) = (sftp.to_owned(), fingerprint.to_owned());
        let first_password =
            is_first.then(|| lines.next().unwrap().strip_prefix("admin password: ").unwrap().to_owned());
        Self { process, http, sftp, fingerprint, first_password }
    }

    fn kept_password(story: &Story) -> Option<String> {
        fs::read_to_string(story.data().join("initial-admin-password")).ok().map(|text| text.trim_end().to_owned())
    }

    pub(crate) fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// OpenSSH with a key of its own.
pub(crate) struct Sftp {
    folder: String,
}

impl Sftp {
    pub(crate) fn new(story: &Story) -> Self {
        let folder = story.path("ssh");
        fs::create_dir(&folder).unwrap();
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &format!("{folder}/key")]).status();
        assert!(made.unwrap().success());
        Self { folder }
    }

    pub(crate) fn run(&self, user: &str, server: &Server, batch: &str) -> Ended {
        end(self.command(user, &server.sftp, batch))
    }

    /// To be run against the server at `door`: `host:port`.
    pub(crate) fn command(&self, user: &str, door: &str, batch: &str) -> Command {
        let Self { folder } = self;
        fs::write(format!("{folder}/batch"), batch).unwrap();
        let (host, port) = door.rsplit_once(':').unwrap();
        let mut command = Command::new("sftp");
        command.args(["-b", &format!("{folder}/batch"), "-F", "/dev/null", "-P", port, "-i", &format!("{folder}/key")]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]);
        command.args(["-o", &format!("UserKnownHostsFile={folder}/known"), &format!("{user}@{host}")]);
        command
    }

    /// The file that has it.
    pub(crate) fn public_key(&self) -> String {
        format!("{}/key.pub", self.folder)
    }

    fn fingerprint(&self) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-lf", &format!("{}/known", self.folder)]);
        String::from_utf8(end(command).stdout).unwrap()
    }
}

/// The single binary, with users that come by SFTP.
pub(crate) struct Machine<'a> {
    pub(crate) story: &'a Story,
    pub(crate) server: &'a Server,
    pub(crate) sftp: &'a Sftp,
}

impl Half for Machine<'_> {
    fn address(&self) -> &str {
        &self.server.http
    }

    fn first_password(&self) -> Option<String> {
        Server::kept_password(self.story)
    }

    fn key(&self) -> String {
        self.sftp.public_key()
    }

    fn lets_in(&self, user: &str) -> bool {
        self.sftp.run(user, self.server, "ls -1\n").exit == 0
    }

    fn upload(&self, user: &str, file: &str) {
        let sent = self.sftp.run(user, self.server, &format!("put \"{file}\"\n"));
        assert_eq!(sent.exit, 0, "{}", sent.stderr);
    }

    fn shows(&self, user: &str, name: &str) -> bool {
        String::from_utf8_lossy(&self.sftp.run(user, self.server, "ls -1\n").stdout).contains(&format!("\n{name}"))
    }
}

#[test]
fn foreign_files_come_in_by_sftp() {
    let story = Story::new(0, 0);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    foreign::foreign_files_come_in_with_their_folders(&Machine { story: &story, server: &server, sftp: &sftp });
    server.stop();
    let checked = Data(&story.data()).json(&["check", "--read-data"], 0);
    assert_eq!((&checked["balanced"], &checked["messages"]), (&json!(true), &json!(6)));
}

#[test]
fn an_export_comes_in_by_sftp_and_becomes_mailboxes() {
    let story = Story::new(30, 2_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let server = Server::start(&story);
    let kept = story.data().join("initial-admin-password");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Server::kept_password(&story), server.first_password);
    let sftp = Sftp::new(&story);
    arrival::an_export_comes_in_and_becomes_mailboxes(&Machine { story: &story, server: &server, sftp: &sftp }, &story);
    assert!(sftp.fingerprint().contains(&server.fingerprint));
    server.stop();
    story.assert_recreated();
}

#[test]
fn an_upload_is_deleted_by_hand() {
    let story = Story::new(5, 500);
    story.export(&[]);
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    let admin = half.first_login();
    half.json(&admin, &["group", "add", "officers", "--roles", "Compliance"]);
    half.json(&admin, &["user", "add", "clara", "--groups", "officers", "--key", &half.key()]);
    half.upload("clara", &story.volumes()[0]);
    let listed = half.json(&admin, &["uploads", "list"]);
    assert_eq!(listed[0]["id"], "clara/old-0001.mszip");
    let deleted = half.json(&admin, &["uploads", "delete", "clara/old-0001.mszip"]);
    assert_eq!(deleted["name"], "old-0001.mszip");
    assert_eq!(half.json(&admin, &["uploads", "list"]), json!([]));
    assert!(!half.shows("clara", "old-0001.mszip") && !half.shows("clara", "(Pending) old-0001.mszip"));
    server.stop();
}

/// Two volumes that are started together; of the first one a mail is damaged, until it comes again.
#[test]
fn uploads_are_started_together_and_tried_again() {
    let story = Story::new(60, 60_000);
    let exported = story.export(&["--volume-size", "1MiB"]);
    let volumes = story.volumes();
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    let admin = half.first_login();
    half.json(&admin, &["group", "add", "officers", "--roles", "Compliance"]);
    half.json(&admin, &["user", "add", "clara", "--groups", "officers", "--key", &half.key()]);
    let (whole, damaged) = (fs::read(&volumes[0]).unwrap(), story.path("old-0001.mszip"));
    fs::copy(&volumes[0], &damaged).unwrap();
    crate::damage::flip(Path::new(&damaged), 1);
    half.upload("clara", &damaged);
    volumes[1..].iter().for_each(|volume| half.upload("clara", volume));
    for volume in &volumes {
        half.looked_at(&admin, volume.rsplit('/').next().unwrap());
    }
    let (place, certificate) = (half.seen_by(&admin), story.certificate());
    let with = ["--mailbox", MAILBOX, "--certificate", &certificate];
    let started = place.json(&[&["imports", "start", "--all"], &with[..]].concat(), 8);
    assert_eq!(started["imports"].as_array().unwrap().len(), volumes.len());
    let report = place.json(&["report", exported["export_id"].as_str().unwrap()], 8);
    assert_eq!((report["complete"].as_bool(), report["balanced"].as_bool()), (Some(true), Some(true)));
    assert!(report["failed"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(half.json(&admin, &["uploads", "list"]).as_array().unwrap().len(), 1, "it stays for another try");

    fs::write(&damaged, whole).unwrap();
    half.upload("clara", &damaged);
    half.looked_at(&admin, "old-0001.mszip");
    let again = half.json(&admin, &[&["imports", "start", "clara/old-0001.mszip"], &with[..]].concat());
    assert_eq!((&again["imports"][0]["failed"], &again["imports"][0]["balanced"]), (&json!([]), &json!(true)));
    assert_eq!(half.json(&admin, &["uploads", "list"]), json!([]));
    place.json(&["report", exported["export_id"].as_str().unwrap()], 0);
    assert_eq!(place.json(&[&["imports", "start", "--all"], &with[..]].concat(), 2)["error"]["code"], "invalid");
    server.stop();
}

/// Two uploads cannot have one name; no file takes another one's place.
#[test]
fn files_of_one_name_are_imported_each() {
    let story = Story::new(0, 500);
    let files = ["a/x.eml", "b/x.eml"].map(|name| story.path(name));
    for (file, text) in files.iter().zip(["one", "the other"]) {
        fs::create_dir_all(Path::new(file).parent().unwrap()).unwrap();
        fs::write(file, format!("Subject: {text}\r\n\r\n{text}\r\n")).unwrap();
    }
    let (server, sftp) = (Server::start(&story), Sftp::new(&story));
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    let admin = half.first_login();
    let import = |file: &str| ["import".to_owned(), file.to_owned(), "--mailbox".to_owned(), MAILBOX.to_owned()];
    let both = half.json(&admin, &["import", &files[0], &files[1], "--mailbox", MAILBOX]);
    let (one, other) = (&both["imports"][0], &both["imports"][1]);
    assert_ne!(one["id"], other["id"]);
    assert_eq!((&one["imported"], &other["imported"]), (&json!(1), &json!(1)), "{both}");

    let waiting = b"Subject: a third one\r\n\r\nand its text\r\n";
    arrival::request(&server.http, "PUT", "/uploads/x.eml", &admin, waiting).unwrap();
    let upload = half.looked_at(&admin, "x.eml");
    let arguments = import(&files[0]);
    let refused = half.seen_by(&admin).json(&arguments.each_ref().map(String::as_str), 5);
    assert_eq!(refused["imports"][0]["code"], "conflict", "{refused}");
    assert_eq!(half.json(&admin, &["uploads", "list"])[0]["id"], upload["id"]);
    server.stop();

    let data = story.data();
    let arguments = import(&story.path("a/../b/x.eml"));
    let again = Data(&data).json(&arguments.each_ref().map(String::as_str), 0);
    assert_eq!(again["imports"][0]["already_there"], 1, "{again}");
}

#[test]
fn the_command_line_goes_through_a_server() {
    let story = Story::new(10, 1_000);
    story.export(&[]);
    let server = Server::start(&story);
    let data = story.data();
    let error = &Data(&data).json(&["mailboxes"], 6)["error"];
    assert!(error["hint"].as_str().unwrap().contains(&format!("--server http://{}", server.http)), "{error}");

    let sftp = Sftp::new(&story);
    let half = Machine { story: &story, server: &server, sftp: &sftp };
    let admin = half.first_login();
    half.json(&admin, &["group", "add", "movers", "--roles", "Admin,Compliance"]);
    let max = half.member(&admin, "max", "movers");
    let (volumes, certificate) = (story.volumes(), story.certificate());
    let imports = half.json(&max, &["import", &volumes[0], "--mailbox", MAILBOX, "--certificate", &certificate]);
    assert_eq!(
        (imports["imports"][0]["state"].as_str(), imports["imports"][0]["balanced"].as_bool()),
        (Some("finished"), Some(true))
    );
    assert!(Path::new(&volumes[0]).exists());
    half.json(&max, &["restructure"]);
    let mails = half.json(&max, &["mails", "--mailbox", MAILBOX]);
    assert_eq!(mails["mails"].as_array().unwrap().len(), story.mails.len());
    assert_eq!(half.json(&max, &["check"])["balanced"], true);
    server.stop();
    story.assert_recreated();
    let again = Server::start(&story);
    assert_eq!(again.first_password, None);
    let half = Machine { story: &story, server: &again, sftp: &sftp };
    half.log_in(&json!({ "user": "admin", "password": ADMIN_PASSWORD }));
}
