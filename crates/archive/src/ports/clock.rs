//! Time, as a value.

use std::time::Duration;

pub trait Clock: Send + Sync {
    /// Unix seconds UTC. May jump.
    fn now(&self) -> i64;
    /// Time since some fixed point of this boot. Never goes back; leases are measured by it.
    fn boot(&self) -> Duration;
}
