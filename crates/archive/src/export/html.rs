//! `NAME.report.html`: the report for people, one file that loads nothing.

use std::fmt::{self, Display};
use std::io::{self, Write};

use super::report::{ExportReport, Named, UserArchiveCount};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1c2330;max-width:62rem;margin:2rem auto;\
padding:0 1rem}table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}td,th{border-bottom:1px solid #d8dde6;\
padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}.n{text-align:right;\
font-variant-numeric:tabular-nums;white-space:nowrap}.sum td{font-weight:600}h1{font-size:1.5rem}h2{font-size:1.15rem}\
.good{color:#11663a}.bad{color:#9c1c1c}";

/// Writes the whole page.
pub(super) fn write(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let name = Escaped(&report.name);
    write!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Export {name}</title>")?;
    writeln!(out, "<style>{STYLE}</style></head><body>\n<h1>Export {name}</h1>")?;
    write_verdict(report, out)?;
    write_numbers(report, out)?;
    write_volumes(report, out)?;
    write_places(&report.user_archives, out)?;
    write_named("Skipped: mails that could not be read", &report.skipped, out)?;
    write_named("Changed after they were exported", &report.changed, out)?;
    write_named("Not mail", &report.not_mail, out)?;
    writeln!(out, "</body></html>")
}

fn write_verdict(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    if report.is_whole() {
        writeln!(out, "<p class=\"good\">Every mail of the source is in the volumes.</p>")?;
    } else {
        let count = Grouped(report.skipped.len() as u64);
        writeln!(out, "<p class=\"bad\">{count} mails could not be read. Each is named below.</p>")?;
    }
    if !report.encrypted {
        writeln!(out, "<p>The volumes are signed, but not encrypted: whoever has them can read them.</p>")?;
    }
    writeln!(out, "<p>This page names users and folders: keep it with the certificate, not with the volumes.</p>")
}

fn write_numbers(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let skipped = report.skipped.len() as u64;
    writeln!(out, "<h2>Numbers</h2>\n<table>")?;
    for (label, count) in [
        ("Exported (in the volumes)", report.exported),
        ("Skipped (each named below)", skipped),
        ("Left out by a filter", report.filtered),
    ] {
        write_number(out, "", label, &Grouped(count))?;
    }
    let sum = report.exported + skipped + report.filtered;
    write_number(
        out,
        " class=\"sum\"",
        "In the source = the sum",
        &format_args!("{} = {}", Grouped(report.in_source), Grouped(sum)),
    )?;
    write_number(out, "", "Bytes of the exported mails", &Grouped(report.raw_bytes))?;
    if let Some(unique) = report.unique_mails {
        write_number(out, "", "Exported mails that differ from each other", &Grouped(unique))?;
    }
    if report.vanished > 0 {
        write_number(out, "", "Exported, and gone from the source since", &Grouped(report.vanished))?;
    }
    let facts = [
        ("Export id", report.export_id.as_deref().unwrap_or("")),
        ("Certificate (SHA-256)", report.certificate_sha256.as_deref().unwrap_or("")),
        ("Source", &report.options.from),
        ("Layout", &report.options.layout),
        ("Begun", &report.started),
        ("Ended", &report.finished),
        ("Made by", &report.generator),
    ];
    for (label, fact) in facts {
        writeln!(out, "<tr><td>{label}</td><td>{}</td></tr>", Escaped(fact))?;
    }
    writeln!(out, "</table>")
}

fn write_number(out: &mut dyn Write, class: &str, label: &str, value: &dyn Display) -> io::Result<()> {
    writeln!(out, "<tr{class}><td>{label}</td><td class=\"n\">{value}</td></tr>")
}

fn write_volumes(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>Volumes</h2>\n<table><tr><th>File</th><th class=\"n\">Mails</th><th class=\"n\">Bytes</th></tr>"
    )?;
    for volume in &report.volumes {
        write_row(out, "", &Escaped(&volume.file), volume.mails, volume.bytes)?;
    }
    let mails = report.volumes.iter().map(|volume| volume.mails).sum();
    let bytes = report.volumes.iter().map(|volume| volume.bytes).sum();
    write_row(out, " class=\"sum\"", &"Sum", mails, bytes)?;
    writeln!(out, "</table>")
}

fn write_places(archives: &[UserArchiveCount], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<h2>User archives and folders</h2>\n<table>")?;
    writeln!(out, "<tr><th>Place</th><th class=\"n\">Mails</th><th class=\"n\">Bytes</th></tr>")?;
    for archive in archives {
        write_row(out, " class=\"sum\"", &Escaped(&archive.user_archive), archive.mails, archive.raw_bytes)?;
        for folder in archive.folders.iter().filter(|folder| !folder.path.is_empty()) {
            write_row(out, "", &Path(&folder.path), folder.mails, folder.raw_bytes)?;
        }
    }
    writeln!(out, "</table>")
}

fn write_row(out: &mut dyn Write, class: &str, label: &dyn Display, mails: u64, bytes: u64) -> io::Result<()> {
    let (mails, bytes) = (Grouped(mails), Grouped(bytes));
    writeln!(out, "<tr{class}><td>{label}</td><td class=\"n\">{mails}</td><td class=\"n\">{bytes}</td></tr>")
}

fn write_named(title: &str, items: &[Named], out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>{title} ({})</h2>", Grouped(items.len() as u64))?;
    writeln!(out, "<table><tr><th>Source</th><th>Reason</th></tr>")?;
    for item in items {
        writeln!(out, "<tr><td>{}</td><td>{}</td></tr>", Escaped(&item.source), Escaped(&item.reason))?;
    }
    writeln!(out, "</table>")
}

/// Text that is no markup. Control and direction marks show as U+FFFD, so that no name rewrites the page.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                f.write_str("\u{fffd}")
            }
            c if c.is_control() => f.write_str("\u{fffd}"),
            c => write!(f, "{c}"),
        })
    }
}

/// A folder below a user archive.
struct Path<'a>(&'a [String]);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, " \u{203a} {}", Escaped(segment)))
    }
}

/// A number in groups of three digits.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        digits.char_indices().try_for_each(|(at, digit)| {
            let separator = if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
            write!(f, "{separator}{digit}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Escaped, Grouped};

    #[test]
    fn numbers_are_grouped() {
        let shown: Vec<String> = [0, 999, 1_000, 1_234_567].iter().map(|n| Grouped(*n).to_string()).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(Escaped("<b>\"&'\u{202e}\n").to_string(), "&lt;b&gt;&quot;&amp;&#39;\u{fffd}\u{fffd}");
    }
}
