//! From a verified volume to its content key.

use volume::{Certificate, ContentKey, Secret, Verified, Volume};

use super::{Import, open::refused};
use crate::{Archive, Error, ErrorKind, Result, hash::to_hex};

impl Archive {
    /// Opens a verified volume with the password, if there is one, or with the archive's own agreement key.
    pub(super) async fn unlock(&self, verified: Verified, password: Option<&str>) -> Result<Volume> {
        let header = verified.header();
        if header.is_encrypted()
            && (password.is_none() || header.password_slot().is_none())
            && let Some(key) = self.agree_on_key(&verified).await?
        {
            return verified.unlock(Secret::ContentKey(&key)).map_err(refused);
        }
        let password = password.map(str::to_owned);
        // Argon2id takes a tenth of a second and 64 MiB: not on an async thread.
        let unlocked = tokio::task::spawn_blocking(move || {
            verified.unlock(password.as_deref().map_or(Secret::None, Secret::Password)).map_err(refused)
        });
        unlocked.await.map_err(|e| Error::internal("a task ended early").caused_by(e))?
    }

    /// The content key by way of a recipient slot made for this archive; none if there is no such slot.
    async fn agree_on_key(&self, verified: &Verified) -> Result<Option<ContentKey>> {
        let Some(certificate) = self.own_certificate().await? else { return Ok(None) };
        for exchange in verified.recipient_exchanges(certificate.sha256()) {
            let shared = match self.keys.agree(&exchange.encapsulated_key).await {
                Err(e) if e.kind() == ErrorKind::Invalid => continue,
                shared => shared?,
            };
            let shared: [u8; 32] =
                shared.try_into().map_err(|_| Error::internal("the shared secret does not have 32 bytes"))?;
            if let Ok(key) = verified.content_key_from_shared_secret(&exchange, &shared, certificate.public_key()) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// The content key for a row: only the `Keys` port can open it, under the same context.
    pub(super) async fn wrap_key(&self, volume: &Volume, context: &str) -> Result<Option<String>> {
        match volume.content_key() {
            None => Ok(None),
            Some(key) => Ok(Some(to_hex(&self.keys.wrap(key.as_bytes(), context).await?))),
        }
    }

    /// Opens the volume again in a worker: signature and all, with the wrapped key.
    pub(super) async fn reopen(&self, import: &Import, verified: Verified) -> Result<Volume> {
        if to_hex(verified.seal_sha256()) != import.seal {
            let text = format!("{} is not the volume that was checked at the start", import.file);
            return Err(Error::conflict(text).code(super::SOURCE_CHANGED).hint("start the import again"));
        }
        self.unlock_wrapped(verified, import.wrapped_key.as_deref(), &context(&import.id.0)).await
    }

    /// Opens a verified volume with a key from a row.
    pub(super) async fn unlock_wrapped(
        &self,
        verified: Verified,
        wrapped: Option<&str>,
        context: &str,
    ) -> Result<Volume> {
        let Some(wrapped) = wrapped else {
            return verified.unlock(Secret::None).map_err(refused);
        };
        let wrapped = bytes_of(wrapped).ok_or_else(|| Error::corrupt("a wrapped key is no hex"))?;
        let key = self.keys.unwrap(&wrapped, context).await?;
        let key: [u8; 32] = key.try_into().map_err(|_| Error::corrupt("a content key does not have 32 bytes"))?;
        verified.unlock(Secret::ContentKey(&ContentKey::from_bytes(key))).map_err(refused)
    }

    /// The certificate that was given at the start.
    pub(super) fn certificate_of(import: &Import) -> Result<Certificate> {
        Self::parse_certificate(&import.certificate)
    }

    /// A certificate from a row: DER in hex.
    pub(super) fn parse_certificate(hex: &str) -> Result<Certificate> {
        let der = bytes_of(hex).ok_or_else(|| Error::corrupt("a certificate is no hex"))?;
        Certificate::parse(&der).map_err(refused)
    }
}

pub(super) fn context(import: &str) -> String {
    format!("import {import}")
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
