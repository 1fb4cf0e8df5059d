//! How many bytes of mails may be in flight between the source and the open volume.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A bound on memory: whoever reads a mail takes its share first and waits until there is enough.
pub(super) struct Budget {
    total: u64,
    left: Mutex<Left>,
    changed: Condvar,
}

struct Left {
    bytes: u64,
    is_closed: bool,
}

/// A share of the budget; it goes back when this is dropped.
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(total: u64) -> Self {
        Self { total, left: Mutex::new(Left { bytes: total, is_closed: false }), changed: Condvar::new() }
    }

    /// Waits for a share; more than the whole budget is asked for as the whole. None once the budget is closed.
    pub(super) fn take(&self, bytes: u64) -> Option<Share<'_>> {
        let bytes = bytes.min(self.total);
        let mut left = self.left();
        while left.bytes < bytes && !left.is_closed {
            left = self.changed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        if left.is_closed {
            return None;
        }
        left.bytes -= bytes;
        Some(Share { budget: self, bytes })
    }

    /// Wakes up everyone who waits.
    pub(super) fn close(&self) {
        self.left().is_closed = true;
        self.changed.notify_all();
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.left().bytes += self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn shares_go_back_and_a_closed_budget_gives_none() {
        let budget = Budget::new(10);
        let first = budget.take(4);
        let second = budget.take(6);
        assert!(first.is_some() && second.is_some());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(1000).is_some());
            drop(first);
            drop(second);
            assert!(waiting.join().is_ok_and(|given| given));
        });
        budget.close();
        assert!(budget.take(0).is_none());
    }
}
