//! `mailbox`: an empty one by hand, or one that imports have filled emptied again.

use serde_json::{Value, json};

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Mailbox {
    /// Add an empty mailbox; it carries no permissions
    Add {
        /// name@domain
        address: String,
    },
    /// Take the mails of imports out of their target mailbox, once all of them lie in mailboxes of their own
    Empty {
        /// name@domain
        address: String,
        /// Do it; otherwise say what would be done
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(mailbox: &Mailbox, client: &Client) -> Result<Outcome> {
    match mailbox {
        Mailbox::Add { address } => {
            let mailbox = client.post("/mailboxes", &json!({ "address": address })).await?;
            let text = format!("mailbox {} added\n", text::cell(&mailbox["address"]));
            Ok(Outcome::done(mailbox, text))
        }
        Mailbox::Empty { address, yes } => {
            let path = format!("/mailboxes/{}/mails?confirm={yes}", escaped(address));
            let emptied = client.result(&client.delete(&path).await?).await?;
            let text = text_of(&emptied);
            Ok(Outcome::done(emptied, text))
        }
    }
}

fn text_of(emptied: &Value) -> String {
    let address = text::cell(&emptied["address"]);
    let [mails, placements, folders] =
        ["mail", "placement", "folder"].map(|thing| text::count_of(&emptied[format!("{thing}s")], thing));
    let (verb, hint) =
        if emptied["dry_run"] == true { ("would leave", "; do it with --yes") } else { ("have left", "") };
    format!("{mails} ({placements} in {folders}) {verb} {address}; they stay in the archive{hint}\n")
}
