//! The product: what Postkahn does, apart from where it runs.

mod address;
mod error;
pub mod hash;
pub mod job;
mod message;
pub mod ports;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use address::{Domain, MailboxAddress};
pub use error::{Error, ErrorKind, Result};
pub use hash::MailHash;
pub use message::{EntryRef, Flags, FolderPath, ImportId, Location, MessageRow, PackId, PlacementKey, ProcessId};
