//! What of a page acts or loads. It is always removed; the counts say to the reader that something was.

use std::ops::AddAssign;

use super::tokens::Tag;

/// What was removed of the HTML of a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// Scripts, handlers, forms, embedded pages and objects, links that run something.
    pub active: u64,
    /// Images, styles and other things that would have been fetched from elsewhere.
    pub remote: u64,
}

/// Elements that run, embed, send or redirect something.
const ACTIVE: [&str; 11] =
    ["script", "iframe", "frame", "object", "embed", "applet", "form", "base", "svg", "math", "portal"];
/// Attributes by which a browser fetches something on its own.
const LOADING: [&str; 10] =
    ["src", "srcset", "background", "poster", "data", "lowsrc", "dynsrc", "codebase", "manifest", "archive"];
/// Elements that load what their `href` names.
const LOADING_HREF: [&str; 4] = ["link", "image", "use", "feimage"];
const SCRIPTS: [&str; 4] = ["javascript:", "vbscript:", "livescript:", "mocha:"];
/// Styles that run something in old browsers.
const ACTIVE_STYLES: [&str; 3] = ["expression(", "-moz-binding", "behavior:"];

impl Blocked {
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    pub(super) fn note_tag(&mut self, tag: &Tag) {
        if tag.is_end {
            return;
        }
        let acts = ACTIVE.contains(&tag.name.as_str()) || is_refresh(tag);
        self.active += u64::from(acts);
        for (name, value) in &tag.attributes {
            self.note_attribute(&tag.name, name, value);
        }
    }

    fn note_attribute(&mut self, element: &str, name: &str, value: &str) {
        if name == "style" {
            return self.note_style(value);
        }
        let name = name.strip_prefix("xlink:").unwrap_or(name);
        let url = url(value);
        let handles = name.len() > 2 && name.starts_with("on");
        let runs = SCRIPTS.iter().any(|scheme| url.starts_with(scheme));
        let sends = matches!(name, "ping" | "formaction");
        self.active += u64::from(handles || runs || sends);
        let loads = LOADING.contains(&name) || (name == "href" && LOADING_HREF.contains(&element));
        self.remote += u64::from(loads && is_elsewhere(&url));
    }

    /// The content of a style, or a `style` attribute.
    pub(super) fn note_style(&mut self, style: &str) {
        let lower = style.to_ascii_lowercase();
        let urls = lower.match_indices("url(").filter(|(at, _)| {
            let argument = lower.get(at.saturating_add("url(".len())..).unwrap_or_default();
            is_elsewhere(&url(argument.trim_start_matches(['"', '\'', ' '])))
        });
        self.remote += urls.count() as u64;
        self.remote += lower.matches("@import").count() as u64;
        self.active += ACTIVE_STYLES.iter().map(|mark| lower.matches(mark).count() as u64).sum::<u64>();
    }
}

impl AddAssign for Blocked {
    fn add_assign(&mut self, other: Self) {
        self.active += other.active;
        self.remote += other.remote;
    }
}

fn is_refresh(tag: &Tag) -> bool {
    let is_refresh =
        |(name, value): &(String, &str)| name == "http-equiv" && value.trim().eq_ignore_ascii_case("refresh");
    tag.name == "meta" && tag.attributes.iter().any(is_refresh)
}

/// True if a browser would ask another machine for it: a scheme that is not of this mail, or an address without one.
fn is_elsewhere(url: &str) -> bool {
    let here = ["cid:", "mid:", "data:", "about:", "blob:", "javascript:"];
    let scheme = url.find(':').is_some_and(|end| {
        let name = url.get(..end).unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    (scheme && !here.iter().any(|scheme| url.starts_with(scheme))) || url.starts_with("//")
}

/// The beginning of a URL as a browser reads it: references decoded, white space left out, in lower case.
fn url(value: &str) -> String {
    const SEEN_BYTES: usize = 1 << 10;
    let mut rest = value.get(..value.floor_char_boundary(SEEN_BYTES)).unwrap_or(value);
    let mut url = String::new();
    while let Some(char) = rest.chars().next() {
        let (decoded, length) = reference(rest).unwrap_or((char, char.len_utf8()));
        rest = rest.get(length..).unwrap_or_default();
        match decoded {
            '\\' => url.push('/'),
            decoded if decoded.is_ascii_control() || (url.is_empty() && decoded == ' ') => {}
            decoded => url.push(decoded.to_ascii_lowercase()),
        }
    }
    url
}

/// A character reference at the beginning, and its length: the numeric ones, and those by which schemes are hidden.
fn reference(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 4] = [("&colon;", ':'), ("&Tab;", '\t'), ("&NewLine;", '\n'), ("&sol;", '/')];
    if let Some((name, char)) = NAMED.into_iter().find(|(name, _)| text.starts_with(name)) {
        return Some((char, name.len()));
    }
    let number = text.strip_prefix("&#")?;
    let hex = number.strip_prefix(['x', 'X']);
    let (digits, radix) = hex.map_or((number, 10), |digits| (digits, 16));
    let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    let value = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
    let end = text.len().checked_sub(digits.len())?.checked_add(length)?;
    let semicolon = usize::from(text.get(end..)?.starts_with(';'));
    Some((char::from_u32(value)?, end.checked_add(semicolon)?))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{Token, Tokens};
    use super::Blocked;

    fn blocked(html: &str) -> (u64, u64) {
        let mut blocked = Blocked::default();
        for token in Tokens::of(html) {
            match token {
                Token::Tag(tag) => blocked.note_tag(&tag),
                Token::Raw("style", content) => blocked.note_style(content),
                _ => {}
            }
        }
        (blocked.active, blocked.remote)
    }

    #[test]
    fn what_acts_and_what_loads_is_counted() {
        let table = [
            ("<SCRIPT SRC=http://x></SCRIPT>", (1, 1)),
            ("<img src=x onerror = a>", (1, 0)),
            ("<img/src=//x.test/a/onload=b>", (0, 1)),
            ("<a href='java&#115;cript:x'>", (1, 0)),
            ("<a href=' java\nscript&colon;x'>", (1, 0)),
            ("<a href=\"https://x.test/\" ping=\"https://x.test/\">", (1, 0)),
            ("<td background=\"http://x\"><img src=\\\\x.test/a><img srcset='http://x 1x'>", (0, 3)),
            ("<img src=cid:a><img src=\"data:image/png;base64,AA\"><img src=a.png><img src=''>", (0, 0)),
            (
                "<div style=\"background:url( 'http://x' )\"><style>@import 'x'; a{b:url(//x)} c{d:url(cid:e)}</style>",
                (0, 3),
            ),
            ("<div style='width:expression(alert(1))'>", (1, 0)),
            ("<meta http-equiv=Refresh content='0;url=http://x'><meta charset=utf-8>", (1, 0)),
            ("<link rel=stylesheet href=http://x><svg><use xlink:href='http://x#a'/></svg>", (1, 2)),
            ("<form action=http://x><button formaction=http://x></form>", (2, 0)),
            ("<p>based on=x</p><a href=\"https://x.test/\">x</a><b>on fire = hot</b>", (0, 0)),
            ("<!-- <script> --><p title='<script>'>", (0, 0)),
        ];
        for (html, meant) in table {
            assert_eq!(blocked(html), meant, "{html}");
        }
    }
}
