//! `restructure`: user archives become mailboxes again.

use serde_json::{Value, json};
use std::fmt::Write as _;

use crate::{client::Client, commands::Outcome, failure::Result, text};

pub(crate) async fn run(client: &Client) -> Result<Outcome> {
    let started = client.post("/restructure", &json!({})).await?;
    let done = client.result(&started).await?;
    let conflicts = done["conflicts"].as_array().map_or(&[][..], Vec::as_slice);
    let exit = if conflicts.is_empty() { 0 } else { 5 };
    let text = text_of(&done, conflicts);
    Ok(Outcome { exit, ..Outcome::done(done, text) })
}

fn text_of(done: &Value, conflicts: &[Value]) -> String {
    let [processed, left, mailboxes, folders, placements] =
        ["reports_processed", "reports_left", "mailboxes_created", "folders_created", "placements_created"]
            .map(|name| text::cell(&done[name]));
    let mut text = format!(
        "{processed} reports processed, {left} left\n{mailboxes} mailboxes, {folders} folders, {placements} placements created\n"
    );
    for conflict in conflicts {
        let [address, archives] = ["address", "archives"].map(|name| text::cell(&conflict[name]));
        let _ = writeln!(text, "conflict: {address} is wanted by {archives}; decide with: postkahn mapping set");
    }
    text
}
