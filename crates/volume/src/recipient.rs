//! Recipient slots: HPKE (RFC 9180) base mode, single shot, suite 0x0010, 0x0001, 0x0002.
//!
//! The schedule is our own because the recipient's private key may stay in a key store that does nothing but ECDH; the
//! usual libraries ask for the key itself. It is tested with the RFC's vectors and against the `hpke` crate.

use crate::cipher::AesKey;
use crate::header::{KeySlot, RecipientSlot};
use crate::keys::{ContentKey, Key};
use hkdf::Hkdf;
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const INFO_PREFIX: &[u8] = b"mszip 1 recipient slot";
/// "KEM" and DHKEM(P-256, HKDF-SHA256): RFC 9180, section 4.1.
const KEM_SUITE: &[u8] = b"KEM\x00\x10";
/// "HPKE" and the three identifiers: RFC 9180, section 5.1.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x02";
const BASE_MODE: u8 = 0;

/// One ECDH that a key store has to do: between the recipient's private key and this public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientExchange {
    /// Index of the slot in [`Header::key_slots`](crate::Header::key_slots).
    pub slot: usize,
    /// The sender's ephemeral public key, an uncompressed point of 65 bytes.
    pub encapsulated_key: [u8; 65],
}

/// Seals the content key to a recipient.
pub(crate) fn seal(
    export_id: &str,
    recipient: &PublicKey,
    certificate_sha256: [u8; 32],
    key: &ContentKey,
    rng: &mut impl CryptoRng,
) -> Option<KeySlot> {
    let ephemeral = SecretKey::generate_from_rng(rng);
    let encapsulated_key = point(&ephemeral.public_key())?;
    let shared_x = Zeroizing::new((*ephemeral.diffie_hellman(recipient).raw_secret_bytes()).into());
    let (aes, nonce) = schedule(&shared_x, &encapsulated_key, &point(recipient)?, &info(export_id))?;
    let mut wrapped = key.as_bytes().to_vec();
    aes.seal(nonce, &[], &mut wrapped).ok()?;
    Some(KeySlot::Recipient(RecipientSlot {
        suite: RecipientSlot::SUITE.to_owned(),
        certificate_sha256,
        encapsulated_key,
        wrapped_key: wrapped.try_into().ok()?,
    }))
}

/// Opens a slot with the private key at hand.
pub(crate) fn open(slot: &RecipientSlot, export_id: &str, key: &SecretKey) -> Option<ContentKey> {
    let sender = PublicKey::from_sec1_bytes(&slot.encapsulated_key).ok()?;
    let shared_x = Zeroizing::new((*key.diffie_hellman(&sender).raw_secret_bytes()).into());
    open_shared(slot, export_id, &shared_x, &key.public_key())
}

/// Opens a slot with the x coordinate that the ECDH gave.
pub(crate) fn open_shared(
    slot: &RecipientSlot,
    export_id: &str,
    shared_x: &[u8; 32],
    recipient: &PublicKey,
) -> Option<ContentKey> {
    let (aes, nonce) = schedule(shared_x, &slot.encapsulated_key, &point(recipient)?, &info(export_id))?;
    let mut buffer = Zeroizing::new(slot.wrapped_key);
    let plain: [u8; 32] = aes.open(nonce, &[], buffer.as_mut_slice()).ok()?.try_into().ok()?;
    Some(ContentKey::from_bytes(plain))
}

fn info(export_id: &str) -> Vec<u8> {
    [INFO_PREFIX, export_id.as_bytes()].concat()
}

/// The uncompressed encoding of a public key.
pub(crate) fn point(key: &PublicKey) -> Option<[u8; 65]> {
    key.to_sec1_point(false).as_bytes().try_into().ok()
}

/// ExtractAndExpand (section 4.1), then KeySchedule (section 5.1): key and base nonce of sequence number 0.
fn schedule(shared_x: &[u8; 32], enc: &[u8; 65], recipient: &[u8; 65], info: &[u8]) -> Option<(AesKey, [u8; 12])> {
    let kem_context = [enc.as_slice(), recipient.as_slice()].concat();
    let eae_prk = labeled_extract(KEM_SUITE, &[], b"eae_prk", shared_x);
    let shared_secret: Key = labeled_expand(KEM_SUITE, &eae_prk, b"shared_secret", &kem_context)?;

    let psk_id_hash = labeled_extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = labeled_extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [&[BASE_MODE], psk_id_hash.as_slice(), info_hash.as_slice()].concat();
    let secret = labeled_extract(HPKE_SUITE, shared_secret.as_slice(), b"secret", &[]);
    let key: Key = labeled_expand(HPKE_SUITE, &secret, b"key", &context)?;
    let base_nonce: Zeroizing<[u8; 12]> = labeled_expand(HPKE_SUITE, &secret, b"base_nonce", &context)?;
    Some((AesKey::new(&key).ok()?, *base_nonce))
}

/// LabeledExtract of RFC 9180, section 4.
fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Key {
    let labeled = Zeroizing::new([b"HPKE-v1", suite, label, ikm].concat());
    let (prk, _) = Hkdf::<sha2::Sha256>::extract(Some(salt), &labeled);
    Zeroizing::new(prk.into())
}

/// LabeledExpand of RFC 9180, section 4, to `N` bytes.
fn labeled_expand<const N: usize>(suite: &[u8], prk: &Key, label: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; N]>> {
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let labeled = [length.as_slice(), b"HPKE-v1", suite, label, info].concat();
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<sha2::Sha256>::from_prk(prk.as_slice()).ok()?.expand(&labeled, out.as_mut_slice()).ok()?;
    Some(out)
}
