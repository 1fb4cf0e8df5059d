//! The product from outside: stories told to the built program, and the rules of the house.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod arrival;
mod crash;
mod damage;
mod demo;
mod doctor;
mod failure;
mod folder;
mod foreign;
mod house;
mod kills;
mod night;
mod program;
mod queries;
mod rebuild;
mod refusal;
mod reports;
mod server;
mod source;
mod structure;
mod told;
mod upload;
mod verify;
mod whole;

/// Where the program was built.
fn postkahn() -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_postkahn").into()
}
