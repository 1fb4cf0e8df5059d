//! `NAME.export-state`: what a broken-off export needs to go on; bytes only, the exporter keeps the file.

use crate::cipher::AesKey;
use crate::encoding::{b64, b64_vec};
use crate::header::{KeySlot, PasswordSlot};
use crate::keys::{self, ContentKey};
use crate::{Certificate, Error, ExportKeys, WriteError, json};
use p256::ecdsa::SigningKey;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FORMAT: &str = "mszip-export-state";
const VERSION: u64 = 1;
/// Keys and slots are small; the rest is room for the caller's options.
const MAX_STATE_BYTES: usize = 16 * 1_048_576;

/// The document: `export_id` and slots in clear, behind them private key, content key and options.
#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u64,
    export_id: String,
    key_slots: Vec<KeySlot>,
    #[serde(flatten)]
    secrets: Enclosed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Enclosed {
    /// Sealed under the password.
    Sealed(Sealed),
    /// Readable to whoever can read the file, because there is no password.
    Open(Secrets),
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(with = "b64")]
    nonce: [u8; 12],
    #[serde(with = "b64_vec")]
    ciphertext: Vec<u8>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Secrets {
    #[serde(with = "b64")]
    signing_key: [u8; 32],
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::encoding::b64_option")]
    content_key: Option<[u8; 32]>,
    #[serde(with = "b64_vec")]
    certificate: Vec<u8>,
    #[serde(with = "b64_vec")]
    options: Vec<u8>,
}

/// What is read from the bytes of an export state.
#[derive(Debug)]
pub struct ExportState {
    /// The keys, as they were made.
    pub keys: ExportKeys,
    /// The caller's options, as they were given.
    pub options: Vec<u8>,
}

impl ExportState {
    /// The bytes of `NAME.export-state`; sealed if the export has a password.
    pub fn seal(keys: &ExportKeys, options: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, WriteError> {
        let secrets = Secrets {
            signing_key: keys.signing_key.to_bytes().into(),
            content_key: keys.content_key.as_ref().map(|key| *key.as_bytes()),
            certificate: keys.certificate.der().to_vec(),
            options: options.to_vec(),
        };
        let secrets = match &keys.password_root {
            None => Enclosed::Open(secrets),
            Some(root) => Enclosed::Sealed(Sealed::seal(&secrets, &keys::export_state_key(root), keys, rng)?),
        };
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            export_id: keys.export_id.clone(),
            key_slots: keys.key_slots.clone(),
            secrets,
        };
        serde_json::to_vec(&document).map_err(|error| WriteError::Invalid(error.to_string()))
    }

    /// Whether a password is needed to open these bytes.
    pub fn needs_password(bytes: &[u8]) -> Result<bool, Error> {
        Ok(matches!(read(bytes)?.secrets, Enclosed::Sealed(_)))
    }

    /// Reads the bytes back.
    ///
    /// Fails with [`Error::NotAVolume`] where they are no export state, [`Error::NewerVersion`],
    /// [`Error::PasswordNeeded`], [`Error::WrongPassword`] (also where they were changed) or [`Error::Malformed`].
    pub fn open(bytes: &[u8], password: Option<&str>) -> Result<Self, Error> {
        let document = read(bytes)?;
        let slot = document.key_slots.iter().find_map(|slot| match slot {
            KeySlot::Password(slot) => Some(slot),
            _ => None,
        });
        let (secrets, password_root) = match (document.secrets, slot) {
            (Enclosed::Open(secrets), None) => (secrets, None),
            (Enclosed::Sealed(sealed), Some(slot)) => {
                let root = root_of(slot, password.ok_or(Error::PasswordNeeded)?)?;
                let secrets = sealed.open(&keys::export_state_key(&root), &document.export_id);
                (secrets.ok_or(Error::WrongPassword)?, Some(root))
            }
            _ => return Err(malformed("password slot and sealing do not fit")),
        };
        let keys = ExportKeys {
            signing_key: SigningKey::from_slice(&secrets.signing_key).map_err(|_| malformed("signing key"))?,
            certificate: Certificate::parse(&secrets.certificate).map_err(|_| malformed("certificate"))?,
            content_key: secrets.content_key.map(ContentKey::from_bytes),
            export_id: document.export_id,
            key_slots: document.key_slots,
            password_root,
        };
        check(&keys)?;
        Ok(Self { keys, options: secrets.options.clone() })
    }
}

impl Sealed {
    fn seal(
        secrets: &Secrets,
        key: &keys::Key,
        export: &ExportKeys,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, WriteError> {
        let invalid = |rule: String| WriteError::Invalid(format!("export state: {rule}"));
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let mut ciphertext = serde_json::to_vec(secrets).map_err(|error| invalid(error.to_string()))?;
        AesKey::new(key)
            .and_then(|aes| aes.seal(nonce, export.export_id.as_bytes(), &mut ciphertext))
            .map_err(|_| invalid("sealing failed".to_owned()))?;
        Ok(Self { nonce, ciphertext })
    }

    fn open(self, key: &keys::Key, export_id: &str) -> Option<Secrets> {
        let mut buffer = Zeroizing::new(self.ciphertext);
        let plain = AesKey::new(key).ok()?.open(self.nonce, export_id.as_bytes(), &mut buffer).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

/// The file is not signed, so the cost it states is bounded before any work is done.
fn root_of(slot: &PasswordSlot, password: &str) -> Result<keys::Key, Error> {
    if !slot.cost().is_allowed() {
        return Err(malformed("kdf cost out of bounds"));
    }
    keys::password_root(password, &slot.salt, slot.cost()).ok_or(Error::WrongPassword)
}

fn read(bytes: &[u8]) -> Result<Document, Error> {
    if bytes.len() > MAX_STATE_BYTES {
        return Err(Error::OverLimit("the export state"));
    }
    let value = json::parse(bytes).map_err(|_| Error::NotAVolume("it is no export state"))?;
    if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
        return Err(Error::NotAVolume("it is no export state"));
    }
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        other => return Err(Error::NewerVersion(other.map_or_else(|| "unknown".to_owned(), |v| v.to_string()))),
    }
    serde_json::from_value(value).map_err(|error| malformed(&error.to_string()))
}

/// Certificate and slots must be those of the keys, or the next volume would not fit the ones before it.
fn check(keys: &ExportKeys) -> Result<(), Error> {
    let public_key = p256::PublicKey::from(keys.signing_key.verifying_key());
    let fits = *keys.certificate.public_key() == public_key
        && json::is_uuid(&keys.export_id)
        && keys.content_key.is_some() != keys.key_slots.is_empty();
    if fits { Ok(()) } else { Err(malformed("its parts do not belong together")) }
}

fn malformed(rule: &str) -> Error {
    Error::Malformed(format!("export state: {rule}"))
}
