//! A mixed tree: each place is told apart by its content.

use mail::source::{Flag, Layout};

use crate::place::*;

const ONE: &str = "From a Mon Jan  2 10:00:00 2023\nSubject: 1\n\n1\n\n";
const LABELLED: &str = "From a Mon Jan  2 10:00:00 2023\nX-Gmail-Labels: Inbox,Work/2023\nSubject: 1\n\n1\n\n";

#[test]
fn each_place_follows_its_own_row() {
    let two = ONE.repeat(2);
    let root = tree(&[
        ("a/b/c.mbox", ONE),
        ("a/b/x.eml", MAIL),
        ("a/b/Inbox", &two),
        ("a/b/one", ONE),
        ("c.MBX", ONE),
        ("top.eml", MAIL),
        ("takeout/Mail/All mail.mbox", LABELLED),
        ("labels.mbox", LABELLED),
        ("jane/cur/1204680122.M1.host:2,S", MAIL),
        ("jane/old.mbox", ONE),
        ("apple/Work.mbox/mbox", ONE),
        ("apple/Work.mbox/table_of_contents", "\u{1}\u{2}"),
        ("apple/Home.mbox/Messages/1.emlx", "17\nSubject: x\n\nbody\n"),
        ("apple/Home.mbox/Messages/2.partial.emlx", "17        \nSubject: x\n\nbody\n<plist/>"),
        ("apple/Home.mbox/Info.plist", "<?xml version=\"1.0\"?>"),
        ("empty.mbox", ""),
        ("newline.mbox", "\n"),
    ]);
    assert_eq!(
        places(root.path(), Layout::Auto),
        [
            "a/b/Inbox//0 = a > b > Inbox",
            "a/b/Inbox//47 = a > b > Inbox",
            "a/b/c.mbox//0 = a > b > c",
            "a/b/one = a > b",
            "a/b/x.eml = a > b",
            "- apple/Home.mbox/Info.plist",
            "apple/Home.mbox/Messages/1.emlx = apple > Home.mbox > Messages",
            "apple/Home.mbox/Messages/2.partial.emlx = apple > Home.mbox > Messages",
            "apple/Work.mbox/mbox//0 = apple > Work.mbox > mbox",
            "- apple/Work.mbox/table_of_contents",
            "c.MBX//0 = USER > c",
            "! empty.mbox: empty",
            "jane/cur/1204680122.M1.host:2,S = jane",
            "jane/old.mbox//0 = jane > old",
            "labels.mbox//0 = USER > Inbox | USER > Work > 2023",
            "- newline.mbox",
            "takeout/Mail/All mail.mbox//0 = takeout > Mail > Inbox | takeout > Mail > Work > 2023",
            "top.eml = USER",
        ]
    );
}

#[test]
fn what_the_root_itself_is_follows_its_own_row() {
    let root = tree(&[("x/Box.mbox", ONE), ("x/labels.mbox", LABELLED), ("x/1.eml", MAIL), ("x/single", ONE)]);
    let of = |name: &str, layout| places(&root.path().join(name), layout);
    for layout in [Layout::Auto, Layout::Mbox] {
        assert_eq!(of("x/Box.mbox", layout), ["Box.mbox//0 = USER > Box"]);
        assert_eq!(of("x/labels.mbox", layout), ["labels.mbox//0 = USER > Inbox | USER > Work > 2023"]);
    }
    assert_eq!(of("x/1.eml", Layout::Auto), ["1.eml = USER"]);
    assert_eq!(of("x/single", Layout::Auto), ["single = USER"]);
    assert_eq!(of("x/single", Layout::Mbox), ["single//0 = USER > single"]);
}

#[test]
fn the_layout_mbox_reads_nothing_else() {
    let root = tree(&[
        ("a/b/Inbox", ONE),
        ("a/b/c.v1.mbox", ONE),
        ("a/1.eml", MAIL),
        ("a/mail", MAIL),
        ("a/Inbox.msf", "// <!-- <mdb:mork:z v=\"1.4\"/> -->\n"),
        ("z", ""),
    ]);
    assert_eq!(
        places(root.path(), Layout::Mbox),
        [
            "- a/1.eml",
            "- a/Inbox.msf",
            "a/b/Inbox//0 = USER > a > b > Inbox",
            "a/b/c.v1.mbox//0 = USER > a > b > c.v1",
            "- a/mail",
            "! z: empty",
        ]
    );
}

