//! What an auditor is handed, from the command line.

use std::fs;

use crate::{
    folder::Data,
    program::Place as _,
    source::{MAILBOX, Story},
};

#[test]
fn the_report_of_an_export_is_complete_with_its_last_volume() {
    let story = Story::new(120, 60_000);
    let exported = story.export(&["--volume-size", "1MiB"]);
    let volumes = story.volumes();
    let (last, others) = volumes.split_last().unwrap();
    story.import(&others[1..], &[], 0);
    let data = story.data();
    let data = Data(&data);
    let id = exported["export_id"].as_str().unwrap();
    let page = story.path("report.html");

    let report = data.json(&["report", id, "--html", &page], 8);
    assert_eq!(report["missing_volumes"], serde_json::json!([1]));
    assert_eq!((report["volumes"].as_u64(), report["complete"].as_bool()), (None, Some(false)));
    assert!(fs::read_to_string(&page).unwrap().contains("Not complete: 1 volumes are missing."));

    story.import(&[last.clone(), others[0].clone()], &[], 0);
    data.json(&["restructure"], 0);
    let report = data.json(&["report", id, "--html", &page], 0);
    assert_eq!((report["volumes"].as_u64(), report["complete"].as_bool()), (Some(volumes.len() as u64), Some(true)));
    assert_eq!(
        (report["in_volumes"].as_u64(), report["sums"][0]["seal"].as_u64()),
        (Some(story.files), Some(story.files))
    );
    assert_eq!(report["certificate_sha256"], exported["certificate_sha256"]);
    for import in report["imports"].as_array().unwrap() {
        let number = usize::try_from(import["report"]["volume"]["number"].as_u64().unwrap()).unwrap();
        assert_eq!(import["report"]["volume"]["seal_sha256"], exported["volumes"][number - 1]["seal_sha256"]);
    }
    let places: usize = story.places.values().map(std::collections::BTreeSet::len).sum();
    let mailboxes = report["mailboxes"].as_array().unwrap().iter();
    let recreated = mailboxes.clone().filter(|sum| !sum["user_archive"].is_null());
    assert_eq!(recreated.map(|sum| sum["catalogue"].as_u64().unwrap()).sum::<u64>(), places as u64);
    assert_eq!(mailboxes.filter(|sum| sum["mailbox"] == MAILBOX).count(), 1);
    assert!(fs::read_to_string(&page).unwrap().contains("Complete: all "));

    let exports = data.json(&["exports"], 0);
    assert_eq!((exports[0]["export_id"].as_str(), exports.as_array().unwrap().len()), (Some(id), 1));
    let imports = data.json(&["imports", "list"], 0);
    assert_eq!(imports.as_array().unwrap().len(), volumes.len());
    let import = imports[0]["id"].as_str().unwrap();
    let own = data.json(&["report", import], 0);
    assert_eq!((own["volume"]["of"].as_u64(), own["balanced"].as_bool()), (Some(volumes.len() as u64), Some(true)));
    assert_eq!(data.json(&["report", "none"], 4)["error"]["code"], "not_found");
    assert_eq!(data.json(&["imports", "cancel", import], 5)["error"]["code"], "conflict");
}
