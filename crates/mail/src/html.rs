//! HTML that was written by strangers: made safe to show, and read as text.

mod blocked;
mod canonical;
mod room;
mod tokens;
mod weight;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ammonia::{Builder, UrlRelative};

pub use blocked::Blocked;
use canonical::canonical;
pub(crate) use room::Room;
use tokens::{Token, Tokens};

use crate::parameters::percent_decoded;

/// The images of the mail that its HTML may show by `cid:`.
#[derive(Debug)]
pub(crate) struct Images {
    /// `data:…;base64,…` by Content-ID; none for an image that was too large to be kept.
    urls: HashMap<String, Option<String>>,
    /// Bytes that may still be put in: HTML that shows one image a thousand times must not grow a thousandfold.
    left: AtomicUsize,
    is_short: AtomicBool,
}

impl Images {
    pub(crate) fn new(urls: HashMap<String, Option<String>>) -> Self {
        Self { urls, left: AtomicUsize::new(SHOWN_IMAGES_BYTES), is_short: AtomicBool::new(false) }
    }

    /// True once an image of this mail was to be shown and there was no room for it.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    fn take(&self, content_id: &str) -> Option<String> {
        // RFC 2392, 2: the URL holds the Content-ID percent-encoded.
        let decoded = percent_decoded(content_id.as_bytes());
        let known = self.urls.get(content_id).or_else(|| self.urls.get(std::str::from_utf8(&decoded).ok()?))?;
        let taken = known.as_ref().filter(|url| {
            let take = |left: usize| left.checked_sub(url.len());
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        });
        if taken.is_none() {
            self.is_short.store(true, Ordering::Relaxed);
        }
        taken.cloned()
    }
}

/// Images put into the HTML of one mail, each as often as it is shown.
const SHOWN_IMAGES_BYTES: usize = 16 << 20;
/// Images that no browser takes for a program.
pub(crate) const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

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

/// What can be shown of a page.
pub(crate) struct Safe {
    /// None if parsing it would take too much, or was stopped.
    pub(crate) html: Option<String>,
    pub(crate) blocked: Blocked,
    /// A link was too long to be kept.
    pub(crate) is_cut: bool,
}

/// The HTML without anything that acts or loads, if there is room for it; asks now and then if the work goes on.
pub(crate) fn safe(html: &str, images: &Arc<Images>, room: &Room, goes_on: &dyn Fn() -> bool) -> Safe {
    let builder = builder(images);
    let page = canonical(html, &builder.clone_tags());
    let fits = !page.weight.is_heavy() && room.holds(&page.html, goes_on);
    let html = if fits { clean(&builder, &page.html, goes_on).ok() } else { None };
    Safe { html, blocked: page.blocked, is_cut: page.is_cut }
}

fn clean(builder: &Builder, html: &str, goes_on: &dyn Fn() -> bool) -> io::Result<String> {
    let clean = builder.clean_from_reader(Stoppable { inner: html.as_bytes(), goes_on })?;
    let mut written = Stoppable { inner: Vec::with_capacity(html.len()), goes_on };
    clean.write_to(&mut written)?;
    String::from_utf8(written.inner).map_err(io::Error::other)
}

/// A page that is read or written in pieces; between two it can be stopped.
struct Stoppable<'a, T> {
    inner: T,
    goes_on: &'a dyn Fn() -> bool,
}

impl<T> Stoppable<'_, T> {
    fn ask(&self) -> io::Result<()> {
        if (self.goes_on)() { Ok(()) } else { Err(io::Error::other("stopped")) }
    }
}

impl<T: Read> Read for Stoppable<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ask()?;
        self.inner.read(buffer)
    }
}

impl<T: Write> Write for Stoppable<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ask()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn builder(images: &Arc<Images>) -> Builder<'static> {
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
    builder
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

/// The words of HTML that is not shown, or cannot be: without its scripts, styles and titles.
pub(crate) fn crude_text(html: &str) -> String {
    let mut text = String::new();
    for token in Tokens::of(html) {
        match token {
            Token::Text(words) | Token::Raw("textarea" | "xmp" | "plaintext", words) => {
                push_words(&mut text, words, false);
            }
            Token::Tag(tag) if BLOCK.contains(&tag.name.as_str()) => break_line(&mut text),
            Token::Tag(tag) if matches!(tag.name.as_str(), "td" | "th") => push_space(&mut text),
            Token::Tag(_) | Token::Raw(..) => {}
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{Images, Room, Safe, crude_text, text};
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::sync::Arc;

    fn image() -> Arc<Images> {
        Arc::new(Images::new(HashMap::from([("a@b".into(), Some("data:image/png;base64,AAAA".into()))])))
    }

    fn safe(html: &str) -> Safe {
        super::safe(html, &image(), &Room::default(), &|| true)
    }

    fn made_safe(html: &str) -> String {
        safe(html).html.unwrap_or_default()
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
        ];
        for html in hostile {
            let shown = made_safe(html).to_ascii_lowercase();
            for bad in
                ["x.test", "<script", "onerror=", "onload=", "javascript", "style=", "<style", "<form", "src=", "<meta"]
            {
                assert!(!shown.contains(bad), "{bad} of {html} in {shown}");
            }
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
        assert!(made_safe("<img src=\"CID:a%40b\">").contains("AAAA"));
    }

    #[test]
    fn words_with_much_to_escape_stay_as_they_are() {
        let words = "a & b\u{A0}c «d» ".repeat(1_000);
        let escaped = words.replace('&', "&amp;").replace('\u{A0}', "&nbsp;");
        for words in [&words, &escaped, &words.replace('b', "<!-- -->b<x-y>")] {
            assert_eq!(made_safe(words), escaped);
            let table = |words| format!("<table><tbody><tr><td>{words}</td></tr></tbody></table>");
            assert_eq!(made_safe(&table(words)), table(&escaped));
        }
        assert_eq!(made_safe(&format!("<p title=\"{words}\">x</p>")), "<p>x</p>");
    }

    #[test]
    fn words_are_read_in_lines() {
        let html = made_safe(
            "<html><head><title>no</title></head><body><h1>A&amp;B</h1><table><tr><td>1<td>2</tr></table>x<br>y&nbsp;z &lt;tag&gt;",
        );
        assert_eq!(text(&html), "A&B\n1 2\nx\ny\u{A0}z <tag>");
    }

    #[test]
    fn words_of_what_is_not_shown() {
        let html = "<title>t</title><style>s</style><p>a&amp;b<b>c</b> <x>d</x></p>e<script>f</script><td>g<!-- h -->";
        assert_eq!(crude_text(html), "a&bc d\ne g");
    }

    #[test]
    fn html_that_costs_too_much_is_not_parsed() {
        assert!(safe(&"<div>".repeat(300_000)).html.is_none());
        let formatting = (0..1000).map(|number| format!("<b x={number}>")).collect::<Vec<_>>().concat();
        assert!(safe(&format!("<p>{formatting}</p>{}", "<p>x".repeat(100_000))).html.is_none());
        assert!(safe(&"<p>x".repeat(100_000)).html.is_some());
    }

    #[test]
    fn the_work_can_be_stopped_until_all_is_written() {
        let asked = Cell::new(0);
        let stopped_after = |limit: usize| {
            asked.set(0);
            let goes_on = || asked.replace(asked.get() + 1) < limit;
            super::safe("<p>a<p>b", &image(), &Room::default(), &goes_on).html
        };
        assert!(stopped_after(usize::MAX).is_some());
        let all = asked.get();
        for limit in 0..all {
            assert!(stopped_after(limit).is_none(), "{limit} of {all}");
        }
    }
}
