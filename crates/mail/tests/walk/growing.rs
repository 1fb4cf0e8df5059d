//! An mbox that a mail program writes while it is walked.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use mail::source::{Found, Item, Layout, Options, Source, open};
use tempfile::TempDir;

const FROM: &str = "From a@b Mon Jan  2 10:00:00 2023\n";

/// A file, and the walk through it.
struct Live {
    _folder: TempDir,
    path: PathBuf,
    walk: Source,
    mails: Vec<Found>,
}

/// Of `count` mails the body, as an mbox keeps it and as it is.
fn bodies(count: usize) -> Vec<String> {
    let body = |number: usize| match number % 4 {
        0 => format!("Subject: {number}\n\nshort {number}\n"),
        1 => format!("Subject: {number}\n\n{}\nFrom prose\n", format!("{number} ").repeat(60_000)),
        2 => format!("Subject: {number}\nContent-Length: 300001\n\n{}\n", "z".repeat(300_000)),
        _ => format!("Subject: {number}\n\n{}\n", "long".repeat(500_000)),
    };
    (0..count).map(body).collect()
}

fn mbox(bodies: &[String]) -> String {
    let kept = |body: &String| body.replace("\nFrom prose", "\n>From prose");
    bodies.iter().fold(String::new(), |mbox, body| mbox + FROM + &kept(body) + "\n")
}

impl Live {
    fn new(bytes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box");
        fs::write(&path, bytes).unwrap();
        let walk = open(&path, Layout::Mbox, &Options::new("USER", folder.path())).unwrap();
        Self { _folder: folder, path, walk, mails: Vec::new() }
    }

    fn file(&self) -> File {
        OpenOptions::new().append(true).open(&self.path).unwrap()
    }

    fn append(&self, bytes: &str) {
        self.file().write_all(bytes.as_bytes()).unwrap();
    }

    /// Walks over so many mails.
    fn pass(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Item::Mail(found)) = self.walk.next() else { panic!("a mail") };
            self.mails.push(found);
        }
    }

    /// Walks to the end, and looks once more; what comes behind the mails.
    fn rest(&mut self) -> Vec<Item> {
        let (mails, mut rest): (Vec<_>, Vec<_>) = self.walk.by_ref().partition(|item| matches!(item, Item::Mail(_)));
        self.mails
            .extend(mails.into_iter().filter_map(|item| if let Item::Mail(found) = item { Some(found) } else { None }));
        rest.extend(self.look_again());
        rest
    }

    fn look_again(&mut self) -> Vec<Item> {
        self.walk.look_again().collect()
    }

    /// The bytes of each mail, or why there are none.
    fn read(&self) -> Vec<Result<String, String>> {
        let read = |found: &Found| found.read(u64::MAX).map(|raw| String::from_utf8(raw).unwrap());
        self.mails.iter().map(|found| read(found).map_err(|error| error.to_string())).collect()
    }
}

fn all(bodies: &[String]) -> Vec<Result<String, String>> {
    bodies.iter().cloned().map(Ok).collect()
}

#[test]
fn mails_that_come_in_meanwhile_cost_none_of_those_that_were_there() {
    let bodies = bodies(12);
    for (passed, next) in [(1, FROM), (5, FROM), (12, FROM), (3, "From - Mon Jan 02 10:00:00 2023\n")] {
        let mut live = Live::new(&mbox(&bodies));
        live.pass(passed);
        live.append(&format!("{next}Subject: new\n\nnew\n\n"));
        let rest = live.rest();
        assert_eq!(live.read(), all(&bodies), "after {passed}");
        let size_bytes = mbox(&bodies).len();
        let [Item::Noted { source, reason }] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!(
            (source.as_str(), reason.contains(&format!("behind byte {size_bytes} "))),
            ("box", true),
            "{reason}"
        );
        assert!(live.walk.next().is_none());
        // And once more: it goes on growing, and each mail may be read again.
        live.append(FROM);
        assert_eq!(live.read(), all(&bodies));
    }
}

#[test]
fn a_time_that_changes_alone_costs_no_mail() {
    let bodies = bodies(6);
    let mut live = Live::new(&mbox(&bodies));
    live.pass(3);
    // As whoever appends changes it, a moment before the size.
    let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    live.file().set_times(times).unwrap();
    let rest = live.rest();
    assert!(matches!(rest.as_slice(), [Item::Noted { .. }]), "{rest:?}");
    assert_eq!(live.read(), all(&bodies));
}

#[test]
fn an_mbox_that_stays_as_it_is_is_not_spoken_of() {
    let bodies = bodies(6);
    let mut live = Live::new(&mbox(&bodies));
    assert!(live.rest().is_empty());
    assert_eq!(live.read(), all(&bodies));
}

#[test]
fn a_reader_that_is_at_work_when_a_mail_comes_in_fails_once() {
    let bodies = bodies(2);
    let mut live = Live::new(&mbox(&bodies));
    live.rest();
    let mut open = live.mails[1].open().unwrap();
    live.append(&format!("{FROM}Subject: new\n\nnew\n\n"));
    assert!(std::io::copy(&mut open, &mut std::io::sink()).is_err(), "it did not know that it must compare");
    assert_eq!(live.read(), all(&bodies));
}

