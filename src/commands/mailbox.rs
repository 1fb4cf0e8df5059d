//! `mailbox add`: an empty mailbox by hand.

use serde_json::json;

use crate::{client::Client, commands::Outcome, failure::Result};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Mailbox {
    /// Add an empty mailbox; it carries no permissions
    Add {
        /// name@domain
        address: String,
    },
}

pub(crate) async fn run(Mailbox::Add { address }: &Mailbox, client: &Client) -> Result<Outcome> {
    let mailbox = client.post("/mailboxes", &json!({ "address": address })).await?;
    let text = format!("mailbox {} added\n", crate::text::cell(&mailbox["address"]));
    Ok(Outcome::done(mailbox, text))
}
