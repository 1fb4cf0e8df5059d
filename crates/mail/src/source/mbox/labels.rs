//! X-Gmail-Labels, as Google Takeout writes it: labels with commas between them, in encoded words.

use std::collections::HashSet;

use crate::text::header_text;
use crate::{Defect, HeaderScan};

/// More labels than a mail can have at Gmail, and fewer than a volume allows locations.
const LABEL_LIMIT: usize = 1_000;

/// The labels of a mail as paths (`/` nests), each once, in their order. None if it has none.
pub(super) fn paths(header: &HeaderScan) -> Vec<Vec<String>> {
    let (mut paths, mut seen) = (Vec::new(), HashSet::new());
    for label in header.all("X-Gmail-Labels").flat_map(|field| labels(&field.value)) {
        let path: Vec<String> = label.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if !path.is_empty() && seen.insert(path.clone()) {
            paths.push(path);
        }
        if paths.len() == LABEL_LIMIT {
            break;
        }
    }
    paths
}

/// Decoded first, then split: an encoded word may hold several labels.
fn labels(value: &[u8]) -> Vec<String> {
    let (text, defects) = header_text(value, None);
    let mut labels = split(&text);
    if defects.contains(Defect::HdrLongline) {
        // The last one was cut.
        labels.pop();
    }
    labels
}

/// Splits at commas outside quotes. Within quotes `""` and `\"` are a quote.
fn split(text: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let (mut label, mut in_quotes, mut was_quoted) = (String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' | '\\' if in_quotes && chars.peek() == Some(&'"') => label.extend(chars.next()),
            '"' if in_quotes => in_quotes = false,
            '"' if label.trim().is_empty() => {
                label.clear();
                (in_quotes, was_quoted) = (true, true);
            }
            ',' if !in_quotes => {
                labels.push(if was_quoted { label } else { label.trim().to_owned() });
                (label, was_quoted) = (String::new(), false);
            }
            // What stands between the closing quote and the comma.
            ' ' if was_quoted && !in_quotes => {}
            other => label.push(other),
        }
    }
    labels.push(if was_quoted { label } else { label.trim().to_owned() });
    labels.retain(|label| !label.is_empty());
    labels
}

#[cfg(test)]
mod tests {
    use super::paths;
    use crate::scan_headers;

    #[test]
    fn labels_are_decoded_split_and_nested() {
        let table: [(&str, &[&[&str]]); 14] = [
            ("Inbox,Opened", &[&["Inbox"], &["Opened"]]),
            ("=?UTF-8?Q?Entw=C3=BCrfe,Opened?=", &[&["Entwürfe"], &["Opened"]]),
            ("=?UTF-8?Q?Entw=C3=BCrfe,Ope?=\r\n =?UTF-8?Q?ned,x_y?=", &[&["Entwürfe"], &["Opened"], &["x y"]]),
            ("a,\r\n b c", &[&["a"], &["b c"]]),
            ("\"a, b\",c", &[&["a, b"], &["c"]]),
            ("=?UTF-8?Q?\"M=C3=BCller,_GmbH\",c?=", &[&["Müller, GmbH"], &["c"]]),
            ("\"say \"\"hi\"\", or\" , \"\\\"x\\\"\"", &[&["say \"hi\", or"], &["\"x\""]]),
            ("Work/2023/Q1,/x//y/", &[&["Work", "2023", "Q1"], &["x", "y"]]),
            ("a,,a, a ,/", &[&["a"]]),
            ("5\" disk", &[&["5\" disk"]]),
            ("\"open, end", &[&["open, end"]]),
            ("", &[]),
            (" , ,", &[]),
            ("W\u{f6}rk", &[&["W\u{f6}rk"]]),
        ];
        for (value, meant) in table {
            let header = scan_headers(format!("X-Gmail-Labels: {value}\r\n\r\n").as_bytes(), true);
            assert_eq!(paths(&header), meant, "{value}");
        }
    }

    #[test]
    fn labels_without_end_are_bounded() {
        let many = (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let header = scan_headers(format!("X-Gmail-Labels: {many}\n\n").as_bytes(), true);
        assert_eq!(paths(&header).len(), super::LABEL_LIMIT);
        let long = format!("a,{}", "b".repeat(1 << 20));
        let header = scan_headers(format!("X-Gmail-Labels: {long}\n\n").as_bytes(), true);
        assert_eq!(paths(&header), [["a"]]);
    }
}
