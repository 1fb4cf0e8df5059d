//! The key by which clients know the server.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use archive::{Error, Result, ports::Random};
use russh::keys::{
    HashAlg, PrivateKey,
    ssh_key::{LineEnding, private::Ed25519Keypair},
};

/// A private key in OpenSSH form is a few hundred bytes, an RSA key a few thousand.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The server's key pair; Ed25519 when made here.
pub struct HostKey(PrivateKey);

impl HostKey {
    /// Reads the key in OpenSSH form from the file, or makes one and writes it there (mode 0600, whole or not at all).
    /// `Corrupt` if the file holds anything else, and it stays as it is: a server must not change its key by itself.
    pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Self> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        random.fill(&mut seed);
        let made = Self(PrivateKey::from(Ed25519Keypair::from_seed(&seed)));
        match made.write(path, random) {
            Ok(()) => Ok(made),
            // Another process was faster: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| unreadable(path, &error))
            }
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(crate) fn into_private(self) -> PrivateKey {
        self.0
    }

    fn load(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|e| unreadable(path, &e))?,
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|e| unreadable(path, &e))?;
        let key = PrivateKey::from_openssh(&text);
        let key =
            key.map_err(|e| Error::corrupt(format!("host key {} cannot be read", path.display())).caused_by(e))?;
        if key.is_encrypted() {
            let text = format!("host key {} is protected by a passphrase", path.display());
            return Err(Error::invalid(text).hint("remove the passphrase with ssh-keygen -p"));
        }
        Ok(Some(Self(key)))
    }

    /// Writes beside the path and links there, which fails if there is a file by now.
    fn write(&self, path: &Path, random: &dyn Random) -> io::Result<()> {
        let text = self.0.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
        let mut suffix = [0; 8];
        random.fill(&mut suffix);
        let beside = path.with_extension(format!("{:016x}.tmp", u64::from_be_bytes(suffix)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&beside, path));
        fs::remove_file(&beside)?;
        linked?;
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint()).finish()
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("host key {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use archive::{ErrorKind, testing::SeededRandom};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ssh.key");
        let made = HostKey::load_or_create(&path, &SeededRandom::new(1)).unwrap();
        let read = HostKey::load_or_create(&path, &SeededRandom::new(2)).unwrap();
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = HostKey::load_or_create(&folder.path().join("other"), &SeededRandom::new(2)).unwrap();
        assert_ne!(made.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_file_that_holds_no_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ssh.key");
        fs::write(&path, "not a key").unwrap();
        let error = HostKey::load_or_create(&path, &SeededRandom::new(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(fs::read(&path).unwrap(), b"not a key");
    }

    #[test]
    fn no_secret_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let key = HostKey::load_or_create(&folder.path().join("k"), &SeededRandom::new(1)).unwrap();
        assert_eq!(format!("{key:?}"), format!("HostKey({:?})", key.fingerprint()));
    }
}
