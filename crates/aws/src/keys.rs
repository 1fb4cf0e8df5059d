//! Keys in KMS: one that wraps, one that signs, one that agrees. No private key ever leaves it.
//!
//! Sources: the pages of `Encrypt`, `Decrypt`, `Sign`, `DeriveSharedSecret` and `GetPublicKey` in the KMS API reference.

use std::{collections::HashMap, fmt};

use archive::{
    Error, Result,
    ports::{Keys, PublicKeys},
};
use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{KeyAgreementAlgorithmSpec, MessageType, SigningAlgorithmSpec},
};
use p256::{PublicKey, ecdsa::Signature};
use tokio::sync::OnceCell;

use crate::{Clients, error};

/// The limit of KMS for a symmetric key.
const MAX_PLAINTEXT: usize = 4096;
/// The limit of KMS for what it decrypts.
const MAX_WRAPPED: usize = 6144;
/// The one pair of the encryption context; its value is the port's `context`.
const CONTEXT: &str = "postkahn";
/// Before the 65 bytes of a point, this makes a SubjectPublicKeyInfo of P-256 in DER (RFC 5480).
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// ARNs of the keys, as far as the function at hand may use them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyArns {
    /// A symmetric key.
    pub wrap: Option<String>,
    /// `ECC_NIST_P256` for `KEY_AGREEMENT`.
    pub agreement: Option<String>,
    /// `ECC_NIST_P256` for `SIGN_VERIFY`.
    pub signing: Option<String>,
}

/// The keys of an archive. Using one that was not named is an `Internal` error; its public half is empty.
pub struct KmsKeys {
    client: Client,
    arns: KeyArns,
    /// Keys do not change.
    public: OnceCell<PublicKeys>,
}

impl KmsKeys {
    pub fn new(clients: &Clients, arns: KeyArns) -> Self {
        Self { client: clients.kms(), arns, public: OnceCell::new() }
    }

    async fn fetch(&self) -> Result<PublicKeys> {
        Ok(PublicKeys {
            agreement: self.point(self.arns.agreement.as_deref(), "agreement").await?,
            signing: self.point(self.arns.signing.as_deref(), "signing").await?,
        })
    }

    async fn point(&self, arn: Option<&str>, name: &str) -> Result<Vec<u8>> {
        let Some(arn) = arn else { return Ok(Vec::new()) };
        let answer = self.client.get_public_key().key_id(arn).send().await;
        let answer = answer.map_err(|e| error::from_sdk(format_args!("{name} key"), &e))?;
        let point = answer.public_key().and_then(|der| der.as_ref().strip_prefix(&SPKI));
        let point = point.filter(|point| is_point(point)).map(<[u8]>::to_vec);
        point.ok_or_else(|| {
            Error::internal(format!("{name} key is none of P-256")).hint("make it with the key spec ECC_NIST_P256")
        })
    }
}

impl fmt::Debug for KmsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arns.fmt(f)
    }
}

#[async_trait]
impl Keys for KmsKeys {
    async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Error::invalid("more than 4 KiB to wrap"));
        }
        let encrypt = self.client.encrypt().key_id(named(self.arns.wrap.as_ref(), "wrapping")?);
        let encrypt = encrypt.plaintext(Blob::new(plaintext)).set_encryption_context(pair(context));
        let answer = encrypt.send().await.map_err(|e| error::from_sdk("wrapping key", &e))?;
        answer.ciphertext_blob.map(Blob::into_inner).ok_or_else(|| incomplete("wrapping"))
    }

    async fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>> {
        let denied = || Error::denied(format!("what was wrapped does not open as {context:?}"));
        if wrapped.is_empty() || wrapped.len() > MAX_WRAPPED {
            return Err(denied());
        }
        // The key is named, so that nothing opens that somebody wrapped by a key of their own.
        let decrypt = self.client.decrypt().key_id(named(self.arns.wrap.as_ref(), "wrapping")?);
        let decrypt = decrypt.ciphertext_blob(Blob::new(wrapped)).set_encryption_context(pair(context));
        let answer = decrypt.send().await.map_err(|e| match error::code(&e) {
            Some("InvalidCiphertextException" | "IncorrectKeyException") => denied(),
            _ => error::from_sdk("wrapping key", &e),
        })?;
        answer.plaintext.map(Blob::into_inner).ok_or_else(|| incomplete("wrapping"))
    }

    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>> {
        let sign = self.client.sign().key_id(named(self.arns.signing.as_ref(), "signing")?);
        let sign = sign.message_type(MessageType::Digest).message(Blob::new(*digest));
        let answer = sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
        let answer = answer.map_err(|e| error::from_sdk("signing key", &e))?;
        let signature = answer.signature.and_then(|der| Signature::from_der(der.as_ref()).ok());
        let signature = signature.ok_or_else(|| incomplete("signing"))?;
        // KMS gives either of the two signatures that verify.
        Ok(signature.normalize_s().to_der().as_bytes().to_vec())
    }

    async fn agree(&self, peer: &[u8]) -> Result<Vec<u8>> {
        if !is_point(peer) {
            return Err(Error::invalid("the other side's public key is no uncompressed point of P-256"));
        }
        let derive = self.client.derive_shared_secret().key_id(named(self.arns.agreement.as_ref(), "agreement")?);
        let derive = derive.key_agreement_algorithm(KeyAgreementAlgorithmSpec::Ecdh);
        let answer = derive.public_key(Blob::new([&SPKI, peer].concat())).send().await;
        let answer = answer.map_err(|e| error::from_sdk("agreement key", &e))?;
        let secret = answer.shared_secret.map(Blob::into_inner).filter(|secret| secret.len() == 32);
        secret.ok_or_else(|| incomplete("agreement"))
    }

    async fn public(&self) -> Result<PublicKeys> {
        self.public.get_or_try_init(|| self.fetch()).await.cloned()
    }
}

/// An empty context is none: KMS takes no empty value.
fn pair(context: &str) -> Option<HashMap<String, String>> {
    (!context.is_empty()).then(|| HashMap::from([(CONTEXT.to_owned(), context.to_owned())]))
}

/// Uncompressed, and on the curve.
fn is_point(bytes: &[u8]) -> bool {
    bytes.len() == 65 && bytes.first() == Some(&4) && PublicKey::from_sec1_bytes(bytes).is_ok()
}

fn named<'a>(arn: Option<&'a String>, name: &str) -> Result<&'a str> {
    let missing = || Error::internal(format!("no {name} key is set for this function"));
    arn.map(String::as_str).ok_or_else(missing)
}

fn incomplete(name: &str) -> Error {
    Error::internal(format!("{name} key: the answer is not what was asked for"))
}
