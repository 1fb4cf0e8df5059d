//! Requests that fail, as they do on AWS now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Every request takes a while, and one in so many fails, in turn: it is throttled, it fails on the other side, or it is
/// done and the answer is lost on its way back.
#[derive(Debug)]
pub(crate) struct Faults {
    every: usize,
    pub(crate) slow: Duration,
    count: AtomicUsize,
    pub(crate) made: AtomicUsize,
}

impl Faults {
    pub(crate) fn every(every: usize) -> Arc<Self> {
        Self::new(every, Duration::ZERO)
    }

    /// No request fails, and each takes so much longer: stand-ins on one's own machine are too fast for some stories.
    pub(crate) fn slow(slow: Duration) -> Arc<Self> {
        Self::new(usize::MAX, slow)
    }

    fn new(every: usize, slow: Duration) -> Arc<Self> {
        Arc::new(Self { every, slow, count: AtomicUsize::new(0), made: AtomicUsize::new(0) })
    }

    /// Which fault the next request meets, if any.
    pub(crate) fn next(&self) -> Option<usize> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        (count % self.every == self.every - 1).then(|| self.made.fetch_add(1, Ordering::Relaxed) % 3)
    }
}
