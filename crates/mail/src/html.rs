//! HTML that was written by strangers: made safe to show, and read as text.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ammonia::{Builder, UrlRelative};

/// The images of the mail that its HTML may show by `cid:`.
#[derive(Debug)]
pub(crate) struct Images {
    /// `data:…;base64,…` by Content-ID.
    urls: HashMap<String, String>,
    /// Bytes that may still be put in: HTML that shows one image a thousand times must not grow a thousandfold.
    left: AtomicUsize,
}

impl Images {
    pub(crate) fn new(urls: HashMap<String, String>) -> Self {
        Self { urls, left: AtomicUsize::new(SHOWN_IMAGES_BYTES) }
    }

    fn take(&self, content_id: &str) -> Option<String> {
        let url = self.urls.get(content_id)?;
        let take = |left: usize| left.checked_sub(url.len());
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().map(|_| url.clone())
    }
}

/// Images put into the HTML of one mail, each as often as it is shown.
const SHOWN_IMAGES_BYTES: usize = 16 << 20;
/// Images that no browser takes for a program.
pub(crate) const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Tags × open formatting elements: an HTML parser opens all of these again in each paragraph.
const FORMATTING_WORK: usize = 4_000_000;
/// Tags × depth: it looks through all open elements at each tag.
const NESTING_WORK: usize = 40_000_000;
const DEPTH_LIMIT: usize = 2_000;
/// More directly than this no URL or handler can be looked for.
const ACTIVE: [&str; 12] = [
    "<script",
    "<iframe",
    "<object",
    "<embed",
    "<form",
    "<meta",
    "<link",
    "<base",
    "<svg",
    "javascript:",
    "vbscript:",
    "<applet",
];
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "param"];
/// Elements whose end tag people leave out, and that the next one closes.
const SELF_CLOSING: [&str; 14] =
    ["p", "li", "td", "tr", "th", "dt", "dd", "option", "tbody", "thead", "tfoot", "colgroup", "html", "body"];
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements that stand on lines of their own.
const BLOCK: [&str; 36] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
];

