//! An export through a night: killed at any instant, on a target that fills up, whatever lies in the source.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::folder::Data;
use crate::program::{Place as _, command, json};
use crate::source::Story;

fn export(from: &str, to: &str, more: &[&str]) -> Vec<String> {
    let fixed = ["export", "--from", from, "--to", to, "--name", "old"];
    fixed.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
}

fn start(arguments: &[String]) -> Child {
    command(arguments).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The report without what differs from one export of the same mails to the next: identity, times, and lengths of
/// volumes, in which a signature may take a byte more.
fn comparable(mut report: Value) -> Value {
    for name in ["export_id", "certificate_sha256", "started", "finished"] {
        report[name] = Value::Null;
    }
    for volume in report["volumes"].as_array_mut().unwrap() {
        for name in ["bytes", "seal_sha256"] {
            volume[name] = Value::Null;
        }
    }
    report["options"]["to"] = Value::Null;
    report
}

#[test]
fn an_export_that_is_killed_at_random_ends_like_an_undisturbed_one() {
    let story = Story::new(120, 60_000);
    fs::write(story.dir.path().join("old/@catchall/empty.eml"), "").unwrap();
    let size = ["--volume-size", "1MiB"];
    let (from, calm, to) = (story.path("old"), story.path("calm"), story.path("volumes"));
    let begun = Instant::now();
    let undisturbed = json(&export(&from, &calm, &size), 8);
    let whole = begun.elapsed();
    assert!(undisturbed["volumes"].as_array().unwrap().len() > 3);

    let (mut kills, mut with_volumes, mut seed) = (0, 0, 0x5EED_u64);
    let report = loop {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // A part of a whole run, a larger one from one kill to the next, so that it ends.
        let share = u32::try_from(seed >> 33).unwrap() % (20 + 10 * kills);
        let mut process = start(&export(&from, &to, &size));
        if kills > 2 && with_volumes == 0 {
            // On a machine whose pace changes none may have met a finished volume yet.
            while !Path::new(&to).join("old-0001.mszip").exists() && process.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
        } else {
            thread::sleep(whole * share / 100);
        }
        let _ = process.kill();
        let output = process.wait_with_output().unwrap();
        match output.status.code() {
            Some(code) => {
                assert_eq!(code, 8, "{}", String::from_utf8_lossy(&output.stderr));
                break serde_json::from_slice(&output.stdout).unwrap();
            }
            None => kills += 1,
        }
        with_volumes += u32::from(Path::new(&to).join("old-0001.mszip").exists());
    };
    assert!(kills > 2 && with_volumes > 0, "{kills} kills, {with_volumes} left finished volumes");
    assert_eq!(comparable(report), comparable(undisturbed));
    assert!(!fs::read_dir(&to).unwrap().any(|entry| is_leftover(&entry.unwrap().path())));
    story.import(&story.volumes(), &[], 0);
    Data(&story.data()).json(&["restructure"], 0);
    story.assert_recreated();
}

fn is_leftover(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "part" || extension == "export-state")
}

/// A full and a read-only target are real file systems of their own, in a name space that ends with the shell. Where
/// nobody may make one, nothing is tested.
#[cfg(target_os = "linux")]
#[test]
fn a_target_that_is_full_or_read_only_says_so_and_the_same_command_goes_on() {
    let story = Story::new(60, 60_000);
    let target = story.path("target");
    fs::create_dir(&target).unwrap();
    let inside = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
        unshare
    };
    let mount = "mount -t tmpfs -o size=1536k tmpfs \"$1\"";
    if !inside(mount).arg(&target).output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no name space may be made here, so nothing is known of a full or read-only target");
        return;
    }
    let script = format!(
        "{mount}; target=$1; shift
         again() {{ set +e; \"$@\"; echo \" exit $?\"; set -e; }}
         again \"$@\"; ls \"$target\" | tr '\\n' ' '; echo
         mount -o remount,size=64m,ro \"$target\"; again \"$@\"
         mount -o remount,rw \"$target\"; again \"$@\"; ls \"$target\" | tr '\\n' ' '"
    );
    let program = crate::postkahn();
    let arguments = export(&story.path("old"), &target, &["--volume-size", "1MiB"]);
    let output = inside(&script).arg(&target).arg(program).args(arguments).arg("--json").output().unwrap();
    let (told, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let exits: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("exit ")).collect();
    assert_eq!(exits, ["6", "6", "0"], "{told}{errors}");
    for said in ["no space left", "make room", "read-only", "goes on from here", "old-0001.mszip", "old.report.html"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.lines().last().unwrap().contains(".part"), "{told}");
}

/// The most memory that a process ever had, read again and again until it ends.
#[cfg(target_os = "linux")]
fn peak_kib(process: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", process.id());
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    peak
}

const LARGE: u64 = 20;
const SMALL: u64 = 10_000;

/// Large mails that do not compress, one that is larger than the bound, and many small ones in one folder.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_below_128_mib_whatever_lies_in_the_source() {
    let story = large_and_small();
    let to = story.path("volumes");
    let password = story.password_file();
    let (peak, report) = watched(&export(&story.path("old"), &to, &["--password-file", &password]));
    assert_eq!(report["exported"].as_u64(), Some(story.files + LARGE + 1 + SMALL));
    assert!((1_000..128 * 1_024).contains(&peak), "an export took {peak} KiB");

    let volumes = story.volumes();
    let (data, certificate) = (story.path("data"), story.certificate());
    let import = [
        "import",
        &volumes[0],
        "--data",
        &data,
        "--mailbox",
        "all@x.example",
        "--certificate",
        &certificate,
        "--password-file",
        &password,
    ];
    let (peak, report) = watched(&import.map(str::to_owned));
    assert_eq!(report["imports"][0]["imported"].as_u64(), Some(story.mails.len() as u64 + LARGE + 1 + SMALL));
    assert!((1_000..128 * 1_024).contains(&peak), "an import took {peak} KiB");
}

#[cfg(target_os = "linux")]
fn watched(arguments: &[String]) -> (u64, Value) {
    let mut process = start(arguments);
    let peak = peak_kib(&mut process);
    let output = process.wait_with_output().unwrap();
    (peak, serde_json::from_slice(&output.stdout).unwrap())
}

#[cfg(target_os = "linux")]
fn large_and_small() -> Story {
    let story = Story::new(5, 2_000);
    let folder = story.dir.path().join("old/anna@example.org/Exchange/Large");
    fs::create_dir_all(&folder).unwrap();
    let mut noise = Vec::new();
    for block in 0..(12 << 20) / 32_u32 {
        noise.extend_from_slice(&Sha256::digest(block.to_le_bytes()));
    }
    for number in 0..LARGE {
        let mut file = File::create(folder.join(format!("{number}.eml"))).unwrap();
        write!(file, "Subject: {number}\r\n\r\n").unwrap();
        file.write_all(noise.get(usize::try_from(number).unwrap() * 1_000..).unwrap()).unwrap();
    }
    let mut hole = File::create(folder.join("hole.eml")).unwrap();
    hole.write_all(b"Subject: larger than what may be held\r\n\r\n").unwrap();
    hole.set_len(160 << 20).unwrap();
    for number in 0..SMALL {
        fs::write(folder.join(format!("small {number}.eml")), format!("Subject: {number}\r\n\r\n")).unwrap();
    }
    story
}
