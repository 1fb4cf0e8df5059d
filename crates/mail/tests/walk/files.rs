//! Trees of one mail a file.

use std::fs;
use std::io::Read;

use mail::FallbackDate;
use mail::source::{Flag, Layout, SourceError, open};

use crate::place::*;

#[test]
fn directories_are_the_location() {
    let root = tree(&[
        ("top.eml", MAIL),
        ("jane/1.eml", MAIL),
        ("jane/Inbox/Sub/2.EML", MAIL),
        ("Jane/Inbox/3.eml", MAIL),
        ("a\\b/ v1.2 /.old/4", MAIL),
        ("...eml", MAIL),
    ]);
    let found: Vec<_> = mails(root.path(), Layout::Eml).into_iter().map(|found| (found.key, found.locations)).collect();
    let meant: Vec<(String, Vec<Vec<String>>)> = [
        ("...eml", vec!["USER"]),
        ("Jane/Inbox/3.eml", vec!["Jane", "Inbox"]),
        ("a\\\\b/ v1.2 /.old/4", vec!["a\\b", " v1.2 ", ".old"]),
        ("jane/1.eml", vec!["jane"]),
        ("jane/Inbox/Sub/2.EML", vec!["jane", "Inbox", "Sub"]),
        ("top.eml", vec!["USER"]),
    ]
    .into_iter()
    .map(|(key, location)| (key.to_owned(), vec![location.into_iter().map(str::to_owned).collect()]))
    .collect();
    assert_eq!(found, meant);
    for layout in [Layout::Mailstore, Layout::Auto] {
        assert_eq!(outcomes(root.path(), layout), outcomes(root.path(), Layout::Eml));
    }
}

#[test]
fn each_file_has_one_outcome() {
    let two = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\n1\n\nFrom a Mon Jan  2 10:00:00 2023\nSubject: 2\n\n2\n";
    let one = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\nFrom here\n";
    let root = tree(&[
        ("u/0.eml", ""),
        ("u/1.eml", "<?xml version=\"1.0\"?>"),
        ("u/2.xml", "<?xml version=\"1.0\"?>"),
        ("u/3.png", "\u{89}PNG"),
        ("u/4", MAIL),
        ("u/5.txt", "Dear Bob, hello\n"),
        ("u/6.mbox", one),
        ("u/7", two),
        ("u/7.eml", two),
        ("u/8", one),
        ("u/9.zip", "PK\u{3}\u{4}rest"),
        ("u/9.msg", "no header"),
        (".DS_Store", "\0"),
        ("._1.eml", MAIL),
        ("Thumbs.DB", "x"),
        ("__MACOSX/u/._a.eml", MAIL),
        ("__MACOSX/u/a.eml", MAIL),
        ("u/desktop.ini", "[x]"),
        ("u/tmp/1.eml", MAIL),
        ("v/cur/1.eml", MAIL),
        ("v/tmp/1", MAIL),
        ("v/tmp/2.eml", MAIL),
        ("u/empty", ""),
    ]);
    let no_field = "the first line is no header field";
    let macos = "in __MACOSX/, which holds helper files of macOS";
    assert_eq!(
        outcomes(root.path(), Layout::Eml),
        [
            "- .DS_Store: a helper file of macOS".to_owned(),
            "- ._1.eml: a helper file of macOS".to_owned(),
            "- Thumbs.DB: a helper file of Windows".to_owned(),
            format!("- __MACOSX/u/._a.eml: {macos}"),
            format!("- __MACOSX/u/a.eml: {macos}"),
            "! u/0.eml: empty".to_owned(),
            "u/1.eml".to_owned(),
            "- u/2.xml: an XML document".to_owned(),
            format!("- u/3.png: {no_field}"),
            "u/4".to_owned(),
            format!("- u/5.txt: {no_field}"),
            "- u/6.mbox: an mbox, which this layout does not read".to_owned(),
            "- u/7: an mbox, which this layout does not read".to_owned(),
            "u/7.eml".to_owned(),
            "u/8".to_owned(),
            format!("- u/9.msg: {no_field}"),
            "- u/9.zip: a zip archive, which this layout does not read".to_owned(),
            "- u/desktop.ini: a helper file of Windows".to_owned(),
            "! u/empty: empty".to_owned(),
            "u/tmp/1.eml".to_owned(),
            "v/cur/1.eml".to_owned(),
            "v/tmp/1".to_owned(),
            "v/tmp/2.eml".to_owned(),
        ]
    );
}

