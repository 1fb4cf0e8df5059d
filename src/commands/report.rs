//! `report`: the migration report of an import or of an export, for an auditor.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use archive::{Error, ErrorKind};
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::{
    client::{Client, broken, escaped},
    commands::Outcome,
    failure::{Failure, Result},
    text,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Report {
    /// The id of an import, or of an export: `imports` and `exports` list them
    id: String,
    /// Write the report as a page to this file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) async fn run(args: &Report, client: &Client) -> Result<Outcome> {
    let import = format!("/imports/{}/report", escaped(&args.id));
    let (path, report) = match client.get(&import).await {
        Err(failure) if failure.kind == ErrorKind::NotFound => {
            let export = format!("/exports/{}/report", escaped(&args.id));
            let report = client.get(&export).await.map_err(|failure| neither(&args.id, failure))?;
            (export, report)
        }
        report => (import, report?),
    };
    if let Some(file) = &args.html {
        write_page(file, &format!("{path}.html"), client).await?;
    }
    let exit = exit_of(&report);
    let text = text_of(&report);
    Ok(Outcome { exit, ..Outcome::done(report, text) })
}

fn neither(id: &str, failure: Failure) -> Failure {
    if failure.kind != ErrorKind::NotFound {
        return failure;
    }
    let error = Error::not_found(format!("{id:?} is the id of no import, and of no export that was imported"));
    error.hint("`postkahn imports list` and `postkahn exports` show them").into()
}

async fn write_page(file: &Path, path: &str, client: &Client) -> Result<()> {
    let blocks: Vec<_> = client.stream(path).await?.try_collect().await.map_err(broken)?;
    let page = blocks.concat();
    let failed = |error| Error::invalid(format!("{} cannot be written", file.display())).caused_by(error);
    Ok(fs::write(file, page).map_err(failed)?)
}

/// 0: all is there and closes. 7: something does not close. 8: mails have failed, volumes are missing, or it has not
/// ended, or was not counted.
fn exit_of(report: &Value) -> u8 {
    let is_export = !report["complete"].is_null();
    let has_ended = is_export || report["state"] == "finished";
    if has_ended && report["balanced"] == false {
        return 7;
    }
    let none_failed = report["failed"] == 0 || report["failed"].as_array().is_some_and(Vec::is_empty);
    let is_whole = if is_export { report["complete"] == true } else { report["balanced"] == true };
    if is_whole && none_failed { 0 } else { 8 }
}

fn text_of(report: &Value) -> String {
    let mut text = head_of(report);
    let number =
        |name: &str| report[name].as_array().map_or_else(|| text::cell(&report[name]), |all| all.len().to_string());
    let in_all = if report["in_volumes"].is_null() { "in_volume" } else { "in_volumes" };
    let mails = text::count_of(&report[in_all], "mail");
    let [imported, there, failed] = ["imported", "already_there", "failed"].map(number);
    let _ = writeln!(text, "{mails} = {imported} imported + {there} already there + {failed} failed\n");
    text += &text::list(&["quantity", "seal", "checkpoints", "ledger", "catalogue", "closes"], &report["sums"]);
    text.push('\n');
    text += &text::list(&["mailbox", "user_archive", "ledger", "catalogue", "mails", "closes"], &report["mailboxes"]);
    for entry in report["failed"].as_array().into_iter().flatten() {
        let [number, locator, code, reason] =
            ["number", "locator", "code", "reason"].map(|name| text::cell(&entry[name]));
        let _ = writeln!(text, "failed: mail {number} ({locator}): {reason} ({code})");
    }
    for (title, name) in [("not recreated yet", "not_recreated"), ("does not close", "faults")] {
        for item in report[name].as_array().into_iter().flatten() {
            let _ = writeln!(text, "{title}: {}", text::cell(item));
        }
    }
    if report["skipped"].as_u64().is_some_and(|skipped| skipped > 0) {
        let mails = text::count_of(&report["skipped"], "mail");
        let _ = writeln!(text, "{mails} could not be read in the source: the export's own report names each");
    }
    let _ = writeln!(text, "\n{}", verdict_of(report));
    text
}

/// What was imported, when, and by whom.
fn head_of(report: &Value) -> String {
    let cell = |name: &str| text::cell(&report[name]);
    if report["complete"].is_null() {
        let volume = &report["volume"];
        let of = text::cell(&volume["of"]);
        let number = format!("volume {} of {}", volume["number"], if of.is_empty() { "?" } else { &of });
        let what = if volume.is_null() { cell("kind") } else { number };
        return format!(
            "{}: {what} into {}, {} by {}, {} to {}\nseal {}\n",
            cell("file"),
            cell("mailbox"),
            cell("state"),
            cell("by"),
            cell("started"),
            cell("finished"),
            text::cell(&volume["seal_sha256"]),
        );
    }
    let imports = report["imports"].as_array().into_iter().flatten().map(|import| {
        let part = &import["report"];
        let standing = text::cell(&import["standing"]);
        let order = if import["reordered"] == true { ", out of order" } else { "" };
        let failed = part["failed"].as_array().map_or(0, Vec::len).to_string();
        let [file, by, started, mails] = ["file", "by", "started", "in_volume"].map(|name| text::cell(&part[name]));
        let number = text::cell(&part["volume"]["number"]);
        vec![number, standing + order, file, by, started, mails, failed, text::cell(&part["import"])]
    });
    let columns = ["volume", "standing", "file", "by", "started", "mails", "failed", "import"];
    let missing = cell("missing_volumes");
    let missing = if missing.is_empty() { String::new() } else { format!("missing volumes: {missing}\n") };
    format!("{} ({})\n\n{}{missing}\n", cell("export_name"), cell("export_id"), text::table(&columns, imports))
}

fn verdict_of(report: &Value) -> &'static str {
    match (exit_of(report), &report["balanced"]) {
        (0, _) => "complete: every mail is there, and every sum closes",
        (7, _) => "the sums do not close; run `postkahn check --read-data`",
        (_, Value::Null) => "there was no time to count everything again",
        (_, Value::Bool(true)) => "every sum closes, but not every mail is there",
        _ => "not complete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_tells_whole_incomplete_and_open_apart() {
        let import = |state: &str, balanced: Option<bool>, failed: usize| {
            exit_of(&json!({ "state": state, "balanced": balanced, "failed": vec![json!({}); failed] }))
        };
        assert_eq!(import("finished", Some(true), 0), 0);
        assert_eq!(import("finished", Some(true), 1), 8);
        assert_eq!(import("finished", Some(false), 1), 7);
        assert_eq!(import("finished", None, 0), 8);
        assert_eq!(import("cancelled", Some(false), 0), 8);
        let export = |complete: bool, balanced: Option<bool>, failed: u64| {
            exit_of(&json!({ "complete": complete, "balanced": balanced, "failed": failed }))
        };
        assert_eq!(export(true, Some(true), 0), 0);
        assert_eq!(export(true, Some(true), 2), 8);
        assert_eq!(export(false, Some(true), 0), 8);
        assert_eq!(export(false, Some(false), 0), 7);
    }
}
