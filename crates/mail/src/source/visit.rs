//! What a walk tells of each file before it looks at it, so that a second walk may pass over what has not changed.

use std::fmt;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Tells one state of a file from the next: made of its length and its times, that of its last change of any kind included
/// where there is one. Of use in one process only.
pub type Stamp = u64;

/// What is known of a file from a walk before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visited {
    /// None of its key was there.
    New,
    /// It had another stamp. If it is an mbox or a ZIP, its mails are not gone through once more.
    Changed,
    /// It has not changed: there is no item of it.
    Same,
}

/// Is told the key and the stamp of each file, before anything is read of it.
type Visit = dyn FnMut(&str, Stamp) -> Visited + Send;

pub(super) struct Visitor(pub(super) Box<Visit>);

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visitor")
    }
}

pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    let mut hasher = DefaultHasher::new();
    (metadata.len(), metadata.modified().ok()).hash(&mut hasher);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
    }
    hasher.finish()
}
