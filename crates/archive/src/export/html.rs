//! `NAME.report.html`: the report for people, one file that loads nothing, and prints.

use std::fmt::{self, Display};
use std::io::{self, Write};

use super::named::NamedList;
use super::report::{Counts, ExportReport, UserArchiveCount};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2330;--faint:#5a6475;--line:#d8dde6;--paper:#fff;--good:#11663a;--bad:#9c1c1c}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--faint:#9aa4b5;--line:#353c49;--paper:#14171c;--good:#6fcf97;\
--bad:#ff8a80}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;\
padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p.note{color:var(--faint)}\
table{border-collapse:collapse;margin:.5rem 0 1rem;width:100%}td,th{border-bottom:1px solid var(--line);\
padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}\
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}.sum td{font-weight:600}\
.bad td.bad,.verdict.bad{color:var(--bad)}.verdict.good{color:var(--good)}\
.verdict{font-size:1.15rem;font-weight:600;border-left:.3rem solid;padding:.3rem 0 .3rem .8rem}\
code{font:.85em ui-monospace,monospace}.facts th{width:14rem;font-weight:400;color:var(--faint)}\
@media print{body{margin:0;max-width:none;font-size:10pt}thead{display:table-header-group}tr{break-inside:avoid}\
h2{break-after:avoid}}";

/// Writes the whole page.
pub(super) fn write(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let name = Escaped(&report.name);
    write!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
    write!(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>Export {name}</title>")?;
    writeln!(out, "<style>{STYLE}</style></head><body>\n<h1>Export {name}</h1>")?;
    write_verdict(report, out)?;
    write_numbers(report, out)?;
    write_facts(report, out)?;
    write_volumes(report, out)?;
    write_places(&report.user_archives, out)?;
    write_named("Skipped: mails that could not be read", &report.skipped, out)?;
    write_named("Changed after they were exported", &report.changed, out)?;
    write_named("Not mail", &report.not_mail, out)?;
    writeln!(out, "</body></html>")
}

fn write_verdict(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let skipped = Grouped(report.skipped.len() as u64);
    let which = if report.options.filter.is_some() { "that the query finds" } else { "of the source" };
    if report.is_whole() {
        writeln!(out, "<p class=\"verdict good\">Complete: every mail {which} is in the volumes.</p>")?;
    } else {
        writeln!(
            out,
            "<p class=\"verdict bad\">Not complete: {skipped} items could not be read (mails, or whole folders and \
             archives). Each is named below; every mail {which} that could be read is in the volumes.</p>"
        )?;
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
        ("Source", Some(&report.options.from)),
        ("Layout", Some(&report.options.layout)),
        ("Query", report.options.filter.as_ref()),
        ("Begun", Some(&report.started)),
        ("Ended", Some(&report.finished)),
        ("Export id", report.export_id.as_ref()),
        ("Certificate (SHA-256)", report.certificate_sha256.as_ref()),
        ("Made by", Some(&report.generator)),
    ];
    writeln!(out, "<h2>Where from, when, by whom</h2>\n<table class=\"facts\">")?;
    for (label, fact) in facts {
        let Some(fact) = fact else { continue };
        writeln!(out, "<tr><th scope=\"row\">{label}</th><td>{}</td></tr>", Escaped(fact))?;
    }
    writeln!(out, "</table>")
}

fn write_volumes(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<h2>Volumes</h2>\n<table><thead><tr><th>File</th><th>Seal (SHA-256)</th>")?;
    writeln!(out, "<th class=\"n\">Mails</th><th class=\"n\">Bytes</th></tr></thead>")?;
    let (mut mails, mut bytes) = (0, 0);
    for volume in &report.volumes {
        let seal = Escaped(volume.seal_sha256.as_deref().unwrap_or_default());
        write!(out, "<tr><td>{}</td><td><code>{seal}</code></td>", Escaped(&volume.file))?;
        write_cells(out, &[volume.mails, volume.bytes])?;
        mails += volume.mails;
        bytes += volume.bytes;
    }
    write!(out, "<tr class=\"sum\"><td>Sum</td><td></td>")?;
    write_cells(out, &[mails, bytes])?;
    writeln!(out, "</table>")
}

fn write_places(archives: &[UserArchiveCount], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<h2>User archives and folders</h2>\n<table><thead><tr><th>Place</th>")?;
    for column in ["In the source", "Left out", "Skipped", "Exported", "Lie here", "Bytes"] {
        write!(out, "<th class=\"n\">{column}</th>")?;
    }
    writeln!(out, "</tr></thead>")?;
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
    write_cells(out, &[counts.exported, counts.mails, counts.raw_bytes])
}

/// The last cells of a row.
fn write_cells(out: &mut dyn Write, counts: &[u64]) -> io::Result<()> {
    for count in counts {
        write!(out, "<td class=\"n\">{}</td>", Grouped(*count))?;
    }
    writeln!(out, "</tr>")
}

fn write_named(title: &str, items: &NamedList, out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>{title} ({})</h2>", Grouped(items.len() as u64))?;
    writeln!(out, "<table><thead><tr><th>Source</th><th>Reason</th></tr></thead>")?;
    for item in items.iter() {
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
