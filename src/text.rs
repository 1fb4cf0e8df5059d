//! Documents as text for people.

use comfy_table::{Table, presets};
use indicatif::HumanCount;
use serde_json::Value;

/// The text without anything that moves a terminal's cursor or hides what it shows.
pub(crate) fn shown(text: &str) -> String {
    let hides = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hides(c) { '\u{fffd}' } else { c }).collect()
}

/// How many of a thing there are: `1 mail`, `2,000 mails`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", HumanCount(number))
}

/// The same of a member of an answer.
pub(crate) fn count_of(number: &Value, thing: &str) -> String {
    number.as_u64().map_or_else(|| format!("{} {thing}s", cell(number)), |number| count(number, thing))
}

/// A text of at most so many characters: of a longer one the two ends, which tell names apart.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    let count = text.chars().count();
    if count <= characters {
        return text.to_owned();
    }
    let kept = characters.saturating_sub(1);
    let (start, end) = (kept.div_ceil(2), kept / 2);
    text.chars().take(start).chain(['…']).chain(text.chars().skip(count - end)).collect()
}

/// A value in one cell: text as it is, nothing for null, lists with commas.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown(text),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => shown(&other.to_string()),
    }
}

/// Rows of cells under a head; ends with a line end.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The members of each object of a list as a table, one column a name.
pub(crate) fn list(columns: &[&str], objects: &Value) -> String {
    let row = |object: &Value| columns.iter().map(|name| cell(&object[*name])).collect();
    let head: Vec<_> = columns.iter().map(|name| name.replace('_', " ")).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    table(&head, objects.as_array().into_iter().flatten().map(row))
}

/// A folder's path with `/` between its names.
pub(crate) fn path(names: &Value) -> String {
    names.as_array().map_or_else(String::new, |names| names.iter().map(cell).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_long_names_read_well() {
        assert_eq!(
            [0, 1, 2, 1_000].map(|number| count(number, "mail")),
            ["0 mails", "1 mail", "2 mails", "1,000 mails"]
        );
        for (long, short) in [("", ""), ("Bücher", "Bücher"), ("Büchereien", "Büc…en"), ("äöüäöüä", "äöü…üä")]
        {
            assert_eq!(shortened(long, 6), short);
        }
        assert_eq!((shortened("ab", 1), shortened("ab", 0)), ("…".to_owned(), "…".to_owned()));
    }

    #[test]
    fn foreign_text_does_not_steer_the_terminal() {
        let objects = json!([{ "subject": "\u{1b}[2Jgone", "from": null }, { "subject": "b", "from": ["x", "y"] }]);
        let text = list(&["subject", "from"], &objects);
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("x, y") && text.lines().count() == 3);
    }
}
