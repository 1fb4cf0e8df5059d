//! From the bytes of the signed parts to a volume that can be believed.

use crate::cipher::sha256;
use crate::container::{HEADER_START, MAIL_LOCAL_BYTES, u64_at};
use crate::encoding::hash_from_hex;
use crate::header::{Header, KeySlot};
use crate::limits::{MAX_MAILS_PER_VOLUME, MAX_VOLUME_BYTES};
use crate::recipient::{self, RecipientExchange};
use crate::seal::Seal;
use crate::{Certificate, ContentKey, Error, Part, Plan, Secret, Volume, keys};
use p256::PublicKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of one mail in the catalogue.
const RECORD_BYTES: usize = 40;
/// First mail number and count.
const PREFIX_BYTES: usize = 16;
/// An offset is kept for every so many mails, the others are counted from there.
const STRIDE: usize = 16;

/// The bytes of a [`Plan`]'s ranges.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// `header.json`.
    pub header: &'a [u8],
    /// `catalogue`, kept.
    pub catalogue: Vec<u8>,
    /// `seal.json`.
    pub seal: &'a [u8],
    /// `seal.sig`.
    pub signature: &'a [u8],
}

/// Header and seal of a volume that nobody has vouched for: to be shown as such, and nothing more.
#[derive(Debug, Clone, PartialEq)]
pub struct Unverified {
    /// What the header says.
    pub header: Header,
    /// What the seal says.
    pub seal: Seal,
    /// `header.json` with members that this reader does not know.
    pub header_json: Value,
    /// `seal.json` with members that this reader does not know.
    pub seal_json: Value,
    /// SHA-256 of `header.json`.
    pub header_sha256: [u8; 32],
    /// SHA-256 of `seal.json`.
    pub seal_sha256: [u8; 32],
}

impl Plan {
    /// Reads header and seal without believing them.
    ///
    /// Fails with [`Error::BadSignature`] where they are no JSON or do not agree by hash, [`Error::Malformed`] where
    /// they break a rule.
    pub fn peek(&self, header: &[u8], seal: &[u8]) -> Result<Unverified, Error> {
        if self.led_astray {
            return Err(Error::BadSignature(Part::Directory));
        }
        let header_json = json_of(header).ok_or(Error::BadSignature(Part::Header))?;
        let seal_json = json_of(seal).ok_or(Error::BadSignature(Part::Seal))?;
        let header_sha256 = sha256(header);
        if stated_hash(&seal_json, "header_sha256").is_some_and(|stated| stated != header_sha256) {
            return Err(Error::BadSignature(Part::Header));
        }
        let (parsed, stated) = (Header::parse(header)?, Seal::parse(seal)?);
        check_agreement(&parsed, &stated)?;
        Ok(Unverified {
            header: parsed,
            seal: stated,
            header_json,
            seal_json,
            header_sha256,
            seal_sha256: sha256(seal),
        })
    }

    /// Verifies signature, hashes, certificate and rules, in this order.
    ///
    /// Fails with [`Error::CertificateNeeded`] to [`Error::Malformed`], the first that applies.
    pub fn verify(&self, parts: Parts<'_>, certificate: Option<&Certificate>) -> Result<Verified, Error> {
        let certificate = certificate.ok_or(Error::CertificateNeeded)?;
        let header_json = json_of(parts.header);
        let named = header_json.as_ref().and_then(|header| stated_hash(header, "certificate_sha256"));
        let is_other = named.is_some_and(|named| named != *certificate.sha256());
        let changed = |part| if is_other { Error::WrongCertificate } else { Error::BadSignature(part) };
        if self.led_astray {
            return Err(changed(Part::Directory));
        }
        if !signature_holds(certificate, parts.seal, parts.signature) {
            return Err(changed(Part::Seal));
        }
        let hashes = check_hashes(&parts)?;
        if header_json.is_none() {
            return Err(Error::BadSignature(Part::Header));
        }
        if is_other {
            return Err(Error::WrongCertificate);
        }
        let (header, seal) = (Header::parse(parts.header)?, Seal::parse(parts.seal)?);
        check_agreement(&header, &seal)?;
        let first_entry = HEADER_START + parts.header.len() as u64;
        let catalogue = Catalogue::parse(parts.catalogue, &seal, first_entry)?;
        let inner =
            Inner { header, seal, header_sha256: hashes.0, seal_sha256: hashes.1, catalogue, plan: self.clone() };
        Ok(Verified { inner: Arc::new(inner) })
    }
}

