//! Keys: the content key of an export, the ways to it, and what is derived from it.

use crate::cipher::AesKey;
use crate::header::{Header, KeySlot, PasswordCost, PasswordSlot};
use crate::{Error, recipient};
use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// A 32-byte secret that is wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

const PASSWORD_SLOT_INFO: &[u8] = b"mszip 1 password slot";
const KEY_CHECK_INFO: &[u8] = b"mszip 1 key check";
const VOLUME_INFO: &[u8] = b"mszip 1 volume";
const EXPORT_STATE_INFO: &[u8] = b"mszip 1 export state";
const MAX_PASSWORD_BYTES: usize = 1_024;
/// A slot key seals one message, ever, so its nonce may be constant.
const SLOT_NONCE: [u8; 12] = [0; 12];

/// The key of an export, one for all its volumes; wiped when dropped and never printed.
#[derive(Clone)]
pub struct ContentKey(Key);

impl ContentKey {
    /// From 32 bytes that a key store gave back.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes, for a key store to wrap.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What `key_check` must be: AES-GCM does not commit to its key, this does.
    pub(crate) fn check(&self, export_id: &str) -> [u8; 32] {
        *derive(&self.0, export_id.as_bytes(), KEY_CHECK_INFO)
    }

    /// The key that seals the mails of the volume with this header.
    pub(crate) fn volume_key(&self, header_sha256: &[u8; 32]) -> Key {
        derive(&self.0, header_sha256, VOLUME_INFO)
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

/// What a reader holds to open a volume.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// Nothing: opens volumes with cipher "none".
    None,
    /// The password of the export.
    Password(&'a str),
    /// The private key of a recipient.
    RecipientKey(&'a p256::SecretKey),
    /// The content key itself, as a key store keeps it between steps.
    ContentKey(&'a ContentKey),
}

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(_) => "Password(..)",
            Self::RecipientKey(_) => "RecipientKey(..)",
            Self::ContentKey(_) => "ContentKey(..)",
        })
    }
}

/// Finds the content key of an encrypted volume whose header is verified.
///
/// Fails with the last four errors of the format's list; a [`Secret::ContentKey`] that is not this export's counts as
/// a wrong recipient key, because that is how a key store came by it.
pub(crate) fn unwrap(header: &Header, secret: Secret<'_>) -> Result<ContentKey, Error> {
    match (secret, header.password_slot(), header.recipient_slots().next()) {
        (Secret::Password(password), Some(slot), _) => unwrap_password(header, slot, password),
        (Secret::RecipientKey(key), _, Some(_)) => unwrap_recipient(header, key),
        (Secret::ContentKey(key), ..) => checked(header, key.clone()).ok_or(Error::WrongRecipientKey),
        (_, Some(_), _) if !matches!(secret, Secret::Password(_)) => Err(Error::PasswordNeeded),
        _ => Err(Error::RecipientKeyNeeded),
    }
}

fn unwrap_password(header: &Header, slot: &PasswordSlot, password: &str) -> Result<ContentKey, Error> {
    let root = password_root(password, &slot.salt, slot.cost()).ok_or(Error::WrongPassword)?;
    let slot_key = derive(&root, &[], PASSWORD_SLOT_INFO);
    unseal(&slot_key, header.export_id.as_bytes(), &slot.wrapped_key)
        .and_then(|key| checked(header, key))
        .ok_or(Error::WrongPassword)
}

/// The certificate of the key holder is not known here, so each of the at most eight slots is tried.
fn unwrap_recipient(header: &Header, key: &p256::SecretKey) -> Result<ContentKey, Error> {
    header
        .recipient_slots()
        .find_map(|slot| recipient::open(slot, &header.export_id, key).and_then(|found| checked(header, found)))
        .ok_or(Error::WrongRecipientKey)
}

/// The key, if it is the one that the header commits to.
pub(crate) fn checked(header: &Header, key: ContentKey) -> Option<ContentKey> {
    (header.key_check == Some(key.check(&header.export_id))).then_some(key)
}

/// A new password slot, and the Argon2id output that also seals the export state.
pub(crate) fn password_slot(
    export_id: &str,
    password: &str,
    cost: PasswordCost,
    salt: [u8; 16],
    key: &ContentKey,
) -> Option<(KeySlot, Key)> {
    let root = password_root(password, &salt, cost).filter(|_| cost.is_allowed())?;
    let slot_key = derive(&root, &[], PASSWORD_SLOT_INFO);
    let mut wrapped = key.as_bytes().to_vec();
    AesKey::new(&slot_key).and_then(|aes| aes.seal(SLOT_NONCE, export_id.as_bytes(), &mut wrapped)).ok()?;
    let slot = PasswordSlot {
        kdf: PasswordSlot::KDF.to_owned(),
        memory_kib: cost.memory_kib,
        passes: cost.passes,
        lanes: cost.lanes,
        salt,
        wrapped_key: wrapped.try_into().ok()?,
    };
    Some((KeySlot::Password(slot), root))
}

/// Argon2id (RFC 9106, version 0x13) of the NFC password; `None` if its length is out of bounds.
pub(crate) fn password_root(password: &str, salt: &[u8; 16], cost: PasswordCost) -> Option<Key> {
    // NFC shortens UTF-8 to a third at most (Hangul jamo): look at the length before doing any work.
    if password.len() > 3 * MAX_PASSWORD_BYTES {
        return None;
    }
    let password = Zeroizing::new(password.nfc().collect::<String>());
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return None;
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut root = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, root.as_mut_slice())
        .ok()?;
    Some(root)
}

/// The key that seals `NAME.export-state`.
pub(crate) fn export_state_key(root: &Key) -> Key {
    derive(root, &[], EXPORT_STATE_INFO)
}

/// Opens a wrapped content key.
pub(crate) fn unseal(slot_key: &Key, aad: &[u8], wrapped: &[u8; 48]) -> Option<ContentKey> {
    let mut buffer = Zeroizing::new(*wrapped);
    let aes = AesKey::new(slot_key).ok()?;
    let plain: [u8; 32] = aes.open(SLOT_NONCE, aad, buffer.as_mut_slice()).ok()?.try_into().ok()?;
    Some(ContentKey::from_bytes(plain))
}

/// HKDF-SHA256 (RFC 5869), 32 bytes out.
fn derive(input: &[u8; 32], salt: &[u8], info: &[u8]) -> Key {
    let mut out = Key::default();
    // 32 bytes never exceed HKDF's limit of 255 blocks; were it to fail, the zero key would open nothing.
    let _ = Hkdf::<sha2::Sha256>::new(Some(salt), input).expand(info, out.as_mut_slice());
    out
}
