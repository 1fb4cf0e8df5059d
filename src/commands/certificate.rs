//! `certificate`: the archive's own, for `export --recipient`.

use std::{fs, path::PathBuf};

use archive::Error;

use crate::{client::Client, commands::Outcome, failure::Result};

#[derive(clap::Args, Debug)]
pub(crate) struct Certificate {
    /// Write it to this file, in PEM form
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(args: &Certificate, client: &Client) -> Result<Outcome> {
    let certificate = client.get("/certificate").await?;
    let pem = certificate["pem"].as_str().unwrap_or_default().to_owned();
    let Some(out) = &args.out else { return Ok(Outcome::done(certificate, pem)) };
    fs::write(out, pem)
        .map_err(|error| Error::invalid(format!("{} cannot be written", out.display())).caused_by(error))?;
    let text = format!("{}: SHA-256 {}\n", out.display(), certificate["sha256"].as_str().unwrap_or_default());
    Ok(Outcome::done(certificate, text))
}
