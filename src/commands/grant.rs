//! `grant`: who reads a mailbox.

use serde_json::json;

use crate::{client::Client, commands::Outcome, failure::Result, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Grant {
    /// The mailbox's address
    mailbox: String,
    /// The user who owns it
    #[arg(long, value_name = "U", required_unless_present = "group", conflicts_with = "group")]
    user: Option<String>,
    /// The group that shares it
    #[arg(long, value_name = "G")]
    group: Option<String>,
}

pub(crate) async fn run(args: &Grant, client: &Client) -> Result<Outcome> {
    let mut wanted = json!({ "mailbox": args.mailbox });
    let (kind, name) = match (&args.user, &args.group) {
        (Some(user), _) => ("user", user),
        (None, group) => ("group", group.as_ref().unwrap_or(&args.mailbox)),
    };
    wanted[kind] = json!(name);
    let grant = client.post("/grants", &wanted).await?;
    let text = format!("{kind} {} may read {}\n", text::cell(&grant[kind]), text::cell(&grant["mailbox"]));
    Ok(Outcome::done(grant, text))
}
