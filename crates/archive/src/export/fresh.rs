//! Mails whose files had been written just before they were read: somebody may not have been done with them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mail::source::Found;

/// A file that nobody has written for so long is taken to be whole. Clocks of file servers differ by some of it.
const SECONDS: i64 = 600;
/// So many are remembered, the youngest ones.
const REMEMBERED: usize = 4_096;

/// Mails of which a file is to be looked at right before the export ends.
#[derive(Default)]
pub(super) struct Fresh {
    /// By when the file was written last. Of one second those that were read first: most may have happened to them.
    mails: BTreeMap<(i64, Reverse<u64>), Box<Found>>,
    pushed: u64,
}

impl Fresh {
    /// Remembers a mail that was read at `now`, in Unix seconds, if its file is young.
    pub(super) fn push(&mut self, found: Box<Found>, now: i64) {
        let Some(time) = found.last_change().filter(|time| *time > now.saturating_sub(SECONDS)) else { return };
        self.pushed += 1;
        self.mails.insert((time, Reverse(self.pushed)), found);
        if self.mails.len() > REMEMBERED {
            self.mails.pop_first();
        }
    }

    /// Those whose files were written since they were found, as they are now.
    pub(super) fn rewritten(self) -> impl Iterator<Item = Box<Found>> {
        self.mails.into_values().filter_map(|found| found.rewritten().map(Box::new))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use mail::source::{Found, Item, Layout, Options, open};

    use super::{Fresh, REMEMBERED};

    /// The mails of a folder with two files, `a` and `b`; `a` was written later.
    fn found(folder: &Path) -> [Found; 2] {
        for name in ["a.eml", "b.eml"] {
            fs::write(folder.join(name), "Subject: 1\n\nhalf").unwrap();
        }
        let young = fs::File::options().append(true).open(folder.join("a.eml")).unwrap();
        let later = young.metadata().unwrap().modified().unwrap() + Duration::from_mins(1);
        young.set_modified(later).unwrap();
        let source = open(folder, Layout::Eml, &Options::new("x", folder)).unwrap();
        let mails = source.map(|item| if let Item::Mail(found) = item { found } else { panic!("{item:?}") });
        mails.collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn the_youngest_files_are_looked_at_again_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let [young, other] = found(folder.path()).map(Box::new);
        let (now, mut fresh) = (other.last_change().unwrap(), Fresh::default());
        fresh.push(young, now);
        for _ in 0..2 * REMEMBERED {
            fresh.push(other.clone(), now);
        }
        fs::write(folder.path().join("a.eml"), "Subject: 1\n\nhalf and half").unwrap();
        let again: Vec<_> = fresh.rewritten().map(|found| found.key).collect();
        assert_eq!(again, ["a.eml"]);
    }
}