#[test]
fn what_may_hold_mails_is_named_as_what_it_is() {
    let files: &[(&str, &[u8])] = &[
        ("1", b"7z\xBC\xAF\x27\x1C\0\x04"),
        ("2", b"Rar!\x1A\x07\x01\0"),
        ("3", b"\x1F\x8B\x08"),
        ("4", b"\xCF\xAD\x12\xFE\xC5\xFD\x74\x6F"),
        ("5", b"!BDN"),
        ("6", &[b"jane/Inbox/1.eml".as_slice(), &[0; 241], b"ustar\x0000"].concat()),
        ("7", b"nothing at all"),
    ];
    let root = tree(&[]);
    for (name, bytes) in files {
        fs::write(root.path().join(name), bytes).unwrap();
    }
    assert_eq!(
        outcomes(root.path(), Layout::Auto),
        [
            "- 1: a 7z archive",
            "- 2: a RAR archive",
            "- 3: gzip data",
            "- 4: an Outlook Express folder (dbx)",
            "- 5: an Outlook store (pst or ost)",
            "- 6: a tar archive",
            "- 7: the first line is no header field",
        ]
    );
}

#[test]
fn a_root_may_be_one_file_and_must_be_there() {
    let root = tree(&[("a/x.eml", MAIL), ("a/y.png", "no")]);
    let found = mails(&root.path().join("a/x.eml"), Layout::Eml);
    assert_eq!((found[0].key.as_str(), &found[0].locations), ("x.eml", &vec![vec!["USER".to_owned()]]));
    assert_eq!(outcomes(&root.path().join("a/y.png"), Layout::Auto).len(), 1);
    assert!(matches!(open(&root.path().join("none"), Layout::Auto, &options()), Err(SourceError::Root { .. })));
    assert!(matches!(open(&root.path().join("none"), Layout::Eml, &options()), Err(SourceError::Root { .. })));
}

#[test]
fn emlx_is_the_counted_bytes() {
    let plist = "<plist><dict><key>flags</key><integer>8590195717</integer></dict></plist>";
    let root = tree(&[
        ("u/1.emlx", &format!("{}      \n{MAIL}{plist}", MAIL.len())),
        ("u/2.emlx", &format!("{}\n{MAIL}", MAIL.len() + 1)),
        ("u/3.emlx", "x\nSubject: x\n"),
    ]);
    let found = mails(root.path(), Layout::Eml);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].read(1 << 20).unwrap(), MAIL.as_bytes());
    assert_eq!(found[0].flags, [Flag::Seen, Flag::Answered]);
    assert!(outcomes(root.path(), Layout::Eml)[1..].iter().all(|outcome| outcome.starts_with('!')));
}

#[test]
fn a_file_that_changes_is_not_read_as_if_it_had_not() {
    let root = tree(&[("1.eml", MAIL), ("2.eml", MAIL), ("3.eml", MAIL)]);
    let found = mails(root.path(), Layout::Eml);
    assert_eq!(found[0].size_bytes, MAIL.len() as u64);
    assert!(found[0].read(3).is_err());
    fs::write(root.path().join(&found[0].key), "longer than it was before\n").unwrap();
    assert!(found[0].open().is_err());
    let mut file = found[1].open().unwrap();
    let mut some = [0; 4];
    file.read_exact(&mut some).unwrap();
    fs::write(root.path().join(&found[1].key), "x").unwrap();
    assert!(file.read_to_end(&mut Vec::new()).is_err());
    fs::remove_file(root.path().join(&found[2].key)).unwrap();
    assert!(found[2].open().is_err());
}

