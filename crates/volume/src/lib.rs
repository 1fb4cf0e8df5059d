//! The `.mszip` export volume: layout, encryption and signature, over bytes alone.
mod encoding;
mod error;
mod header;
mod json;
mod keys;
mod limits;
mod seal;
mod stub;

pub use error::{Damage, Error, OpenError, Part, WriteError};
pub use header::{Cipher, Header, KeySlot, PasswordCost, PasswordSlot, RecipientSlot};
pub use keys::{ContentKey, Secret};
pub use limits::*;
pub use seal::{Seal, Totals};
pub use stub::*;
