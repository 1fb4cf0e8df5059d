//! The files that a walk has come to, so that a second one looks at those alone that came, or changed, since.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mail::source::{Item, Source, Stamp, Visited};

use super::known::half_of;
use super::records::{Records, Sorted};

/// Half of the hash of the key, and the stamp.
const FILE_BYTES: usize = 16 + 8;

/// Remembers files while they are walked.
pub(super) struct Files(Arc<Mutex<Walked>>);

struct Walked {
    files: Records<FILE_BYTES>,
    /// Why files could not be remembered.
    error: Option<io::Error>,
}

impl Files {
    /// None yet; what cannot be held in memory will lie in a nameless file in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self(Arc::new(Mutex::new(Walked { files: Records::new(folder), error: None })))
    }

    /// The first walk: nothing is passed over.
    pub(super) fn remembering(&self, source: Source) -> Source {
        let walked = Arc::clone(&self.0);
        source.visiting(move |key, stamp| {
            let mut walked = lock(&walked);
            if let Err(error) = walked.files.push(record(key, stamp)) {
                walked.error.get_or_insert(error);
            }
            Visited::New
        })
    }

    /// The second walk: what is to be exported of it, and what is to be said.
    pub(super) fn changes(self, source: Source) -> io::Result<impl Iterator<Item = Item> + Send> {
        let folder = lock(&self.0).files.folder().to_owned();
        let walked = std::mem::replace(&mut *lock(&self.0), Walked { files: Records::new(&folder), error: None });
        walked.error.map_or(Ok(()), Err)?;
        let files = Sorted::of(walked.files)?;
        let looked_at = Arc::new(Mutex::new(String::new()));
        let last = Arc::clone(&looked_at);
        let source = source.visiting(move |key, stamp| {
            let visited = visited(&files, key, stamp);
            if visited != Visited::Same {
                key.clone_into(&mut lock(&last));
            }
            visited
        });
        Ok(source.filter_map(move |item| told(item, &lock(&looked_at))))
    }
}

/// Directories that cannot be read were named by the first walk; `looked_at` is the file that came or changed.
fn told(item: Item, looked_at: &str) -> Option<Item> {
    match item {
        Item::NotMail { .. } => None,
        Item::Skipped { source, reason, .. } => {
            let of_it = source.strip_prefix(looked_at).is_some_and(|rest| rest.is_empty() || rest.starts_with("//"));
            of_it.then(|| Item::Noted { source, reason: unread(&reason) })
        }
        Item::Mail(_) | Item::Noted { .. } | Item::ScratchFailed(_) => Some(item),
    }
}

/// What is said of a file that cannot be read in the second walk, and may have been in the first one.
pub(super) fn unread(reason: &str) -> String {
    format!("came or changed while the export ran, and is not in the volumes as it is now: {reason}")
}

/// A file of which that cannot be told is looked at.
fn visited(files: &Sorted<FILE_BYTES>, key: &str, stamp: Stamp) -> Visited {
    match files.first(&half_of(key)) {
        Ok(None) => Visited::New,
        Ok(Some((_, found))) if found == record(key, stamp) => Visited::Same,
        Ok(Some(_)) | Err(_) => Visited::Changed,
    }
}

fn record(key: &str, stamp: Stamp) -> [u8; FILE_BYTES] {
    let mut record = [0; FILE_BYTES];
    for (to, from) in record.iter_mut().zip(half_of(key).into_iter().chain(stamp.to_be_bytes())) {
        *to = from;
    }
    record
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
