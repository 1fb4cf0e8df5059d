//! How much there is to be exported, counted beside the export for whoever wants to know when it ends.

use std::fs::{self, ReadDir};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Progress;

/// Directories within each other, each of which is held open.
const MAX_DEPTH: usize = 128;

/// Works, and tells `progress` meanwhile how many bytes lie below `from`.
pub(super) fn counting<T>(from: &Path, progress: &dyn Progress, work: impl FnOnce() -> T) -> T {
    if !progress.asks_for_total() {
        return work();
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| count_bytes(from, &is_over).map(|bytes| progress.total(bytes)));
        let _over = SetOnDrop(&is_over);
        work()
    })
}

/// However the work ends, the counting ends with it.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The lengths of all files, of which none is opened; none if that says nothing about the mails in them.
fn count_bytes(from: &Path, is_over: &AtomicBool) -> Option<u64> {
    let facts = from.metadata().ok()?;
    if !facts.is_dir() {
        return says_something(from).then_some(facts.len());
    }
    let mut bytes = 0_u64;
    let mut open: Vec<ReadDir> = vec![fs::read_dir(from).ok()?];
    while let Some(directory) = open.last_mut() {
        let Some(entry) = directory.next() else {
            open.pop();
            continue;
        };
        if is_over.load(Ordering::Relaxed) || open.len() > MAX_DEPTH {
            return None;
        }
        // What cannot be looked at now is named by the walk, and missing in an estimate.
        let Ok((kind, entry)) = entry.and_then(|entry| Ok((entry.file_type()?, entry))) else { continue };
        if kind.is_dir() {
            open.extend(fs::read_dir(entry.path()));
        } else if kind.is_file() {
            if !says_something(&entry.path()) {
                return None;
            }
            bytes = bytes.saturating_add(entry.metadata().map_or(0, |facts| facts.len()));
        }
    }
    Some(bytes)
}

/// A compressed file is no measure of what is in it.
fn says_something(path: &Path) -> bool {
    !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::{Progress, count_bytes, counting};

    struct Watcher(AtomicU64);

    impl Progress for Watcher {
        fn asks_for_total(&self) -> bool {
            true
        }
        fn total(&self, bytes: u64) {
            self.0.store(bytes, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_files_count_unless_they_say_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/1.eml"), "12345").unwrap();
        fs::write(dir.path().join("a/2.eml"), "678").unwrap();
        let never = AtomicBool::new(false);
        assert_eq!(count_bytes(dir.path(), &never), Some(8));
        assert_eq!(count_bytes(&dir.path().join("a/2.eml"), &never), Some(3));
        let watcher = Watcher(AtomicU64::new(0));
        counting(dir.path(), &watcher, || {
            while watcher.0.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
        });
        assert_eq!(watcher.0.into_inner(), 8);
        assert_eq!(count_bytes(dir.path(), &AtomicBool::new(true)), None);
        fs::write(dir.path().join("a/b/3.ZIP"), "90").unwrap();
        assert_eq!(count_bytes(dir.path(), &never), None);
    }
}