/// The HTML without anything that acts or loads; none if parsing it would take too long.
pub(crate) fn safe(html: &str, images: &Arc<Images>) -> Option<String> {
    if is_heavy(html) {
        return None;
    }
    let images = Arc::clone(images);
    let mut builder = Builder::default();
    builder
        .add_clean_content_tags(&["title", "template", "iframe", "noembed", "noframes", "svg", "math", "object"])
        .url_schemes(HashSet::from(["http", "https", "mailto", "cid", "data"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .add_tag_attributes("td", &["bgcolor", "height", "valign", "width"])
        .add_tag_attributes("th", &["bgcolor", "height", "valign", "width"])
        .add_tag_attributes("tr", &["bgcolor", "valign"])
        .add_tag_attributes("table", &["bgcolor", "border", "cellpadding", "cellspacing", "width"])
        .add_tags(&["font"])
        .add_tag_attributes("font", &["color", "size"])
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => image_source(value, &images).map(Cow::Owned),
            (_, "href") => is_link(value).then_some(Cow::Borrowed(value)),
            (_, "src" | "cite") => None,
            _ => Some(Cow::Borrowed(value)),
        });
    Some(builder.clean(html).to_string())
}

/// An image of this mail, as data; nothing that is loaded from elsewhere.
fn image_source(value: &str, images: &Images) -> Option<String> {
    let value = value.trim();
    if let Some((scheme, id)) = value.split_once(':')
        && scheme.eq_ignore_ascii_case("cid")
    {
        return images.take(id);
    }
    let data = value.strip_prefix("data:")?;
    IMAGE_TYPES.iter().any(|image| data.starts_with(&format!("{image};base64,"))).then(|| value.to_owned())
}

fn is_link(value: &str) -> bool {
    let scheme = value.trim_start().split(':').next().unwrap_or_default();
    ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// True if the HTML holds what acts or loads: the reader should know that it was removed.
pub(crate) fn is_active(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    ACTIVE.iter().any(|mark| lower.contains(mark)) || has_handler(&lower) || loads_from_elsewhere(&lower)
}

fn has_handler(lower: &str) -> bool {
    lower.match_indices(" on").any(|(at, _)| {
        let tail = lower.get(at.saturating_add(3)..).unwrap_or_default();
        let name = tail.bytes().take(20).take_while(u8::is_ascii_lowercase).count();
        name > 2 && tail.get(name..).is_some_and(|tail| tail.trim_start().starts_with('=')) && in_tag(lower, at)
    })
}

/// True if the last angle bracket before `at`, within a tag's usual length, opens.
fn in_tag(lower: &str, at: usize) -> bool {
    let start = lower.floor_char_boundary(at.saturating_sub(2_000));
    let before = lower.get(start..at).unwrap_or_default();
    before.rfind(['<', '>']).is_some_and(|bracket| before.get(bracket..).is_some_and(|tail| tail.starts_with('<')))
}

fn loads_from_elsewhere(lower: &str) -> bool {
    ["src=\"http", "src='http", "src=http", "src=\"//", "background=\"http", "url(http", "url('http", "url(\"http"]
        .iter()
        .any(|mark| lower.contains(mark))
}

/// The words of HTML that was made safe, block elements on lines of their own.
pub(crate) fn text(safe_html: &str) -> String {
    let mut text = String::with_capacity(safe_html.len() / 2);
    let mut rest = safe_html;
    let mut preformatted = 0_usize;
    while let Some(at) = rest.find('<') {
        let (words, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        push_words(&mut text, words, preformatted > 0);
        let end = tag_length(tail);
        let (tag, after) = tail.split_at_checked(end).unwrap_or((tail, ""));
        let name = tag_name(tag);
        if name == "pre" {
            preformatted = if tag.starts_with("</") { preformatted.saturating_sub(1) } else { preformatted + 1 };
        }
        if BLOCK.contains(&name) {
            break_line(&mut text);
        } else if matches!(name, "td" | "th") {
            push_space(&mut text);
        }
        rest = after;
    }
    push_words(&mut text, rest, preformatted > 0);
    let end = text.trim_end().len();
    text.truncate(end);
    text
}

/// What is left if the HTML cannot be parsed: everything between angle brackets taken away.
pub(crate) fn crude_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (words, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        push_words(&mut text, words, false);
        push_space(&mut text);
        rest = tail.find('>').and_then(|end| tail.get(end.saturating_add(1)..)).unwrap_or_default();
    }
    push_words(&mut text, rest, false);
    text
}

/// Plain text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<pre>{escaped}</pre>")
}

/// A tag's length; `>` in a quoted attribute does not end it.
fn tag_length(tail: &str) -> usize {
    let mut quote = None;
    for (at, byte) in tail.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at.saturating_add(1),
            _ => {}
        }
    }
    tail.len()
}

fn tag_name(tag: &str) -> &str {
    let name = tag.trim_start_matches(['<', '/']);
    let end = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    name.get(..end).unwrap_or_default()
}

fn push_words(text: &mut String, words: &str, preformatted: bool) {
    let decoded = words
        .replace("&nbsp;", "\u{A0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    if preformatted {
        text.push_str(&decoded);
        return;
    }
    for (number, word) in decoded.split([' ', '\t', '\r', '\n']).enumerate() {
        if number > 0 {
            push_space(text);
        }
        text.push_str(word);
    }
}

fn push_space(text: &mut String) {
    if !text.is_empty() && !text.ends_with([' ', '\n']) {
        text.push(' ');
    }
}

fn break_line(text: &mut String) {
    let end = text.trim_end_matches(' ').len();
    text.truncate(end);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// An estimate of an HTML parser's work, without parsing: some of its steps look at every open element.
fn is_heavy(html: &str) -> bool {
    let (mut tags, mut depth, mut deepest, mut formatting, mut most_formatting) = (0_usize, 0_usize, 0, 0_usize, 0);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let closing = rest.starts_with('/');
        let end = rest.bytes().skip(usize::from(closing)).take(12).take_while(u8::is_ascii_alphanumeric).count();
        let name = rest.get(usize::from(closing)..end.saturating_add(usize::from(closing))).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let name = name.to_ascii_lowercase();
        tags += 1;
        if FORMATTING.contains(&name.as_str()) {
            formatting = if closing { formatting.saturating_sub(1) } else { formatting + 1 };
            most_formatting = most_formatting.max(formatting);
        }
        if !VOID.contains(&name.as_str()) && !SELF_CLOSING.contains(&name.as_str()) {
            depth = if closing { depth.saturating_sub(1) } else { depth + 1 };
            deepest = deepest.max(depth);
        }
    }
    deepest > DEPTH_LIMIT
        || tags.saturating_mul(most_formatting) > FORMATTING_WORK
        || tags.saturating_mul(deepest) > NESTING_WORK
}

