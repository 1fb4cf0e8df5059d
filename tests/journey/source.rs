//! An old archive to leave: mails in folders, and what is true of them.

use std::fmt::Write as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::program::{Place, json};

pub(crate) const MAILBOX: &str = "import@example.org";
pub(crate) const PASSWORD: &str = "Lübbenau 1866 ";

/// Folders below the user archives; names that file systems, shells and JSON take differently.
const FOLDERS: [&str; 7] = [
    "anna@example.org/Exchange/Posteingang",
    "anna@example.org/Exchange/Posteingang/Angebote & Verträge",
    "anna@example.org/Exchange/Größe \"XL\" #7 [alt]",
    "M. Lehmann/Outlook/Inbox/受信トレイ",
    "M. Lehmann/Outlook/Sent 100%",
    "@catchall/Journal/a\\b",
    "@catchall",
];

pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A directory of mails, an export of it, and an archive's folder beside them.
pub(crate) struct Story {
    pub(crate) dir: TempDir,
    /// Location to the mails there, by hash.
    pub(crate) places: BTreeMap<Vec<String>, BTreeSet<String>>,
    pub(crate) mails: BTreeMap<String, Vec<u8>>,
    pub(crate) files: u64,
}

impl Story {
    /// `count` mails of some `size` bytes; every tenth lies in two folders.
    pub(crate) fn new(count: u64, size: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let mut story = Self { dir, places: BTreeMap::new(), mails: BTreeMap::new(), files: 0 };
        for number in 0..count {
            let bytes = mail(number, size);
            let folder = usize::try_from(number).unwrap() % FOLDERS.len();
            story.add(FOLDERS[folder], number, &bytes);
            if number % 10 == 3 {
                story.add(FOLDERS[(folder + 3) % FOLDERS.len()], number, &bytes);
            }
        }
        story
    }

    pub(crate) fn add(&mut self, folder: &str, number: u64, bytes: &[u8]) {
        let path = self.dir.path().join("old").join(folder);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(format!("message-1-{number}.eml")), bytes).unwrap();
        let location = folder.split('/').map(str::to_owned).collect();
        self.places.entry(location).or_default().insert(hash(bytes));
        self.mails.insert(hash(bytes), bytes.to_vec());
        self.files += 1;
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// A file with the password and one line end.
    pub(crate) fn password_file(&self) -> String {
        let path = self.path("password");
        fs::write(&path, format!("{PASSWORD}\r\n")).unwrap();
        path
    }

    /// Exports to `volumes/old-….mszip` and `old.cer`; the report.
    pub(crate) fn export(&self, more: &[&str]) -> Value {
        let (from, to) = (self.path("old"), self.path("volumes"));
        let report = json(&[&["export", "--from", &from, "--to", &to, "--name", "old"], more].concat(), 0);
        assert_eq!(report["in_source"], self.files);
        assert_eq!(report["exported"], self.files);
        assert_eq!(report["complete"], true);
        report
    }

    pub(crate) fn certificate(&self) -> String {
        self.path("volumes/old.cer")
    }

    /// The volumes in their order.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let files = fs::read_dir(self.dir.path().join("volumes")).unwrap().map(|entry| entry.unwrap().path());
        let mut volumes: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "mszip")).collect();
        volumes.sort();
        volumes.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    /// Compares every mailbox and folder of the archive with the source, and every mail byte for byte.
    pub(crate) fn assert_recreated_in(&self, place: &impl Place) {
        assert_eq!(Self::placed(place), self.places);
        for (id, bytes) in &self.mails {
            assert!(place.raw(id) == *bytes, "mail {id} has other bytes");
        }
    }

    /// What lies where, by the archive's own account.
    pub(crate) fn placed(data: &impl Place) -> BTreeMap<Vec<String>, BTreeSet<String>> {
        let mut placed = BTreeMap::new();
        for mailbox in data.json(&["mailboxes"], 0).as_array().unwrap() {
            let Some(archive) = mailbox["user_archive"].as_str() else { continue };
            let address = mailbox["address"].as_str().unwrap();
            for folder in data.json(&["folders", "--mailbox", address], 0).as_array().unwrap() {
                let path: Vec<String> = serde_json::from_value(folder["path"].clone()).unwrap();
                let mails = data.mails(address, Some(&path));
                assert_eq!(folder["mails"], mails.len());
                let location = [vec![archive.to_owned()], path].concat();
                let hashes: BTreeSet<_> = mails.iter().map(|mail| mail["id"].as_str().unwrap().to_owned()).collect();
                if !hashes.is_empty() {
                    placed.insert(location, hashes);
                }
            }
        }
        placed
    }
}

/// A mail of its own for each number; its body can hardly be compressed.
fn mail(number: u64, size: usize) -> Vec<u8> {
    let mut text = format!(
        "Message-ID: <{number}@example.org>\r\nDate: Mon, {:02} Jan 2018 12:00:00 +0100\r\nFrom: Anna <anna@example.org>\r\n\
         To: b@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe_{number}?=\r\n\r\n",
        1 + number % 28,
    );
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678;
    while text.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let _ = write!(text, "{:016x}{}", state ^ (state >> 29), if text.len() % 5 == 0 { "\r\n" } else { "" });
    }
    text.into_bytes()
}
