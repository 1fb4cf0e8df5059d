//! An estimate of the work that HTML gives its parser: some of its steps look at every open element, others at every
//! sibling.

use std::collections::HashMap;

/// Tags × open formatting elements: an HTML parser compares a new one with all of these, and looks for the one that ends.
/// How often it opens them again is counted in `room`.
const FORMATTING_WORK: usize = 10_000_000;
/// Tags × depth: it looks through all open elements at each tag.
const NESTING_WORK: usize = 40_000_000;
/// Tags × what does not lie where it was written: it looks for the place among all siblings.
const MOVING_WORK: usize = 100_000_000;
const DEPTH_LIMIT: usize = 2_000;
/// Open elements that are remembered: those that count for the depth, and cells, items and paragraphs in them.
const OPEN_LIMIT: usize = 4 * DEPTH_LIMIT;

const VOID: [&str; 8] = ["area", "br", "col", "hr", "img", "input", "wbr", "param"];
/// Elements whose end tag people leave out, and that the next one closes.
const SELF_CLOSING: [&str; 12] =
    ["p", "li", "td", "tr", "th", "dt", "dd", "option", "tbody", "thead", "tfoot", "colgroup"];
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements of a table that hold no words themselves.
const TABLE: [&str; 7] = ["table", "tbody", "thead", "tfoot", "tr", "col", "colgroup"];
const CELL: [&str; 3] = ["td", "th", "caption"];

/// What was counted of a page so far.
#[derive(Debug, Default)]
pub(super) struct Weight {
    tags: usize,
    depth: usize,
    deepest: usize,
    formatting: usize,
    most_formatting: usize,
    /// Ends of formatting elements within others, which a parser takes apart, and what stands in a table but in no cell,
    /// which it puts before the table.
    moved: usize,
    /// The elements around, the innermost last.
    open: Vec<String>,
    /// How many of each name are open: looking for one that is not would take too long.
    counts: HashMap<String, usize>,
    /// For each table around, if a cell is open in it.
    tables: Vec<bool>,
}

impl Weight {
    pub(super) fn text(&mut self, text: &str) {
        if !text.trim_ascii().is_empty() {
            // A parser takes each of these characters, and what follows it, by itself.
            let pieces = text.bytes().filter(|byte| b"&\0\r\n".contains(byte)).count();
            self.place(pieces.saturating_add(1));
        }
    }

    pub(super) fn tag(&mut self, name: &str, is_end: bool) {
        self.tags += 1;
        self.table(name, is_end);
        if FORMATTING.contains(&name) {
            self.formatting = if is_end { self.formatting.saturating_sub(1) } else { self.formatting + 1 };
            self.most_formatting = self.most_formatting.max(self.formatting);
        }
        if !VOID.contains(&name) && !SELF_CLOSING.contains(&name) {
            self.depth = if is_end { self.depth.saturating_sub(1) } else { self.depth + 1 };
            self.deepest = self.deepest.max(self.depth);
        }
        self.nest(name, is_end);
    }

    /// True if a parser would take too long.
    pub(super) fn is_heavy(&self) -> bool {
        self.deepest > DEPTH_LIMIT
            || self.tags.saturating_mul(self.most_formatting) > FORMATTING_WORK
            || self.tags.saturating_mul(self.deepest) > NESTING_WORK
            || self.tags.saturating_mul(self.moved) > MOVING_WORK
    }

    /// Something stands here, in so many pieces: not in its place, if a table is open and no cell in it.
    fn place(&mut self, pieces: usize) {
        if self.tables.last() == Some(&false) {
            self.moved = self.moved.saturating_add(pieces);
        }
    }

    fn table(&mut self, name: &str, is_end: bool) {
        if !TABLE.contains(&name) && !CELL.contains(&name) {
            return self.place(1);
        }
        match (name, is_end) {
            ("table", true) => {
                self.tables.pop();
            }
            // One table in another lies in a cell of it; else the parser ends the first.
            ("table", false) if self.tables.last() != Some(&false) => {
                if self.tables.len() < DEPTH_LIMIT {
                    self.tables.push(false);
                }
            }
            _ => {
                let is_cell = CELL.contains(&name) && !is_end;
                if let Some(cell) = self.tables.last_mut() {
                    *cell = is_cell;
                }
            }
        }
    }

    /// Follows the elements, and sees those that end within others.
    fn nest(&mut self, name: &str, is_end: bool) {
        if VOID.contains(&name) {
            return;
        }
        if is_end {
            let within_others = self.close(name) != Some(0);
            self.moved += usize::from(within_others && FORMATTING.contains(&name));
            return;
        }
        // A paragraph, item, cell or row closes the one before it.
        let mut lately = self.open.iter().rev().take_while(|open| SELF_CLOSING.contains(&open.as_str()));
        if lately.any(|open| open == name) {
            self.close(name);
        }
        if self.open.len() < OPEN_LIMIT {
            self.open.push(name.to_owned());
            *self.counts.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Closes the innermost of that name and all within it: how many those are; none if none is open.
    fn close(&mut self, name: &str) -> Option<usize> {
        if self.counts.get(name).is_none_or(|count| *count == 0) {
            return None;
        }
        let mut within = 0;
        while let Some(open) = self.open.pop() {
            if let Some(count) = self.counts.get_mut(&open) {
                *count -= 1;
            }
            if open == name {
                break;
            }
            within += 1;
        }
        Some(within)
    }
}

#[cfg(test)]
mod tests {
    use super::Weight;
    use crate::html::tokens::{Token, Tokens};

    fn is_heavy(html: &str) -> bool {
        let mut weight = Weight::default();
        for token in Tokens::of(html) {
            match token {
                Token::Text(text) | Token::Raw(_, text) => weight.text(text),
                Token::Tag(tag) => weight.tag(&tag.name, tag.is_end),
            }
        }
        weight.is_heavy()
    }

    #[test]
    fn pages_that_people_write_are_light() {
        let light = [
            "<p>x".repeat(100_000),
            "<p>x <b>y</b> <a href=z>z</a></p>\n".repeat(30_000),
            format!("<table>{}</table>", "<tr><td>x</td><td><font color=y>z</font></td></tr>\n".repeat(30_000)),
            "<table><tr><td>".repeat(100) + &"<p>x</p>".repeat(10_000),
            "<ul><li>x<li>y</ul>".repeat(30_000),
            "<p>x <b>y</b><table><tr><td><i>z</i><td>z<tr><td>z</table>".repeat(20_000),
        ];
        for (number, html) in light.iter().enumerate() {
            assert!(!is_heavy(html), "{number}");
        }
    }

    #[test]
    fn pages_that_cost_too_much_are_heavy() {
        let heavy = [
            "<div>".repeat(3_000),
            format!("{}{}", "<b>".repeat(1_000), "<p>x".repeat(10_000)),
            format!("<table>{}", "<div></div>x".repeat(10_000)),
            format!("<table><tr><td>x</td>{}", "x<tr>".repeat(20_000)),
            format!("{}<table>{}", "<br>".repeat(10_000), "&".repeat(20_000)),
            "<b><p></b></p>".repeat(10_000),
            format!("{}{}", "<div>".repeat(1_900), "</p></b></i>".repeat(100_000)),
        ];
        for (number, html) in heavy.iter().enumerate() {
            assert!(is_heavy(html), "{number}");
        }
    }
}
