//! `mapping`: which mailbox each user archive becomes.

use serde_json::{Value, json};

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    failure::Result,
    text,
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Mapping {
    /// List every user archive, the address it gets, and what restructure would meet there
    List,
    /// Say which address a user archive gets
    Set {
        /// The user archive's name, as `mapping list` shows it
        archive: String,
        /// name@domain
        address: String,
    },
    /// Take back an address that was set: the default holds again
    Reset {
        /// The user archive's name, as `mapping list` shows it
        archive: String,
    },
}

pub(crate) async fn run(mapping: &Mapping, client: &Client) -> Result<Outcome> {
    match mapping {
        Mapping::List => {
            let rows = client.get("/mapping").await?;
            let text = table(&rows);
            Ok(Outcome::done(rows, text))
        }
        Mapping::Set { archive, address } => {
            let row = client.put(&format!("/mapping/{}", escaped(archive)), &json!({ "address": address })).await?;
            Ok(changed(row))
        }
        Mapping::Reset { archive } => Ok(changed(client.delete(&format!("/mapping/{}", escaped(archive))).await?)),
    }
}

fn changed(row: Value) -> Outcome {
    let becomes =
        if row["address"].is_null() { "nothing without a domain".into() } else { text::cell(&row["address"]) };
    let conflict = if row["conflict"] == true { format!("; conflict: {}", rivals(&row)) } else { String::new() };
    let elsewhere = text::cell(&row["elsewhere"]);
    let placed = if !elsewhere.is_empty() {
        format!("; this holds for what comes later: what was placed already stays in {elsewhere}")
    } else if row["mailbox"].is_null() && row["mails_waiting"] == 0 {
        // Right before an import, a slip of the pen after it.
        "; no mail of such an archive is here yet (`postkahn mapping list`)".into()
    } else {
        String::new()
    };
    let text = format!("{} becomes {becomes}{conflict}{placed}\n", text::cell(&row["archive"]));
    Outcome::done(row, text)
}

fn table(rows: &Value) -> String {
    let row = |row: &Value| {
        let [archive, address, source] = ["archive", "address", "source"].map(|name| text::cell(&row[name]));
        let mailbox = if row["mailbox"].is_null() { "new".into() } else { text::cell(&row["mailbox"]) };
        let elsewhere = text::cell(&row["elsewhere"]);
        let waiting = if row["mails_waiting"].is_null() { "many".into() } else { text::cell(&row["mails_waiting"]) };
        let conflict = if row["conflict"] == true { rivals(row) } else { String::new() };
        vec![archive, address, source, mailbox, elsewhere, waiting, conflict]
    };
    let head = ["archive", "address", "source", "mailbox", "also in", "mails waiting", "conflict with"];
    text::table(&head, rows.as_array().into_iter().flatten().map(row))
}

/// With whom a user archive is in conflict.
fn rivals(row: &Value) -> String {
    let others = text::cell(&row["conflict_with"]);
    match in_the_way(&row["mailbox"]) {
        Some(there) if others.is_empty() => there.into(),
        Some(there) => format!("{others}, {there}"),
        None => others,
    }
}

/// A mailbox that no user archive may become, by its origin.
pub(super) fn in_the_way(origin: &Value) -> Option<&'static str> {
    match origin.as_str() {
        Some("hand") => Some("a mailbox made by hand"),
        Some("import") => Some("the target mailbox of an import"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_under_another_address_already_is_told() {
        let row = |elsewhere: &[&str]| {
            json!({
                "archive": "bob", "address": "robert@firma.example", "source": "mapping", "conflict": false,
                "conflict_with": [], "mailbox": null, "elsewhere": elsewhere, "mails_waiting": 0,
            })
        };
        let split = row(&["bob@firma.example"]);
        let told = changed(split.clone()).text;
        assert!(told.contains("stays in bob@firma.example") && !told.contains("no mail of such"), "{told}");
        assert!(changed(row(&[])).text.contains("no mail of such an archive is here yet"));
        assert!(table(&json!([split])).contains("bob@firma.example"));
    }
}
