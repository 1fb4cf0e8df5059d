//! Mails whose files had been written just before they were read: somebody may not have been done with them.

use std::collections::VecDeque;

use mail::source::Found;

/// A file that nobody has written for so long is taken to be whole. Clocks of file servers differ by some of it.
const SECONDS: i64 = 600;
/// So many are remembered, the last ones.
const REMEMBERED: usize = 4_096;

/// Mails of which a file is to be looked at right before the export ends.
#[derive(Default)]
pub(super) struct Fresh(VecDeque<Box<Found>>);

impl Fresh {
    /// Remembers a mail that was read at `now`, in Unix seconds, if its file is young.
    pub(super) fn push(&mut self, found: Box<Found>, now: i64) {
        if found.last_change().is_some_and(|time| time > now.saturating_sub(SECONDS)) {
            self.0.push_back(found);
        }
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    /// Those whose files were written since they were found, as they are now.
    pub(super) fn rewritten(self) -> impl Iterator<Item = Box<Found>> {
        self.0.into_iter().filter_map(|found| found.rewritten().map(Box::new))
    }
}
