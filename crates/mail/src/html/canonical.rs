//! HTML written anew so that it can be read in one way only: elements that are shown, attributes in quotes, nothing that
//! switches a parser over. What a parser and a browser could take differently, and what makes a parser slow, never
//! reaches them.

use std::collections::HashSet;

use super::blocked::Blocked;
use super::tokens::{Tag, Token, Tokens};
use super::weight::Weight;

/// Characters that are escaped in one run of words or one attribute: at each of them `html5ever` looks through all the
/// rest of it.
const ESCAPED_LIMIT: usize = 1_000;
/// An attribute that is no image: servers take no longer links, and a parser may write it again and again.
const ATTRIBUTE_BYTES: usize = 8 << 10;
/// Parts a run of words in two, and leaves no trace: it holds nothing, is not shown, and may stand wherever words may.
const PARTING: &str = "param";

/// A page in canonical form.
pub(super) struct Canonical {
    pub(super) html: String,
    pub(super) blocked: Blocked,
    pub(super) weight: Weight,
    /// A link was left out.
    pub(super) is_cut: bool,
    /// Characters that are escaped, of the words so far.
    escaped: usize,
}

/// Writes `html` with the elements `shown` alone; the words of all others stay, but for scripts, styles and titles.
pub(super) fn canonical(html: &str, shown: &HashSet<&str>) -> Canonical {
    let (blocked, weight) = (Blocked::default(), Weight::default());
    let mut page = Canonical { html: String::with_capacity(html.len()), blocked, weight, is_cut: false, escaped: 0 };
    for token in Tokens::of(html) {
        match token {
            Token::Text(text) => page.text(text),
            Token::Raw("textarea" | "xmp" | "plaintext", content) => page.text(content),
            Token::Raw("style", content) => page.blocked.note_style(content),
            Token::Raw(..) => {}
            Token::Tag(tag) => {
                page.blocked.note_tag(&tag);
                if shown.contains(tag.name.as_str()) {
                    page.tag(&tag);
                }
            }
        }
    }
    page
}

impl Canonical {
    /// References stay as they are: they can begin no tag.
    fn text(&mut self, text: &str) {
        self.weight.text(text);
        for char in text.chars() {
            if is_escaped(char) {
                self.escaped += 1;
                if self.escaped.is_multiple_of(ESCAPED_LIMIT) {
                    self.weight.tag(PARTING, false);
                    self.html.extend(["<", PARTING, ">"]);
                }
            }
            match char {
                '<' => self.html.push_str("&lt;"),
                char => self.html.push(char),
            }
        }
    }

    fn tag(&mut self, tag: &Tag) {
        self.weight.tag(&tag.name, tag.is_end);
        self.html.push_str(if tag.is_end { "</" } else { "<" });
        self.html.push_str(&tag.name);
        if !tag.is_end {
            for (name, value) in &tag.attributes {
                self.attribute(name, value);
            }
        }
        self.html.push('>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let is_long = value.len() > ATTRIBUTE_BYTES && name != "src";
        if is_long || value.matches(is_escaped).count() > ESCAPED_LIMIT {
            self.is_cut |= name == "href";
        } else if is_name {
            self.html.extend([" ", name, "=\"", &value.replace('"', "&quot;"), "\""]);
        }
    }
}

/// True for what begins a reference, and for the characters whose UTF-8 begins as that of a no-break space does.
fn is_escaped(char: char) -> bool {
    matches!(char, '&' | '\u{80}'..='\u{BF}')
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::canonical;

    #[test]
    fn only_what_is_shown_is_written() {
        let shown = HashSet::from(["a", "b", "img", "p"]);
        let table = [
            ("<P ALIGN=left>1 < 2<BR></P>", "<p align=\"left\">1 &lt; 2</p>"),
            ("<a href='\"x\"' a:b=c>x</a></b>", "<a href=\"&quot;x&quot;\">x</a></b>"),
            ("<title>t</title><style>s</style><script>x</script>w<textarea><b></textarea>", "w&lt;b>"),
            ("<x-y>a<svg><p>b</p></svg>", "a<p>b</p>"),
            ("<p title=\"</p><img src=x>\">", "<p title=\"</p><img src=x>\">"),
            ("&lt;b&gt; &amp;", "&lt;b&gt; &amp;"),
        ];
        for (html, meant) in table {
            assert_eq!(canonical(html, &shown).html, meant, "{html}");
        }
    }

    #[test]
    fn what_is_too_long_to_be_an_attribute_is_left_out() {
        let shown = HashSet::from(["a", "img"]);
        let long = "x".repeat(8 << 10);
        for (attribute, is_written, is_cut) in [
            (format!("href=\"{long}\""), true, false),
            (format!("href=\"{long}x\""), false, true),
            (format!("href=\"{}\"", "&".repeat(1_001)), false, true),
            (format!("title=\"{long}x\""), false, false),
            (format!("src=\"{long}x\""), true, false),
        ] {
            let page = canonical(&format!("<a {attribute}>"), &shown);
            assert_eq!((page.html.len() > 3, page.is_cut), (is_written, is_cut), "{}", &attribute[..9]);
        }
    }
}
