//! What the program says to people.

use std::fs;

use crate::{
    program::{command, end},
    source::Story,
};

/// The text of an export of `old` into `out`, with the exit code that it must have.
fn text(story: &Story, more: &[&str], exit: i32) -> String {
    let (from, to) = (story.path("old"), story.path("out"));
    let fixed = ["export", "--from", &from, "--to", &to, "--name", "told"];
    let ended = end(command(&[&fixed, more].concat()));
    assert_eq!(ended.exit, exit, "{}", ended.stderr);
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn one_is_told_as_one_and_what_is_no_mail_by_name() {
    let story = Story::new(1, 500);
    for number in 0..25 {
        fs::write(story.path(&format!("old/{number:02}.bin")), [1, 2, 3]).unwrap();
    }
    let told = text(&story, &[], 0);
    assert!(told.starts_with("1 mail in the source = 1 exported + 0 skipped"), "{told}");
    assert!(told.contains(" of mails, 1 volume\n") && told.contains("no mail (25):\n  00.bin: "), "{told}");
    assert!(told.contains("  19.bin: ") && told.contains("  and 5 more, see the report\n"), "{told}");
    assert!(!told.contains("20.bin") && !told.contains("warning"), "{told}");
}

#[test]
fn a_source_without_a_mail_is_warned_of_and_no_failure() {
    let story = Story::new(0, 500);
    fs::create_dir_all(story.path("old")).unwrap();
    fs::write(story.path("old/archive.pst"), [1, 2, 3]).unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let told = text(&story, more, 0);
        let last = told.lines().last().unwrap();
        assert_eq!(last, "warning: the source holds no mail, but 1 file of other kinds: is it the right one?");
    }
}

#[test]
fn a_source_in_which_nothing_is_left_to_export_is_warned_of() {
    let story = Story::new(0, 500);
    fs::create_dir_all(story.path("old")).unwrap();
    let last = |more: &[&str]| text(&story, &[more, &["--dry-run"]].concat(), 0).lines().last().map(str::to_owned);
    assert_eq!(last(&[]).unwrap(), "warning: the source is empty: is it the right one, and is its drive there?");
    fs::write(story.path("old/1.eml"), "Subject: one\n\ntext\n").unwrap();
    let told = last(&["--where", "subject:two"]).unwrap();
    assert_eq!(told, "warning: the query leaves out every mail of the source");
    assert!(!last(&["--where", "subject:one"]).unwrap().contains("warning"));
}

#[test]
fn a_dry_run_says_nothing_as_if_it_had_happened() {
    let story = Story::new(1, 500);
    let told = text(&story, &["--dry-run"], 0);
    assert!(told.contains("would not be encrypted") && !told.contains("lay in clear"), "{told}");
    assert!(text(&story, &[], 0).contains("lay in clear"));
}

#[test]
fn a_dry_run_stays_as_wide_as_a_screen() {
    let mut story = Story::new(3, 500);
    let long = format!("anna/begin {} end", "x".repeat(220));
    story.add(&long, 7, b"Subject: long\n\ntext\n");
    let told = text(&story, &["--dry-run"], 0);
    assert!(
        told.lines().filter(|line| !line.starts_with("the volumes")).all(|line| line.chars().count() <= 120),
        "{told}"
    );
    assert!(told.contains("  begin xx") && told.contains("x end "), "{told}");
}

#[test]
fn an_address_for_an_archive_that_nobody_knows_is_kept_and_told() {
    let story = Story::new(6, 500);
    story.export(&[]);
    story.import(&story.volumes(), &[], 0);
    let data = story.data();
    let data = data.to_str().unwrap();
    let told = |archive: &str| {
        let ended = end(command(&["--data", data, "mapping", "set", archive, "a@example.org"]));
        assert_eq!(ended.exit, 0, "{}", ended.stderr);
        String::from_utf8(ended.stdout).unwrap()
    };
    let listed = end(command(&["--data", data, "--json", "mapping", "list"])).json();
    let known = told(listed[0]["archive"].as_str().unwrap());
    assert!(!known.contains("is here yet"), "{known}");
    let unknown = told("jana.meyer");
    assert!(unknown.contains("no mail of such an archive is here yet"), "{unknown}");
}
