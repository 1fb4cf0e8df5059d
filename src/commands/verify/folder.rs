//! The volumes and certificates that lie in folders: what each file is, its first bytes say better than its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use archive::{Error, Result};
use serde_json::Value;
use volume::Certificate;

use super::{certificate_bytes, open};

/// The first local header of a volume: four bytes, and `header.json` at 30.
const START_BYTES: usize = 41;

/// What is to be checked together.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files named on the command line, and those of the folders by name.
    pub(super) volumes: Vec<PathBuf>,
    /// The certificates beside them in the folders, each once.
    certificates: BTreeMap<[u8; 32], (PathBuf, Certificate)>,
    /// Why the first file that is called a certificate is none.
    damaged: Option<volume::Error>,
}

impl Found {
    /// Takes files as they are named and looks into folders, but not into folders within them.
    ///
    /// Fails with `NotFound` where a folder cannot be read or holds no volume.
    pub(super) fn look(paths: &[PathBuf]) -> Result<Self> {
        let mut found = Self::default();
        for path in paths {
            if path.is_dir() {
                found.look_into(path)?;
            } else {
                found.volumes.push(path.clone());
            }
        }
        Ok(found)
    }

    fn look_into(&mut self, folder: &Path) -> Result<()> {
        let unreadable =
            |error: io::Error| Error::not_found(format!("{}: cannot be read", folder.display())).caused_by(error);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.sort();
        let before = self.volumes.len();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            if has_ending(&path, "cer") {
                self.keep_certificate(path);
            } else if has_ending(&path, "mszip") || begins_as_volume(&path) {
                self.volumes.push(path);
            }
        }
        if self.volumes.len() == before {
            let message = format!("no volume lies in {}", folder.display());
            return Err(Error::not_found(message).hint("volumes are called NAME-0001.mszip and so on"));
        }
        Ok(())
    }

    /// What is no certificate matters only where no other file is one.
    fn keep_certificate(&mut self, path: PathBuf) {
        let Ok(bytes) = certificate_bytes(&path) else { return };
        match Certificate::parse(&bytes) {
            Ok(certificate) => {
                self.certificates.entry(*certificate.sha256()).or_insert((path, certificate));
            }
            Err(error) => {
                self.damaged.get_or_insert(error);
            }
        }
    }

    /// Why there is no certificate: the one in the folders cannot be read, or none is there.
    pub(super) fn without_certificate(&self) -> volume::Error {
        let damaged = self.damaged.clone().filter(|_| self.certificates.is_empty());
        damaged.unwrap_or(volume::Error::CertificateNeeded)
    }

    /// The certificate that goes with the volumes, where none was named: of those in the folders the only one that a
    /// volume names, or the only one.
    ///
    /// Fails with `Invalid` where volumes name several of them, so that the export is not clear.
    pub(super) fn certificate(&self) -> Result<Option<&Certificate>> {
        let mut named: Vec<_> = self.volumes.iter().filter_map(|path| certificate_named(path)).collect();
        named.sort_unstable();
        named.dedup();
        let ours: Vec<_> = named.iter().filter_map(|sha256| self.certificates.get(sha256)).collect();
        match (ours.as_slice(), self.certificates.len()) {
            ([(_, certificate)], _) => Ok(Some(certificate)),
            ([], 1) => Ok(self.certificates.values().next().map(|(_, certificate)| certificate)),
            ([], _) => Ok(None),
            (several, _) => {
                let paths: Vec<_> = several.iter().map(|(path, _)| path.display().to_string()).collect();
                let message = format!("volumes of several exports lie here: {}", paths.join(", "));
                Err(Error::invalid(message).hint("say with --certificate which export is meant"))
            }
        }
    }

    /// The volumes that say of themselves, which nobody has verified, that they belong to another certificate, and lie
    /// beside one that belongs to this one: they need not be read. Where none does, it is the certificate that is wrong.
    pub(super) fn of_others(&self, certificate: &Certificate) -> BTreeSet<&Path> {
        let named = self.volumes.iter().filter_map(|path| Some((path.as_path(), certificate_named(path)?)));
        let (own, others): (Vec<_>, Vec<_>) = named.partition(|(_, named)| named == certificate.sha256());
        if own.is_empty() { BTreeSet::new() } else { others.into_iter().map(|(path, _)| path).collect() }
    }

    /// Whether a password opens any of the volumes, by their headers.
    pub(super) fn can_be_opened_by_password(&self) -> bool {
        let is_password = |slot: &Value| slot["type"] == "password";
        let takes_one =
            |header: Value| header["key_slots"].as_array().is_some_and(|slots| slots.iter().any(is_password));
        self.volumes.iter().filter_map(|path| header(path)).any(takes_one)
    }
}

/// The certificate that a volume's header names; none where header or seal cannot be read.
fn certificate_named(path: &Path) -> Option<[u8; 32]> {
    archive::hash::from_hex(header(path)?["certificate_sha256"].as_str()?)
}

fn header(path: &Path) -> Option<Value> {
    let (mut file, size) = open(path).ok()?;
    let mut document = volume::inspect(&mut file, size).ok()?.ok()?;
    Some(document["header"].take())
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// A volume that was given another ending is one still.
fn begins_as_volume(path: &Path) -> bool {
    let mut start = Vec::with_capacity(START_BYTES);
    let read = File::open(path).and_then(|file| file.take(START_BYTES as u64).read_to_end(&mut start));
    read.is_ok() && start.starts_with(b"PK\x03\x04") && start.ends_with(b"header.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_asked_for_only_where_one_opens_something() {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/volume/tests/vectors");
        let found =
            |names: &[&str]| Found::look(&names.iter().map(|name| vectors.join(name)).collect::<Vec<_>>()).unwrap();
        assert!(found(&["good-plain.mszip", "good-password.mszip"]).can_be_opened_by_password());
        assert!(found(&["good-both-by-key.mszip"]).can_be_opened_by_password());
        assert!(!found(&["good-plain.mszip", "good-recipient.mszip", "no-such-file"]).can_be_opened_by_password());
    }
}
