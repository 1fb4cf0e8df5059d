//! Trees that are made for one test, and what a walk finds in them, in short.

use std::fs;
use std::path::Path;

use mail::source::{Found, Item, Layout, Options, open};
use tempfile::TempDir;

pub(crate) const MAIL: &str = "Subject: x\n\nbody\n";

/// Paths and contents.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn tree(files: Files) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

pub(crate) fn options() -> Options {
    Options::new("USER", tempfile::env::temp_dir())
}

pub(crate) fn walk(root: &Path, layout: Layout) -> Vec<Item> {
    open(root, layout, &options()).unwrap().collect()
}

pub(crate) fn mails(root: &Path, layout: Layout) -> Vec<Found> {
    let found = |item| if let Item::Mail(found) = item { Some(found) } else { None };
    walk(root, layout).into_iter().filter_map(found).collect()
}

/// Each item in short: `key`, `- source: reason` (not mail) or `! source: reason` (skipped).
pub(crate) fn outcomes(root: &Path, layout: Layout) -> Vec<String> {
    let short = |item| match item {
        Item::Mail(found) => found.key,
        Item::NotMail { source, reason } => format!("- {source}: {reason}"),
        Item::Skipped { source, reason, .. } => format!("! {source}: {reason}"),
        Item::Noted { source, reason } => format!("= {source}: {reason}"),
        Item::ScratchFailed(error) => panic!("{error}"),
    };
    walk(root, layout).into_iter().map(short).collect()
}

/// As [`outcomes`], with the locations of each mail: `key = a > b | c`.
pub(crate) fn places(root: &Path, layout: Layout) -> Vec<String> {
    let short = |item| match item {
        Item::Mail(found) => {
            let locations: Vec<String> = found.locations.iter().map(|location| location.join(" > ")).collect();
            format!("{} = {}", found.key, locations.join(" | "))
        }
        Item::NotMail { source, .. } => format!("- {source}"),
        Item::Skipped { source, reason, .. } => format!("! {source}: {reason}"),
        Item::Noted { source, reason } => format!("= {source}: {reason}"),
        Item::ScratchFailed(error) => panic!("{error}"),
    };
    walk(root, layout).into_iter().map(short).collect()
}
