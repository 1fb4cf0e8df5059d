//! Any ZIP tool lists a volume.

use crate::support::{keys, noise, single};
use std::io::{Cursor, Read as _};
use std::process::Command;

pub(crate) fn list_with_zip(bytes: &[u8], entries: u64) {
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len() as u64, entries);
}

#[test]
fn the_zip_crate_reads_each_entry() {
    let keys = keys(Some("p"), &[]);
    let bytes = single(&keys, &[b"one", &noise(1, 100_000)]).bytes;
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["header.json", "mail/00000000001", "mail/00000000002", "catalogue", "seal.json", "seal.sig"]);
    for index in 0..archive.len() {
        let mut content = Vec::new();
        archive.by_index(index).unwrap().read_to_end(&mut content).unwrap();
    }
}

/// Runs only where Python is there.
#[test]
fn python_tests_each_checksum() {
    let keys = keys(None, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("NAME-0001.mszip");
    std::fs::write(&path, single(&keys, &[b"one", b"two"]).bytes).unwrap();
    let script =
        "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(len(z.namelist()))";
    let Ok(output) = Command::new("python3").arg("-c").arg(script).arg(&path).output() else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "6", "{output:?}");
}
