//! ZIP archives as people send them, and as nobody should.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests")]

mod hostile;
mod members;
mod place;
mod random;
mod support;
mod writer;
