//! How many connections each peer has: none takes those of all others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limiter::network_of;

/// Connections of one peer at a time. Enough for a proxy or an office that everybody comes through, and half of what there is.
const PER_PEER: usize = 256;

/// Open connections by the network that a peer commands, this machine itself included.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Peers {
    /// Counts a connection for as long as its place is held; none if the peer has its share already.
    pub(crate) fn admit(&self, peer: IpAddr) -> Option<Place> {
        let network = network_of(peer);
        let mut open = self.open();
        let count = open.entry(network).or_default();
        if *count >= PER_PEER {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place { peers: self.clone(), network })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, counted until this is dropped.
pub(crate) struct Place {
    peers: Peers,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.open();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_a_share_and_gets_it_back() {
        let peers = Peers::default();
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        for (peer, neighbour) in [("127.0.0.1", "::ffff:127.0.0.1"), ("2001:db8::1", "2001:db8::2")] {
            let mut places: Vec<_> = (0..PER_PEER).map(|_| peers.admit(parse(peer)).unwrap()).collect();
            assert!(peers.admit(parse(neighbour)).is_none(), "{peer}");
            assert!(peers.admit(parse("192.0.2.1")).is_some() && peers.admit(parse("2001:db8:0:1::1")).is_some());
            places.pop();
            assert!(peers.admit(parse(neighbour)).is_some(), "{peer}");
        }
        assert!(peers.open().is_empty());
    }
}
