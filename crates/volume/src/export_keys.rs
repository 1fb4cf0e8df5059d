//! The keys of one export, made once before its first volume.

use crate::header::{Cipher, KeySlot, PasswordCost};
use crate::keys::{self, ContentKey, Key};
use crate::{Certificate, WriteError, json, recipient};
use p256::ecdsa::SigningKey;
use p256::elliptic_curve::Generate as _;
use rand_core::CryptoRng;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// The most recipients of one export.
const MAX_RECIPIENTS: usize = 8;

/// Who can open an export; with nobody named, everyone can.
#[derive(Clone, Copy, Default)]
pub struct Protection<'a> {
    /// 1 to 1,024 bytes in NFC.
    pub password: Option<&'a str>,
    /// What one try of the password costs.
    pub password_cost: PasswordCost,
    /// At most eight.
    pub recipients: &'a [Certificate],
}

impl std::fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Protection(password: {}, recipients: {})", self.password.is_some(), self.recipients.len())
    }
}

/// Signing key, certificate, content key and slots of one export; the secrets are wiped when dropped.
#[derive(Clone)]
pub struct ExportKeys {
    pub(crate) export_id: String,
    pub(crate) signing_key: SigningKey,
    pub(crate) certificate: Certificate,
    pub(crate) content_key: Option<ContentKey>,
    pub(crate) key_slots: Vec<KeySlot>,
    /// Argon2id output of the password slot: it also seals the export state.
    pub(crate) password_root: Option<Key>,
}

impl std::fmt::Debug for ExportKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExportKeys({})", self.export_id)
    }
}

impl ExportKeys {
    /// Makes the keys of a new export.
    ///
    /// Fails with [`WriteError::Invalid`] if `export_id` is no lower-case UUID, the password is empty or too long, its
    /// cost is out of bounds, or there are more than eight different recipients; one given twice gets one slot.
    pub fn generate(
        export_id: &str,
        protection: &Protection<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, WriteError> {
        if !json::is_uuid(export_id) {
            return Err(WriteError::Invalid("the export id is no lower-case UUID".to_owned()));
        }
        let signing_key = SigningKey::generate_from_rng(rng);
        let certificate = Certificate::issue_for_export(&signing_key, export_id, rng)?;
        let mut export = Self {
            export_id: export_id.to_owned(),
            signing_key,
            certificate,
            content_key: None,
            key_slots: Vec::new(),
            password_root: None,
        };
        if protection.password.is_some() || !protection.recipients.is_empty() {
            export.protect(protection, rng)?;
        }
        Ok(export)
    }

    fn protect(&mut self, protection: &Protection<'_>, rng: &mut impl CryptoRng) -> Result<(), WriteError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        let key = ContentKey::from_bytes(*bytes);
        if let Some(password) = protection.password {
            let mut salt = [0; 16];
            rng.fill_bytes(&mut salt);
            let (slot, root) = keys::password_slot(&self.export_id, password, protection.password_cost, salt, &key)
                .ok_or_else(|| {
                    WriteError::Invalid("the password is empty or too long, or its cost is out of bounds".to_owned())
                })?;
            self.key_slots.push(slot);
            self.password_root = Some(root);
        }
        let mut seen = BTreeSet::new();
        let recipients: Vec<_> =
            protection.recipients.iter().filter(|recipient| seen.insert(*recipient.sha256())).collect();
        if recipients.len() > MAX_RECIPIENTS {
            return Err(WriteError::Invalid("more than eight recipients".to_owned()));
        }
        if !recipients.iter().all(|recipient| recipient.may_agree()) {
            return Err(WriteError::Invalid("a recipient's certificate that is not for key agreement".to_owned()));
        }
        for certificate in recipients {
            let slot = recipient::seal(&self.export_id, certificate.public_key(), *certificate.sha256(), &key, rng)
                .ok_or_else(|| WriteError::Invalid("a recipient's key cannot be used".to_owned()))?;
            self.key_slots.push(slot);
        }
        self.content_key = Some(key);
        Ok(())
    }

    /// UUID of the export.
    pub fn export_id(&self) -> &str {
        &self.export_id
    }

    /// What `NAME.cer` holds.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How the mails are sealed.
    pub fn cipher(&self) -> Cipher {
        if self.content_key.is_some() { Cipher::Aes256Gcm } else { Cipher::None }
    }

    /// Whether the export state will be sealed; if not, its owner can read the keys.
    pub fn has_password(&self) -> bool {
        self.password_root.is_some()
    }

    /// The key of the mails, for an exporter that reads its finished volumes back.
    pub fn content_key(&self) -> Option<&ContentKey> {
        self.content_key.as_ref()
    }

    pub(crate) fn key_check(&self) -> Option<[u8; 32]> {
        self.content_key.as_ref().map(|key| key.check(&self.export_id))
    }
}
