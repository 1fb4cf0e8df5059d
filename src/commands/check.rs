//! `check`: does the catalogue agree with the objects?

use std::fmt::Write as _;

use archive::Depth;
use serde_json::{Value, json};

use crate::{client::Client, commands::Outcome, config::Config, deployed::Deployed, failure::Result, print, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Check {
    /// Read and hash every object, so that a single changed byte is found
    #[arg(long)]
    read_data: bool,
    /// Put right what can be put right without losing anything; reads every object too
    #[arg(long)]
    repair: bool,
    /// The archive of this stack on AWS, from here; region and credentials as for the aws command
    #[arg(long, value_name = "STACK")]
    pub(crate) aws: Option<String>,
}

pub(crate) async fn run(args: &Check, client: &Client) -> Result<Outcome> {
    let started = client.post("/check", &json!({ "read_data": args.read_data, "repair": args.repair })).await?;
    Ok(told(client.result(&started).await?))
}

/// The same beside the functions of a stack, whose own checks have one turn.
pub(crate) async fn run_on_aws(args: &Check, stack: &str, config: &Config) -> Result<Outcome> {
    let deployed = Deployed::open(stack, config).await?;
    let depth = Depth { read_data: args.read_data, repair: args.repair };
    let checked = deployed.archive.check_to(depth).await?;
    print::progress(&checked.in_short());
    Ok(told(json!(checked)))
}

/// What a check has found, for people and for scripts.
pub(crate) fn told(found: Value) -> Outcome {
    let mut text = String::new();
    for (name, label) in [("repaired", "repaired"), ("errors", "error"), ("orphans", "orphan")] {
        for entry in found[name].as_array().into_iter().flatten() {
            let _ = writeln!(text, "{label}: {}", text::cell(entry));
        }
    }
    let [packs, mails, placements, dead] =
        [("packs", "pack"), ("messages", "mail"), ("placements", "placement"), ("dead_bytes", "byte")]
            .map(|(name, thing)| text::count_of(&found[name], thing));
    let _ = writeln!(text, "{packs}, {mails}, {placements}, {dead} unused");
    let sound = found["errors"].as_array().is_some_and(Vec::is_empty);
    text.push_str(if sound { "no errors\n" } else { "the archive is damaged\n" });
    Outcome { exit: if sound { 0 } else { 7 }, ..Outcome::done(found, text) }
}
