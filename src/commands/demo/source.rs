//! The sample mails: where they lie, and what is true of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use archive::{Error, Result, hash::to_hex};
use sha2::{Digest as _, Sha256};

/// The mails of a directory as its files tell them, found without anything of the product.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Files that are mails.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Hash to size, each different mail once.
    pub(super) mails: BTreeMap<String, u64>,
    /// Path segments, the user archive first, to the hashes of the mails there.
    pub(super) places: BTreeMap<Vec<String>, BTreeSet<String>>,
}

/// `samples/e-mail-files` below the working directory, or below a directory above the program.
pub(super) fn find() -> Result<PathBuf> {
    let program = env::current_exe().unwrap_or_default();
    let above = program.ancestors().skip(1).take(4).map(Path::to_owned);
    let places = std::iter::once(PathBuf::new()).chain(above).map(|dir| dir.join("samples/e-mail-files"));
    places.into_iter().find(|dir| dir.is_dir()).ok_or_else(|| {
        Error::not_found("samples/e-mail-files is neither here nor beside the program")
            .hint("run the demo in a checkout of the repository")
    })
}

/// Reads and hashes every `.eml` below `root`.
pub(super) fn read(root: &Path) -> Result<Truth> {
    let mut truth = Truth::default();
    let mut folders = vec![(root.to_owned(), Vec::new())];
    while let Some((folder, segments)) = folders.pop() {
        let fail = |error| Error::not_found(folder.display().to_string()).caused_by(error);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().map_err(fail)?.is_dir() {
                folders.push((entry.path(), [segments.clone(), vec![name]].concat()));
            } else if Path::new(&name).extension().is_some_and(|extension| extension == "eml") {
                truth.add(&fs::read(entry.path()).map_err(fail)?, &segments);
            }
        }
    }
    Ok(truth)
}

impl Truth {
    fn add(&mut self, bytes: &[u8], segments: &[String]) {
        let hash = to_hex(&<[u8; 32]>::from(Sha256::digest(bytes)));
        self.files += 1;
        self.bytes += bytes.len() as u64;
        self.places.entry(segments.to_vec()).or_default().insert(hash.clone());
        self.mails.insert(hash, bytes.len() as u64);
    }

    pub(super) fn user_archives(&self) -> BTreeSet<&str> {
        self.places.keys().filter_map(|segments| segments.first()).map(String::as_str).collect()
    }
}
