//! X-Gmail-Labels, as Google Takeout writes it: labels with commas between them, in encoded words.

use std::collections::HashSet;

use crate::scan::VALUE_LIMIT_BYTES;
use crate::text::whole_header_text;
use crate::{Defect, HeaderScan};

/// A volume allows 1 MiB for what is told of a mail, and each label comes behind the place of the mbox: that leaves some 250
/// bytes for it.
const LABEL_LIMIT: usize = 2_000;
/// What all labels of a mail may have.
const LABELS_BYTES: usize = 512 << 10;
/// What a segment costs beside its bytes, in memory and in a volume.
const SEGMENT_BYTES: usize = 64;
/// Shorter fields have no label too many.
const HARMLESS_BYTES: usize = 2 * LABEL_LIMIT - 1;

/// The labels of a mail.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// As paths (`/` nests), each once, in their order.
    pub(crate) paths: Vec<Vec<String>>,
    /// There are more, which are left out.
    pub(crate) is_cut: bool,
}

impl Labels {
    pub(crate) fn read(header: &HeaderScan) -> Self {
        let (mut labels, mut seen, mut left) = (Self::default(), HashSet::new(), LABELS_BYTES);
        let mut add = |label: String| {
            let path: Vec<String> = label.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            if path.is_empty() || seen.contains(&path) {
                return;
            }
            let cost = path.len().saturating_mul(SEGMENT_BYTES).saturating_add(label.len());
            let rest = left.checked_sub(cost).filter(|_| labels.paths.len() < LABEL_LIMIT);
            let Some(rest) = rest else {
                labels.is_cut = true;
                return;
            };
            left = rest;
            seen.insert(path.clone());
            labels.paths.push(path);
        };
        for field in header.all("X-Gmail-Labels") {
            // Decoded first, then split: an encoded word may hold several labels.
            let last = split(&whole_header_text(&field.value, None), &mut add);
            let is_whole = field.value.len() < VALUE_LIMIT_BYTES || !header.defects.contains(Defect::HdrLongline);
            if is_whole {
                add(last);
            }
        }
        labels
    }
}

/// True if a mail has more labels than are read.
pub(crate) fn are_cut(header: &HeaderScan) -> bool {
    let size_bytes: usize = header.all("X-Gmail-Labels").map(|field| field.value.len()).sum();
    size_bytes > HARMLESS_BYTES && Labels::read(header).is_cut
}

/// Splits at commas outside quotes; the last label is returned, as it may have been cut. Within quotes `""` and `\"` are a
/// quote.
fn split(text: &str, add: &mut impl FnMut(String)) -> String {
    let trimmed = |label: String, was_quoted: bool| if was_quoted { label } else { label.trim().to_owned() };
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
                add(trimmed(label, was_quoted));
                (label, was_quoted) = (String::new(), false);
            }
            // What stands between the closing quote and the comma.
            ' ' if was_quoted && !in_quotes => {}
            other => label.push(other),
        }
    }
    trimmed(label, was_quoted)
}

#[cfg(test)]
mod tests {
    use super::Labels;
    use crate::{Defect, scan_headers};

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
            assert_eq!(Labels::read(&header).paths, meant, "{value}");
        }
    }

    #[test]
    fn labels_without_end_are_bounded_and_not_in_silence() {
        let cut = |value: &str| {
            let header = scan_headers(format!("X-Gmail-Labels: {value}\n\n").as_bytes(), true);
            let labels = Labels::read(&header);
            assert_eq!(header.defects.contains(Defect::Labels), labels.is_cut);
            (labels.paths.len(), labels.is_cut)
        };
        let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(cut(&many(2_000)), (2_000, false));
        assert_eq!(cut(&format!("{},7", many(2_000))), (2_000, false));
        assert_eq!(cut(&many(2_001)), (2_000, true));
        assert_eq!(cut(&many(100_000)), (2_000, true));
        assert_eq!(cut(&"a/".repeat(100_000)), (0, true));
        assert_eq!(cut(&vec!["b".repeat(1 << 10); 600].join(",")), (1, false));
        let large = (0..600).map(|n| format!("{n}{}", "b".repeat(1 << 10))).collect::<Vec<_>>().join(",");
        assert_eq!(cut(&large), (480, true));
        // The field itself is cut, which is a defect as well, and its last label is none.
        let header = scan_headers(format!("X-Gmail-Labels: a,{}\n\n", "b".repeat(1 << 20)).as_bytes(), true);
        assert_eq!(Labels::read(&header).paths, [["a"]]);
        assert!(header.defects.contains(Defect::HdrLongline));
    }
}
