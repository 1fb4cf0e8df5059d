//! The archive's keys in one file.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use archive::{
    Error, Result, hash,
    ports::{Keys, PublicKeys, Random},
};
use async_trait::async_trait;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest,
};
use p256::{
    PublicKey, SecretKey,
    ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner as _},
    elliptic_curve::sec1::ToSec1Point as _,
};
use zeroize::Zeroizing;

use crate::{folders, from_io};

mod locked;

const TITLE: &str = "postkahn keys 1";
const NAMES: [&str; 3] = ["wrapping", "signing", "agreement"];
const CHECK: &str = "check ";
/// More than the file ever holds.
const MAX_FILE: u64 = 4096;
/// The port's limit for what is wrapped: that of KMS.
const MAX_PLAINTEXT: usize = 4096;

/// A wrapping key (AES-256-GCM) and two P-256 keys: one signs, one agrees.
pub struct KeyFile {
    wrapping: RandomizedNonceKey,
    signing: SigningKey,
    agreement: SecretKey,
}

impl KeyFile {
    /// Reads the key file, and makes it (0600, durable) if there is none. `Denied` if others may read it, `Corrupt` if
    /// it is no key file.
    pub fn open(path: &Path, random: &dyn Random) -> Result<Self> {
        Self::open_under(path, random, None)
    }

    /// As [`Self::open`], with the keys under a passphrase: a file that was not is brought under it. `Denied` if it is not
    /// the right one, or if none is given where one is needed.
    pub fn open_under(path: &Path, random: &dyn Random, passphrase: Option<&str>) -> Result<Self> {
        let fail = |e| from_io(format_args!("key file {}", path.display()), e);
        let damaged =
            || Error::corrupt(format!("key file {} is damaged", path.display())).hint("put it back from a backup");
        let text = match read(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let text = locked::sealed(fresh(random), passphrase, random)?;
                create(path, &text).map_err(fail)?;
                read(path).map_err(fail)?
            }
            text => text.map_err(fail)?,
        };
        if locked::is_locked(&text) {
            return Self::parse(&locked::opened(&text, passphrase).map_err(|why| why.into_error(path))?)
                .ok_or_else(damaged);
        }
        let keys = Self::parse(&text).ok_or_else(damaged)?;
        if passphrase.is_some() {
            replace(path, &locked::sealed(text, passphrase, random)?).map_err(fail)?;
        }
        Ok(keys)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = unchanged(text)?.lines();
        lines.next().filter(|title| *title == TITLE)?;
        let mut key = |name: &str| lines.next()?.split_once(' ').filter(|(n, _)| *n == name).map(|(_, hex)| hex);
        let [wrapping, signing, agreement] = NAMES.map(|name| key(name).and_then(hash::from_hex).map(Zeroizing::new));
        if lines.next().is_some() {
            return None;
        }
        Some(Self {
            wrapping: RandomizedNonceKey::new(&AES_256_GCM, &*wrapping?).ok()?,
            signing: SecretKey::from_slice(&*signing?).ok()?.into(),
            agreement: SecretKey::from_slice(&*agreement?).ok()?,
        })
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile")
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        let message = "others may read or write it: set its mode to 0600";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let mut text = Zeroizing::new(String::with_capacity(512));
    match file.take(MAX_FILE).read_to_string(&mut text) {
        // Told as damaged by whoever parses it.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(Zeroizing::default()),
        read => read.map(|_| text),
    }
}

/// The lines before the last one, which has their hash: any number of 32 bytes is a key, so nothing else tells that one has
/// changed. Older files have no such line.
fn unchanged(text: &str) -> Option<&str> {
    let Some((before, sum)) = text.split_once(CHECK) else { return Some(text) };
    (sum.strip_suffix('\n')? == check(before)).then_some(before)
}

/// SHA-256 in hex.
fn check(text: &str) -> String {
    hash::to_hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// The text of a new key file.
fn fresh(random: &dyn Random) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push_str(TITLE);
    for name in NAMES {
        let mut key = Zeroizing::new([0; 32]);
        // All but one in 2^32 draws are P-256 keys.
        while SecretKey::from_slice(&*key).is_err() {
            random.fill(&mut *key);
        }
        text.push('\n');
        text.push_str(name);
        text.push(' ');
        text.push_str(&Zeroizing::new(hash::to_hex(&*key)));
    }
    text.push('\n');
    let check = check(&text);
    text.push_str(CHECK);
    text.push_str(&check);
    text.push('\n');
    text
}

/// A whole and durable file beside the key file.
fn write_beside(path: &Path, text: &str) -> io::Result<PathBuf> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(temporary)
}

/// The old file or the new one, whatever happens.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    fs::rename(write_beside(path, text)?, path)?;
    folders::sync(path.parent().unwrap_or(Path::new("/")))
}

