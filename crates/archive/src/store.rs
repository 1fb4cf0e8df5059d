//! Packs: immutable files of many mails, that describe themselves.

mod pack;
mod read;
mod spool;
#[cfg(test)]
mod vectors;
mod write;

pub use pack::PackState;
pub(crate) use pack::{
    FOOTER_BYTES, INDEX_ENTRY_BYTES, MAGIC, PACKS, Pack, PackRecord, RECORD_BYTES, RecordHeader, Trailer, pack_key,
    parse_index,
};
pub use read::RawMail;
pub(crate) use spool::{Frame, Frames};
pub(crate) use write::PackWriter;
