//! `grant`: who reads a mailbox.

use serde_json::json;

use crate::{client::Client, commands::Outcome, failure::Result, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Grant {
    /// The mailbox's address
    mailbox: String,
    #[command(flatten)]
    to: Grantee,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Grantee {
    /// The user who owns it
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// The group that shares it
    #[arg(long, value_name = "G")]
    group: Option<String>,
}

pub(crate) async fn run(args: &Grant, client: &Client) -> Result<Outcome> {
    let Grantee { user, group } = &args.to;
    let wanted = json!({ "mailbox": args.mailbox, "user": user, "group": group });
    let grant = client.post("/grants", &wanted).await?;
    let who = if user.is_some() { "user" } else { "group" };
    let text = format!("{who} {} may read {}\n", text::cell(&grant[who]), text::cell(&grant["mailbox"]));
    Ok(Outcome::done(grant, text))
}
