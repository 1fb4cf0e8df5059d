//! What the archive says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    /// The archive's own certificate, for `export --recipient`; PEM.
    pub recipient_certificate: String,
    /// Of its DER form, in lower-case hex.
    pub recipient_certificate_sha256: String,
    /// Null where uploads come in another way, and while the door is closed.
    pub sftp: Option<Sftp>,
    /// Room for uploads; null where it has no bounds that are known.
    pub upload_space: Option<Space>,
    /// Uploads by state.
    pub uploads: BTreeMap<String, u64>,
    /// Reports that the next restructure run will find.
    pub reports_waiting: u64,
}

/// Where an SFTP client connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sftp {
    /// `host:port`.
    pub address: String,
    /// The host key's: `SHA256:…`.
    pub fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Space {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    pub pem: String,
    /// Of the DER form, in lower-case hex.
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}
