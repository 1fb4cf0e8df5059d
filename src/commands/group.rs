//! `group`: roles, for all who are in it.

use serde_json::json;

use crate::{client::Client, commands::Outcome, failure::Result, text};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Group {
    /// Add a group
    Add {
        name: String,
        /// Admin, Compliance, Reader, Auditor; separated by commas
        #[arg(long, value_name = "R,…", value_delimiter = ',', required = true)]
        roles: Vec<String>,
    },
    /// List all groups
    List,
}

pub(crate) async fn run(group: &Group, client: &Client) -> Result<Outcome> {
    match group {
        Group::Add { name, roles } => {
            let group = client.post("/groups", &json!({ "name": name, "roles": roles })).await?;
            let text = format!("group {} added: {}\n", text::cell(&group["name"]), text::cell(&group["roles"]));
            Ok(Outcome::done(group, text))
        }
        Group::List => {
            let groups = client.get("/groups").await?;
            let text = text::list(&["name", "roles"], &groups);
            Ok(Outcome::done(groups, text))
        }
    }
}
