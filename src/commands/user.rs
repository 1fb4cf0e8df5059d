//! `user`: who may come in.

use std::fmt::Write as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

use archive::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    config::Config,
    failure::Result,
    password, text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum User {
    /// Add a user; without password and key a random password is printed, to be changed at the first login
    Add {
        name: String,
        /// Groups, separated by commas
        #[arg(long, value_name = "G,…", value_delimiter = ',')]
        groups: Vec<String>,
        /// The password is in this file (one line end is removed)
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// An OpenSSH public key for SFTP
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Needs a second factor; SFTP is then refused
        #[arg(long)]
        mfa: bool,
    },
    /// List all users
    List,
    /// Give a user a new random password, to be changed at the next login
    Reset { name: String },
    /// Keys for SFTP
    #[command(subcommand)]
    Key(Key),
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Key {
    /// Add an OpenSSH public key to a user
    Add {
        name: String,
        /// The file that holds it
        #[arg(value_name = "FILE", required_unless_present = "key")]
        file: Option<PathBuf>,
        /// The same as FILE
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        key: Option<PathBuf>,
    },
}

pub(crate) async fn run(user: &User, client: &Client, config: &Config) -> Result<Outcome> {
    match user {
        User::List => {
            let users = client.get("/users").await?;
            let text = text::list(&["name", "groups", "roles", "mfa", "must_change_password"], &users);
            Ok(Outcome::done(users, text))
        }
        User::Add { name, groups, password_file, key, mfa } => {
            let password = password::given(password_file.as_deref(), config)?;
            let keys = key.as_deref().map(read_keys).transpose()?.unwrap_or_default();
            let new = json!({ "name": name, "groups": groups, "password": password, "keys": keys, "mfa": mfa });
            Ok(changed(client.post("/users", &new).await?, "added"))
        }
        User::Reset { name } => Ok(changed(
            client.post(&format!("/users/{}/reset", escaped(name)), &json!({})).await?,
            "has a new password",
        )),
        User::Key(Key::Add { name, file, key }) => {
            let path = file.as_deref().or(key.as_deref()).ok_or_else(|| Error::invalid("no key file is given"))?;
            let mut user = Value::Null;
            for key in read_keys(path)? {
                user = client.post(&format!("/users/{}/keys", escaped(name)), &json!({ "key": key })).await?;
            }
            Ok(changed(user, "has a new key"))
        }
    }
}

/// The lines of an OpenSSH public key file that hold a key; at least one.
fn read_keys(path: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::new(ErrorKind::NotFound, format!("key file {}", path.display())).caused_by(error))?;
    let keys: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if keys.is_empty() {
        return Err(Error::invalid(format!("key file {} holds no key", path.display())));
    }
    Ok(keys)
}

fn changed(user: Value, what: &str) -> Outcome {
    let mut text = format!("user {} {what}\n", text::cell(&user["name"]));
    if let Some(password) = user["password"].as_str() {
        let _ = writeln!(text, "password: {password} (to be changed at the first login)");
    }
    Outcome::done(user, text)
}
