//! A clock that moves only when told to.

use std::{sync::Mutex, time::Duration};

use super::locked;
use crate::ports::Clock;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600;

/// Stands still until stepped.
#[derive(Debug)]
pub struct SteppedClock {
    /// Wall clock in Unix seconds, time since boot.
    state: Mutex<(i64, Duration)>,
}

impl Default for SteppedClock {
    /// Begins at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(START)
    }
}

impl SteppedClock {
    /// Begins at these Unix seconds.
    pub fn at(now: i64) -> Self {
        Self { state: Mutex::new((now, Duration::from_mins(1))) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut state = locked(&self.state);
        state.0 = state.0.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
        state.1 = state.1.saturating_add(by);
    }

    /// Sets the wall clock alone, forward or back, as an administrator or a time server does.
    pub fn jump(&self, now: i64) {
        locked(&self.state).0 = now;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> i64 {
        locked(&self.state).0
    }
    fn boot(&self) -> Duration {
        locked(&self.state).1
    }
}
