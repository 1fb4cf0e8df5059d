//! Keys that never leave their keeper: KMS, or a key file.

use async_trait::async_trait;

use crate::Result;

/// Public halves, uncompressed SEC1 points (65 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    pub agreement: Vec<u8>,
    pub signing: Vec<u8>,
}

#[async_trait]
pub trait Keys: Send + Sync {
    /// Seals at most 4 KiB; `context` must be given again to open it (KMS calls it the encryption context).
    async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>>;

    /// Opens what `wrap` sealed under the same context; `Denied` otherwise.
    async fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>>;

    /// ECDSA P-256 over the SHA-256 `digest`, ASN.1 DER, low s.
    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>>;

    /// ECDH P-256 with the archive's agreement key: the 32-byte x coordinate. `peer` is an uncompressed SEC1 point;
    /// one that is not on the curve is `Invalid`.
    async fn agree(&self, peer: &[u8]) -> Result<Vec<u8>>;

    async fn public(&self) -> Result<PublicKeys>;
}
