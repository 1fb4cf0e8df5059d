//! The product: what Postkahn does, apart from where it runs.

pub mod access;
mod address;
mod archive;
mod blocking;
mod certificate;
mod check;
mod error;
pub mod export;
pub mod hash;
pub mod import;
pub mod job;
mod lease;
mod mail_list;
mod mail_view;
pub mod mailbox;
mod mapping;
mod message;
pub mod ports;
pub mod process;
mod records;
mod restructure;
mod rng;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod uploads;

pub use access::Proof;
pub use address::{Domain, MailboxAddress};
pub use archive::Archive;
pub use certificate::RecipientCertificate;
pub use check::Checked;
pub use error::{Error, ErrorKind, Result};
pub use hash::MailHash;
pub use lease::Worker;
pub use mail_list::{MailPage, MailQuery, MailView};
pub use mapping::{Conflict, MappingRow, MappingSource};
pub use message::{EntryRef, Flags, FolderPath, ImportId, Location, MessageRow, PackId, PlacementKey, ProcessId};
pub use restructure::Restructured;
pub use store::{PackState, RawMail};