#[test]
fn a_last_mail_that_was_still_being_written_is_no_mail_yet() {
    let bodies = bodies(3);
    let whole = mbox(&bodies);
    let more = format!("{FROM}Subject: new\n\nnew\n\n");
    for (cut, rest) in [(1, ""), (1, "\n"), (1, "no mail\n"), (9, "x\n\n"), (100, "")] {
        let mut live = Live::new(&whole[..whole.len() - cut]);
        live.pass(1);
        live.append(&whole[whole.len() - cut..]);
        live.append(&format!("{rest}{more}"));
        while live.mails.len() < 3 {
            live.pass(1);
        }
        assert!(live.walk.next().is_none());
        let read = live.read();
        // Read before it is looked at again: it has its outcome.
        let rest_of_walk = live.look_again();
        assert!(matches!(rest_of_walk.as_slice(), [Item::Noted { .. }]), "{rest_of_walk:?}");
        let is_whole = read[2].as_ref() == Ok(&bodies[2]);
        assert_eq!(read[..2], all(&bodies[..2]));
        // The blank line behind it belongs to no mail, so one that lacked it alone was whole.
        assert_eq!(is_whole, cut == 1 && rest.is_empty(), "{cut} {rest:?}");
        if !is_whole {
            assert!(read[2].as_ref().unwrap_err().contains("still being written"), "{read:?}");
        }
    }
}

#[test]
fn a_last_mail_that_was_read_before_the_rest_of_it_came_is_named() {
    let bodies = bodies(3);
    let whole = mbox(&bodies);
    let last = mbox(&bodies[..2]).len();
    // Within its body, its header and its `From ` line, where it is the mail before that is the last one.
    for (cut, mails) in [(whole.len() - 9, 3), (last + FROM.len() + 12, 3), (last + 20, 2)] {
        let mut live = Live::new(&whole[..cut]);
        live.pass(mails);
        assert!(live.read().iter().all(Result::is_ok), "nothing tells yet");
        live.append(&whole[cut..]);
        live.append(&format!("{FROM}Subject: new\n\nnew\n\n"));
        let rest = live.rest();
        let [Item::Skipped { source, reason, .. }] = rest.as_slice() else { panic!("{cut}: {rest:?}") };
        assert_eq!((source.as_str(), reason.contains("still being written")), ("box", true), "{reason}");
    }
}

#[test]
fn what_was_written_over_is_named_though_the_file_has_grown() {
    let bodies = bodies(9);
    let (whole, eighth) = (mbox(&bodies), mbox(&bodies[..7]).len() as u64);
    // Before the walk has come there, and behind it.
    for passed in [1, 9] {
        let mut live = Live::new(&whole);
        live.pass(passed);
        let file = OpenOptions::new().write(true).open(&live.path).unwrap();
        let at = eighth + (FROM.len() + 30) as u64;
        file.write_at(b"X", at).unwrap();
        live.append(&format!("{FROM}Subject: new\n\nnew\n\n"));
        let rest = live.rest();
        let read = live.read();
        if passed == 1 {
            assert!(read.iter().all(Result::is_ok) && matches!(rest.as_slice(), [Item::Noted { .. }]), "{rest:?}");
            continue;
        }
        assert_eq!(read[7], Err("changed while it was read".to_owned()));
        assert_eq!(read.iter().filter(|raw| raw.is_ok()).count(), 8);
        let [Item::Skipped { source, location, reason, .. }] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!((source.as_str(), location.as_slice()), ("box", &["USER".to_owned(), "box".to_owned()][..]));
        assert!(reason.contains("mails of it may be missing"), "{reason}");
    }
}

#[test]
fn mails_that_move_past_the_walk_are_missed_and_said_to_be() {
    let bodies = bodies(8);
    let mut live = Live::new(&mbox(&bodies));
    live.pass(4);
    // The first mail is deleted in place, and longer ones come in: all others lie nearer to the beginning now.
    let new = format!("{FROM}Subject: new\n\n{}\n\n", "new ".repeat(100_000));
    let now = format!("{}{new}", mbox(&bodies[1..]));
    let file = OpenOptions::new().write(true).open(&live.path).unwrap();
    file.write_all_at(now.as_bytes(), 0).unwrap();
    let rest = live.rest();
    let read = live.read();
    assert!(read.iter().flatten().all(|raw| bodies.contains(raw)), "never a mixture");
    let named = |item: &Item| matches!(item, Item::Skipped { source, reason, .. } if source == "box" && reason.contains("may be missing"));
    assert!(rest.iter().any(named), "{rest:?}");
}

#[test]
fn one_that_is_cut_off_or_written_over_in_its_length_fails_as_before() {
    let bodies = bodies(4);
    let whole = mbox(&bodies);
    let mut live = Live::new(&whole);
    live.pass(2);
    OpenOptions::new().write(true).open(&live.path).unwrap().set_len(whole.len() as u64 - 1_000).unwrap();
    let rest = live.rest();
    assert!(matches!(rest.as_slice(), [Item::Skipped { .. }]), "{rest:?}");
    assert!(live.read().iter().all(Result::is_err));
}
