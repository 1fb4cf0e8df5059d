//! Writes `openapi.json` anew: `cargo run -p api --example openapi`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"), api::openapi_text())
}
