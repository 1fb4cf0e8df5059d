//! `query`: searches saved by name, in the data folder; no archive is opened.

use archive::export::Filter;
use archive::{Error, Result};
use local::{Queries, QueryName};
use serde_json::{Value, json};

use crate::{commands::Outcome, config::Config, text};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Query {
    /// Save a query; one of that name is replaced
    Save {
        name: String,
        /// Such as: from:anna date:2019..2021 NOT folder:Spam (size:>10MiB OR has:attachment)
        query: String,
    },
    /// List all saved queries
    List,
    /// Show one
    Show { name: String },
    /// Delete one
    Delete { name: String },
}

pub(crate) fn run(query: &Query, config: &Config) -> Result<Outcome> {
    if config.server.is_some() {
        return Err(Error::invalid("saved queries lie in the data folder of the machine that exports")
            .hint("leave --server out, and name the folder with --data"));
    }
    let queries = Queries::of(&config.data);
    match query {
        Query::Save { name, query } => {
            let (name, filter) = (name.parse::<QueryName>()?, query.parse::<Filter>()?);
            let text = filter.to_string();
            // Nothing is saved that could not be read back.
            text.parse::<Filter>()?;
            queries.save(&name, &text)?;
            Ok(Outcome::done(document(&name, &text), format!("saved as {name}: {}\n", shown(&filter))))
        }
        Query::List => list(&queries),
        Query::Show { name } => {
            let name = name.parse::<QueryName>()?;
            let filter = saved(&queries, &name)?;
            Ok(Outcome::done(document(&name, &filter.to_string()), format!("{}\n", shown(&filter))))
        }
        Query::Delete { name } => {
            let name = name.parse::<QueryName>()?;
            let query = queries.delete(&name)?;
            Ok(Outcome::done(document(&name, &query), format!("deleted {name}: {}\n", text::shown(&query))))
        }
    }
}

/// The query that `--where` gives: itself, or `@` and the name of a saved one.
pub(crate) fn filter(given: &str, config: &Config) -> Result<Filter> {
    match given.trim().strip_prefix('@') {
        Some(name) => saved(&Queries::of(&config.data), &name.parse()?),
        None => given.parse(),
    }
}

fn saved(queries: &Queries, name: &QueryName) -> Result<Filter> {
    queries.read(name)?.parse()
}

fn list(queries: &Queries) -> Result<Outcome> {
    let names = queries.names()?;
    let rows = names.iter().map(|name| Ok(document(name, &queries.read(name)?))).collect::<Result<Vec<_>>>()?;
    let rows = Value::Array(rows);
    let text = text::list(&["name", "query"], &rows);
    Ok(Outcome::done(rows, text))
}

fn document(name: &QueryName, query: &str) -> Value {
    json!({ "name": name.as_str(), "query": query })
}

fn shown(filter: &Filter) -> String {
    text::shown(&filter.to_string())
}
