//! The machine's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archive::ports::Clock;
use rustix::time::{ClockId, clock_gettime};

/// Linux counts the time a machine sleeps only here; a lease must run out during that time too.
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// Wall clock and boot clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock; all others get this port")]
    fn now_millis(&self) -> i64 {
        let signed = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -signed(before.duration()), signed)
    }

    fn boot(&self) -> Duration {
        let time = clock_gettime(BOOT);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run() {
        let before = SystemClock.boot();
        assert!(SystemClock.boot() >= before);
        assert!(SystemClock.now() > 1_700_000_000);
    }
}
