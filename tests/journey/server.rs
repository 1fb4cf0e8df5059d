//! The server: uploads by SFTP, everything else by HTTP.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    program::{Data, Ended, command, end},
    source::{MAILBOX, Story},
};

const ADMIN_PASSWORD: &str = "a long password";

/// A running server; killed when it is dropped.
struct Server {
    process: Child,
    http: String,
    sftp: String,
    fingerprint: String,
    first_password: Option<String>,
}

impl Server {
    fn start(story: &Story) -> Self {
        let data = story.data();
        let arguments = Data(&data).arguments(&["serve", "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"]);
        let mut process = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let http = lines.next().unwrap().strip_prefix("http: ").unwrap().to_owned();
        let door = lines.next().unwrap();
        let (sftp, fingerprint) = door.strip_prefix("sftp: ").unwrap().split_once(' ').unwrap();
        let (sftp, fingerprint) = (sftp.to_owned(), fingerprint.to_owned());
        let is_first = fs::exists(data.join("initial-admin-password")).unwrap();
        let first_password =
            is_first.then(|| lines.next().unwrap().strip_prefix("admin password: ").unwrap().to_owned());
        Self { process, http, sftp, fingerprint, first_password }
    }

    /// One request and the document of its answer.
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.http,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default())
    }

    fn log_in(&self, login: &Value) -> String {
        let (status, session) = self.ask("POST", "/session", "nobody", login);
        assert_eq!(status, 201, "{session}");
        session["token"].as_str().unwrap().to_owned()
    }

    /// The command line through this server.
    fn json(&self, token: &str, arguments: &[&str]) -> Value {
        let mut command = command(arguments);
        command.args(["--json", "--server", &format!("http://{}", self.http)]).env("POSTKAHN_TOKEN", token);
        let ended = end(command);
        assert_eq!(ended.exit, 0, "{arguments:?}\n{}", ended.stderr);
        ended.json()
    }

    fn stop(mut self) {
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
struct Sftp {
    folder: String,
}

impl Sftp {
    fn new(story: &Story) -> Self {
        let folder = story.path("ssh");
        fs::create_dir(&folder).unwrap();
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &format!("{folder}/key")]).status();
        assert!(made.unwrap().success());
        Self { folder }
    }

    fn run(&self, user: &str, server: &Server, batch: &str) -> Ended {
        let Self { folder } = self;
        fs::write(format!("{folder}/batch"), batch).unwrap();
        let (host, port) = server.sftp.rsplit_once(':').unwrap();
        let mut command = Command::new("sftp");
        command.args(["-b", &format!("{folder}/batch"), "-F", "/dev/null", "-P", port, "-i", &format!("{folder}/key")]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]);
        command.args(["-o", &format!("UserKnownHostsFile={folder}/known"), &format!("{user}@{host}")]);
        end(command)
    }

    fn fingerprint(&self) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-lf", &format!("{}/known", self.folder)]);
        String::from_utf8(end(command).stdout).unwrap()
    }
}

/// Asks again and again, at most a minute.
fn until<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{what} took too long");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn set_up_users(server: &Server, admin: &str, sftp: &Sftp) {
    let key = format!("{}/key.pub", sftp.folder);
    server.json(admin, &["group", "add", "officers", "--roles", "Compliance"]);
    server.json(admin, &["user", "add", "clara", "--groups", "officers", "--key", &key]);
    server.json(admin, &["user", "add", "mona", "--groups", "officers", "--key", &key, "--mfa"]);
    server.json(admin, &["user", "add", "rita", "--groups", "readers", "--key", &key]);
}

