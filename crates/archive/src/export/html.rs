//! `NAME.report.html`: the report for people, one file that loads nothing, and prints.

use std::fmt::Display;
use std::io::{self, Write};

use super::named::NamedList;
use super::report::{Counts, ExportReport, UserArchiveCount};
use crate::html::{self, Escaped, Grouped, Path, cells};

/// Writes the whole page.
pub(super) fn write(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    html::begin(out, &format_args!("Export {}", Escaped(&report.name)))?;
    write_verdict(report, out)?;
    write_numbers(report, out)?;
    write_facts(report, out)?;
    write_volumes(report, out)?;
    write_places(&report.user_archives, out)?;
    write_named("Skipped: mails that could not be read", &report.skipped, out)?;
    write_named("Changed meanwhile", &report.changed, out)?;
    write_named("Not mail", &report.not_mail, out)?;
    html::end(out)
}

fn write_verdict(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let skipped = Grouped(report.skipped.len() as u64);
    let which = if report.options.filter.is_some() { "that the query finds" } else { "of the source" };
    if report.is_whole() {
        html::verdict(out, true, &format_args!("Complete: every mail {which} is in the volumes."))?;
    } else {
        let items = if report.skipped.len() == 1 { "item" } else { "items" };
        let text = format_args!(
            "Done, but {skipped} {items} could not be read (mails, or whole folders and archives). Each is named below; \
             every mail {which} that could be read is in the volumes."
        );
        html::verdict(out, false, &text)?;
    }
    if !report.encrypted {
        writeln!(out, "<p>The volumes are signed, but not encrypted: whoever has them can read them.</p>")?;
    }
    writeln!(
        out,
        "<p class=\"note\">This page names users and folders: keep it with the certificate, not with the volumes.</p>"
    )
}

fn write_numbers(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let skipped = report.skipped.len() as u64;
    writeln!(out, "<h2>Numbers</h2>\n<table>")?;
    write_number(out, "", "Mails in the volumes", &Grouped(report.exported))?;
    write_number(out, "", "Mails left out by the query", &Grouped(report.filtered))?;
    write_number(out, "", "Mails skipped, each named below", &Grouped(skipped))?;
    let sum = Grouped(report.exported + skipped + report.filtered);
    let in_source = Grouped(report.in_source);
    write_number(out, " class=\"sum\"", "Mails in the source = the sum", &format_args!("{in_source} = {sum}"))?;
    write_number(out, "", "Bytes of the mails in the volumes", &Grouped(report.raw_bytes))?;
    if let Some(unique) = report.unique_mails {
        write_number(out, "", "Mails in the volumes that differ from each other", &Grouped(unique))?;
    }
    if report.vanished > 0 {
        write_number(out, "", "Exported, and gone from the source since", &Grouped(report.vanished))?;
    }
    writeln!(out, "</table>")
}

fn write_number(out: &mut dyn Write, class: &str, label: &str, value: &dyn Display) -> io::Result<()> {
    writeln!(out, "<tr{class}><td>{label}</td><td class=\"n\">{value}</td></tr>")
}

fn write_facts(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let facts = [
        ("Source", Some(report.options.from.as_str())),
        ("Layout", Some(report.options.layout.as_str())),
        ("Query", report.options.filter.as_deref()),
        ("Begun", Some(report.started.as_str())),
        ("Ended", Some(report.finished.as_str())),
        ("Export id", report.export_id.as_deref()),
        ("Certificate (SHA-256)", report.certificate_sha256.as_deref()),
        ("Made by", Some(report.generator.as_str())),
    ];
    html::facts(out, "Where from, when, and by which program", &facts)
}

fn write_volumes(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    html::head(out, "Volumes", &["File", "Seal (SHA-256)", "#Mails", "#Bytes"])?;
    let (mut mails, mut bytes) = (0, 0);
    for volume in &report.volumes {
        let seal = Escaped(volume.seal_sha256.as_deref().unwrap_or_default());
        write!(out, "<tr><td>{}</td><td><code>{seal}</code></td>", Escaped(&volume.file))?;
        cells(out, &[volume.mails, volume.bytes])?;
        mails += volume.mails;
        bytes += volume.bytes;
    }
    write!(out, "<tr class=\"sum\"><td>Sum</td><td></td>")?;
    cells(out, &[mails, bytes])?;
    writeln!(out, "</table>")
}

fn write_places(archives: &[UserArchiveCount], out: &mut dyn Write) -> io::Result<()> {
    let columns = ["Place", "#In the source", "#Left out", "#Skipped", "#Exported", "#Lie here", "#Bytes"];
    html::head(out, "User archives and folders", &columns)?;
    let mut sum = Counts::default();
    for archive in archives {
        sum.add(&archive.counts);
        let user_archive = &archive.user_archive;
        write_counts(out, "sum", &Escaped(user_archive), &archive.counts)?;
        for folder in archive.folders.iter().filter(|folder| !folder.path.is_empty()) {
            write_counts(out, "", &Path(&folder.path), &folder.counts)?;
        }
    }
    write_counts(out, "sum", &"Sum", &sum)?;
    writeln!(out, "</table>\n<p class=\"note\">In the source = left out + skipped + exported, in each row.")?;
    if sum.mails != sum.exported {
        writeln!(out, "A mail with several labels is counted as exported under the first, and lies in each of them.")?;
    }
    writeln!(out, "The row of a user archive has the sums of its folders, and what lies in none.</p>")
}

fn write_counts(out: &mut dyn Write, class: &str, label: &dyn Display, counts: &Counts) -> io::Result<()> {
    let class = if counts.skipped > 0 { format!("{class} bad") } else { class.to_owned() };
    let cell = |count: u64| format!("<td class=\"n\">{}</td>", Grouped(count));
    write!(out, "<tr class=\"{class}\"><td>{label}</td>{}{}", cell(counts.in_source), cell(counts.filtered))?;
    write!(out, "<td class=\"n bad\">{}</td>", Grouped(counts.skipped))?;
    cells(out, &[counts.exported, counts.mails, counts.raw_bytes])
}

fn write_named(title: &str, items: &NamedList, out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    html::head(out, &format!("{title} ({})", Grouped(items.len() as u64)), &["Source", "Reason"])?;
    for item in items.iter() {
        writeln!(out, "<tr><td>{}</td><td>{}</td></tr>", Escaped(&item.source), Escaped(&item.reason))?;
    }
    writeln!(out, "</table>")
}
