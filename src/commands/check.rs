//! `check`: does the catalogue agree with the objects?

use serde_json::json;
use std::fmt::Write as _;

use crate::{client::Client, commands::Outcome, failure::Result, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Check {
    /// Read and hash every object, so that a single changed byte is found
    #[arg(long)]
    read_data: bool,
}

pub(crate) async fn run(args: &Check, client: &Client) -> Result<Outcome> {
    let started = client.post("/check", &json!({ "read_data": args.read_data })).await?;
    let found = client.result(&started).await?;
    let mut text = String::new();
    for (name, label) in [("errors", "error"), ("orphans", "orphan")] {
        for entry in found[name].as_array().into_iter().flatten() {
            let _ = writeln!(text, "{label}: {}", text::cell(entry));
        }
    }
    let [packs, mails, placements, dead] =
        ["packs", "messages", "placements", "dead_bytes"].map(|name| text::cell(&found[name]));
    let _ = writeln!(text, "{packs} packs, {mails} mails, {placements} placements, {dead} bytes unused");
    let sound = found["errors"].as_array().is_some_and(Vec::is_empty);
    text.push_str(if sound { "no errors\n" } else { "the archive is damaged\n" });
    Ok(Outcome { exit: if sound { 0 } else { 7 }, ..Outcome::done(found, text) })
}
