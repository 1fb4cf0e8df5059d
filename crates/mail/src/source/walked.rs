//! What was walked and may change before all of its mails are read.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::content::AsOpened;
use super::{FileContent, Item, mbox};

/// So many are remembered: paths may be long. When there are more, the first of them is looked at once more at once.
const REMEMBERED: usize = 4_096;

/// What is looked at once more when all has been read: by then the rest of a half-written mail may have come, or mails
/// may have gone from one directory, not yet read, to another that had been.
#[derive(Debug, Default)]
pub(super) struct Walked(VecDeque<Passed>);

#[derive(Debug)]
pub(super) enum Passed {
    Directory { path: PathBuf, key: String, changed_at: SystemTime },
    Mbox { path: PathBuf, as_opened: AsOpened, tail: mbox::Tail },
}

impl Walked {
    /// Remembers one, and looks at the first one if there are too many.
    pub(super) fn push(&mut self, passed: Passed) -> Option<Item> {
        self.0.push_back(passed);
        if self.0.len() > REMEMBERED { self.0.pop_front()?.look_again() } else { None }
    }

    /// Looks at all of them, up to the first one of which something is to be said.
    pub(super) fn look_again(&mut self) -> Option<Item> {
        while let Some(passed) = self.0.pop_front() {
            let item = passed.look_again();
            if item.is_some() {
                return item;
            }
        }
        None
    }
}

impl Passed {
    /// A directory whose names were read after the time was taken; none where there is no time.
    pub(super) fn directory(path: &Path, key: &str, changed_at: Option<SystemTime>) -> Option<Self> {
        let key = if key.is_empty() { "." } else { key };
        Some(Self::Directory { path: path.to_owned(), key: key.to_owned(), changed_at: changed_at? })
    }

    /// What has gone away or cannot be read any more says nothing: its mails have their own outcomes.
    fn look_again(self) -> Option<Item> {
        match self {
            Self::Directory { path, key, changed_at } => {
                let is_changed = changed(&path).is_some_and(|now| now != changed_at);
                let reason = "changed after its names were read: a mail that came in or was moved meanwhile may be missing \
                              or there twice";
                is_changed.then(|| Item::Noted { source: key, reason: reason.to_owned() })
            }
            Self::Mbox { path, as_opened, tail } => {
                let content = FileContent::reopen(&path, as_opened).ok()?;
                tail.look_again(Arc::new(content))
            }
        }
    }
}

/// When a name came into a directory or left it last.
pub(super) fn changed(directory: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(directory).and_then(|metadata| metadata.modified()).ok()
}
