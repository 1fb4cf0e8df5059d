//! Slows down who guesses passwords over HTTP, before the archive's own brake, which SFTP has too, is asked.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use archive::Error;

/// Failures are forgotten so long after the first of them.
const WINDOW: Duration = Duration::from_mins(5);
/// Failures of one name in a window. Whoever means well and mistypes needs fewer.
const PER_NAME: u32 = 10;
/// Failures of one address in a window: more, since an office may share one.
const PER_PEER: u32 = 50;
/// Names and addresses that are remembered; then the oldest are forgotten.
const MAX_KEYS: usize = 10_000;
/// No user's name is longer.
const MAX_NAME_BYTES: usize = 100;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Peer(IpAddr),
}

impl Key {
    fn most(&self) -> u32 {
        match self {
            Self::Name(_) => PER_NAME,
            Self::Peer(_) => PER_PEER,
        }
    }
}

#[derive(Clone, Copy)]
struct Count {
    since: Duration,
    failures: u32,
}

/// Counts failed logins by name, whether or not such a user exists, and by peer address. In memory: it starts anew with
/// the process, and each process of several counts alone.
#[derive(Default)]
pub(crate) struct Limiter {
    counts: Mutex<HashMap<Key, Count>>,
}

impl Limiter {
    /// Counts an attempt as failed before it is made, so that many at once are no way around it; refused with the
    /// seconds to wait. `now` is time since boot.
    pub(crate) fn begin(&self, name: &str, peer: Option<IpAddr>, now: Duration) -> Result<Attempt<'_>, Wait> {
        let keys: Vec<_> =
            [Some(Key::Name(cut(name))), peer.and_then(network).map(Key::Peer)].into_iter().flatten().collect();
        let mut counts = self.counts();
        for key in &keys {
            let known = counts.get(key).filter(|count| now.saturating_sub(count.since) < WINDOW);
            if let Some(count) = known.filter(|count| count.failures >= key.most()) {
                return Err(Wait { seconds: (count.since + WINDOW).saturating_sub(now).as_secs() + 1 });
            }
        }
        make_room(&mut counts, now);
        for key in &keys {
            let count = counts.entry(key.clone()).or_insert(Count { since: now, failures: 0 });
            if now.saturating_sub(count.since) >= WINDOW {
                *count = Count { since: now, failures: 0 };
            }
            count.failures += 1;
        }
        Ok(Attempt { limiter: self, keys })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login that has been counted as failed.
pub(crate) struct Attempt<'a> {
    limiter: &'a Limiter,
    keys: Vec<Key>,
}

impl Attempt<'_> {
    /// The password was not wrong after all. What failed before stays counted, or else a guesser with an account of
    /// their own would go on for ever.
    pub(crate) fn forgive(self) {
        let mut counts = self.limiter.counts();
        for key in &self.keys {
            if let Some(count) = counts.get_mut(key) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
        counts.retain(|key, count| count.failures > 0 || !self.keys.contains(key));
    }
}

/// Too many logins failed.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) seconds: u64,
}

impl Wait {
    pub(crate) fn error(&self) -> Error {
        let error = Error::unavailable("too many logins have failed").code("too_many_logins");
        error.hint(format!("try again in {} seconds", self.seconds))
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now: Duration) {
    if counts.len() < MAX_KEYS {
        return;
    }
    counts.retain(|_, count| now.saturating_sub(count.since) < WINDOW);
    if counts.len() >= MAX_KEYS {
        let mut ages: Vec<_> = counts.values().map(|count| count.since).collect();
        let middle = ages.len() / 2;
        let median = *ages.select_nth_unstable(middle).1;
        // What has run into its limit stays: forgetting it would be the way around it.
        counts.retain(|key, count| count.since > median || count.failures >= key.most());
    }
    if counts.len() >= MAX_KEYS {
        counts.clear();
    }
}

fn cut(name: &str) -> String {
    name.get(..name.floor_char_boundary(MAX_NAME_BYTES)).unwrap_or_default().to_owned()
}

/// The network whose failures count together. None for this machine itself, which stands for whoever comes through a
/// proxy on it: one guesser must not shut out everybody.
fn network(peer: IpAddr) -> Option<IpAddr> {
    (!peer.to_canonical().is_loopback()).then(|| network_of(peer))
}

/// The network that a peer commands: of IPv6 a whole /64.
pub(crate) fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(first_64_bits(address)),
    }
}

fn first_64_bits(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Duration = Duration::from_secs(1000);
    const PEER: Option<IpAddr> = Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));

    #[test]
    fn a_name_waits_after_its_failures_and_no_longer_than_the_window() {
        let limiter = Limiter::default();
        for _ in 0..PER_NAME {
            assert!(limiter.begin("anna", None, T0).is_ok());
        }
        let wait = limiter.begin("anna", None, T0 + Duration::from_secs(1)).err().unwrap();
        assert_eq!(wait.seconds, WINDOW.as_secs());
        assert!(limiter.begin("bert", None, T0).is_ok());
        assert!(limiter.begin("anna", None, T0 + WINDOW).is_ok());
    }

    #[test]
    fn a_right_password_makes_up_for_itself_alone() {
        let limiter = Limiter::default();
        for n in 0..PER_PEER {
            assert!(limiter.begin(&format!("user{n}"), PEER, T0).is_ok());
            assert!(n + 1 == PER_PEER || limiter.begin("mine", PEER, T0).map(Attempt::forgive).is_ok());
        }
        assert!(limiter.begin("another", PEER, T0).is_err());
        assert!(!limiter.counts().contains_key(&Key::Name("mine".into())));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
        assert_eq!((parse("::1"), parse("127.0.0.1"), parse("::ffff:127.0.0.1")), (None, None, None));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::default();
        for n in 0..3 * MAX_KEYS {
            let now = T0 + Duration::from_millis(n as u64);
            assert!(limiter.begin(&n.to_string(), None, now).is_ok());
        }
        assert!(limiter.counts().len() <= MAX_KEYS);
        assert!(limiter.begin(&"ä".repeat(10_000), None, T0).is_ok());
    }
}
