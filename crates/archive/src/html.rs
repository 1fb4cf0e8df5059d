//! Reports for people: HTML pages that load nothing, and print. Whatever is foreign in them is no markup.

use std::fmt::{self, Display};
use std::io::{self, Write};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2330;--faint:#5a6475;--line:#d8dde6;--paper:#fff;--good:#11663a;--bad:#9c1c1c}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--faint:#9aa4b5;--line:#353c49;--paper:#14171c;--good:#6fcf97;\
--bad:#ff8a80}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;\
padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p.note{color:var(--faint)}\
table{border-collapse:collapse;margin:.5rem 0 1rem;width:100%}td,th{border-bottom:1px solid var(--line);\
padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere;min-width:4rem}\
th{font-weight:600;overflow-wrap:normal}\
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}.sum td{font-weight:600}\
.bad td.bad,.verdict.bad{color:var(--bad)}.verdict.good{color:var(--good)}\
.verdict{font-size:1.15rem;font-weight:600;border-left:.3rem solid;padding:.3rem 0 .3rem .8rem}\
code{font:.85em ui-monospace,monospace}.facts th{width:14rem;font-weight:400;color:var(--faint)}\
@media print{body{margin:0;max-width:none;font-size:10pt}thead{display:table-header-group}tr{break-inside:avoid}\
h2{break-after:avoid}}";

/// Begins a page under its title.
pub(crate) fn begin(out: &mut dyn Write, title: &dyn Display) -> io::Result<()> {
    write!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
    write!(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>")?;
    writeln!(out, "<style>{STYLE}</style></head><body>\n<h1>{title}</h1>")
}

pub(crate) fn end(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</body></html>")
}

/// The sentence that everything else on the page is about.
pub(crate) fn verdict(out: &mut dyn Write, is_good: bool, text: &dyn Display) -> io::Result<()> {
    let class = if is_good { "good" } else { "bad" };
    writeln!(out, "<p class=\"verdict {class}\">{text}</p>")
}

/// A table of facts with a title; those that are not known are left out.
pub(crate) fn facts(out: &mut dyn Write, title: &str, facts: &[(&str, Option<&str>)]) -> io::Result<()> {
    writeln!(out, "<h2>{title}</h2>\n<table class=\"facts\">")?;
    for (label, fact) in facts {
        let Some(fact) = fact else { continue };
        writeln!(out, "<tr><th scope=\"row\">{label}</th><td>{}</td></tr>", Escaped(fact))?;
    }
    writeln!(out, "</table>")
}

/// Begins a table with a title and a head. A column whose name begins with `#` has numbers.
pub(crate) fn head(out: &mut dyn Write, title: &str, columns: &[&str]) -> io::Result<()> {
    writeln!(out, "<h2>{title}</h2>")?;
    write!(out, "<table><thead><tr>")?;
    for column in columns {
        match column.strip_prefix('#') {
            Some(numbers) => write!(out, "<th class=\"n\">{numbers}</th>")?,
            None => write!(out, "<th>{column}</th>")?,
        }
    }
    writeln!(out, "</tr></thead>")
}

/// The last cells of a row.
pub(crate) fn cells(out: &mut dyn Write, counts: &[u64]) -> io::Result<()> {
    for count in counts {
        write!(out, "<td class=\"n\">{}</td>", Grouped(*count))?;
    }
    writeln!(out, "</tr>")
}

/// Text that is no markup. Control and direction marks show as U+FFFD, so that no name rewrites the page.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

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
pub(crate) struct Path<'a>(pub(crate) &'a [String]);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, " \u{203a} {}", Escaped(segment)))
    }
}

/// A number in groups of three digits.
pub(crate) struct Grouped(pub(crate) u64);

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
