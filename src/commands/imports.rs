//! `imports`: how uploads are imported, what was imported and what is under way, and how it is stopped.

use archive::Error;
use serde_json::{Value, json};

use super::import;
use crate::{
    client::{Client, escaped},
    commands::Outcome,
    config::Config,
    failure::Result,
    text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Imports {
    /// Import uploads into one mailbox and wait for the end; the same again tries again what failed
    Start(Chosen),
    /// List all imports, by time of start
    List,
    /// Cancel an import; what it has imported so far stays
    Cancel {
        /// The import's id
        id: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Chosen {
    /// `USER/NAME`, as `uploads list` shows it
    #[arg(required_unless_present = "all", value_name = "UPLOAD")]
    uploads: Vec<String>,
    /// Every upload that is ready
    #[arg(long, conflicts_with = "uploads")]
    all: bool,
    #[command(flatten)]
    with: import::With,
    /// Further volumes of the same exports start by themselves, those that are there and those that come in
    #[arg(long)]
    auto_start: bool,
}

const COLUMNS: [&str; 8] = ["id", "state", "file", "volume", "mailbox", "in_volume", "imported", "already_there"];
const PAGE: usize = 1000;

pub(crate) async fn run(args: &Imports, client: &Client, config: &Config) -> Result<Outcome> {
    match args {
        Imports::Start(args) => start(args, client, config).await,
        Imports::List => {
            let imports = Value::Array(all(client).await?);
            let text = text::list(&COLUMNS, &imports);
            Ok(Outcome::done(imports, text))
        }
        Imports::Cancel { id } => {
            let import = client.post(&format!("/imports/{}/cancel", escaped(id)), &Value::Null).await?;
            let text = format!("import {} is cancelled\n", text::cell(&import["id"]));
            Ok(Outcome::done(import, text))
        }
    }
}

async fn start(args: &Chosen, client: &Client, config: &Config) -> Result<Outcome> {
    let mut start = args.with.start(config)?;
    start["uploads"] = if args.all { ready(client).await? } else { json!(args.uploads) };
    start["auto_start"] = json!(args.auto_start);
    let ends = import::import(start, client).await?;
    import::tell_missing(&ends, client).await;
    Ok(import::outcome(&ends))
}

/// The ids of all uploads that can be started and that no import reads.
async fn ready(client: &Client) -> Result<Value> {
    let uploads = client.get("/uploads").await?;
    let is_ready = |upload: &&Value| upload["state"] == "ready" && upload["import"].is_null();
    let ids: Vec<_> = uploads.as_array().into_iter().flatten().filter(is_ready).map(|upload| &upload["id"]).collect();
    if ids.is_empty() {
        return Err(Error::invalid("no upload is ready").hint("`postkahn uploads list` says why").into());
    }
    Ok(json!(ids))
}

async fn all(client: &Client) -> Result<Vec<Value>> {
    let (mut imports, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/imports?limit={PAGE}{after}")).await?;
        let page = page.as_array().cloned().unwrap_or_default();
        let is_last = page.len() < PAGE;
        after =
            page.last().map(|last| format!("&after={}", last["id"].as_str().unwrap_or_default())).unwrap_or_default();
        imports.extend(page);
        if is_last {
            return Ok(imports);
        }
    }
}
