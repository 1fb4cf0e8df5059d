//! `mailboxes`: every mailbox with its figures.

use crate::{client::Client, commands::Outcome, failure::Result, text};

pub(crate) async fn run(client: &Client) -> Result<Outcome> {
    let mailboxes = client.get("/mailboxes").await?;
    let text = text::list(&["address", "origin", "user_archive", "mails", "folders"], &mailboxes);
    Ok(Outcome::done(mailboxes, text))
}
