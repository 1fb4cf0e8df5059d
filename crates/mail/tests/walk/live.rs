//! Trees that mail programs write while they are walked.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use mail::source::{Flag, Found, Item, Layout, Options, Source, Stamp, Visited, open};
use tempfile::TempDir;

const FROM: &str = "From a@b Mon Jan  2 10:00:00 2023\n";

fn text(number: usize) -> String {
    format!("Subject: {number}\n\nmail {number}\n")
}

/// A Maildir with mails that were read, and such that were not.
fn maildir() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for items in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.path().join("anna").join(items)).unwrap();
    }
    for number in 0..20 {
        let path = if number < 10 { format!("cur/{}:2,S", unique(number)) } else { format!("new/{}", unique(number)) };
        fs::write(root.path().join("anna").join(path), text(number)).unwrap();
    }
    for items in ["cur", "new", "tmp", ""] {
        age(&root.path().join("anna").join(items));
    }
    root
}

/// Makes it older than what is done next: two changes right after each other may have the same time.
fn age(path: &Path) {
    fs::File::open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
}

fn unique(number: usize) -> String {
    format!("17000000{number:02}.M{number}.host")
}

fn walk(root: &Path, layout: Layout) -> Source {
    open(root, layout, &Options::new("USER", root)).unwrap()
}

/// Walks on to the end, over what was met already: how often each mail is there, and what else is said.
fn to_the_end(met: Vec<Item>, mut walk: Source) -> (BTreeMap<String, usize>, Vec<Item>) {
    let mut mails = BTreeMap::new();
    let mut rest = Vec::new();
    let rest_of_walk: Vec<Item> = walk.by_ref().collect();
    for item in met.into_iter().chain(rest_of_walk).chain(walk.look_again()) {
        if let Item::Mail(found) = item {
            *mails.entry(read(&found)).or_default() += 1;
        } else {
            rest.push(item);
        }
    }
    (mails, rest)
}

/// As an export reads it: once more, if it is another one now.
fn read(found: &Found) -> String {
    let raw = found.read(1 << 20).or_else(|_| found.look_again().and_then(|found| found.read(1 << 20)));
    String::from_utf8(raw.unwrap()).unwrap()
}

#[test]
fn mails_that_a_reader_moves_meanwhile_are_met_once() {
    for layout in [Layout::Auto, Layout::Maildir] {
        for passed in 0..20 {
            let root = maildir();
            let path = |name: &str| root.path().join("anna").join(name);
            let mut walk = walk(root.path(), layout);
            let met: Vec<Item> = walk.by_ref().take(passed).collect();
            // All that are new are read, and one of those that had been read gets a flag.
            for number in 10..20 {
                let name = unique(number);
                fs::rename(path(&format!("new/{name}")), path(&format!("cur/{name}:2,S"))).unwrap();
            }
            let flagged = unique(9);
            fs::rename(path(&format!("cur/{flagged}:2,S")), path(&format!("cur/{flagged}:2,FS"))).unwrap();
            let (mails, rest) = to_the_end(met, walk);
            assert_eq!(mails, (0..20).map(|number| (text(number), 1)).collect(), "{layout} after {passed}");
            assert!(rest.is_empty(), "{rest:?}");
        }
    }
}

#[test]
fn a_mail_that_was_moved_before_it_was_looked_at_has_its_new_flags() {
    let root = maildir();
    let mut walk = walk(root.path(), Layout::Auto);
    let mut met: Vec<Item> = walk.by_ref().take(1).collect();
    let name = unique(19);
    let path = |name: &str| root.path().join("anna").join(name);
    fs::rename(path(&format!("new/{name}")), path(&format!("cur/{name}:2,F"))).unwrap();
    met.extend(walk);
    let flags = met.iter().filter_map(|item| match item {
        Item::Mail(found) if found.key.contains(&name) => Some(&found.flags),
        _ => None,
    });
    assert_eq!(flags.collect::<Vec<_>>(), [&[Flag::Flagged]]);
}

