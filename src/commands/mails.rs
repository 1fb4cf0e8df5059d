//! `mails`: a page of a mailbox, a folder or everything.

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};
use std::fmt::Write as _;

#[derive(clap::Args, Debug)]
pub(crate) struct Mails {
    /// Only this mailbox
    #[arg(long, value_name = "ADDRESS")]
    mailbox: Option<String>,
    /// Only this folder of the mailbox, not those below it: a JSON array of names, `[]` for the mailbox itself
    #[arg(long, value_name = "PATH-AS-JSON-ARRAY")]
    folder: Option<String>,
    /// At most so many, up to 1,000 [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Go on behind this cursor, the `next` of the page before
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

pub(crate) async fn run(args: &Mails, client: &Client) -> Result<Outcome> {
    let pairs = [
        ("mailbox", args.mailbox.clone()),
        ("folder", args.folder.clone()),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("after", args.after.clone()),
    ];
    let query: Vec<_> =
        pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?)))).collect();
    let page = client.get(&format!("/mails?{}", query.join("&"))).await?;
    let mut text = text::list(&["message_date", "from", "subject", "size_bytes", "id"], &page["mails"]);
    if let Some(next) = page["next"].as_str() {
        let _ = writeln!(text, "more: --after {next}");
    }
    Ok(Outcome::done(page, text))
}
