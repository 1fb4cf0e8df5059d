//! The product: what Postkahn does, apart from where it runs.

pub mod access;
mod address;
mod archive;
mod error;
pub mod hash;
pub mod job;
pub mod mailbox;
mod message;
pub mod ports;
mod records;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod uploads;

pub use access::Proof;
pub use address::{Domain, MailboxAddress};
pub use archive::Archive;
pub use error::{Error, ErrorKind, Result};
pub use hash::MailHash;
pub use message::{EntryRef, Flags, FolderPath, ImportId, Location, MessageRow, PackId, PlacementKey, ProcessId};
