//! Time, as a value.

use std::time::Duration;

pub trait Clock: Send + Sync {
    /// Unix seconds UTC. May jump.
    fn now(&self) -> i64;
    /// Unix milliseconds UTC, of the same clock; whole seconds where it tells no more.
    fn now_millis(&self) -> i64 {
        self.now().saturating_mul(1000)
    }
    /// Time since some fixed point of this boot. Never goes back; leases are measured by it.
    fn boot(&self) -> Duration;
}
