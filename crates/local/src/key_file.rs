//! The archive's keys in one file.

use std::path::Path;

use archive::{Result, ports::Random};

/// A 32-byte wrapping key (AES-256-GCM) and two P-256 keys: one signs, one agrees.
pub struct KeyFile {}

impl KeyFile {
    /// Reads the key file, and makes it (0600, durable) if there is none. `Denied` if others may read it, `Corrupt` if
    /// it is no key file.
    pub fn open(path: &Path, random: &dyn Random) -> Result<Self> {
        todo!()
    }
}
