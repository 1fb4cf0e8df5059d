//! What can be wrong with a whole volume, in the order in which it is looked for.

use thiserror::Error;

/// The signed or referenced part of a volume that was found changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// `header.json`.
    Header,
    /// `catalogue`.
    Catalogue,
    /// `seal.json` or `seal.sig`.
    Seal,
    /// The directory of the container.
    Directory,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header.json",
            Self::Catalogue => "the catalogue",
            Self::Seal => "the seal or its signature",
            Self::Directory => "the directory",
        })
    }
}

/// Why a volume is refused; variants stand in the order in which they apply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// Byte 0 is no local header of `header.json`, or that is JSON of another format.
    #[error("not an export volume: {0}")]
    NotAVolume(&'static str),
    /// A version that this reader does not know.
    #[error("made by a newer program: format version {0}")]
    NewerVersion(String),
    /// No end record at the end.
    #[error("truncated: the end of the volume is missing, the upload may not be finished")]
    Truncated,
    /// A part is larger than the format allows.
    #[error("{0} is larger than the format allows")]
    OverLimit(&'static str),
    /// Nothing is opened without the certificate of the export.
    #[error("the certificate of the export is needed")]
    CertificateNeeded,
    /// The certificate given is another one than the header names.
    #[error("the certificate does not belong to this volume")]
    WrongCertificate,
    /// What was given as the certificate is none, or has no P-256 key.
    #[error("what was given as the certificate is no X.509 certificate with a P-256 key")]
    NotACertificate,
    /// Changed after the export.
    #[error("changed after the export: {0} does not match the signature")]
    BadSignature(Part),
    /// Signed, but against the rules of the format.
    #[error("signed, but malformed: {0}")]
    Malformed(String),
    /// A password slot is there and no password was given.
    #[error("the password of the export is needed")]
    PasswordNeeded,
    /// Only recipient slots are there and no recipient key was given.
    #[error("the key of a recipient of the export is needed")]
    RecipientKeyNeeded,
    /// The password opens nothing.
    #[error("wrong password")]
    WrongPassword,
    /// The recipient's key opens nothing.
    #[error("wrong recipient key")]
    WrongRecipientKey,
}

impl Error {
    /// The code for machines, as in the format's list of errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAVolume(_) => "not_a_volume",
            Self::NewerVersion(_) => "newer_version",
            Self::Truncated => "truncated",
            Self::OverLimit(_) => "over_limit",
            Self::CertificateNeeded => "certificate_needed",
            Self::WrongCertificate | Self::NotACertificate => "wrong_certificate",
            Self::BadSignature(_) => "bad_signature",
            Self::Malformed(_) => "malformed",
            Self::PasswordNeeded => "password_needed",
            Self::RecipientKeyNeeded => "recipient_key_needed",
            Self::WrongPassword => "wrong_password",
            Self::WrongRecipientKey => "wrong_recipient_key",
        }
    }
}

/// What is wrong with one mail of a volume; the others are not concerned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// The stored bytes are not those of the signed catalogue.
    #[error("the stored bytes do not match the catalogue")]
    Stored,
    /// A chunk does not open under the volume key, or the stored length is impossible.
    #[error("decryption failed in chunk {0}")]
    Decryption(u64),
    /// The metadata breaks a rule.
    #[error("the metadata is malformed: {0}")]
    Metadata(String),
    /// Not exactly one zstd frame within the format's limits.
    #[error("the zstd frame is malformed: {0}")]
    Frame(&'static str),
    /// Content size and `n` differ.
    #[error("the length of the mail is not the one stated")]
    Length,
    /// SHA-256 of the raw message and `h` differ.
    #[error("the hash of the mail is not the one stated")]
    Hash,
    /// `r` names no earlier mail of this volume with the same hash and length, or a damaged one.
    #[error("the mail that it refers to is not there: {0}")]
    Reference(&'static str),
}

impl Damage {
    /// The code for machines: all damage of one mail has the same.
    pub fn code(&self) -> &'static str {
        "mail_damaged"
    }
}

/// Why an entry did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The mail is damaged: record it by number and reason and go on with the next.
    #[error("mail {number} is damaged: {reason}")]
    Damaged {
        /// Mail number.
        number: u64,
        /// What was found.
        reason: Damage,
    },
    /// The mail number is not in this volume.
    #[error("mail {0} is not in this volume")]
    NoSuchMail(u64),
    /// Reading the stored bytes or writing the results failed: nothing is said about the mail, try again.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Why something was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The mail does not fit into this volume: finish it and begin the next.
    #[error("the mail does not fit into what is left of the volume")]
    Full,
    /// The caller's values break a rule of the format.
    #[error("{0}")]
    Invalid(String),
    /// An earlier write failed half-way: begin the volume again with a fresh salt.
    #[error("the volume was left half-written and must be begun again with a fresh salt")]
    HalfWritten,
    /// Reading the frame or writing the volume failed.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}
