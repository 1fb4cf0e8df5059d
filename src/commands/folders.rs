//! `folders`: the folders of one mailbox.

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Folders {
    /// The mailbox's address
    #[arg(long, value_name = "ADDRESS")]
    mailbox: String,
}

pub(crate) async fn run(args: &Folders, client: &Client) -> Result<Outcome> {
    let folders = client.get(&format!("/folders?mailbox={}", escaped(&args.mailbox))).await?;
    let rows = folders.as_array().into_iter().flatten();
    let text = text::table(&["mails", "folder"], rows.map(|f| vec![text::cell(&f["mails"]), text::path(&f["path"])]));
    Ok(Outcome::done(folders, text))
}
