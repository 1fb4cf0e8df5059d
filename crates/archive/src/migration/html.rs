//! The migration reports for people.

use std::io::{self, Write};

use super::{ExportImport, ExportReport, ImportReport, LedgerObject, MailboxSum, Quantity, SliceObject, Standing, Sum};
use crate::{
    html::{self, Escaped, Grouped, cells},
    import::{FailedEntry, ImportState, NotMail},
};

const NOTE: &str = "<p class=\"note\">The seal of a volume and its certificate are named by their SHA-256: they vouch for \
                    every byte of it, and anybody who has the files can verify them again. The hash of a ledger object \
                    names the object in the archive's store that has every entry with its outcome.</p>";

/// Writes the report of an import as one page.
pub fn write_import(report: &ImportReport, out: &mut dyn Write) -> io::Result<()> {
    html::begin(out, &format_args!("Import of {}", Escaped(&report.file)))?;
    let (is_good, text) = verdict_of_import(report);
    html::verdict(out, is_good, &Escaped(&text))?;
    write_facts(report, out)?;
    write_counts(out, &[report.imported, report.already_there, report.failed.len() as u64], report.in_volume)?;
    write_sums(out, &report.sums)?;
    write_mailboxes(out, &report.mailboxes, &report.not_recreated)?;
    write_list(out, "What does not close", &report.faults)?;
    write_failed(out, report.failed.iter().map(|entry| (report.file.as_str(), entry)))?;
    write_not_mail(out, &report.not_mail)?;
    write_objects(out, report.ledger.as_ref(), &report.slices)?;
    writeln!(out, "{NOTE}")?;
    html::end(out)
}

/// Writes the report of an export as one page.
pub fn write_export(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    html::begin(out, &format_args!("Migration of export {}", Escaped(&report.export_name)))?;
    let (is_good, text) = verdict_of_export(report);
    html::verdict(out, is_good, &Escaped(&text))?;
    let of = report.volumes.map(|count| count.to_string());
    let missing = listed(&report.missing_volumes);
    let skipped = report.skipped.map(|skipped| Grouped(skipped).to_string());
    let facts = [
        ("Export id", Some(report.export_id.as_str())),
        ("Certificate (SHA-256)", Some(report.certificate_sha256.as_str())),
        ("Volumes", Some(of.as_deref().unwrap_or("not known: the last one has not come in"))),
        ("Missing volumes", (!missing.is_empty()).then_some(missing.as_str())),
        ("Mails that the source could not deliver", skipped.as_deref()),
        ("Report drawn up", report.made.as_deref()),
        ("By", Some(report.generator.as_str())),
    ];
    html::facts(out, "What was migrated", &facts)?;
    write_counts(out, &[report.imported, report.already_there, report.failed], report.in_volumes)?;
    write_sums(out, &report.sums)?;
    write_mailboxes(out, &report.mailboxes, &report.not_recreated)?;
    write_imports(out, report)?;
    write_list(out, "What does not close", &report.faults)?;
    write_failed(out, report.failed_entries().map(|(import, entry)| (import.0.as_str(), entry)))?;
    writeln!(out, "{NOTE}")?;
    html::end(out)
}

/// Whether all is well, and the sentence that says so.
fn verdict_of_import(report: &ImportReport) -> (bool, String) {
    let (failed, all) = (Grouped(report.failed.len() as u64), Grouped(report.in_volume));
    match (report.state, report.balanced) {
        (ImportState::Finished, Some(true)) if report.failed.is_empty() => {
            (true, format!("Complete: all {all} mails of the file are in the archive, and every sum closes."))
        }
        (ImportState::Finished, Some(true)) => {
            let rest = "each is named below. Every other mail is in the archive, and every sum closes.";
            (false, format!("{failed} of {all} mails could not be imported: {rest}"))
        }
        (ImportState::Finished, Some(false)) => (false, "The sums do not close: see below.".into()),
        (ImportState::Finished, None) => (false, "There was no time to count everything again.".into()),
        (state, _) => {
            let why = report.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            (false, format!("Not complete: the import is {}{why}.", state_word(state)))
        }
    }
}

fn verdict_of_export(report: &ExportReport) -> (bool, String) {
    let missing = report.missing_volumes.len() as u64;
    let (failed, all) = (Grouped(report.failed), Grouped(report.in_volumes));
    if report.is_whole() {
        let skipped = report.skipped.filter(|skipped| *skipped > 0).map(|skipped| {
            format!(" {} more could not be read in the source: the export's own report names each.", Grouped(skipped))
        });
        let skipped = skipped.unwrap_or_default();
        return (
            true,
            format!("Complete: all {all} mails of the export are in the archive, and every sum closes.{skipped}"),
        );
    }
    let text = match report.balanced {
        Some(false) => "Not complete: the sums do not close, see below.".into(),
        _ if missing > 0 => format!("Not complete: {} volumes are missing.", Grouped(missing)),
        _ if report.volumes.is_none() => "Not complete: the last volume of the export has not come in.".into(),
        None => "Every volume is there, but there was no time to count everything again.".into(),
        Some(true) => format!(
            "{failed} of {all} mails could not be imported: each is named below. Every other mail is in the archive, and \
             every sum closes."
        ),
    };
    (false, text)
}

