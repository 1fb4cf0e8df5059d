//! The migration report: what an auditor is handed, for one import and for a whole export.
//!
//! It says who imported what and when, with the hashes that pin it, and counts everything again from sources that do not
//! know of each other:
//!
//! - the *seal* of a volume, which the exporter has signed;
//! - the *checkpoints*: what the workers have counted on their way, kept in the import's row;
//! - the *ledger*: slices, objects that name each entry with its outcome, each pinned by the report object;
//! - the *catalogue*: rows of mails, of failed entries and of placements.
//!
//! A [`Sum`] closes if all of them say the same. Nothing here is kept: a report is drawn up when it is asked for, so that
//! it says what the archive holds now.

mod count;
mod export;
mod html;
mod import;
mod sums;
#[cfg(test)]
mod tests;

pub use export::{ExportImport, ExportReport, ExportView, Standing};
pub use html::{write_export, write_import};
pub use import::{ImportReport, LedgerObject, SliceObject, VolumeFacts};
pub use sums::{MailboxSum, Quantity, Sum};

const VERSION: u32 = 1;
const GENERATOR: &str = concat!("postkahn ", env!("CARGO_PKG_VERSION"));
