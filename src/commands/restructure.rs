//! `restructure`: user archives become mailboxes again.

use serde_json::{Value, json};
use std::fmt::Write as _;

use crate::{client::Client, commands::Outcome, failure::Result, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Restructure {
    /// Create nothing, and say what a run would create
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: &Restructure, client: &Client) -> Result<Outcome> {
    let started = client.post("/restructure", &json!({ "dry_run": args.dry_run })).await?;
    let done = client.result(&started).await?;
    let conflicts = done["conflicts"].as_array().map_or(&[][..], Vec::as_slice);
    let exit = if conflicts.is_empty() { 0 } else { 5 };
    let text = text_of(&done, conflicts, args.dry_run);
    Ok(Outcome { exit, ..Outcome::done(done, text) })
}

fn text_of(done: &Value, conflicts: &[Value], dry_run: bool) -> String {
    let [processed, left, mailboxes, folders, placements] =
        ["reports_processed", "reports_left", "mailboxes_created", "folders_created", "placements_created"]
            .map(|name| text::cell(&done[name]));
    let would = if dry_run { "would be " } else { "" };
    let mut text = format!(
        "{processed} reports {would}processed, {left} {would}left\n{mailboxes} mailboxes, {folders} folders, \
         {placements} placements {would}created\n"
    );
    if done["mailboxes"].as_array().is_some_and(|mailboxes| !mailboxes.is_empty()) {
        let columns =
            ["address", "user_archive", "exists", "mails", "folders_created", "placements_created", "placements_there"];
        text += &text::list(&columns, &done["mailboxes"]);
    }
    for conflict in conflicts {
        let [address, archives] = ["address", "archives"].map(|name| text::cell(&conflict[name]));
        let there = super::mapping::in_the_way(&conflict["mailbox"]);
        let there = there.map(|there| format!(", and there is {there}")).unwrap_or_default();
        let _ = writeln!(text, "conflict: {address} is wanted by {archives}{there}; decide with: postkahn mapping set");
    }
    text
}