#[test]
fn the_time_of_the_file_is_kept() {
    let root = tree(&[("1.eml", MAIL), ("2.eml", MAIL)]);
    let set = |name: &str, time: std::time::SystemTime| {
        let file = fs::File::options().write(true).open(root.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
    };
    set("1.eml", std::time::UNIX_EPOCH + std::time::Duration::new(1_672_653_600, 900_000_000));
    set("2.eml", std::time::UNIX_EPOCH - std::time::Duration::from_millis(1_500));
    let times: Vec<_> = mails(root.path(), Layout::Eml).iter().map(|found| found.fallback_date).collect();
    assert_eq!(times, [Some(FallbackDate::File(1_672_653_600)), Some(FallbackDate::File(-2))]);
}

#[test]
fn deep_trees_and_long_names() {
    let root = tempfile::tempdir().unwrap();
    let deep: String = "d/".repeat(800);
    fs::create_dir_all(root.path().join(&deep)).unwrap();
    fs::write(root.path().join(&deep).join("1.eml"), MAIL).unwrap();
    let long = "ä".repeat(120);
    fs::create_dir(root.path().join(&long)).unwrap();
    fs::write(root.path().join(&long).join("2.eml"), MAIL).unwrap();
    let found = mails(root.path(), Layout::Eml);
    assert_eq!(found[0].locations[0].len(), 800);
    assert_eq!(found[1].locations, [[long]]);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn names_that_are_not_utf8() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join(OsStr::from_bytes(b"M\xFCller"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(OsStr::from_bytes(b"\xFF\\xff.EML")), MAIL).unwrap();
        let found = mails(root.path(), Layout::Eml);
        assert_eq!(found[0].key, "M\\xfcller/\\xff\\\\xff.EML");
        assert_eq!(found[0].locations, [["M\\xfcller"]]);
        assert_eq!(found[0].read(100).unwrap(), MAIL.as_bytes());
    }

    #[test]
    fn links_loops_and_pipes_are_named_and_not_opened() {
        let root = tree(&[("a/1.eml", MAIL)]);
        symlink(root.path(), root.path().join("a/loop")).unwrap();
        symlink("1.eml", root.path().join("a/2.eml")).unwrap();
        symlink("nowhere", root.path().join("a/dead")).unwrap();
        let pipe = root.path().join("a/pipe.eml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("a/socket")).unwrap();
        let link = "a symbolic link, which is not followed";
        let meant = [
            "a/1.eml".to_owned(),
            format!("- a/2.eml: {link}"),
            format!("- a/dead: {link}"),
            format!("- a/loop: {link}"),
            "- a/pipe.eml: a pipe, socket or device".to_owned(),
            "- a/socket: a pipe, socket or device".to_owned(),
        ];
        assert_eq!(outcomes(root.path(), Layout::Eml), meant);
        assert_eq!(outcomes(root.path(), Layout::Auto), meant);
    }

    #[test]
    fn a_mail_swapped_for_a_link_or_pipe_is_not_read() {
        let root = tree(&[("1.eml", MAIL), ("2.eml", MAIL), ("other", MAIL)]);
        let found = mails(root.path(), Layout::Eml);
        fs::remove_file(root.path().join("1.eml")).unwrap();
        symlink("other", root.path().join("1.eml")).unwrap();
        assert!(found[0].open().is_err());
        fs::remove_file(root.path().join("2.eml")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(root.path().join("2.eml")).status().unwrap().success());
        assert!(found[1].open().is_err());
    }

    #[test]
    fn a_root_may_be_reached_through_a_link() {
        let root = tree(&[("t/a/1.eml", MAIL)]);
        symlink("t", root.path().join("l")).unwrap();
        assert_eq!(mails(&root.path().join("l"), Layout::Eml)[0].key, "a/1.eml");
    }

    #[test]
    fn what_cannot_be_read_is_skipped_and_the_rest_goes_on() {
        let root = tree(&[("a/1", MAIL), ("b/2.eml", MAIL), ("c/3.eml", MAIL)]);
        let lock = |path: &str, mode| {
            fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        lock("a/1", 0o000);
        lock("b", 0o000);
        let outcomes = outcomes(root.path(), Layout::Auto);
        let root_reads_all = fs::read_dir(root.path().join("b")).is_ok();
        lock("b", 0o700);
        if root_reads_all {
            eprintln!("skipped: this user may read everything");
            return;
        }
        assert!(
            outcomes[0].starts_with("! a/1: unreadable") && outcomes[1].starts_with("! b: unreadable"),
            "{outcomes:?}"
        );
        assert_eq!(outcomes[2], "c/3.eml");
    }
}
