//! Whose key a server must show.

use std::{fmt, str::FromStr};

use archive::{Error, Result};
use russh::keys::{Algorithm, HashAlg, PublicKey, ssh_key};

use super::{Address, KnownHosts, known_hosts::Standing};
use crate::serve::SIGNATURES;

/// What a server's key is held against.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The one key with this fingerprint.
    Fingerprint(Fingerprint),
    KnownHosts(KnownHosts),
}

/// `SHA256:…`, as `ssh-keygen -l` and `postkahn serve` print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(ssh_key::Fingerprint);

impl Fingerprint {
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(key.fingerprint(HashAlg::Sha256))
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.trim().trim_end_matches('=').parse::<ssh_key::Fingerprint>();
        match parsed {
            Ok(parsed) if parsed.is_sha256() => Ok(Self(parsed)),
            _ => Err(Error::invalid("--host-key-fingerprint is not one of SHA-256")
                .hint("it begins with SHA256: and is what `ssh-keygen -l` prints")),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Trust {
    /// Whether the server is trusted; false for one of which nothing is known. `Denied` if its key is the wrong one.
    pub(crate) fn judge(&self, address: &Address, key: &PublicKey) -> Result<bool> {
        let (shown, host) = (Fingerprint::of(key), address.known_as());
        let refused = |why: &str| Error::denied(format!("{host} shows the host key {shown}, {why}"));
        match self {
            Self::Fingerprint(expected) if *expected == shown => Ok(true),
            Self::Fingerprint(expected) => Err(refused(&format!("not {expected}"))
                .code("host_key_changed")
                .hint("ask the administrator of the server which fingerprint is right; nothing was sent")),
            Self::KnownHosts(known) => match known.judge(address, key) {
                Standing::Known => Ok(true),
                Standing::Unknown => Ok(false),
                Standing::Changed => Err(refused("and it is known by another one")
                    .code("host_key_changed")
                    .hint("somebody may be listening, or the server has a new key: ask its administrator, then remove the old one with ssh-keygen -R")),
                Standing::Revoked => Err(refused("which is revoked").code("host_key_revoked")),
            },
        }
    }

    /// By which kinds of keys the server may prove itself, those first that are known of it.
    pub(crate) fn signatures(&self, address: &Address) -> Vec<Algorithm> {
        let Self::KnownHosts(known) = self else { return SIGNATURES.to_vec() };
        let noted = known.algorithms(address);
        let is_noted = |signature: &Algorithm| noted.iter().any(|algorithm| is_same(algorithm, signature));
        let (first, last): (Vec<_>, Vec<_>) = SIGNATURES.into_iter().partition(is_noted);
        [first, last].concat()
    }
}

/// An RSA key is one whatever hash signs with it.
fn is_same(a: &Algorithm, b: &Algorithm) -> bool {
    a == b || matches!((a, b), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

#[cfg(test)]
mod tests {
    use russh::keys::EcdsaCurve;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_fingerprint_names_one_key() {
        let key: PublicKey = KEY.parse().unwrap();
        let shown = Fingerprint::of(&key).to_string();
        let address = "sftp://a@h".parse().unwrap();
        for text in [shown.clone(), format!("{shown}=")] {
            assert!(Trust::Fingerprint(text.parse().unwrap()).judge(&address, &key).unwrap());
        }
        let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let error = Trust::Fingerprint(other).judge(&address, &key).unwrap_err();
        assert_eq!((error.kind(), error.machine_code()), (archive::ErrorKind::Denied, "host_key_changed"));
        for text in ["", "SHA256:", "MD5:00:11", "SHA512:AAAA", &shown[7..]] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_is_asked_for_the_key_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        std::fs::write(&path, "h ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=\n").unwrap();
        let mut known = KnownHosts::default();
        known.read(&path).unwrap();
        let signatures = Trust::KnownHosts(known).signatures(&"sftp://a@h".parse().unwrap());
        assert_eq!(signatures.first(), Some(&Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }));
        assert_eq!(signatures.len(), SIGNATURES.len());
    }
}
