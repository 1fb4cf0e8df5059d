//! Certificates: containers for a P-256 public key, trusted for the way they came.
//!
//! Dates, names and signatures in them mean nothing here, and of the extensions one alone, so a reader walks past them.

use crate::cipher::sha256;
use crate::limits::MAX_CERTIFICATE_BYTES;
use crate::{Error, WriteError};
use der::asn1::GeneralizedTime;
use der::{AnyRef, DateTime, Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _};
use p256::PublicKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::DecodePublicKey as _;
use rand_core::CryptoRng;
use std::str::FromStr as _;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

const PEM_LABEL: &str = "CERTIFICATE";

/// `NAME.cer`, or the certificate of a recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    sha256: [u8; 32],
    public_key: PublicKey,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", crate::encoding::to_hex(&self.sha256))
    }
}

impl Certificate {
    /// Reads DER, or one PEM block with nothing after it.
    ///
    /// Fails with [`Error::OverLimit`] above 16 KiB, and with [`Error::NotACertificate`] where there is no X.509
    /// certificate with a P-256 key (its code is `wrong_certificate`).
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > MAX_CERTIFICATE_BYTES {
            return Err(Error::OverLimit("the certificate"));
        }
        let der = if bytes.first() == Some(&0x30) { bytes.to_vec() } else { der_from_pem(bytes)? };
        let public_key = public_key_in(&der).ok_or(Error::NotACertificate)?;
        Ok(Self { sha256: sha256(&der), der, public_key })
    }

    /// A new certificate for a recipient's key, which agrees but cannot sign: a throw-away key signs it.
    pub fn issue_for_agreement(
        public_key: &PublicKey,
        common_name: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, WriteError> {
        let throw_away = SigningKey::generate_from_rng(rng);
        issue(public_key, common_name, KeyUsages::KeyAgreement, &throw_away, rng)
    }

    /// The self-signed certificate of an export.
    pub(crate) fn issue_for_export(
        key: &SigningKey,
        export_id: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, WriteError> {
        let public_key = PublicKey::from(key.verifying_key());
        issue(&public_key, &format!("mszip export {export_id}"), KeyUsages::DigitalSignature, key, rng)
    }

    /// The DER bytes, as `NAME.cer` holds them.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The same as one PEM block.
    pub fn pem(&self) -> String {
        der::pem::encode_string(PEM_LABEL, der::pem::LineEnding::LF, &self.der).unwrap_or_default()
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether a content key may be sealed for its key: false where the key usage (RFC 5280, section 4.2.1.3) leaves that
    /// out, as in the certificate of an export, whose key is deleted when that has ended.
    pub fn may_agree(&self) -> bool {
        let Ok(certificate) = x509_cert::Certificate::from_der(&self.der) else { return true };
        match certificate.tbs_certificate().get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.key_agreement(),
            _ => true,
        }
    }

    /// The public key; little else in a certificate counts.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Trailing white space is not a second block; a text before the block is let pass, as OpenSSL writes one.
fn der_from_pem(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (label, der) = der::pem::decode_vec(bytes.trim_ascii()).map_err(|_| Error::NotACertificate)?;
    if label == PEM_LABEL { Ok(der) } else { Err(Error::NotACertificate) }
}

/// Walks `Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, spki …`.
fn public_key_in(der: &[u8]) -> Option<PublicKey> {
    let certificate = AnyRef::from_der(der).ok().filter(|any| is_sequence(*any))?;
    let mut parts = SliceReader::new(certificate.value()).ok()?;
    let tbs: AnyRef<'_> = parts.decode().ok().filter(|any| is_sequence(*any))?;
    let mut fields = SliceReader::new(tbs.value()).ok()?;
    let first: AnyRef<'_> = fields.decode().ok()?;
    // Version 1 has no version field; then the first field is the serial number.
    let before_key = if first.tag() == Tag::Integer { 4 } else { 5 };
    for _ in 0..before_key {
        let _: AnyRef<'_> = fields.decode().ok()?;
    }
    let spki: AnyRef<'_> = fields.decode().ok()?;
    PublicKey::from_public_key_der(&spki.to_der().ok()?).ok()
}

fn is_sequence(any: AnyRef<'_>) -> bool {
    any.tag() == Tag::Sequence
}

/// X.509 v3 with this key, subject = issuer = the common name, without end (RFC 5280, section 4.1.2.5).
fn issue(
    public_key: &PublicKey,
    common_name: &str,
    usage: KeyUsages,
    signer: &SigningKey,
    rng: &mut impl CryptoRng,
) -> Result<Certificate, WriteError> {
    let invalid = |error: &dyn std::fmt::Display| WriteError::Invalid(format!("certificate: {error}"));
    let name = Name::from_str(&format!("CN={common_name}")).map_err(|error| invalid(&error))?;
    // No clock is read here and no reader looks at the dates.
    let not_before = DateTime::new(2000, 1, 1, 0, 0, 0).map_err(|error| invalid(&error))?;
    let not_before = Time::GeneralTime(GeneralizedTime::from_date_time(not_before));
    let validity = Validity::new(not_before, Time::INFINITY);
    let spki = SubjectPublicKeyInfo::from_key(public_key).map_err(|error| invalid(&error))?;
    let serial = SerialNumber::generate(rng);
    let builder = CertificateBuilder::new(OneKey { name, usage }, serial, validity, spki);
    let certificate =
        builder.and_then(|builder| builder.build::<_, DerSignature>(signer)).map_err(|error| invalid(&error))?;
    let der = certificate.to_der().map_err(|error| invalid(&error))?;
    Certificate::parse(&der).map_err(|error| invalid(&error))
}

/// Subject is issuer, and the key usage is the only extension.
struct OneKey {
    name: Name,
    usage: KeyUsages,
}

impl BuilderProfile for OneKey {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.name.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let usage = KeyUsage(self.usage.into());
        Ok(vec![usage.to_extension(tbs.subject(), &[])?])
    }
}
