//! Mails whose files had been written just before they were read: somebody may not have been done with them.

use std::collections::VecDeque;

use mail::source::Found;

/// A file that nobody has written for so long is taken to be whole. Clocks of file servers differ by some of it.
const SECONDS: i64 = 600;
/// So many are remembered. When there are more, the first of them is looked at once more at once.
const REMEMBERED: usize = 4_096;

/// Mails of which a file is to be looked at once more when all are read.
#[derive(Default)]
pub(super) struct Fresh(VecDeque<ReadMail>);

/// A mail as it was found, and the hash of what was read of it.
pub(super) struct ReadMail {
    found: Box<Found>,
    sha256: [u8; 32],
}

impl Fresh {
    /// Remembers a mail that was read at `now`, in Unix seconds, if its file is young; gives back the first one of too many.
    pub(super) fn push(&mut self, found: Box<Found>, sha256: [u8; 32], now: i64) -> Option<ReadMail> {
        if found.last_change().is_some_and(|time| time > now.saturating_sub(SECONDS)) {
            self.0.push_back(ReadMail { found, sha256 });
        }
        if self.0.len() > REMEMBERED { self.pop() } else { None }
    }

    pub(super) fn pop(&mut self) -> Option<ReadMail> {
        self.0.pop_front()
    }
}

impl ReadMail {
    /// The mail as it lies there now, if its file was written since it was found.
    pub(super) fn rewritten(&self) -> Option<Box<Found>> {
        self.found.rewritten().map(Box::new)
    }

    pub(super) fn is_equal(&self, sha256: &[u8; 32]) -> bool {
        self.sha256 == *sha256
    }
}
