//! An export arrives and becomes mailboxes: the same on one machine and on the functions.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    program::{Place as _, Served, command, end},
    source::{MAILBOX, PASSWORD, Story},
};

pub(crate) const ADMIN_PASSWORD: &str = "a long password";

/// Where the product runs, seen from outside.
pub(crate) trait Half {
    /// Of the HTTP interface: `host:port`.
    fn address(&self) -> &str;
    /// The admin's first password, as long as it is kept.
    fn first_password(&self) -> Option<String>;
    /// Public key of all users, as a file.
    fn key(&self) -> String;
    /// Whether the user is let in by that key.
    fn lets_in(&self, user: &str) -> bool;
    /// Sends a file into the user's home, by that key.
    fn upload(&self, user: &str, file: &str);
    /// Whether the user finds a file of that name at home, and no mark that it is not looked at yet.
    fn shows(&self, user: &str, name: &str) -> bool;

    /// One request and the document of its answer.
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(self.address(), method, path, token, body.as_bytes()).unwrap()
    }

    fn log_in(&self, login: &Value) -> String {
        let (status, session) = self.ask("POST", "/session", "nobody", login);
        assert_eq!(status, 201, "{session}");
        session["token"].as_str().unwrap().to_owned()
    }

    /// The command line through this server.
    fn json(&self, token: &str, arguments: &[&str]) -> Value {
        let mut command = command(arguments);
        command.args(["--json", "--server", &format!("http://{}", self.address())]).env("POSTKAHN_TOKEN", token);
        let ended = end(command);
        assert_eq!(ended.exit, 0, "{arguments:?}\n{}", ended.stderr);
        ended.json()
    }

    /// The first login changes the password, and then nothing keeps the first one.
    fn first_login(&self) -> String {
        let first = self.first_password().unwrap();
        let login = json!({ "user": "admin", "password": first });
        assert_eq!(self.ask("POST", "/session", "nobody", &login).1["code"], "password_change_needed");
        assert_eq!(self.first_password(), Some(first.clone()));
        let login = json!({ "user": "admin", "password": first, "new_password": ADMIN_PASSWORD });
        let token = self.log_in(&login);
        assert_eq!(self.first_password(), None);
        token
    }

    /// A user of that group with a password, and their token.
    fn member(&self, admin: &str, name: &str, group: &str) -> String {
        let made = self.json(admin, &["user", "add", name, "--groups", group]);
        self.log_in(&json!({ "user": name, "password": made["password"], "new_password": ADMIN_PASSWORD }))
    }

    /// All that a Compliance officer sees.
    fn seen_by(&self, token: &str) -> Served {
        Served { url: format!("http://{}", self.address()), token: token.to_owned() }
    }

    /// The upload of that name once it was looked at.
    fn looked_at(&self, admin: &str, name: &str) -> Value {
        until("the look at the upload", || {
            let (_, uploads) = self.ask("GET", "/uploads", admin, &Value::Null);
            let uploads = uploads.as_array().unwrap().iter();
            let upload =
                uploads.clone().find(|upload| upload["name"].as_str().is_some_and(|found| found.ends_with(name)));
            upload.filter(|upload| upload["state"] != "pending").cloned()
        })
    }

    /// Waits for the end of an import.
    fn finished(&self, admin: &str, id: &str) -> Value {
        until("the import", || {
            let (_, import) = self.ask("GET", &format!("/imports/{id}"), admin, &Value::Null);
            assert_ne!(import["state"], "failed", "{import}");
            Some(import).filter(|import| import["state"] == "finished")
        })
    }
}

/// One request and the document of its answer, null if it has none; an error where the connection breaks off.
pub(crate) fn request(address: &str, method: &str, path: &str, token: &str, body: &[u8]) -> io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, document) = answer.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut_off)?;
    Ok((status, serde_json::from_str(document).unwrap_or_default()))
}

/// Asks again and again, at most a minute and a half.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{what} took too long");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What starts the import of uploads with the export's certificate and the password.
pub(crate) fn start_of(story: &Story, uploads: &[&Value]) -> Value {
    let certificate = BASE64_STANDARD.encode(fs::read(story.certificate()).unwrap());
    json!({ "uploads": uploads, "mailbox": MAILBOX, "certificate": certificate, "password": PASSWORD, "auto_start": false })
}

