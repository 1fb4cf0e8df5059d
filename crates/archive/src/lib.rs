//! The product: what Postkahn does, apart from where it runs.
//!
//! Everything that decides is here: exports, uploads, imports, restructure, access. What it needs from its surroundings
//! are the [`ports`]; what it reads and writes it leaves to the engines `mail` and `volume`. An [`Archive`] is the handle
//! that everyone holds.
//!
//! ```
//! use archive::{Domain, MailboxAddress};
//!
//! // How the name of a user archive becomes the address of its mailbox.
//! let domain = Domain::parse("firma.example")?;
//! let address = MailboxAddress::recreated("Jürgen Groß", Some(&domain))?;
//! assert_eq!(address.unwrap().as_str(), "jürgen-groß@firma.example");
//!
//! // A name that is an address stays as it is; without a domain, no other name becomes one.
//! assert_eq!(MailboxAddress::recreated("Anna@b.example", None)?.unwrap().as_str(), "Anna@b.example");
//! assert_eq!(MailboxAddress::recreated("anna", None)?, None);
//! # Ok::<(), archive::Error>(())
//! ```

pub mod access;
mod address;
mod archive;
mod blocking;
mod certificate;
mod check;
mod door;
mod error;
pub mod export;
pub mod hash;
mod html;
pub mod import;
mod inventory;
pub mod job;
mod kept;
mod lease;
mod mail_list;
mod mail_view;
pub mod mailbox;
mod mapping;
mod message;
pub mod migration;
pub mod ports;
pub mod process;
mod rebuild;
mod records;
mod restructure;
mod rng;
mod sealed;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod uploads;

pub use access::Proof;
pub use address::{Domain, MailboxAddress};
pub use archive::{Archive, Sizes};
pub use certificate::RecipientCertificate;
pub use check::{Checked, Depth};
pub use door::{DoorMode, DoorStatus, FrontDoor, StandingDoor};
pub use error::{Error, ErrorKind, Result};
pub use hash::MailHash;
pub use import::VolumesInHand;
pub use lease::Worker;
pub use mail_list::{MailPage, MailQuery, MailView};
pub use mail_view::ViewRoom;
pub use mailbox::Emptying;
pub use mapping::{Conflict, MappingRow, MappingSource};
pub use message::{
    EntryRef, Flags, FolderPath, ImportId, Location, MessageRow, PackId, Place, PlacementKey, ProcessId,
};
pub use restructure::{MailboxPreview, Preview, Restructured};
pub use sealed::Sealed;
pub use store::{PackState, RawMail};