#[test]
fn a_mail_that_lies_in_both_is_two() {
    let root = maildir();
    let copy = format!("anna/new/{}", unique(3));
    fs::write(root.path().join(copy), text(3)).unwrap();
    let (mails, rest) = to_the_end(Vec::new(), walk(root.path(), Layout::Auto));
    assert_eq!((mails.len(), mails[&text(3)], rest.len()), (20, 2, 0));
}

#[test]
fn a_mail_that_was_under_two_names_when_they_were_read_is_met_once() {
    // In `new` and in `cur`, and in `cur` with two sets of flags.
    for (gone, stays) in [(format!("new/{}", unique(3)), 3), (format!("cur/{}:2,", unique(4)), 4)] {
        let root = maildir();
        let gone = root.path().join("anna").join(gone);
        fs::write(&gone, text(stays)).unwrap();
        let mut walk = walk(root.path(), Layout::Auto);
        let met: Vec<Item> = walk.by_ref().take(1).collect();
        fs::remove_file(&gone).unwrap();
        let (mails, rest) = to_the_end(met, walk);
        assert_eq!(mails, (0..20).map(|number| (text(number), 1)).collect());
        assert!(rest.is_empty(), "{rest:?}");
    }
}

/// A second walk over what a first one met.
fn again(root: &Path, layout: Layout, change: impl Fn()) -> Vec<Item> {
    let stamps: Arc<Mutex<BTreeMap<String, Stamp>>> = Arc::default();
    let first = Arc::clone(&stamps);
    let met = walk(root, layout).visiting(move |key, stamp| {
        assert!(first.lock().unwrap().insert(key.to_owned(), stamp).is_none(), "{key} twice");
        Visited::New
    });
    assert_eq!(met.count(), walk(root, layout).count());
    change();
    let second = walk(root, layout).visiting(move |key, stamp| match stamps.lock().unwrap().get(key) {
        None => Visited::New,
        Some(before) if *before == stamp => Visited::Same,
        Some(_) => Visited::Changed,
    });
    second.collect()
}

#[test]
fn a_second_walk_meets_what_came_or_changed() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    for folder in ["a", "b"] {
        fs::create_dir(path(folder)).unwrap();
    }
    for (number, name) in ["a/1.eml", "a/2.eml", "a/3", "b/4.eml", "b/5.eml"].into_iter().enumerate() {
        fs::write(path(name), text(number)).unwrap();
    }
    fs::write(path("a/notes.xyz"), "\x01").unwrap();
    fs::write(path("a/box.mbox"), format!("{FROM}{}\n", text(6))).unwrap();
    assert!(again(root.path(), Layout::Auto, || ()).is_empty());
    let second = again(root.path(), Layout::Auto, || {
        fs::rename(path("b/4.eml"), path("a/4.eml")).unwrap();
        OpenOptions::new().append(true).open(path("a/3")).unwrap().write_all(b"and more\n").unwrap();
        fs::remove_file(path("a/1.eml")).unwrap();
        // The length and the time that is easily set stay as they were.
        let before = fs::metadata(path("b/5.eml")).unwrap().modified().unwrap();
        fs::write(path("b/5.eml"), text(9)).unwrap();
        fs::File::open(path("b/5.eml")).unwrap().set_modified(before).unwrap();
        // What came into an mbox is said when that is looked at again; a new one is read.
        OpenOptions::new().append(true).open(path("a/box.mbox")).unwrap().write_all(FROM.as_bytes()).unwrap();
        fs::write(path("b/new.mbox"), format!("{FROM}{}\n", text(7))).unwrap();
    });
    let mut keys: Vec<_> = second
        .iter()
        .map(|item| if let Item::Mail(found) = item { found.key.as_str() } else { panic!("{item:?}") })
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a/3", "a/4.eml", "b/5.eml", "b/new.mbox//0"]);
}