/// RFC 6979 says how a signature is made; a reader sees only that it is in its one form: strict DER and low s.
fn signature_holds(certificate: &Certificate, seal: &[u8], der: &[u8]) -> bool {
    let Ok(signature) = Signature::from_der(der) else { return false };
    signature.to_der().as_bytes() == der
        && signature.normalize_s() == signature
        && VerifyingKey::from(certificate.public_key()).verify(seal, &signature).is_ok()
}

/// SHA-256 of header and seal, once the signed seal's two hashes hold. A seal without them is malformed.
fn check_hashes(parts: &Parts<'_>) -> Result<([u8; 32], [u8; 32]), Error> {
    let seal = json_of(parts.seal).unwrap_or_default();
    let header_sha256 = sha256(parts.header);
    let stated = [
        (stated_hash(&seal, "header_sha256"), header_sha256, Part::Header),
        (stated_hash(&seal, "catalogue_sha256"), sha256(&parts.catalogue), Part::Catalogue),
    ];
    match stated.into_iter().find(|(stated, found, _)| stated.is_some_and(|stated| stated != *found)) {
        Some((_, _, part)) => Err(Error::BadSignature(part)),
        None => Ok((header_sha256, sha256(parts.seal))),
    }
}

/// Lenient: rules come later, here only a hash is looked up. Of doubled members one is taken, and both are refused then.
fn json_of(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

fn stated_hash(object: &Value, member: &str) -> Option<[u8; 32]> {
    hash_from_hex(object.get(member)?.as_str()?)
}

fn check_agreement(header: &Header, seal: &Seal) -> Result<(), Error> {
    if header.export_id != seal.export_id {
        return Err(Error::Malformed("header and seal name different exports".to_owned()));
    }
    if header.volume != seal.volume {
        return Err(Error::Malformed("header and seal name different volumes".to_owned()));
    }
    Ok(())
}

/// The signed list of stored lengths and hashes, kept as the bytes that it came as.
#[derive(Debug)]
struct Catalogue {
    bytes: Vec<u8>,
    /// Offset of the local header of every [`STRIDE`]th mail.
    offsets: Vec<u64>,
    /// Where the catalogue's own local header begins.
    end: u64,
}

impl Catalogue {
    fn parse(bytes: Vec<u8>, seal: &Seal, first_entry: u64) -> Result<Self, Error> {
        let malformed = |rule: &str| Error::Malformed(format!("catalogue: {rule}"));
        let (first, count) = (u64_at(&bytes, 0), u64_at(&bytes, 8));
        let expected_len = PREFIX_BYTES as u64 + RECORD_BYTES as u64 * seal.mails.min(MAX_MAILS_PER_VOLUME);
        if count != Some(seal.mails) || bytes.len() as u64 != expected_len {
            return Err(malformed("its length and count are not those of the seal"));
        }
        if first != Some(seal.first_mail) {
            return Err(malformed("its first mail is not the seal's"));
        }
        let mut offsets = Vec::with_capacity(bytes.len() / (RECORD_BYTES * STRIDE) + 1);
        let mut end = first_entry;
        for (index, record) in bytes.get(PREFIX_BYTES..).unwrap_or_default().chunks_exact(RECORD_BYTES).enumerate() {
            if index % STRIDE == 0 {
                offsets.push(end);
            }
            end = end.saturating_add(MAIL_LOCAL_BYTES).saturating_add(u64_at(record, 0).unwrap_or(u64::MAX));
        }
        if end > MAX_VOLUME_BYTES {
            return Err(malformed("its mails do not fit into a volume"));
        }
        Ok(Self { bytes, offsets, end })
    }

    fn record(&self, index: usize) -> Option<(u64, [u8; 32])> {
        let start = index.checked_mul(RECORD_BYTES)?.checked_add(PREFIX_BYTES)?;
        let record = self.bytes.get(start..start.checked_add(RECORD_BYTES)?)?;
        Some((u64_at(record, 0)?, record.get(8..)?.try_into().ok()?))
    }

    /// Offset of the stored bytes, their length and hash.
    fn entry(&self, index: usize) -> Option<Entry> {
        let (len, sha256) = self.record(index)?;
        let stride = index / STRIDE;
        let mut local = *self.offsets.get(stride)?;
        for before in stride * STRIDE..index {
            local = local.checked_add(MAIL_LOCAL_BYTES)?.checked_add(self.record(before)?.0)?;
        }
        Some(Entry { offset: local.checked_add(MAIL_LOCAL_BYTES)?, len, sha256 })
    }
}

/// One mail as the catalogue has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

/// Where the stored bytes of one mail are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// First byte.
    pub offset: u64,
    /// How many bytes to read there. Less than the catalogue says where the file is too short; the mail is damaged then.
    pub len: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: [u8; 32],
}

