//! The clocks and the random source of the machine that a function runs on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archive::ports::{Clock, Random};
use rustix::time::{ClockId, clock_gettime};

/// Linux counts the time a machine sleeps only here; between two invocations a function sleeps.
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// Wall clock and boot clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// A moment of the wall clock, in milliseconds, on the boot clock; what has passed already is now.
    pub fn boot_at(self, unix_milliseconds: u64) -> Duration {
        self.boot() + Duration::from_millis(unix_milliseconds).saturating_sub(since_epoch().unwrap_or_default())
    }
}

/// An error for a clock that is set to before 1970, with how long before.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock; all others get the port")]
fn since_epoch() -> Result<Duration, Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).map_err(|before| before.duration())
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }

    fn now_millis(&self) -> i64 {
        let signed = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        since_epoch().map_or_else(|before| -signed(before), signed)
    }

    fn boot(&self) -> Duration {
        let time = clock_gettime(BOOT);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// Bytes fit for keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "without a random source no key is safe: stopping is the only sound answer")]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system has a random source");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_and_agree() {
        let before = SystemClock.boot();
        assert!(SystemClock.now() > 1_700_000_000);
        let soon = u64::try_from(SystemClock.now() + 60).unwrap() * 1000;
        let ahead = SystemClock.boot_at(soon).saturating_sub(before);
        assert!(ahead > Duration::from_secs(58) && ahead < Duration::from_secs(75), "{ahead:?}");
        assert!(SystemClock.boot_at(0) >= before);
    }

    #[test]
    fn no_two_draws_are_equal() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRandom.fill(&mut a);
        SystemRandom.fill(&mut b);
        assert_ne!(a, b);
    }
}
