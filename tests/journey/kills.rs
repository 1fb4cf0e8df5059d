//! A hundred kills of the real process, on one data folder, at instants that follow from a seed: the end is that of an
//! undisturbed run.
//!
//! `POSTKAHN_CRASH_SEED` repeats the kills of an earlier run; each run prints its own seed.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io::{self, BufRead as _, BufReader, Read},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    arrival::{Half as _, request},
    folder::Data,
    program::{Place as _, command},
    rebuild::seen,
    server::{Machine, Server, Sftp},
    source::{MAILBOX, Story},
};

const KILLS: u32 = 100;
/// Each volume goes into each of them.
const MAILBOXES: [&str; 4] = [MAILBOX, "second@example.org", "third@example.org", "fourth@example.org"];
const SIGKILL: i32 = 9;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    #[expect(clippy::disallowed_methods, reason = "whoever repeats a run names its seed")]
    #[expect(clippy::print_stdout, reason = "shown where the test fails")]
    fn seeded() -> Self {
        let given = env::var("POSTKAHN_CRASH_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one("kills"));
        println!("POSTKAHN_CRASH_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn share_of(&mut self, whole: Duration) -> Duration {
        whole * u32::try_from(self.below(100)).unwrap() / 100
    }
}

/// What a calm run of each kind takes on this machine: kills fall into that time.
struct Pace {
    start: Duration,
    work: Duration,
    import: Duration,
    restructure: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// Volumes, users who send them, and the folder in which all of it happens.
struct Scene {
    story: Story,
    volumes: Vec<String>,
    certificate: String,
    sftp: Sftp,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let story = Story::new(90, 40_000);
        let exported = story.export(&["--volume-size", "1MiB"]);
        assert!(exported["volumes"].as_array().unwrap().len() > 1);
        let (server, sftp) = (Server::start(&story), Sftp::new(&story));
        let machine = Machine { story: &story, server: &server, sftp: &sftp };
        let token = machine.first_login();
        machine.json(&token, &["user", "add", "clara", "--groups", "compliance", "--key", &machine.key()]);
        server.stop();
        let certificate = BASE64_STANDARD.encode(fs::read(story.certificate()).unwrap());
        Self { volumes: story.volumes(), certificate, sftp, token, story }
    }

    fn import<'a>(&'a self, certificate: &'a str, volume: usize, mailbox: usize) -> Vec<&'a str> {
        vec!["import", &self.volumes[volume], "--mailbox", MAILBOXES[mailbox], "--certificate", certificate]
    }

    /// Every volume into every mailbox, and what becomes of them.
    fn complete(&self, data: &Data<'_>) {
        let certificate = self.story.certificate();
        for mailbox in MAILBOXES {
            let mut arguments = vec!["import"];
            arguments.extend(self.volumes.iter().map(String::as_str));
            arguments.extend(["--mailbox", mailbox, "--certificate", &certificate]);
            data.json(&arguments, 0);
        }
        assert_eq!(data.json(&["restructure"], 0)["reports_left"], 0);
    }

    /// An archive that nothing disturbs, and how long things take in it.
    fn calm(&self, folder: &TempDir) -> Pace {
        let data = Data(folder.path());
        data.json(&["user", "add", "clara", "--groups", "compliance", "--key", &self.sftp.public_key()], 0);
        let certificate = self.story.certificate();
        let (_, start) = timed(|| data.json(&["mailboxes"], 0));
        let (_, import) = timed(|| data.json(&self.import(&certificate, 0, 0), 0));
        let (_, restructure) = timed(|| data.json(&["restructure"], 0));
        self.complete(&data);
        Pace { start, work: import + restructure, import, restructure }
    }

    /// One of the program's long runs, killed on its way.
    fn round(&self, dice: &mut Dice, pace: &Pace) -> Option<Killed> {
        let certificate = self.story.certificate();
        match dice.below(10) {
            0..6 => Some(self.serve(dice, pace)),
            6..9 => {
                let arguments = self.import(&certificate, dice.below(self.volumes.len()), dice.below(MAILBOXES.len()));
                self.run(&arguments, dice.share_of(pace.import))
            }
            _ => self.run(&["restructure"], dice.share_of(pace.restructure)),
        }
    }

    /// None if the command was done before its time was up.
    fn run(&self, arguments: &[&str], lifetime: Duration) -> Option<Killed> {
        let folder = self.story.data();
        let mut process = Data(&folder).start(arguments);
        thread::sleep(lifetime);
        let _ = process.kill();
        let output = process.wait_with_output().unwrap();
        match output.status.code() {
            Some(code) => {
                assert_eq!(code, 0, "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
                None
            }
            None => Some(Killed::default()),
        }
    }

    /// A server that dies while files come in, imports start and restructure is asked for.
    fn serve(&self, dice: &mut Dice, pace: &Pace) -> Killed {
        let log = self.story.path("serve.log");
        let folder = self.story.data();
        let arguments = Data(&folder).arguments(&["serve", "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"]);
        let errors = File::create(&log).unwrap();
        let mut process = command(&arguments).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        // Some die before they serve.
        let (waits, lifetime) = match dice.below(5) {
            0 => (false, dice.share_of(pace.start)),
            _ => (true, dice.share_of(pace.work)),
        };
        let mut plan = Dice(dice.0);
        let (up, is_up) = mpsc::channel();
        let done = thread::scope(|scope| {
            let client = scope.spawn(|| self.use_server(stdout, &up, &mut plan));
            if waits {
                is_up.recv_timeout(Duration::from_mins(1)).unwrap();
            }
            thread::sleep(lifetime);
            process.kill().unwrap();
            client.join().unwrap()
        });
        let status = process.wait().unwrap();
        let said = fs::read_to_string(&log).unwrap();
        assert_eq!(status.signal(), Some(SIGKILL), "it ended by itself: {status}\n{said}");
        assert!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
        done
    }

    /// Does what people do with a server, until it is gone.
    fn use_server(&self, stdout: impl Read, up: &Sender<()>, dice: &mut Dice) -> Killed {
        let mut done = Killed::default();
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let http = lines.next().and_then(|line| Some(line.strip_prefix("http: ")?.to_owned()));
        let door = lines.next().and_then(|line| Some(line.strip_prefix("sftp: ")?.split_once(' ')?.0.to_owned()));
        let (Some(http), Some(door)) = (http, door) else { return done };
        let _ = up.send(());
        let mut sender = self.send_by_sftp(&door, dice);
        let client = Client { http: &http, token: &self.token };
        // Ends by the error of the first request that finds nobody.
        let Err(_) = client.work(self, dice, &mut done);
        let _ = sender.kill();
        let _ = sender.wait();
        done
    }

    /// Sends a volume as `clara`, or goes on with one that was cut off.
    fn send_by_sftp(&self, door: &str, dice: &mut Dice) -> Child {
        let how = ["put", "reput"][dice.below(2)];
        let volume = &self.volumes[dice.below(self.volumes.len())];
        let mut sftp = self.sftp.command("clara", door, &format!("{how} \"{volume}\"\n"));
        sftp.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// What was under way when the process died.
#[derive(Default)]
struct Killed {
    uploads: u32,
    imports: u32,
}

enum Never {}

struct Client<'a> {
    http: &'a str,
    token: &'a str,
}

impl Client<'_> {
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Value)> {
        let (status, document) = request(self.http, method, path, self.token, body)?;
        assert!(status < 500, "{method} {path}: {status} {document}");
        Ok((status, document))
    }

    fn work(&self, scene: &Scene, dice: &mut Dice, done: &mut Killed) -> io::Result<Never> {
        loop {
            self.start_what_is_ready(scene, dice, done)?;
            let volume = dice.below(scene.volumes.len());
            let bytes = fs::read(&scene.volumes[volume]).unwrap();
            done.uploads += 1;
            self.ask("PUT", &format!("/uploads/old-{:04}.mszip", volume + 1), &bytes)?;
            self.start_what_is_ready(scene, dice, done)?;
            self.ask("POST", "/schedules/restructure/run", b"")?;
            if dice.below(4) == 0 {
                self.ask("DELETE", "/uploads/admin%2Fold-0001.mszip", b"")?;
            }
        }
    }

    fn start_what_is_ready(&self, scene: &Scene, dice: &mut Dice, done: &mut Killed) -> io::Result<()> {
        let (_, uploads) = self.ask("GET", "/uploads", b"")?;
        for upload in uploads.as_array().into_iter().flatten() {
            assert_ne!(upload["state"], "rejected", "{upload}");
            if upload["state"] == "ready" {
                let mailbox = MAILBOXES[dice.below(MAILBOXES.len())];
                let certificate = &scene.certificate;
                let start = json!({ "uploads": [upload["id"]], "mailbox": mailbox, "certificate": certificate });
                let (status, _) = self.ask("POST", "/imports", start.to_string().as_bytes())?;
                done.imports += u32::from(status == 202);
            }
        }
        Ok(())
    }
}

/// All that may be seen, without what nobody can repeat: times, and who has chosen a password.
fn comparable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|name, _| !["import_date", "must_change_password"].contains(&name.as_str()));
            members.values_mut().for_each(|member| *member = comparable(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = comparable(item.take())),
        _ => {}
    }
    value
}

