//! `redrive`: jobs that were given up on AWS are done again.

use std::fmt::Write as _;

use aws::{Clients, Queues, doctor::Stack};
use serde_json::json;

use crate::{commands::Outcome, config::Config, failure::Result};

#[derive(clap::Args, Debug)]
pub(crate) struct Redrive {
    /// The name of the stack; region and credentials as for the aws command
    #[arg(long, value_name = "STACK")]
    aws: String,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
}

pub(crate) async fn run(args: &Redrive, config: &Config) -> Result<Outcome> {
    let clients = Clients::load(config.aws_endpoint).await;
    let stack = Stack::load(&clients, &args.aws).await?;
    let redriven = Queues::new(&clients, stack.queue_urls()?).redrive(args.limit).await?;
    let document = json!({ "stack": args.aws, "sent": redriven.sent, "unknown": redriven.unknown });
    let mut text = format!("{} dead letters are sent again\n", redriven.sent);
    if redriven.unknown > 0 {
        let _ = writeln!(text, "{} are no jobs and stay among the dead letters", redriven.unknown);
    }
    Ok(Outcome::done(document, text))
}