#[test]
fn an_export_comes_in_by_sftp_and_becomes_mailboxes() {
    let story = Story::new(30, 2_000);
    let password = story.password_file();
    story.export(&["--password-file", &password]);
    let server = Server::start(&story);
    let admin = first_login(&story, &server);
    let sftp = Sftp::new(&story);
    set_up_users(&server, &admin, &sftp);

    let put = format!("put \"{}\"\n", story.volumes()[0]);
    for stranger in ["mona", "rita", "nobody"] {
        assert_ne!(sftp.run(stranger, &server, &put).exit, 0, "{stranger} was let in");
    }
    let sent = sftp.run("clara", &server, &put);
    assert_eq!(sent.exit, 0, "{}", sent.stderr);
    assert!(sftp.fingerprint().contains(&server.fingerprint));
    let upload = until("the look at the upload", || {
        let (_, uploads) = server.ask("GET", "/uploads", &admin, &Value::Null);
        Some(uploads[0].clone()).filter(|upload| upload["state"] != "pending")
    });
    assert_eq!((upload["state"].as_str(), upload["mails"].as_u64()), (Some("ready"), Some(story.files)));
    assert!(String::from_utf8_lossy(&sftp.run("clara", &server, "ls -1\n").stdout).contains("\nold-0001.mszip"));

    let import = import(&server, &admin, &story, &upload["id"]);
    assert_eq!(import["balanced"], true);
    assert_eq!(server.ask("GET", "/uploads", &admin, &Value::Null).1, json!([]));
    let (_, schedules) = server.ask("GET", "/schedules", &admin, &Value::Null);
    assert!(schedules.as_array().unwrap().iter().any(|s| s["id"] == "restructure" && s["every_minutes"] == 15));
    assert_eq!(server.json(&admin, &["restructure"])["reports_left"], 0);
    assert_ne!(server.ask("GET", "/mails", &admin, &Value::Null).0, 200, "an Admin sees mail");
    server.stop();
    story.assert_recreated();
}

/// The first login changes the password, and then nothing keeps the first one.
fn first_login(story: &Story, server: &Server) -> String {
    let kept = story.data().join("initial-admin-password");
    let first = server.first_password.clone().unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap().trim_end(), first);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let login = json!({ "user": "admin", "password": first });
    assert_eq!(server.ask("POST", "/session", "nobody", &login).1["code"], "password_change_needed");
    assert!(kept.exists());
    let login = json!({ "user": "admin", "password": first, "new_password": ADMIN_PASSWORD });
    let token = server.log_in(&login);
    assert!(!kept.exists());
    token
}

/// Starts the import of an upload, first with a wrong password, and waits for its end.
fn import(server: &Server, admin: &str, story: &Story, upload: &Value) -> Value {
    let certificate = BASE64_STANDARD.encode(fs::read(story.certificate()).unwrap());
    let mut start = json!({ "uploads": [upload], "mailbox": MAILBOX, "certificate": certificate, "password": "guessed", "auto_start": false });
    let (status, problem) = server.ask("POST", "/imports", admin, &start);
    assert_eq!((status, problem["code"].as_str()), (403, Some("wrong_password")));
    assert_eq!(server.ask("GET", "/imports", admin, &Value::Null).1, json!([]));
    start["password"] = json!(crate::source::PASSWORD);
    let (status, started) = server.ask("POST", "/imports", admin, &start);
    assert_eq!(status, 202, "{started}");
    let id = started["imports"][0]["id"].as_str().unwrap();
    until("the import", || {
        let (_, import) = server.ask("GET", &format!("/imports/{id}"), admin, &Value::Null);
        assert_ne!(import["state"], "failed", "{import}");
        Some(import).filter(|import| import["state"] == "finished")
    })
}

#[test]
fn the_command_line_goes_through_a_server() {
    let story = Story::new(10, 1_000);
    story.export(&[]);
    let server = Server::start(&story);
    let data = story.data();
    let error = &Data(&data).json(&["mailboxes"], 6)["error"];
    assert!(error["hint"].as_str().unwrap().contains(&format!("--server http://{}", server.http)), "{error}");

    let admin = first_login(&story, &server);
    server.json(&admin, &["group", "add", "movers", "--roles", "Admin,Compliance"]);
    let moved = server.json(&admin, &["user", "add", "max", "--groups", "movers"]);
    let login = json!({ "user": "max", "password": moved["password"], "new_password": ADMIN_PASSWORD });
    let max = server.log_in(&login);
    let (volumes, certificate) = (story.volumes(), story.certificate());
    let imports = server.json(&max, &["import", &volumes[0], "--mailbox", MAILBOX, "--certificate", &certificate]);
    assert_eq!(
        (imports["imports"][0]["state"].as_str(), imports["imports"][0]["balanced"].as_bool()),
        (Some("finished"), Some(true))
    );
    assert!(Path::new(&volumes[0]).exists());
    server.json(&max, &["restructure"]);
    let mails = server.json(&max, &["mails", "--mailbox", MAILBOX]);
    assert_eq!(mails["mails"].as_array().unwrap().len(), story.mails.len());
    assert_eq!(server.json(&max, &["check"])["balanced"], true);
    server.stop();
    story.assert_recreated();
    let again = Server::start(&story);
    assert_eq!(again.first_password, None);
    again.log_in(&json!({ "user": "admin", "password": ADMIN_PASSWORD }));
}
