//! Keys that everybody knows.

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use p256::{
    PublicKey, SecretKey,
    ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner as _},
    elliptic_curve::sec1::ToSec1Point as _,
};

use crate::{
    Error, Result,
    ports::{Keys, PublicKeys},
};

const WRAPPING: [u8; 32] = [0x17; 32];
const SIGNING: [u8; 32] = [0x21; 32];
const AGREEMENT: [u8; 32] = [0x42; 32];
/// The port's limit for what is wrapped: that of KMS.
const MAX_PLAINTEXT: usize = 4096;

/// The same keys in every test.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryKeys;

impl MemoryKeys {
    fn wrapping() -> Result<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &WRAPPING).map_err(|_| broken())
    }
    fn secret(bytes: &[u8; 32]) -> Result<SecretKey> {
        SecretKey::from_slice(bytes).map_err(|_| broken())
    }
    fn point(secret: &SecretKey) -> Vec<u8> {
        secret.public_key().to_sec1_point(false).as_bytes().to_vec()
    }
}

fn broken() -> Error {
    Error::internal("key operation failed")
}

#[async_trait]
impl Keys for MemoryKeys {
    async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Error::invalid("more than 4 KiB to wrap"));
        }
        let mut sealed = plaintext.to_vec();
        let nonce =
            Self::wrapping()?.seal_in_place_append_tag(Aad::from(context), &mut sealed).map_err(|_| broken())?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    async fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>> {
        let denied = || Error::denied(format!("what was wrapped does not open as {context:?}"));
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(denied)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let key = Self::wrapping()?;
        let plain = key.open_in_place(nonce, Aad::from(context), &mut opened).map_err(|_| denied())?;
        Ok(plain.to_vec())
    }

    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>> {
        let key = SigningKey::from(Self::secret(&SIGNING)?);
        let signature: Signature = key.sign_prehash(digest).map_err(|_| broken())?;
        Ok(signature.normalize_s().to_der().as_bytes().to_vec())
    }

    async fn agree(&self, peer: &[u8]) -> Result<Vec<u8>> {
        let wrong = || Error::invalid("the other side's public key is no uncompressed point of P-256");
        let uncompressed = peer.len() == 65 && peer.first() == Some(&4);
        let peer = PublicKey::from_sec1_bytes(peer).ok().filter(|_| uncompressed).ok_or_else(wrong)?;
        Ok(Self::secret(&AGREEMENT)?.diffie_hellman(&peer).raw_secret_bytes().to_vec())
    }

    async fn public(&self) -> Result<PublicKeys> {
        Ok(PublicKeys {
            agreement: Self::point(&Self::secret(&AGREEMENT)?),
            signing: Self::point(&Self::secret(&SIGNING)?),
        })
    }
}
