//! The format from outside: what is written is read back, and nothing else passes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bounds;
mod damage;
mod errors;
mod forge;
mod frames;
mod page;
mod rounds;
mod sets;
mod support;
mod vectors;
mod zip_tools;
