use std::fmt::Write as _;
use std::path::PathBuf;

use archive::{Error, ErrorKind, Result};
use serde_json::Value;

use super::outcome::Outcome;
use super::verify::open;
use crate::text;

/// Show what a volume says of itself; nothing of it is verified
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Inspect {
    /// The volume
    #[arg(value_name = "VOLUME")]
    volume: PathBuf,
}

impl Inspect {
    /// Shows header and seal.
    pub(crate) fn run(self) -> Result<Outcome> {
        let path = self.volume.display();
        let document = open(&self.volume)
            .and_then(|(mut file, size)| volume::inspect(&mut file, size))
            .map_err(|error| Error::not_found(format!("{path}: cannot be read")).caused_by(error))?
            .map_err(|error| Error::new(kind_of(&error), format!("{path}: {error}")).code(error.code()))?;
        let text = told(&document);
        Ok(Outcome::done(document, text))
    }
}

/// The kind whose exit code is that of the refusal.
pub(super) fn kind_of(error: &volume::Error) -> ErrorKind {
    match volume::exit_code(error) {
        7 => ErrorKind::Corrupt,
        3 => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    }
}

fn told(document: &Value) -> String {
    let mut told = "not verified: anybody could have written this\n".to_owned();
    for part in ["header", "seal"] {
        let members = document[part].as_object().into_iter().flatten();
        for (name, value) in members {
            let _ = writeln!(told, "{part} {}: {}", text::shown(name), text::cell(value));
        }
    }
    told
}
