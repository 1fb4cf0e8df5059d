//! The key by which clients know the server.

use std::path::Path;

use archive::{Error, Result, ports::Random};

/// The server's Ed25519 key pair.
pub struct HostKey(());

impl HostKey {
    /// Reads the key in OpenSSH form from the file, or makes one and writes it there (mode 0600, whole or not at all).
    pub fn load_or_create(_path: &Path, _random: &dyn Random) -> Result<Self> {
        Err(Error::internal("not built yet"))
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        String::new()
    }
}
