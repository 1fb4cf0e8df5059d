//! `uploads`: the files that came in, and how one is deleted by hand.

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Uploads {
    /// List all uploads
    List,
    /// Delete an upload; refused while an import reads it
    Delete {
        /// `USER/NAME`, as `uploads list` shows it
        id: String,
    },
}

pub(crate) async fn run(args: &Uploads, client: &Client) -> Result<Outcome> {
    match args {
        Uploads::List => {
            let uploads = client.get("/uploads").await?;
            let columns =
                ["id", "state", "kind", "size_bytes", "export_name", "volume", "mails", "encrypted", "reason"];
            let text = text::list(&columns, &uploads);
            Ok(Outcome::done(uploads, text))
        }
        Uploads::Delete { id } => {
            let upload = client.delete(&format!("/uploads/{}", escaped(id))).await?;
            let text = format!("upload {} is deleted\n", text::cell(&upload["id"]));
            Ok(Outcome::done(upload, text))
        }
    }
}
