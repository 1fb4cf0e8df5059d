//! `exports`: of which exports something was imported.

use crate::{client::Client, commands::Outcome, failure::Result, text};

pub(crate) async fn run(client: &Client) -> Result<Outcome> {
    let exports = client.get("/exports").await?;
    let text = text::list(&["export_id", "export_name", "volumes", "imported_volumes"], &exports);
    Ok(Outcome::done(exports, text))
}