#[cfg(test)]
mod tests {
    use super::{Images, is_active, safe, text};
    use std::collections::HashMap;
    use std::sync::Arc;

    fn image() -> Arc<Images> {
        Arc::new(Images::new(HashMap::from([("a@b".into(), "data:image/png;base64,AAAA".into())])))
    }

    fn made_safe(html: &str) -> String {
        safe(html, &image()).unwrap_or_default()
    }

    #[test]
    fn nothing_acts_and_nothing_loads() {
        let hostile = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)><a xlink:href=\"javascript:alert(1)\">x</a></svg>",
            "<div style=\"position:fixed;background:url(http://x.test/)\">y</div>",
            "<style>body{background:url(http://x.test/)}</style>",
            "<img src=\"http://x.test/pixel.gif\"><img srcset=\"http://x.test/a 1x\">",
            "<img src=\"//x.test/a\"><img src=\"a.png\"><img src=\"data:image/svg+xml;base64,AA\">",
            "<a href=\"javascript:alert(1)\">a</a><a href=\" java\nscript:alert(1)\">b</a><a href=\"data:text/html,x\">c</a>",
            "<meta http-equiv=refresh content=\"0;url=http://x.test/\"><base href=\"http://x.test/\">",
            "<form action=\"http://x.test/\"><input name=a><button formaction=\"http://x.test/\">go</button></form>",
            "<iframe src=\"http://x.test/\"></iframe><object data=\"http://x.test/\"></object><embed src=\"http://x.test/\">",
            "<link rel=stylesheet href=\"http://x.test/\"><video poster=\"http://x.test/\" src=\"http://x.test/\"></video>",
            "<table background=\"http://x.test/\"><tr><td background=\"http://x.test/\">t</table>",
            "<blockquote cite=\"http://x.test/\">q</blockquote><a href=\"http://ok/\" ping=\"http://x.test/\">p</a>",
            "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
        ];
        for html in hostile {
            let shown = made_safe(html).to_ascii_lowercase();
            for bad in
                ["x.test", "<script", "onerror=", "onload=", "javascript", "style=", "<style", "<form", "src=", "<meta"]
            {
                let in_text = shown.contains("&lt;") && bad == "onerror=";
                assert!(!shown.contains(bad) || in_text, "{bad} of {html} in {shown}");
            }
        }
    }

    #[test]
    fn what_acts_is_noticed() {
        let active = [
            "<SCRIPT>",
            "<img src=x onerror = a>",
            "<a href='javascript:x'>",
            "<td background=\"http://x\">",
            "<img src=http://x>",
        ];
        for html in active {
            assert!(is_active(html), "{html}");
        }
        for html in ["<p>based on=x</p>", "<a href=\"https://x.test/\">x</a>", "<b>on fire = hot</b>"] {
            assert!(!is_active(html), "{html}");
        }
    }

    #[test]
    fn what_is_harmless_stays() {
        let shown = made_safe(
            "<p>a <b>b</b> <a href=\"https://x.test/?a=1&b=2\" target=_top>c</a><img src=\"cid:a@b\" alt=d></p>",
        );
        assert_eq!(
            shown,
            "<p>a <b>b</b> <a href=\"https://x.test/?a=1&amp;b=2\" rel=\"noopener noreferrer\">c</a>\
             <img src=\"data:image/png;base64,AAAA\" alt=\"d\"></p>"
        );
        assert!(!made_safe("<img src=\"cid:other\">").contains("src"));
    }

    #[test]
    fn words_are_read_in_lines() {
        let html = made_safe(
            "<html><head><title>no</title></head><body><h1>A&amp;B</h1><table><tr><td>1<td>2</tr></table>x<br>y&nbsp;z &lt;tag&gt;",
        );
        assert_eq!(text(&html), "A&B\n1 2\nx\ny\u{A0}z <tag>");
    }

    #[test]
    fn html_that_costs_too_much_is_not_parsed() {
        assert!(safe(&"<div>".repeat(300_000), &image()).is_none());
        let formatting = (0..1000).map(|number| format!("<b x={number}>")).collect::<Vec<_>>().concat();
        assert!(safe(&format!("<p>{formatting}</p>{}", "<p>x".repeat(100_000)), &image()).is_none());
        assert!(safe(&"<p>x".repeat(100_000), &image()).is_some());
    }
}
