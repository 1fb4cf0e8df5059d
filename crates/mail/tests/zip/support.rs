//! Archives in memory, and their items in short.

use std::io;
use std::sync::Arc;

use mail::source::{Content, Found, Item, Options, Place, ZipError, ZipItems};

use super::writer::{Archive, Entry};

pub(crate) const MAIL: &[u8] = b"Subject: x\n\nbody\n";

#[derive(Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Content for Bytes {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        // In small pieces, as a store over the network may deliver them.
        let count = rest.len().min(buffer.len()).min(1_000);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn verify_unchanged(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn options() -> Options {
    Options::new("USER", tempfile::env::temp_dir())
}

pub(crate) fn open_with(bytes: Vec<u8>, options: &Options) -> Result<ZipItems, ZipError> {
    let place = Place { key: "z".into(), segments: Vec::new(), user_archive: options.user_archive.clone() };
    ZipItems::open(Arc::new(Bytes(bytes)), place, options)
}

pub(crate) fn open(bytes: Vec<u8>) -> Result<ZipItems, ZipError> {
    open_with(bytes, &options())
}

pub(crate) fn items(archive: &Archive) -> Vec<Item> {
    open(archive.bytes()).unwrap().collect()
}

/// Each item in short, after `z//`: `key`, `- source: reason` (not mail) or `! source: reason` (skipped).
/// A mail is read, and skipped if that fails, as an export does.
pub(crate) fn outcomes(archive: &Archive) -> Vec<String> {
    items(archive).into_iter().map(outcome).collect()
}

pub(crate) fn outcome(item: Item) -> String {
    let short = |key: &str| key.strip_prefix("z//").unwrap_or(key).to_owned();
    match item {
        Item::Mail(found) => match found.read(1 << 30) {
            Ok(bytes) => {
                assert_eq!(bytes.len() as u64, found.size_bytes);
                short(&found.key)
            }
            Err(error) => format!("! {}: {error}", short(&found.key)),
        },
        Item::NotMail { source, reason } => format!("- {}: {reason}", short(&source)),
        Item::Skipped { source, reason, .. } => format!("! {}: {reason}", short(&source)),
        Item::Noted { source, reason } => format!("= {source}: {reason}"),
        Item::ScratchFailed(error) => panic!("{error}"),
    }
}

pub(crate) fn mails(entries: &[Entry]) -> Vec<Found> {
    let found = |item| match item {
        Item::Mail(found) => found,
        other => panic!("{other:?}"),
    };
    items(&Archive::of(entries)).into_iter().map(found).collect()
}