#[test]
fn the_rest_of_a_mail_that_comes_when_its_mbox_was_walked_is_named() {
    let whole = format!("{FROM}{}\n{FROM}{}", text(1), text(2));
    let next = format!("\n{FROM}{}\n", text(3));
    // Half of the last mail; all of it; and half of one that is the only one.
    for (cut, told) in
        [(whole.len() - 3, "its last mail was still being written"), (whole.len(), "grew while"), (50, "its last mail")]
    {
        let root = tempfile::tempdir().unwrap();
        let mbox = root.path().join("a.mbox");
        fs::write(&mbox, &whole[..cut]).unwrap();
        fs::write(root.path().join("b.eml"), text(4)).unwrap();
        let mut walk = walk(root.path(), Layout::Auto);
        let mut met: Vec<Item> = Vec::new();
        while !met.iter().any(|item| matches!(item, Item::Mail(found) if found.key == "b.eml")) {
            let item = walk.next().unwrap();
            // Read at once, when nothing tells that more is to come.
            assert!(matches!(&item, Item::Mail(found) if found.read(1 << 20).is_ok()), "{item:?}");
            met.push(item);
        }
        OpenOptions::new()
            .append(true)
            .open(&mbox)
            .unwrap()
            .write_all(format!("{}{next}", &whole[cut..]).as_bytes())
            .unwrap();
        assert!(walk.next().is_none());
        let rest: Vec<Item> = walk.look_again().collect();
        let said = match rest.as_slice() {
            [Item::Skipped { source, reason, .. } | Item::Noted { source, reason }] if source == "a.mbox" => reason,
            _ => panic!("{rest:?}"),
        };
        assert!(said.starts_with(told), "{cut}: {said}");
        assert_eq!(matches!(rest[0], Item::Skipped { .. }), cut != whole.len());
    }
}

#[test]
fn an_mbox_whose_mails_get_other_flags_in_place_is_named() {
    let flagged = |status: char| -> String {
        (0..300).fold(String::new(), |mbox, number| mbox + FROM + &format!("Status: {status}\n{}\n", text(number)))
    };
    // While it is walked, and after that.
    for passed in [150, 301] {
        let root = tempfile::tempdir().unwrap();
        let mbox = root.path().join("a.mbox");
        fs::write(&mbox, flagged('O')).unwrap();
        age(&mbox);
        fs::write(root.path().join("b.eml"), text(1_000)).unwrap();
        let mut walk = walk(root.path(), Layout::Auto);
        let met: Vec<Item> = walk.by_ref().take(passed).collect();
        fs::write(&mbox, flagged('R')).unwrap();
        let mut rest: Vec<Item> = walk.by_ref().filter(|item| !matches!(item, Item::Mail(_))).collect();
        rest.extend(walk.look_again());
        let told = rest.iter().any(|item| match item {
            Item::Skipped { source, reason, .. } | Item::Noted { source, reason } => {
                source == "a.mbox" && reason.starts_with("changed")
            }
            _ => false,
        });
        assert!(told, "{passed}: {rest:?}");
        // None of those that were met before is read as it is now.
        let read =
            |item: &Item| matches!(item, Item::Mail(found) if found.key != "b.eml" && found.read(1 << 20).is_ok());
        assert!(!met.iter().any(read), "{passed}");
    }
}

#[test]
fn an_mbox_that_is_written_anew_when_it_was_walked_is_named_and_no_failure() {
    let root = tempfile::tempdir().unwrap();
    let mbox = root.path().join("a.mbox");
    fs::write(&mbox, format!("{FROM}{}\n{FROM}{}\n", text(1), text(2))).unwrap();
    fs::write(root.path().join("b.eml"), text(3)).unwrap();
    let mut walk = walk(root.path(), Layout::Auto);
    assert_eq!(walk.by_ref().take(3).count(), 3);
    fs::write(&mbox, format!("{FROM}{}\n", text(2))).unwrap();
    assert!(walk.next().is_none());
    let rest: Vec<Item> = walk.look_again().collect();
    let [Item::Noted { source, reason }] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!((source.as_str(), reason.starts_with("changed after it was read")), ("a.mbox", true));
}
