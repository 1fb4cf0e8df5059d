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
    let (aead_key, nonce) = schedule(&shared_x, &encapsulated_key, &point(recipient)?, &info(export_id))?;
    let mut wrapped = key.as_bytes().to_vec();
    AesKey::new(&aead_key).ok()?.seal(nonce, &[], &mut wrapped).ok()?;
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
    let (aead_key, nonce) = schedule(shared_x, &slot.encapsulated_key, &point(recipient)?, &info(export_id))?;
    let aes = AesKey::new(&aead_key).ok()?;
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
fn schedule(shared_x: &[u8; 32], enc: &[u8; 65], recipient: &[u8; 65], info: &[u8]) -> Option<(Key, [u8; 12])> {
    let kem_context = [enc.as_slice(), recipient.as_slice()].concat();
    let eae_prk = labeled_extract(KEM_SUITE, &[], b"eae_prk", shared_x);
    let shared_secret: Key = labeled_expand(KEM_SUITE, &eae_prk, b"shared_secret", &kem_context)?;

    let psk_id_hash = labeled_extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = labeled_extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [&[BASE_MODE], psk_id_hash.as_slice(), info_hash.as_slice()].concat();
    let secret = labeled_extract(HPKE_SUITE, shared_secret.as_slice(), b"secret", &[]);
    let key: Key = labeled_expand(HPKE_SUITE, &secret, b"key", &context)?;
    let base_nonce: Zeroizing<[u8; 12]> = labeled_expand(HPKE_SUITE, &secret, b"base_nonce", &context)?;
    Some((key, *base_nonce))
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

#[cfg(test)]
mod tests {
    use super::{INFO_PREFIX, PublicKey, SecretKey, open, point, schedule, seal};
    use crate::cipher::AesKey;
    use crate::header::{KeySlot, RecipientSlot};
    use crate::keys::ContentKey;
    use hpke::{Deserializable as _, Serializable as _, aead::AesGcm256, kdf::HkdfSha256, kem::DhP256HkdfSha256};
    use p256::elliptic_curve::Generate as _;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    const EXPORT_ID: &str = "0190d9e2-7c3a-7000-8000-000000000001";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// The working group's vectors for RFC 9180: mode 0, KEM 0x0010, KDF 0x0001, AEAD 0x0002.
    #[test]
    fn the_schedule_gives_the_published_vector() {
        let recipient =
            SecretKey::from_slice(&hex("317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2")).unwrap();
        let enc: [u8; 65] = hex(concat!(
            "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f0",
            "3e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
        ))
        .try_into()
        .unwrap();
        let sender = PublicKey::from_sec1_bytes(&enc).unwrap();
        let shared_x: [u8; 32] = (*recipient.diffie_hellman(&sender).raw_secret_bytes()).into();
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let (key, nonce) = schedule(&shared_x, &enc, &point(&recipient.public_key()).unwrap(), &info).unwrap();
        assert_eq!(key.to_vec(), hex("ee16802a936d5f544771131900ee6973d0551de9e852ece2ef34bf0d5f9e1d1d"));
        assert_eq!(nonce.to_vec(), hex("9bc50980832a7b4b58c40161"));
        let mut text = hex("4265617574792069732074727574682c20747275746820626561757479");
        AesKey::new(&key).unwrap().seal(nonce, &hex("436f756e742d30"), &mut text).unwrap();
        assert_eq!(
            text,
            hex("58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f")
        );
    }

    #[test]
    fn the_hpke_crate_opens_what_is_sealed_here() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let recipient = SecretKey::generate_from_rng(&mut rng);
        let content = ContentKey::from_bytes([5; 32]);
        let slot = seal(EXPORT_ID, &recipient.public_key(), [0; 32], &content, &mut rng).unwrap();
        let KeySlot::Recipient(slot) = slot else { panic!("a recipient slot") };
        let private = <DhP256HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(&recipient.to_bytes()).unwrap();
        let enc = <DhP256HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&slot.encapsulated_key).unwrap();
        let info = [INFO_PREFIX, EXPORT_ID.as_bytes()].concat();
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &hpke::OpModeR::Base,
            &private,
            &enc,
            &info,
            &slot.wrapped_key,
            &[],
        );
        assert_eq!(opened.unwrap(), [5; 32]);
    }

    #[test]
    fn what_the_hpke_crate_seals_is_opened_here() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let recipient = SecretKey::generate_from_rng(&mut rng);
        let public =
            <DhP256HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&point(&recipient.public_key()).unwrap()).unwrap();
        let info = [INFO_PREFIX, EXPORT_ID.as_bytes()].concat();
        let (enc, wrapped) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &hpke::OpModeS::Base,
            &public,
            &info,
            &[6; 32],
            &[],
            &mut rng,
        )
        .unwrap();
        let slot = RecipientSlot {
            suite: RecipientSlot::SUITE.to_owned(),
            certificate_sha256: [0; 32],
            encapsulated_key: enc.to_bytes().as_slice().try_into().unwrap(),
            wrapped_key: wrapped.try_into().unwrap(),
        };
        assert_eq!(open(&slot, EXPORT_ID, &recipient).unwrap().as_bytes(), &[6; 32]);
        assert!(open(&slot, "0190d9e2-7c3a-7000-8000-000000000002", &recipient).is_none());
        assert!(open(&slot, EXPORT_ID, &SecretKey::generate_from_rng(&mut rng)).is_none());
    }
}
