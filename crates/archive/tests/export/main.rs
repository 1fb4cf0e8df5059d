//! The exporter from outside: what stands in the volumes, and what becomes of an export that is cut off.
#![expect(clippy::unwrap_used, reason = "tests")]

mod changing;
mod containers;
mod content;
mod filter;
mod moved;
mod paths;
mod place;
mod resume;
mod rivals;
mod safety;