fn write_facts(report: &ImportReport, out: &mut dyn Write) -> io::Result<()> {
    let volume = report.volume.as_ref();
    let number = volume.map(|volume| match volume.of {
        Some(of) => format!("{} of {of}", volume.number),
        None => format!("{}, of a number that is not known: the last one has not come in", volume.number),
    });
    let size = Grouped(report.size_bytes).to_string();
    let facts = [
        ("Imported by", Some(report.by.as_str())),
        ("Uploaded by", report.uploaded_by.as_deref()),
        ("Begun", report.started.as_deref()),
        ("Ended", report.finished.as_deref()),
        ("State", Some(state_word(report.state))),
        ("Into mailbox", Some(report.mailbox.as_str())),
        (
            "Since then",
            (report.mailbox_emptied == Some(true)).then_some("The mailbox was emptied: its places are not counted."),
        ),
        ("File", Some(report.file.as_str())),
        ("Bytes", Some(size.as_str())),
        ("ETag of the file", Some(report.etag.as_str())),
        ("Export", volume.map(|volume| volume.export_name.as_str())),
        ("Export id", volume.map(|volume| volume.export_id.as_str())),
        ("Volume", number.as_deref()),
        ("Seal (SHA-256)", volume.map(|volume| volume.seal_sha256.as_str())),
        ("Certificate (SHA-256)", volume.map(|volume| volume.certificate_sha256.as_str())),
        ("Import id", Some(report.import.0.as_str())),
        ("Report drawn up", report.made.as_deref()),
        ("By", Some(report.generator.as_str())),
    ];
    html::facts(out, "Who, when, what", &facts)
}

fn write_counts(out: &mut dyn Write, [imported, there, failed]: &[u64; 3], all: u64) -> io::Result<()> {
    html::head(out, "Numbers", &["Mails", "#Count"])?;
    let sum = imported + there + failed;
    for (label, count) in [("Imported", imported), ("Already there", there), ("Failed, each named below", failed)] {
        writeln!(out, "<tr><td>{label}</td><td class=\"n\">{}</td></tr>", Grouped(*count))?;
    }
    writeln!(
        out,
        "<tr class=\"sum\"><td>In the volumes = the sum</td><td class=\"n\">{} = {}</td></tr>\n</table>",
        Grouped(all),
        Grouped(sum)
    )
}

fn write_sums(out: &mut dyn Write, sums: &[Sum]) -> io::Result<()> {
    if sums.is_empty() {
        return Ok(());
    }
    let columns =
        ["What", "#By the signed seal", "#By the checkpoints", "#By the ledger", "#By the catalogue", "Closes"];
    html::head(out, "Sums, each counted from sources that do not know of each other", &columns)?;
    for sum in sums {
        let (class, closes) = closes_cell(sum.closes);
        write!(out, "<tr class=\"{class}\"><td>{}</td>", quantity_word(sum.quantity))?;
        for count in [sum.seal, sum.checkpoints, sum.ledger, sum.catalogue] {
            let count = count.map(|count| Grouped(count).to_string()).unwrap_or_default();
            write!(out, "<td class=\"n\">{count}</td>")?;
        }
        writeln!(out, "<td class=\"bad\">{closes}</td></tr>")?;
    }
    writeln!(out, "</table>")
}

/// The class of a row and what it says.
fn closes_cell(closes: Option<bool>) -> (&'static str, &'static str) {
    match closes {
        Some(true) => ("", "yes"),
        Some(false) => ("bad", "no"),
        None => ("", "not counted"),
    }
}

fn write_mailboxes(out: &mut dyn Write, mailboxes: &[MailboxSum], not_recreated: &[String]) -> io::Result<()> {
    if !mailboxes.is_empty() {
        let columns =
            ["Mailbox", "User archive", "#Entries by the ledger", "#Of them there", "#Mails in it now", "Closes"];
        html::head(out, "Mailboxes", &columns)?;
        for sum in mailboxes {
            let (class, closes) = closes_cell(Some(sum.closes));
            let archive = sum.user_archive.as_deref().unwrap_or("the target of the import");
            write!(
                out,
                "<tr class=\"{class}\"><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
                Escaped(sum.mailbox.as_str()),
                Escaped(archive),
                Grouped(sum.ledger),
                Grouped(sum.catalogue),
                sum.mails.map(|mails| Grouped(mails).to_string()).unwrap_or_default()
            )?;
            writeln!(out, "<td class=\"bad\">{closes}</td></tr>")?;
        }
        writeln!(out, "</table>")?;
    }
    write_list(out, "User archives that are not recreated yet", not_recreated)
}

