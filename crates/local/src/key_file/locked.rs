//! A key file under a passphrase: the text of the plain one, sealed.
//!
//! ```text
//! postkahn keys 2
//! argon2id <KiB> <passes> <lanes> <salt, 64 hex digits>
//! sealed <hex of nonce (12) ‖ AES-256-GCM of the text of version 1, with the line before as associated data>
//! ```

use std::path::Path;

use archive::{Error, Result, hash, ports::Random};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

const TITLE: &str = "postkahn keys 2";
/// As for the passwords of exports (RFC 9106, 4, second choice).
const COST: (u32, u32, u32) = (65_536, 3, 4);
/// What a file may ask for: whoever writes it must not stop the machine.
const MOST: (u32, u32, u32) = (1 << 20, 16, 16);

pub(super) enum Why {
    Needed,
    Wrong,
    Damaged,
}

impl Why {
    pub(super) fn into_error(self, path: &Path) -> Error {
        let path = path.display();
        match self {
            Self::Needed => Error::denied(format!("key file {path} is under a passphrase"))
                .code("passphrase_needed")
                .hint("set POSTKAHN_KEY_PASSPHRASE"),
            Self::Wrong => Error::denied(format!("the passphrase does not open key file {path}"))
                .code("wrong_passphrase")
                .hint("look at POSTKAHN_KEY_PASSPHRASE"),
            Self::Damaged => Error::corrupt(format!("key file {path} is damaged")).hint("put it back from a backup"),
        }
    }
}

pub(super) fn is_locked(text: &str) -> bool {
    text.lines().next() == Some(TITLE)
}

/// The text as it is to be written: under the passphrase if there is one.
pub(super) fn sealed(
    text: Zeroizing<String>,
    passphrase: Option<&str>,
    random: &dyn Random,
) -> Result<Zeroizing<String>> {
    let Some(passphrase) = passphrase else { return Ok(text) };
    let broken = || Error::internal("the key file cannot be sealed");
    let mut salt = [0; 32];
    random.fill(&mut salt);
    let (memory, passes, lanes) = COST;
    let cost = format!("argon2id {memory} {passes} {lanes} {}", hash::to_hex(&salt));
    let key = key(passphrase, &salt, COST).ok_or_else(broken)?;
    let mut sealed = text.as_bytes().to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(cost.as_bytes()), &mut sealed).map_err(|_| broken())?;
    let sealed = [nonce.as_ref().as_slice(), &sealed].concat();
    Ok(Zeroizing::new(format!("{TITLE}\n{cost}\nsealed {}\n", hash::to_hex(&sealed))))
}

/// The text of the plain file.
pub(super) fn opened(text: &str, passphrase: Option<&str>) -> Result<Zeroizing<String>, Why> {
    let mut lines = text.lines().skip(1);
    let (Some(cost), Some(sealed)) = (lines.next(), lines.next()) else { return Err(Why::Damaged) };
    let (salt, figures) = parse_cost(cost).ok_or(Why::Damaged)?;
    let sealed = sealed.strip_prefix("sealed ").and_then(bytes).ok_or(Why::Damaged)?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Why::Damaged)?;
    let passphrase = passphrase.ok_or(Why::Needed)?;
    let key = key(passphrase, &salt, figures).ok_or(Why::Damaged)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = key.open_in_place(nonce, Aad::from(cost.as_bytes()), &mut plain).map_err(|_| Why::Wrong)?;
    std::str::from_utf8(plain).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| Why::Damaged)
}

fn parse_cost(line: &str) -> Option<([u8; 32], (u32, u32, u32))> {
    let mut parts = line.strip_prefix("argon2id ")?.split(' ');
    let mut number = |most: u32| parts.next()?.parse().ok().filter(|number| (1..=most).contains(number));
    let figures = (number(MOST.0)?, number(MOST.1)?, number(MOST.2)?);
    let salt = hash::from_hex(parts.next()?)?;
    parts.next().is_none().then_some((salt, figures))
}

fn key(passphrase: &str, salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> Option<RandomizedNonceKey> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(passphrase.as_bytes(), salt, &mut *key).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}
