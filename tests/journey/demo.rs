//! The demo says the truth about itself.

use crate::program::{command, end};

#[test]
fn every_number_of_the_demo_closes() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = command(&["demo", "--exit", "--json"]);
    demo.current_dir(env!("CARGO_MANIFEST_DIR")).env("TMPDIR", dir.path());
    let ended = end(demo);
    assert_eq!(ended.exit, 0, "{}\n{}", String::from_utf8_lossy(&ended.stdout), ended.stderr);
    let told = ended.json();
    assert_eq!(told["balanced"], true);
    assert!(told["export"]["exported"].as_u64().unwrap() > 300);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "the demo leaves something behind");
}
