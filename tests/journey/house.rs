//! Which crate may know which: the page on architecture as a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// What each of our crates may use. Whoever is not named here may not exist.
const EDGES: [(&str, &[&str]); 10] = [
    ("postkahn", &["api", "archive", "aws", "local", "sftp", "volume"]),
    ("functions", &["api", "archive", "aws"]),
    ("api", &["archive"]),
    ("aws", &["archive"]),
    ("local", &["archive"]),
    ("sftp", &["archive"]),
    ("archive", &["mail", "search", "volume"]),
    ("mail", &[]),
    ("search", &[]),
    ("volume", &[]),
];
/// What only tests may use beyond that: an SFTP client is tried against real files.
const EDGES_OF_TESTS: [(&str, &str); 1] = [("sftp", "local")];
/// Foreign things by the beginning of their name, and the crates that may know them.
const OWNERS: [(&str, &[&str]); 11] = [
    ("aws-sdk", &["aws"]),
    ("aws-config", &["aws"]),
    ("lambda_", &["functions"]),
    ("axum", &["api", "functions", "postkahn"]),
    ("utoipa", &["api"]),
    ("tantivy", &["search"]),
    ("russh", &["sftp"]),
    ("rusqlite", &["local"]),
    ("mail-parser", &["mail"]),
    ("ammonia", &["mail"]),
    ("html5ever", &["mail"]),
];

struct Dependency {
    of: String,
    on: String,
    is_for_tests: bool,
}

/// The direct dependencies of all our crates, and the names of these.
fn dependencies() -> (Vec<Dependency>, BTreeSet<String>) {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dependencies = packages.iter().flat_map(|package| {
        let entries = package["dependencies"].as_array().unwrap().iter();
        entries.map(|entry| Dependency {
            of: text(&package["name"]),
            on: text(&entry["name"]),
            is_for_tests: entry["kind"] == "dev",
        })
    });
    (dependencies.collect(), packages.iter().map(|package| text(&package["name"])).collect())
}

#[test]
fn our_crates_depend_in_one_direction() {
    let allowed: BTreeMap<_, _> = EDGES.into_iter().collect();
    let (dependencies, ours) = dependencies();
    for name in &ours {
        assert!(allowed.contains_key(name.as_str()), "the house has no crate {name}");
    }
    for Dependency { of, on, is_for_tests } in dependencies.iter().filter(|dependency| ours.contains(&dependency.on)) {
        let in_tests = *is_for_tests && (of == on || EDGES_OF_TESTS.contains(&(of, on)));
        assert!(in_tests || allowed[of.as_str()].contains(&on.as_str()), "{of} must not know {on}");
    }
}

#[test]
fn a_foreign_thing_is_known_in_its_own_crate_alone() {
    for Dependency { of, on, .. } in dependencies().0 {
        for (thing, owners) in OWNERS {
            assert!(!on.starts_with(thing) || owners.contains(&of.as_str()), "{of} must not know {on}");
        }
    }
}

#[test]
fn what_a_function_links_has_no_sqlite() {
    let arguments = ["tree", "--offline", "--edges", "normal", "--prefix", "none", "--package", "functions"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("archive v"));
    assert!(!tree.contains("sqlite"), "{tree}");
}
