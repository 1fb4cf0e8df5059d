//! `rebuild`: the catalogue made anew from the objects alone.

use std::fmt::Write as _;

use archive::{Checked, Error};
use aws::Rows;
use serde_json::json;

use crate::{
    assemble::Place,
    commands::{Outcome, check},
    config::Config,
    deployed::Deployed,
    failure::Result,
    print,
};

/// Who waits is told each time that so many rows more are gone.
const TOLD_ROWS: u64 = 100_000;

#[derive(clap::Args, Debug)]
pub(crate) struct Rebuild {
    /// The catalogue of this stack on AWS, in its table; region and credentials as for the aws command
    #[arg(long, value_name = "STACK")]
    aws: Option<String>,
    /// Delete what the table holds, and make it anew
    #[arg(long, requires = "aws")]
    replace: bool,
    /// Count what the table holds, and change nothing
    #[arg(long, requires = "aws")]
    dry_run: bool,
}

pub(crate) async fn run(args: &Rebuild, config: &Config) -> Result<Outcome> {
    match &args.aws {
        Some(stack) => on_aws(args, stack, config).await,
        None => here(config).await,
    }
}

async fn here(config: &Config) -> Result<Outcome> {
    if let Some(server) = &config.server {
        let hint = if server.by_environment {
            "POSTKAHN_SERVER names the server: stop it, and name its data folder with --data"
        } else {
            "stop it, and run this beside its data folder"
        };
        return Err(Error::invalid("a running server cannot make its catalogue anew").hint(hint).into());
    }
    let (place, faults) = Place::rebuild(config).await?;
    Ok(told(place.archive.check(false).await?, faults))
}

async fn on_aws(args: &Rebuild, stack: &str, config: &Config) -> Result<Outcome> {
    let deployed = Deployed::open(stack, config).await?;
    let Deployed { archive, catalog, table, .. } = &deployed;
    if args.dry_run {
        return Ok(counted(stack, table, &catalog.rows().await?));
    }
    let has_rows = catalog.has_rows().await?;
    let empty = async |stays: &str| {
        if has_rows {
            print::progress(&format!("table {table} is emptied: {}", listed(&catalog.rows().await?)));
        }
        let mut told = 0;
        let mut deleted = |rows: u64| {
            if rows / TOLD_ROWS > told {
                told = rows / TOLD_ROWS;
                print::progress(&format!("{rows} rows are deleted"));
            }
        };
        catalog.empty(stays, &mut deleted).await
    };
    let faults = archive.rebuild_in_place(has_rows, args.replace, empty).await?;
    Ok(told(archive.check(false).await?, faults))
}

fn told(mut checked: Checked, faults: Vec<String>) -> Outcome {
    checked.errors.extend(faults);
    checked.balanced &= checked.errors.is_empty();
    check::told(json!(checked))
}

fn counted(stack: &str, table: &str, rows: &Rows) -> Outcome {
    let document = json!({ "dry_run": true, "stack": stack, "table": table, "count": rows.count(), "rows": rows });
    let mut text = format!("table {table} holds {} rows: {}\n", rows.count(), listed(rows));
    if rows.count() > 0 {
        let _ = writeln!(text, "--replace deletes them, and makes the catalogue anew from the objects");
    }
    Outcome::done(document, text)
}

fn listed(rows: &Rows) -> String {
    let documents = rows.documents.iter().map(|(kind, count)| format!("{count} {kind}"));
    let mails = [format!("{} of mails", rows.mails), format!("{} of lists", rows.lists)];
    documents.chain(mails).collect::<Vec<_>>().join(", ")
}
