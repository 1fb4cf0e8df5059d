//! Uploads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Came in, not looked at yet.
    Pending,
    /// An import can start.
    Ready,
    /// Cannot be imported; `code` and `reason` say why.
    Rejected,
}

/// What a file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadKind {
    Volume,
    Zip,
    Mbox,
    Eml,
    Unknown,
}

/// A file in the upload store. From `export_id` to `encrypted`: what an unverified look at the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// `USER/NAME`; in a path the slash may be percent-encoded or not.
    pub id: String,
    pub name: String,
    /// In whose upload home it lies.
    pub user: String,
    pub state: UploadState,
    pub kind: UploadKind,
    pub size_bytes: u64,
    #[schema(format = DateTime)]
    pub arrived: Option<String>,
    pub export_id: Option<String>,
    pub export_name: Option<String>,
    pub volume: Option<u64>,
    pub mails: Option<u64>,
    pub encrypted: Option<bool>,
    pub code: Option<String>,
    pub reason: Option<String>,
    /// The import that reads it now.
    pub import: Option<String>,
}
