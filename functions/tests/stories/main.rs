//! The stories of the product on AWS: the real function binaries on stand-ins for its services.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]
#![expect(clippy::print_stderr, reason = "what was played says what went wrong, to whoever reads a failed test")]

#[path = "../../../tests/journey/arrival.rs"]
mod arrival;
mod events;
mod faults;
mod killed;
#[path = "../../../tests/journey/program.rs"]
mod program;
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
