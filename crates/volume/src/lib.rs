//! The `.mszip` export volume: layout, encryption and signature, over bytes alone.
//!
//! A volume is a ZIP container that holds one entry for each mail of an export, sealed and signed, so that it can be
//! proven that nothing was lost or altered on the way. This crate alone knows how it is laid out (the page is
//! `docs/formats/volume.md`). It does no networking, starts no task and reads no clock; randomness and time come in as
//! values. Readers of all kinds hand over bytes or a [`std::io::Read`], so files and ranged reads of an object store go
//! through the same code:
//!
//! 1. [`locate`] finds the signed parts from the two ends of a file,
//! 2. [`Plan::peek`] shows them unverified, [`Plan::verify`] makes them a [`Verified`] volume,
//! 3. [`Verified::unlock`] opens it, the only place where a key is derived,
//! 4. [`Opener::open_entry`] gives out one mail, whose hash and length are then proven.
//!
//! [`verify`] and [`verify_set`] make every check that needs no archive; [`VolumeWriter`] writes.
//!
//! ```
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
//! use std::io::Cursor;
//! use volume::{Closing, ExportKeys, Metadata, Protection, Secret, Totals, VolumeStart, VolumeWriter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = ChaCha20Rng::seed_from_u64(1); // a real export takes the system's
//! let protection = Protection { password: Some("Spreewald"), ..Protection::default() };
//! let keys = ExportKeys::generate("0190d9e2-7c3a-7000-8000-000000000001", &protection, &mut rng)?;
//!
//! let start = VolumeStart {
//!     name: "Kanzlei".to_owned(),
//!     number: 1,
//!     created: "2026-01-02T03:04:05Z".to_owned(),
//!     generator: "an example".to_owned(),
//!     first_mail: 1,
//!     limit_bytes: volume::MAX_VOLUME_BYTES,
//!     salt: [7; 32], // fresh random bytes each time a volume is begun
//! };
//! let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start)?;
//! let raw = b"Subject: hello\r\n\r\nhello\r\n";
//! let mut frame = Vec::new();
//! let metadata = Metadata {
//!     sha256: volume::compress(&mut raw.as_slice(), raw.len() as u64, &mut frame)?,
//!     size_bytes: raw.len() as u64,
//!     locations: vec![vec!["alice".to_owned(), "Inbox".to_owned()]],
//!     ..Metadata::default()
//! };
//! writer.append(&metadata, &mut frame.as_slice(), frame.len() as u64)?;
//! let totals = Totals { mails: 1, raw_bytes: raw.len() as u64, skipped: 0 };
//! let bytes = writer.finish(Closing { last: Some(totals), ..Closing::default() })?.out.into_inner();
//!
//! let secret = Secret::Password("Spreewald");
//! let size = bytes.len() as u64;
//! let check = volume::verify(&mut Cursor::new(bytes), size, Some(keys.certificate()), secret)?;
//! let set = volume::verify_set(vec![("Kanzlei-0001.mszip".to_owned(), check)]);
//! assert!(set.complete && set.mails == 1 && set.exit_code() == 0);
//! # Ok(())
//! # }
//! ```

mod catalogue;
mod cbor;
mod certificate;
mod chunks;
mod cipher;
mod container;
mod encoding;
mod error;
mod export_keys;
mod export_state;
mod frame;
mod header;
mod json;
mod keys;
mod limits;
mod locate;
mod metadata;
mod open;
mod recipient;
mod seal;
mod set;
mod verified;
mod verify;
mod write;

pub use catalogue::Scratch;
pub use certificate::Certificate;
pub use error::{Damage, Error, OpenError, Part, WriteError};
pub use export_keys::{ExportKeys, Protection};
pub use export_state::ExportState;
pub use frame::{Compressor, compress};
pub use header::{Cipher, Header, KeySlot, PasswordCost, PasswordSlot, RecipientSlot};
pub use keys::{ContentKey, Secret};
pub use limits::{
    BUFFERED_ENTRY_BYTES, CHUNK_BYTES, HEAD_BYTES, MAX_CATALOGUE_BYTES, MAX_CERTIFICATE_BYTES, MAX_HEADER_BYTES,
    MAX_MAIL_NUMBER, MAX_MAILS_PER_VOLUME, MAX_METADATA_BYTES, MAX_RAW_BYTES, MAX_SEAL_BYTES, MAX_SIGNATURE_BYTES,
    MAX_VOLUME_BYTES, MAX_VOLUMES, TAIL_BYTES,
};
pub use locate::{Plan, locate};
pub use metadata::{FLAGS, Metadata};
pub use open::{Opener, Volume};
pub use recipient::RecipientExchange;
pub use seal::{Seal, Totals};
pub use set::{DamagedMail, SetCheck, State, VolumeReport, exit_code, verify_set};
pub use verified::{Parts, Stored, Unverified, Verified};
pub use verify::{Checked, VolumeCheck, inspect, verify};
pub use write::{Closing, Finished, VolumeStart, VolumeWriter, fits_alone};