#[test]
fn what_stands_before_the_first_mail_belongs_to_none() {
    let two = ONE.repeat(2);
    let root = tree(&[
        ("a/bom", &format!("\u{feff}{two}")),
        ("a/bom.mbox", &format!("\u{feff}{ONE}")),
        ("a/bom-of-one", &format!("\u{feff}{ONE}")),
        ("a/blank", &format!("\n\n\r\n\n\n{two}")),
        ("a/blank.mbox", &format!("\n{ONE}")),
        ("a/blank-of-one", &format!("\n\n{ONE}")),
    ]);
    assert_eq!(
        outcomes(root.path(), Layout::Auto),
        [
            "a/blank//6",
            "a/blank//53",
            "a/blank-of-one",
            "a/blank.mbox//1",
            "a/bom//3",
            "a/bom//50",
            "a/bom-of-one",
            "a/bom.mbox//3",
        ]
    );
    let found = mails(root.path(), Layout::Mbox);
    assert_eq!(found.len(), 8);
    assert!(found.iter().all(|found| found.read(100).unwrap() == b"Subject: 1\n\n1\n"));
}

#[test]
fn an_apple_package_keeps_its_flags() {
    let plist = "<plist><dict><key>flags</key><integer>1</integer></dict></plist>";
    let root = tree(&[("A.mbox/Messages/1.partial.emlx", &format!("17\n{MAIL}{plist}"))]);
    let found = mails(root.path(), Layout::Auto);
    assert_eq!(found[0].flags, [Flag::Seen]);
    assert_eq!(found[0].read(100).unwrap(), MAIL.as_bytes());
}

#[test]
fn an_emlx_says_how_much_of_it_is_there() {
    let root = tree(&[("a/1.emlx", "999\nSubject: 1\n\na"), ("a/2.emlx", MAIL)]);
    let cut_off = "! a/1.emlx: emlx that was cut off: says 999 bytes, has 13";
    assert_eq!(outcomes(root.path(), Layout::Auto), [cut_off, "! a/2.emlx: emlx without a length line"]);
}

#[test]
fn an_mbox_of_carriage_returns_alone_is_one_under_any_name() {
    let two = ONE.repeat(2).replace('\n', "\r");
    let root = tree(&[("u/Box.mbox", &two), ("u/Sent", &two), ("u/one", &ONE.replace('\n', "\r"))]);
    let at = two.rfind("From ").unwrap();
    let expected = [
        "u/Box.mbox//0".into(),
        format!("u/Box.mbox//{at}"),
        "u/Sent//0".into(),
        format!("u/Sent//{at}"),
        "u/one".into(),
    ];
    assert_eq!(outcomes(root.path(), Layout::Auto), expected);
}

#[test]
fn a_name_alone_makes_no_helper_file_of_a_mail() {
    let two = ONE.repeat(2);
    let root = tree(&[
        ("anna/cur/1672653000.M1P1.h:2,S", MAIL),
        ("anna/courier-users", &two),
        ("anna/dovecot-uidlist", "3 V1 N3 Gab\n1 :1204680122.M1.host\n"),
        ("anna/dovecot.mbox", ONE),
        ("anna/subscriptions", ""),
        ("anna/subscriptions-2020.eml", MAIL),
    ]);
    let found = outcomes(root.path(), Layout::Auto);
    let mails = found.iter().filter(|outcome| !outcome.starts_with("- ")).count();
    assert_eq!(mails, 5, "{found:?}");
    for name in ["dovecot-uidlist", "subscriptions"] {
        assert!(found.contains(&format!("- anna/{name}: a helper file of a mail server")), "{found:?}");
    }
}

#[test]
fn users_may_lie_beside_a_maildir_whose_name_has_a_dot() {
    let files = [("anna/cur/1672653000.M1P1.h:2,S", MAIL), ("bob/new/1672653000.M2P1.h", MAIL)];
    let trash = (".Trash/cur/1672653000.M3P1.h:2,S", MAIL);
    let root = tree(&[files[0], files[1], trash]);
    let found = places(root.path(), Layout::Auto);
    for (file, place) in [(files[0].0, "anna"), (files[1].0, "bob"), (trash.0, ".Trash")] {
        assert!(found.contains(&format!("{file} = {place}")), "{found:?}");
    }
    let alone = places(tree(&[trash]).path(), Layout::Auto);
    assert_eq!(alone, [format!("{} = USER > Trash", trash.0)]);
}

#[test]
fn labels_that_are_left_out_are_told() {
    let labels: Vec<_> = (0..2_001).map(|number| format!("L{number}")).collect();
    let mail = format!("From a@b Mon Jan  2 10:00:00 2023\nX-Gmail-Labels: {}\nSubject: x\n\n", labels.join(","));
    let root = tree(&[("a.mbox", &mail)]);
    assert_eq!(mails(root.path(), Layout::Auto)[0].locations.len(), 2_000);
    let told = outcomes(root.path(), Layout::Auto).swap_remove(1);
    assert_eq!(told, "= a.mbox//0: it has too many labels: the first 2000 of them are its places");
}
