//! How much of the server each peer may have.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failed logins of one peer in one window; more are refused without a look at the password.
const MAX_FAILURES: u32 = 30;
const WINDOW: Duration = Duration::from_mins(10);
/// Peers whose failures are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// Counts connections and failed logins by network address.
#[derive(Debug)]
pub(crate) struct Peers {
    counts: Mutex<Counts>,
    max_connections: usize,
    max_per_peer: usize,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    by_peer: HashMap<IpAddr, usize>,
    failures: HashMap<IpAddr, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Instant,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    peers: Arc<Peers>,
    network: IpAddr,
}

impl Peers {
    pub(crate) fn new(max_connections: usize, max_per_peer: usize) -> Self {
        Self { counts: Mutex::default(), max_connections, max_per_peer }
    }

    /// A place for one more connection of the peer, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let network = network(peer);
        let mut counts = self.counts();
        let here = counts.by_peer.get(&network).copied().unwrap_or(0);
        if counts.connections >= self.max_connections || here >= self.max_per_peer {
            return None;
        }
        counts.connections += 1;
        counts.by_peer.insert(network, here + 1);
        Some(Seat { peers: self.clone(), network })
    }

    /// Whether a login of the peer is looked at.
    pub(crate) fn may_try(&self, peer: IpAddr) -> bool {
        let failures = self.counts().failures.get(&network(peer)).copied();
        failures.is_none_or(|f| f.count < MAX_FAILURES || f.since.elapsed() > WINDOW)
    }

    pub(crate) fn failed(&self, peer: IpAddr) {
        let mut counts = self.counts();
        if counts.failures.len() >= MAX_REMEMBERED {
            counts.failures.retain(|_, failures| failures.since.elapsed() <= WINDOW);
            if counts.failures.len() >= MAX_REMEMBERED {
                counts.failures.clear();
            }
        }
        let fresh = Failures { count: 0, since: Instant::now() };
        let failures = counts.failures.entry(network(peer)).or_insert(fresh);
        if failures.since.elapsed() > WINDOW {
            *failures = fresh;
        }
        failures.count = failures.count.saturating_add(1);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.peers.counts();
        counts.connections = counts.connections.saturating_sub(1);
        match counts.by_peer.get_mut(&self.network) {
            Some(here) if *here > 1 => *here -= 1,
            _ => drop(counts.by_peer.remove(&self.network)),
        }
    }
}

/// An address, or the /64 network that one subscriber has of IPv6.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let peers = Arc::new(Peers::new(3, 2));
        let a = peers.seat(ip("10.0.0.1")).unwrap();
        let _b = peers.seat(ip("::ffff:10.0.0.1")).unwrap();
        assert!(peers.seat(ip("10.0.0.1")).is_none());
        let _c = peers.seat(ip("2001:db8::1")).unwrap();
        assert!(peers.seat(ip("10.0.0.2")).is_none());
        drop(a);
        assert!(peers.seat(ip("2001:db8::ffff:2")).is_some());
        assert!(peers.seat(ip("10.0.0.1")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_forgotten_after_a_while() {
        let peers = Peers::new(1, 1);
        for _ in 0..MAX_FAILURES {
            assert!(peers.may_try(ip("10.0.0.1")));
            peers.failed(ip("10.0.0.1"));
        }
        assert!(!peers.may_try(ip("10.0.0.1")));
        assert!(peers.may_try(ip("10.0.0.2")));
        tokio::time::advance(WINDOW + Duration::from_secs(1)).await;
        assert!(peers.may_try(ip("10.0.0.1")));
        peers.failed(ip("10.0.0.1"));
        assert!(peers.may_try(ip("10.0.0.1")));
    }

    #[test]
    fn a_crowd_does_not_fill_the_memory() {
        let peers = Peers::new(1, 1);
        for i in 0..u32::try_from(MAX_REMEMBERED).unwrap() + 10 {
            peers.failed(IpAddr::V4(i.into()));
        }
        assert!(peers.counts().failures.len() <= MAX_REMEMBERED);
    }
}