#[derive(Debug)]
struct Inner {
    header: Header,
    seal: Seal,
    header_sha256: [u8; 32],
    seal_sha256: [u8; 32],
    catalogue: Catalogue,
    plan: Plan,
}

/// A volume whose signature, hashes and rules hold; cheap to clone.
#[derive(Debug, Clone)]
pub struct Verified {
    inner: Arc<Inner>,
}

impl Verified {
    /// The signed header.
    pub fn header(&self) -> &Header {
        &self.inner.header
    }

    /// The signed seal.
    pub fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// SHA-256 of `header.json`.
    pub fn header_sha256(&self) -> &[u8; 32] {
        &self.inner.header_sha256
    }

    /// SHA-256 of `seal.json`: what every later step is pinned to, and what the next volume names.
    pub fn seal_sha256(&self) -> &[u8; 32] {
        &self.inner.seal_sha256
    }

    /// Number of the first mail.
    pub fn first_mail(&self) -> u64 {
        self.inner.seal.first_mail
    }

    /// How many mails there are.
    pub fn mails(&self) -> u64 {
        self.inner.seal.mails
    }

    /// The numbers of all mails, in order.
    pub fn numbers(&self) -> std::ops::Range<u64> {
        self.first_mail()..self.first_mail().saturating_add(self.mails())
    }

    /// Where the stored bytes of a mail are; `None` if the number is not in this volume.
    pub fn stored(&self, number: u64) -> Option<Stored> {
        let entry = self.entry(number)?;
        let size = self.inner.plan.size_bytes;
        let offset = entry.offset.min(size);
        Some(Stored { offset, len: entry.len.min(size - offset), sha256: entry.sha256 })
    }

    /// Opens the volume: the only place where keys are derived, and only after the signature has been verified.
    ///
    /// Fails with [`Error::PasswordNeeded`], [`Error::RecipientKeyNeeded`], [`Error::WrongPassword`] or
    /// [`Error::WrongRecipientKey`].
    pub fn unlock(self, secret: Secret<'_>) -> Result<Volume, Error> {
        let key = if self.header().is_encrypted() { Some(keys::unwrap(self.header(), secret)?) } else { None };
        Volume::new(self, key)
    }

    /// What a key store has to do for a recipient key that stays there: one ECDH for each slot of this certificate.
    pub fn recipient_exchanges(&self, certificate_sha256: &[u8; 32]) -> Vec<RecipientExchange> {
        let slots = self.header().key_slots.iter().enumerate();
        let own = slots.filter_map(|(index, slot)| match slot {
            KeySlot::Recipient(slot) if slot.certificate_sha256 == *certificate_sha256 => {
                Some(RecipientExchange { slot: index, encapsulated_key: slot.encapsulated_key })
            }
            _ => None,
        });
        own.collect()
    }

    /// The content key from the x coordinate of an ECDH (RFC 9180, sections 4.1 and 5.1).
    ///
    /// Fails with [`Error::WrongRecipientKey`] if the slot does not open or the key is not the committed one.
    pub fn content_key_from_shared_secret(
        &self,
        exchange: &RecipientExchange,
        shared_x: &[u8; 32],
        recipient: &PublicKey,
    ) -> Result<ContentKey, Error> {
        let Some(KeySlot::Recipient(slot)) = self.header().key_slots.get(exchange.slot) else {
            return Err(Error::WrongRecipientKey);
        };
        recipient::open_shared(slot, &self.header().export_id, shared_x, recipient)
            .and_then(|key| keys::checked(self.header(), key))
            .ok_or(Error::WrongRecipientKey)
    }

    pub(crate) fn entry(&self, number: u64) -> Option<Entry> {
        let index = number.checked_sub(self.first_mail())?;
        self.inner.catalogue.entry(usize::try_from(index).ok()?)
    }

    /// Where the catalogue's local header belongs.
    pub(crate) fn mails_end(&self) -> u64 {
        self.inner.catalogue.end
    }
}