pub(crate) fn set_up_users(half: &impl Half, admin: &str) {
    let key = half.key();
    half.json(admin, &["group", "add", "officers", "--roles", "Compliance"]);
    half.json(admin, &["user", "add", "clara", "--groups", "officers", "--key", &key]);
    half.json(admin, &["user", "add", "mona", "--groups", "officers", "--key", &key, "--mfa"]);
    half.json(admin, &["user", "add", "rita", "--groups", "readers", "--key", &key]);
}

/// Starts the import of an upload, first with a wrong password, and waits for its end.
fn import(half: &impl Half, admin: &str, story: &Story, upload: &Value) -> Value {
    let mut start = start_of(story, &[upload]);
    start["password"] = json!("guessed");
    let (status, problem) = half.ask("POST", "/imports", admin, &start);
    assert_eq!((status, problem["code"].as_str()), (403, Some("wrong_password")));
    assert_eq!(half.ask("GET", "/imports", admin, &Value::Null).1, json!([]));
    start["password"] = json!(PASSWORD);
    let (status, started) = half.ask("POST", "/imports", admin, &start);
    assert_eq!(status, 202, "{started}");
    half.finished(admin, started["imports"][0]["id"].as_str().unwrap())
}

/// The whole way of one volume. `officer` sees all mail then.
pub(crate) fn an_export_comes_in_and_becomes_mailboxes(half: &impl Half, story: &Story) {
    let admin = half.first_login();
    set_up_users(half, &admin);
    for stranger in ["mona", "rita", "nobody"] {
        assert!(!half.lets_in(stranger), "{stranger} was let in");
    }
    half.upload("clara", &story.volumes()[0]);
    let upload = half.looked_at(&admin, "old-0001.mszip");
    assert_eq!((upload["state"].as_str(), upload["mails"].as_u64()), (Some("ready"), Some(story.files)));
    assert!(half.shows("clara", "old-0001.mszip"));

    let import = import(half, &admin, story, &upload["id"]);
    assert_eq!(import["balanced"], true);
    assert_eq!(half.ask("GET", "/uploads", &admin, &Value::Null).1, json!([]));
    let (_, schedules) = half.ask("GET", "/schedules", &admin, &Value::Null);
    assert!(schedules.as_array().unwrap().iter().any(|s| s["id"] == "restructure" && s["every_minutes"] == 15));
    let mapping = half.json(&admin, &["mapping", "list"]);
    assert!(mapping.as_array().unwrap().iter().all(|row| row["mails_waiting"].as_u64() > Some(0)), "{mapping}");
    let shown = half.json(&admin, &["restructure", "--dry-run"]);
    let done = half.json(&admin, &["restructure"]);
    assert_eq!(done["reports_left"], 0);
    assert_eq!((&shown["dry_run"], &shown["placements_created"]), (&json!(true), &done["placements_created"]));
    for id in [&import["id"], &import["export_id"]] {
        let report = half.json(&admin, &["report", id.as_str().unwrap()]);
        assert_eq!(
            (report["balanced"].as_bool(), report["sums"][0]["catalogue"].as_u64()),
            (Some(true), Some(story.files))
        );
        assert!(report["mailboxes"].as_array().unwrap().len() > 1, "{report}");
    }
    assert_ne!(half.ask("GET", "/mails", &admin, &Value::Null).0, 200, "an Admin sees mail");
    let officer = half.member(&admin, "olga", "officers");
    let seen = half.seen_by(&officer);
    story.assert_recreated_in(&seen);
    assert_eq!(seen.mails(MAILBOX, None).len(), story.mails.len());

    // The target has served its purpose; the mails stay where they belong.
    assert_eq!(half.json(&admin, &["mailbox", "empty", MAILBOX])["dry_run"], true);
    assert_eq!(half.json(&admin, &["mailbox", "empty", MAILBOX, "--yes"])["mails"], story.mails.len());
    assert!(seen.mails(MAILBOX, None).is_empty());
    story.assert_recreated_in(&seen);

    // Once more: everything is there.
    half.upload("clara", &story.volumes()[0]);
    let upload = half.looked_at(&admin, "old-0001.mszip");
    let (_, started) = half.ask("POST", "/imports", &admin, &start_of(story, &[&upload["id"]]));
    let again = half.finished(&admin, started["imports"][0]["id"].as_str().unwrap());
    assert_eq!((again["imported"].as_u64(), again["already_there"].as_u64()), (Some(0), Some(story.files)));
}