fn write_imports(out: &mut dyn Write, report: &ExportReport) -> io::Result<()> {
    let columns = [
        "Volume",
        "Standing",
        "File",
        "By",
        "Begun and ended",
        "Seal, certificate, ledger (SHA-256), ETag",
        "#Mails",
        "#Imported",
        "#Already there",
        "#Failed",
    ];
    html::head(out, "Imports", &columns)?;
    for import in &report.imports {
        write_import_row(out, import)?;
    }
    writeln!(out, "</table>")
}

fn write_import_row(out: &mut dyn Write, import: &ExportImport) -> io::Result<()> {
    let ExportImport { standing, reordered, report } = import;
    let class = if *standing == Standing::Counted && report.failed.is_empty() { "" } else { " class=\"bad\"" };
    let number = report.volume.as_ref().map(|volume| volume.number.to_string()).unwrap_or_default();
    let order = if *reordered { ", out of order" } else { "" };
    write!(out, "<tr{class}><td>{number}</td><td class=\"bad\">{}{order}</td>", standing_word(*standing))?;
    let by = report.uploaded_by.as_ref().map(|user| format!(", uploaded by {user}")).unwrap_or_default();
    write!(out, "<td>{}</td><td>{}{}</td>", Escaped(&report.file), Escaped(&report.by), Escaped(&by))?;
    let [begun, ended] = [&report.started, &report.finished].map(|time| time.as_deref().unwrap_or("–"));
    write!(out, "<td>{begun}<br>{ended}<br>{}</td><td>", Escaped(state_word(report.state)))?;
    let (seal, certificate) =
        report.volume.as_ref().map_or(("", ""), |volume| (&volume.seal_sha256, &volume.certificate_sha256));
    let ledger = report.ledger.as_ref().map_or("", |ledger| &ledger.sha256);
    for hash in [seal, certificate, ledger, &report.etag] {
        write!(out, "<code>{}</code><br>", Escaped(hash))?;
    }
    write!(out, "</td>")?;
    cells(out, &[report.in_volume, report.imported, report.already_there, report.failed.len() as u64])
}

fn write_list(out: &mut dyn Write, title: &str, items: &[String]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>{title} ({})</h2>\n<ul>", Grouped(items.len() as u64))?;
    items.iter().try_for_each(|item| writeln!(out, "<li>{}</li>", Escaped(item)))?;
    writeln!(out, "</ul>")
}

fn write_failed<'a>(out: &mut dyn Write, entries: impl Iterator<Item = (&'a str, &'a FailedEntry)>) -> io::Result<()> {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return Ok(());
    }
    html::head(out, "Failed: mails that could not be imported", &["Of", "#Number", "Locator", "Code", "Reason"])?;
    for (of, entry) in entries {
        write!(out, "<tr><td>{}</td><td class=\"n\">{}</td>", Escaped(of), Grouped(entry.number))?;
        let [locator, code, reason] = [&entry.locator, &entry.code, &entry.reason].map(|text| Escaped(text));
        writeln!(out, "<td>{locator}</td><td><code>{code}</code></td><td>{reason}</td></tr>")?;
    }
    writeln!(out, "</table>")
}

fn write_not_mail(out: &mut dyn Write, items: &[NotMail]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    html::head(out, "Not mail", &["Locator", "Reason"])?;
    for item in items {
        writeln!(out, "<tr><td>{}</td><td>{}</td></tr>", Escaped(&item.locator), Escaped(&item.reason))?;
    }
    writeln!(out, "</table>")
}

fn write_objects(out: &mut dyn Write, ledger: Option<&LedgerObject>, slices: &[SliceObject]) -> io::Result<()> {
    html::head(out, "Objects that keep the outcomes", &["Object", "SHA-256", "#First entry", "#Entries"])?;
    if let Some(ledger) = ledger {
        let (key, sha256) = (Escaped(&ledger.key), Escaped(&ledger.sha256));
        writeln!(out, "<tr class=\"sum\"><td>{key}</td><td><code>{sha256}</code></td><td></td><td></td></tr>")?;
    }
    for slice in slices {
        write!(out, "<tr><td>{}</td><td><code>{}</code></td>", Escaped(&slice.key), Escaped(&slice.sha256))?;
        cells(out, &[slice.first, slice.entries])?;
    }
    writeln!(out, "</table>")
}

fn listed(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn quantity_word(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::InVolume => "Mails in the volumes",
        Quantity::Imported => "Imported",
        Quantity::AlreadyThere => "Already there",
        Quantity::Failed => "Failed",
    }
}

fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Counted => "counted",
        Standing::Doubled => "doubled",
        Standing::Conflict => "conflict: another volume of this number",
        Standing::Foreign => "foreign: of another export",
        Standing::Unfinished => "not finished",
    }
}

fn state_word(state: ImportState) -> &'static str {
    match state {
        ImportState::Waiting => "waiting",
        ImportState::Running => "running",
        ImportState::Finished => "finished",
        ImportState::Failed => "failed",
        ImportState::Cancelled => "cancelled",
        ImportState::Refused => "refused",
    }
}
