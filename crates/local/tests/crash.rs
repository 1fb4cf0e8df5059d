//! A process is killed in the midst of its writes: what it had acknowledged is there, and nothing is torn.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use archive::{
    EntryRef, Flags, FolderPath, ImportId, MailHash, MailboxAddress, MessageRow, PackId, PlacementKey,
    job::Job,
    ports::{Catalog as _, Expect, ObjectKey, Objects as _, PutMode, Queue as _, Scope},
};
use local::Local;
use serde_json::json;

const ROUNDS: u64 = 6;
const OBJECT: u64 = 300_000;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn mailbox() -> MailboxAddress {
    MailboxAddress::parse("anna@firma.example").unwrap()
}

fn inbox() -> Scope {
    Scope::Folder(mailbox(), FolderPath(vec!["INBOX".into()]))
}

fn hash(n: u64, of: u64) -> MailHash {
    MailHash::of(format!("{n} {of}").as_bytes())
}

fn rows(n: u64) -> Vec<MessageRow> {
    let row = |of| MessageRow {
        hash: hash(n, of),
        size_bytes: n,
        pack: PackId(n.to_string()),
        offset: 0,
        stored_bytes: n,
        message_date: Some(0),
        message_date_source: None,
        archive_date: None,
        import_date: 0,
        first: EntryRef { import: ImportId("i".into()), entry: n },
        defects: 0,
        subject: None,
        from: None,
        message_id: None,
        locations: [vec!["anna".to_owned(), of.to_string()]].into(),
        flags: Flags::default(),
    };
    (0..20).map(row).collect()
}

fn upload(n: u64) -> Job {
    Job::Intake { upload: key(&format!("anna/{n}")) }
}

/// One of each kind of write, each acknowledged on a line of its own.
async fn write(local: &Local, n: u64) {
    let byte = u8::try_from(n % 251).unwrap();
    let bytes = || bytes::Bytes::from(vec![byte; usize::try_from(OBJECT).unwrap()]);
    let acknowledge = |what: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {what} {n}").unwrap();
    };

    local.objects.put(&key(&format!("put/{}/{n}", n % 7)), bytes(), PutMode::IfAbsent).await.unwrap();
    acknowledge("put");
    local.objects.put(&key("same"), bytes(), PutMode::Overwrite).await.unwrap();
    acknowledge("same");
    let mut writer = local.objects.create(&key(&format!("written/{n}"))).await.unwrap();
    writer.write(bytes()).await.unwrap();
    writer.finish().await.unwrap();
    acknowledge("written");
    if n >= 10 {
        local.objects.delete(&key(&format!("written/{}", n - 10)), None).await.unwrap();
        acknowledge("deleted");
    }
    let version =
        local.catalog.load("crash", "count").await.unwrap().map_or(Expect::Absent, |d| Expect::Version(d.version));
    local.catalog.save("crash", "count", &json!(n), version, None).await.unwrap();
    acknowledge("saved");
    local.catalog.record(&rows(n)).await.unwrap();
    acknowledge("recorded");
    local.catalog.create_folders(&mailbox(), &[FolderPath(vec!["INBOX".into()])]).await.unwrap();
    local.catalog.place(&n.to_string(), &inbox(), &keys(n)).await.unwrap();
    acknowledge("placed");
    local.queue.send(&upload(n), Duration::ZERO).await.unwrap();
    acknowledge("sent");
    // Stays in hand, for longer than the test runs: only the end of this process frees it.
    local.queue.receive(Duration::from_hours(1)).await.unwrap().unwrap();
}

/// The process that is killed: reads folder and first number from its input and writes until then.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // Without a folder, somebody runs all ignored tests.
    let Some((first, dir)) = line.trim_end().split_once(' ') else { return };
    let first: u64 = first.parse().unwrap();
    let local = Local::open(Path::new(dir)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for n in first.. {
            write(&local, n).await;
        }
    });
}

/// Runs the child, kills it some time after its first write and answers what it had acknowledged.
fn acknowledged(dir: &Path, first: u64, after: Duration) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{first} {}", dir.display()).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || lines.lines().map_while(Result::ok).collect::<Vec<_>>());
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = reader.join().unwrap().into_iter().filter_map(|line| {
        let (what, n) = line.rsplit_once("ack ")?.1.split_once(' ')?;
        Some((what.to_owned(), n.parse().ok()?))
    });
    acknowledged.collect()
}

fn keys(n: u64) -> Vec<PlacementKey> {
    let mut keys: Vec<_> =
        rows(n).iter().map(|row| PlacementKey { date: Some(0), hash: row.hash, flags: row.flags }).collect();
    keys.sort();
    keys
}

async fn holds(local: &Local, what: &str, n: u64, last: u64) -> bool {
    let whole = async |at: String| {
        let meta = local.objects.head(&key(&at)).await.unwrap();
        meta.is_some_and(|meta| meta.size_bytes == OBJECT)
    };
    match what {
        "put" => whole(format!("put/{}/{n}", n % 7)).await,
        "same" => whole("same".into()).await,
        // Ten later it is deleted again.
        "written" => n + 10 <= last || whole(format!("written/{n}")).await,
        "deleted" => !whole(format!("written/{}", n - 10)).await,
        "saved" => {
            let document = local.catalog.load("crash", "count").await.unwrap().unwrap();
            document.body.as_u64().unwrap() >= n
        }
        "recorded" => {
            let hashes: Vec<_> = (0..20).map(|of| hash(n, of)).collect();
            local.catalog.locate(&hashes).await.unwrap().into_iter().map(Option::unwrap).eq(rows(n))
        }
        "placed" => local.catalog.placed(&inbox(), &keys(n)).await.unwrap().iter().all(Option::is_some),
        // Looked at in the end.
        "sent" => true,
        other => panic!("{other}"),
    }
}

/// Every object is of one byte throughout, and as long as it was written.
async fn nothing_is_torn(local: &Local) {
    for meta in local.objects.list("", None, 100_000).await.unwrap() {
        let bytes = local.objects.get(&meta.key, 0..meta.size_bytes, Some(&meta.etag)).await.unwrap();
        assert!(meta.size_bytes == OBJECT && bytes.iter().all(|byte| Some(byte) == bytes.first()), "{}", meta.key);
    }
    assert_eq!(local.catalog.database().faults().await.unwrap(), [""; 0]);
    let placed = local.catalog.count(&inbox()).await.unwrap();
    assert_eq!(placed % 20, 0, "a batch is placed whole or not at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = 0;
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        let wait = Duration::from_millis(250 + 97 * round);
        let acknowledged = acknowledged(dir.path(), first, wait);
        let local = Arc::new(Local::open(dir.path()).unwrap());
        assert_eq!(std::fs::read_dir(dir.path().join("objects/%tmp")).unwrap().count(), 0);
        // What was begun last may have been done or not; the next round begins behind it.
        let last = acknowledged.iter().map(|(_, n)| n + 1).max().unwrap_or(first);
        for (what, n) in &acknowledged {
            assert!(holds(&local, what, *n, last).await, "{what} {n} is lost");
        }
        nothing_is_torn(&local).await;
        sent.extend(acknowledged.iter().filter(|(what, _)| what == "sent").map(|(_, n)| upload(*n)));
        first = last + 1;
    }
    let local = Local::open(dir.path()).unwrap();
    let mut received = Vec::new();
    while let Some(job) = local.queue.receive(Duration::from_mins(1)).await.unwrap() {
        received.push(job.job);
    }
    assert!(sent.len() > 10, "the rounds were too short to tell anything");
    assert!(sent.iter().all(|job| received.contains(job)));
}
