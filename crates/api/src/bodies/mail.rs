//! Mailboxes, folders, mails, and how user archives become mailboxes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How a mailbox came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Hand,
    Import,
    Restructure,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mailbox {
    pub address: String,
    pub origin: Origin,
    /// Null unless recreated.
    pub user_archive: Option<String>,
    /// Distinct ones.
    pub mails: u64,
    /// Parents included.
    pub folders: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMailbox {
    pub address: String,
}

/// Whether to do it, or to show what would be done.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EmptyParams {
    /// Without it nothing is taken out.
    #[serde(default)]
    pub confirm: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Folder {
    /// Names, without the user archive; empty for what lies in the mailbox itself.
    pub path: Vec<String>,
    /// Placements in this folder alone.
    pub mails: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailPage {
    /// Message date descending, unknown last, then hash.
    pub mails: Vec<Mail>,
    /// The cursor of the next page; null after the last one.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mail {
    /// The hash.
    pub id: String,
    /// SHA-256 of the raw message in lower-case hex.
    pub sha256: String,
    pub size_bytes: u64,
    pub subject: Option<String>,
    pub from: Option<String>,
    /// As in the header.
    pub message_id: Option<String>,
    #[schema(format = DateTime)]
    pub message_date: Option<String>,
    pub message_date_source: Option<String>,
    #[schema(format = DateTime)]
    pub archive_date: Option<String>,
    #[schema(format = DateTime)]
    pub import_date: Option<String>,
    /// The placement's; their union where no mailbox was named.
    pub flags: Vec<String>,
    /// Paths in the source, the user archive first; those that the caller may see.
    pub locations: Vec<Vec<String>>,
    /// Those that its header has; of its content, the mail itself tells.
    pub defects: Vec<String>,
    /// Some of the content cannot be seen and searched as it was meant, as far as the header tells.
    pub partially_indexed: bool,
}

/// A mail as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// The hash.
    pub id: String,
    pub size_bytes: u64,
    /// Name and raw value of each header field, in order.
    pub headers: Vec<Vec<String>>,
    pub subject: Option<String>,
    pub from: Option<String>,
    /// Of each field of that name the decoded addresses, after a comma each; null if there is no field.
    pub to: Option<String>,
    pub cc: Option<String>,
    pub bcc: Option<String>,
    pub reply_to: Option<String>,
    /// As in the header.
    pub message_id: Option<String>,
    #[schema(format = DateTime)]
    pub message_date: Option<String>,
    pub message_date_source: Option<String>,
    #[schema(format = DateTime)]
    pub archive_date: Option<String>,
    #[schema(format = DateTime)]
    pub import_date: Option<String>,
    pub text: Option<String>,
    /// Without scripts and without anything that is fetched from elsewhere.
    pub html_safe: Option<String>,
    /// What was removed for that.
    pub blocked: Blocked,
    pub attachments: Vec<Attachment>,
    pub defects: Vec<String>,
    /// Some of the content cannot be seen and searched as it was meant: the defects say why.
    pub partially_indexed: bool,
}

/// What was removed of the HTML of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blocked {
    /// Scripts, handlers, forms, embedded pages and objects, links that run something.
    pub active: u64,
    /// Images, styles and other things that would have been fetched from elsewhere.
    pub remote: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    pub name: Option<String>,
    pub content_type: Option<String>,
    pub size_bytes: u64,
    /// Of the decoded content.
    pub sha256: String,
}

/// The mailbox that a user archive becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MappingRow {
    pub archive: String,
    /// Null where a domain is needed and none is set.
    pub address: Option<String>,
    /// `mapping`: set by hand. `address`: the archive's name is one. `default`: made from name and domain.
    pub source: String,
    /// Another archive or mailbox has this address: nothing is placed until the mapping says otherwise. False once all of
    /// it lies in its own mailbox.
    pub conflict: bool,
    /// The other archives that want this address, the one included that its mailbox was recreated from.
    pub conflict_with: Vec<String>,
    /// How the mailbox of this address came to be; null if restructure would make it.
    pub mailbox: Option<Origin>,
    /// Mailboxes of other addresses that were recreated from this archive: what was placed there stays there.
    pub elsewhere: Vec<String>,
    /// Distinct mails of this archive that wait for restructure; null where so many wait that counting them takes long: a
    /// dry run of restructure does.
    pub mails_waiting: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditMapping {
    pub address: String,
}

/// Which mails, and which page of them.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MailParams {
    /// The mailbox's address; without it, all mail that the caller may see.
    #[serde(default)]
    pub mailbox: Option<String>,
    /// A folder of the mailbox, alone: its names as a JSON array.
    #[serde(default)]
    #[param(example = r#"["INBOX","Offers"]"#)]
    pub folder: Option<String>,
    /// 50 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}

/// Whose folders.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FolderParams {
    /// The mailbox's address.
    pub mailbox: String,
}
