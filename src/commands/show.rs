//! `show`: one mail, as it is read or byte for byte.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use archive::Error;
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::{
    client::{Client, broken, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    /// The mail's id: its SHA-256 in hex
    id: String,
    /// Write the mail's original bytes to stdout
    #[arg(long)]
    raw: bool,
}

pub(crate) async fn run(args: &Show, client: &Client) -> Result<Outcome> {
    if args.raw {
        return raw(&args.id, client).await;
    }
    let mail = client.get(&format!("/mails/{}", escaped(&args.id))).await?;
    let text = text_of(&mail);
    Ok(Outcome::done(mail, text))
}

async fn raw(id: &str, client: &Client) -> Result<Outcome> {
    let mut blocks = client.stream(&format!("/mails/{}/raw", escaped(id))).await?;
    let mut stdout = io::stdout().lock();
    let closed = |error| Error::unavailable("stdout was closed").caused_by(error);
    while let Some(block) = blocks.try_next().await.map_err(broken)? {
        stdout.write_all(&block).map_err(closed)?;
    }
    stdout.flush().map_err(closed)?;
    Ok(Outcome::done(Value::Null, String::new()))
}

fn text_of(mail: &Value) -> String {
    let mut text = String::new();
    let shown = ["From", "To", "Cc", "Date", "Subject"];
    for header in mail["headers"].as_array().into_iter().flatten() {
        let name = header[0].as_str().unwrap_or_default();
        if shown.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let value = if name.eq_ignore_ascii_case("subject") { &mail["subject"] } else { &header[1] };
            let value = value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "{name}: {}", text::shown(&value));
        }
    }
    for attachment in mail["attachments"].as_array().into_iter().flatten() {
        let [name, size] = ["name", "size_bytes"].map(|member| text::cell(&attachment[member]));
        let _ = writeln!(text, "Attachment: {name} ({size} bytes)");
    }
    if mail["defects"].as_array().is_some_and(|defects| !defects.is_empty()) {
        let _ = writeln!(text, "Defects: {}", text::cell(&mail["defects"]));
    }
    for line in mail["text"].as_str().unwrap_or_default().lines() {
        let _ = write!(text, "\n{}", text::shown(line));
    }
    text.push('\n');
    text
}