/// Whole and durable, or not there at all; one that is there stays.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    folders::make(folder)?;
    let temporary = write_beside(path, text)?;
    match fs::hard_link(&temporary, path) {
        // Some file systems have no links; the lock on the data folder makes a rename as good.
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => fs::rename(&temporary, path)?,
        _ => fs::remove_file(&temporary)?,
    }
    folders::sync(folder)
}

fn broken() -> Error {
    Error::internal("key operation failed")
}

#[async_trait]
impl Keys for KeyFile {
    async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Error::invalid("more than 4 KiB to wrap"));
        }
        let mut sealed = plaintext.to_vec();
        let nonce = self.wrapping.seal_in_place_append_tag(Aad::from(context), &mut sealed).map_err(|_| broken())?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    async fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>> {
        let denied = || Error::denied(format!("what was wrapped does not open as {context:?}"));
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(denied)?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.wrapping.open_in_place(nonce, Aad::from(context), &mut opened).map_err(|_| denied())?;
        Ok(plain.to_vec())
    }

    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>> {
        let signature: Signature = self.signing.sign_prehash(digest).map_err(|_| broken())?;
        Ok(signature.normalize_s().to_der().as_bytes().to_vec())
    }

    async fn agree(&self, peer: &[u8]) -> Result<Vec<u8>> {
        let wrong = || Error::invalid("the other side's public key is no uncompressed point of P-256");
        let uncompressed = peer.len() == 65 && peer.first() == Some(&4);
        let peer = PublicKey::from_sec1_bytes(peer).ok().filter(|_| uncompressed).ok_or_else(wrong)?;
        Ok(self.agreement.diffie_hellman(&peer).raw_secret_bytes().to_vec())
    }

    async fn public(&self) -> Result<PublicKeys> {
        let signing = self.signing.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let agreement = self.agreement.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(PublicKeys { agreement, signing })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use archive::ErrorKind;

    use super::*;
    use crate::SystemRandom;

    #[tokio::test]
    async fn the_keys_stay_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys").join("archive.key");
        let first = KeyFile::open(&path, &SystemRandom).unwrap();
        let wrapped = first.wrap(b"secret", "here").await.unwrap();
        let again = KeyFile::open(&path, &SystemRandom).unwrap();
        assert_eq!(first.public().await.unwrap(), again.public().await.unwrap());
        assert_eq!(again.unwrap(&wrapped, "here").await.unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = KeyFile::open(&dir.path().join("other"), &SystemRandom).unwrap();
        assert_eq!(other.unwrap(&wrapped, "here").await.unwrap_err().kind(), ErrorKind::Denied);
    }

    #[tokio::test]
    async fn a_passphrase_guards_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive.key");
        let plain = KeyFile::open(&path, &SystemRandom).unwrap();
        let wrapped = plain.wrap(b"secret", "here").await.unwrap();
        let clear = fs::read_to_string(&path).unwrap();
        for _ in 0..2 {
            let keys = KeyFile::open_under(&path, &SystemRandom, Some("a good one")).unwrap();
            assert_eq!(keys.unwrap(&wrapped, "here").await.unwrap(), b"secret");
        }
        let locked = fs::read_to_string(&path).unwrap();
        assert!(clear.lines().skip(1).all(|line| !locked.contains(line.split_once(' ').unwrap().1)));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for wrong in [None, Some("another"), Some("")] {
            let error = KeyFile::open_under(&path, &SystemRandom, wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        }
        fs::write(&path, locked.replace("argon2id 6", "argon2id 99999")).unwrap();
        assert_eq!(KeyFile::open_under(&path, &SystemRandom, Some("a")).unwrap_err().kind(), ErrorKind::Corrupt);
        let new = dir.path().join("new.key");
        KeyFile::open_under(&new, &SystemRandom, Some("x")).unwrap();
        assert!(fs::read_to_string(&new).unwrap().starts_with("postkahn keys 2\n"));
    }

    #[test]
    fn a_key_file_that_is_open_to_others_or_damaged_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive.key");
        KeyFile::open(&path, &SystemRandom).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let mut damages = vec![text.replace("keys 1", "keys 2"), String::new(), "\0".into(), text.clone() + "\n"];
        // Whatever byte of it has changed.
        damages.extend((0..text.len()).map(|at| {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            String::from_utf8(bytes).unwrap()
        }));
        damages.push(text[..text.len() - 1].to_owned());
        for damaged in damages {
            fs::write(&path, &damaged).unwrap();
            assert_eq!(KeyFile::open(&path, &SystemRandom).unwrap_err().kind(), ErrorKind::Corrupt, "{damaged}");
        }
        let (of_old, _) = text.split_once(CHECK).unwrap();
        fs::write(&path, of_old).unwrap();
        KeyFile::open(&path, &SystemRandom).unwrap();
        fs::write(&path, [0xFF; 10]).unwrap();
        assert_eq!(KeyFile::open(&path, &SystemRandom).unwrap_err().kind(), ErrorKind::Corrupt);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(KeyFile::open(&path, &SystemRandom).unwrap_err().kind(), ErrorKind::Denied);
    }
}
