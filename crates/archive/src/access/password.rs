//! Passwords: Argon2id (RFC 9106) in PHC strings.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Archive, Error, Result};

/// What somebody chooses for themself has at least so many characters (NIST SP 800-63B, 3.1.1.2).
const MIN_CHARS: usize = 8;
const MAX_BYTES: usize = 1024;
/// Passwords that are looked at side by side: each takes 46 MiB and a core, and whoever guesses gets past the brake only with
/// those that were begun before it was drawn.
const AT_ONCE: usize = 4;
/// The first of the settings that OWASP's Password Storage Cheat Sheet calls equal: memory in KiB, passes, lanes. With the
/// one of 19 MiB the allocator of glibc, which learns from what is freed up to 32 MiB, never gave a buffer back again.
const COST: (u32, u32, u32) = (47_104, 1, 1);
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
/// Without characters that are easily taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Refuses what is too short to be chosen by a person.
pub(super) fn check_chosen(password: &str) -> Result<()> {
    if password.chars().count() < MIN_CHARS {
        return Err(Error::invalid(format!("a password has at least {MIN_CHARS} characters")).code("weak_password"));
    }
    Ok(())
}

impl Archive {
    /// A random password of 80 bits in groups of four characters.
    pub(super) fn random_password(&self) -> String {
        let mut bytes = [0u8; 16];
        self.random.fill(&mut bytes);
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map_or('x', char::from);
        bytes.chunks(4).map(|group| group.iter().map(letter).collect::<String>()).collect::<Vec<_>>().join("-")
    }

    /// The PHC string of a password; takes tens of milliseconds, off the async threads.
    pub(super) async fn hash_password(&self, password: &str) -> Result<String> {
        if password.is_empty() || password.len() > MAX_BYTES {
            return Err(Error::invalid(format!("a password has 1 to {MAX_BYTES} bytes")));
        }
        let mut salt = [0u8; 16];
        self.random.fill(&mut salt);
        let password = password.to_owned();
        let params = Params::new(COST.0, COST.1, COST.2, None);
        let params = params.map_err(|e| Error::internal("password could not be hashed").caused_by(e))?;
        off_thread(move || {
            let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash = argon.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|e| Error::internal("password could not be hashed").caused_by(e))
        })
        .await?
    }
}

/// Waits until a password may be looked at, until the answer is dropped.
pub(super) async fn turn() -> Result<SemaphorePermit<'static>> {
    TURNS.acquire().await.map_err(|e| Error::internal("passwords are not looked at any more").caused_by(e))
}

/// Whether the password is the one that the PHC string was made of. Without a string the same work is done for nothing,
/// so that the time taken does not tell which users exist.
pub(super) async fn matches(phc: Option<&str>, password: &str) -> Result<bool> {
    const NOBODY: &str =
        "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$0000000000000000000000000000000000000000000";
    let (phc, known) = (phc.unwrap_or(NOBODY).to_owned(), phc.is_some());
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    let password = password.to_owned();
    let same = off_thread(move || Argon2::default().verify_password(password.as_bytes(), phc.as_str()).is_ok()).await?;
    Ok(same && known)
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal("a task ended early").caused_by(e))
}
