//! The stories of the product on AWS: the real function binaries on stand-ins for its services.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on ends there, and says why")]

#[path = "../../../tests/journey/arrival.rs"]
mod arrival;
mod beside;
mod bill;
mod cost;
mod door;
mod events;
mod faults;
#[path = "../../../tests/journey/foreign.rs"]
mod foreign;
mod further;
mod killed;
#[path = "../../../tests/journey/program.rs"]
mod program;
mod recipient;
mod rivals;
#[path = "../../../tests/journey/source.rs"]
mod source;
mod steps;
mod support;
mod tight;
mod whole;

/// The command line, which is built beside the functions.
fn postkahn() -> std::path::PathBuf {
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_http")).with_file_name("postkahn");
    assert!(path.exists(), "the command line is not built: cargo build -p postkahn");
    path
}