/// What `check` says, without what depends on where steps began and ended.
fn checked(data: &Data<'_>) -> Value {
    let mut checked = data.json(&["check", "--read-data"], 0);
    for name in ["packs", "orphans", "dead_bytes"] {
        checked[name] = Value::Null;
    }
    checked
}

/// Those of uploads go on in a server; they get a minute.
fn ended_imports(machine: &Machine<'_>, token: &str) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let (_, imports) = machine.ask("GET", "/imports?limit=1000", token, &Value::Null);
        let imports = imports.as_array().unwrap();
        let is_open = |import: &Value| import["state"] == "waiting" || import["state"] == "running";
        if !imports.iter().any(is_open) || Instant::now() > deadline {
            return imports.clone();
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The imports all end, and together they have brought each mail once.
fn assert_balanced(scene: &Scene) {
    let server = Server::start(&scene.story);
    let machine = Machine { story: &scene.story, server: &server, sftp: &scene.sftp };
    let imports = ended_imports(&machine, &scene.token);
    for import in &imports {
        assert_eq!((&import["state"], &import["balanced"]), (&json!("finished"), &json!(true)), "{import}");
    }
    let imported: u64 = imports.iter().map(|import| import["imported"].as_u64().unwrap()).sum();
    assert_eq!(imported, scene.story.mails.len() as u64, "{} imports", imports.len());
    let (_, uploads) = machine.ask("GET", "/uploads", &scene.token, &Value::Null);
    assert!(uploads.as_array().unwrap().iter().all(|upload| upload["import"].is_null()), "{uploads}");
    server.stop();
}

#[test]
fn a_hundred_kills_change_nothing_in_the_end() {
    let mut dice = Dice::seeded();
    let (scene, calm) = (Scene::new(), TempDir::new().unwrap());
    let pace = scene.calm(&calm);
    let (mut kills, mut uploads, mut imports) = (0, 0, 0);
    while kills < KILLS {
        if let Some(killed) = scene.round(&mut dice, &pace) {
            kills += 1;
            uploads += killed.uploads;
            imports += killed.imports;
        }
    }
    assert!(uploads > 20 && imports > 10, "{uploads} uploads, {imports} imports");

    let (calm, folder) = (Data(calm.path()), scene.story.data());
    let data = Data(&folder);
    scene.complete(&data);
    assert_balanced(&scene);
    assert_eq!(checked(&data), checked(&calm));
    let (before, expected) = (seen(&data), seen(&calm));
    assert_eq!(comparable(before.clone()), comparable(expected));
    let hashes: BTreeSet<_> = data.mails(MAILBOXES[0], None).iter().map(|mail| mail["id"].to_string()).collect();
    assert_eq!(hashes, scene.story.mails.keys().map(|hash| format!("{hash:?}")).collect());

    let whole = data.json(&["check", "--read-data"], 0);
    let rebuilt = data.json(&["rebuild"], 0);
    assert_eq!((&rebuilt["messages"], &rebuilt["placements"]), (&whole["messages"], &whole["placements"]));
    assert_eq!(seen(&data), before);
    assert_eq!(checked(&data), checked(&calm));
}
