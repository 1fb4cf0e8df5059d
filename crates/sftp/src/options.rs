//! What an operator may want to set.

use std::time::Duration;

/// Limits of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most that the files of one home may take; none for no limit but the disk's.
    pub quota_bytes: Option<u64>,
    pub max_connections: usize,
    /// From one address (IPv6: one /64 network).
    pub max_connections_per_peer: usize,
    /// From connecting to being logged in.
    pub login_timeout: Duration,
    /// Each refused login takes at least so long.
    pub refusal_delay: Duration,
    /// A connection without any request ends after so long.
    pub idle_timeout: Duration,
    /// A peer that answers nothing for four such periods is gone.
    pub keepalive_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quota_bytes: None,
            max_connections: 128,
            max_connections_per_peer: 32,
            login_timeout: Duration::from_mins(1),
            refusal_delay: Duration::from_secs(1),
            idle_timeout: Duration::from_mins(30),
            keepalive_interval: Duration::from_secs(15),
        }
    }
}
