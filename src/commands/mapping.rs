//! `mapping`: which mailbox each user archive becomes.

use serde_json::json;

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Mapping {
    /// List every user archive and the address it gets
    List,
    /// Say which address a user archive gets
    Set {
        /// The user archive's name, as `mapping list` shows it
        archive: String,
        /// name@domain
        address: String,
    },
}

pub(crate) async fn run(mapping: &Mapping, client: &Client) -> Result<Outcome> {
    match mapping {
        Mapping::List => {
            let rows = client.get("/mapping").await?;
            let text = text::list(&["archive", "address", "source", "conflict"], &rows);
            Ok(Outcome::done(rows, text))
        }
        Mapping::Set { archive, address } => {
            let row = client.put(&format!("/mapping/{}", escaped(archive)), &json!({ "address": address })).await?;
            let text = format!("{} becomes {}\n", text::cell(&row["archive"]), text::cell(&row["address"]));
            Ok(Outcome::done(row, text))
        }
    }
}
