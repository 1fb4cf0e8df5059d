//! HTML as words and tags, by the tokenization of the HTML standard (13.2.5). Linear in its length, whatever it holds:
//! the parser behind `ammonia` compares each attribute of a tag with all others.

/// Attributes of one tag; what is shown needs a handful.
const ATTRIBUTE_LIMIT: usize = 64;
/// Elements whose content is no HTML. A parser reads on to their end tag, or to the end of the page.
const RAW: [&str; 9] = ["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext"];

/// A piece of a page. Comments and declarations are left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Character references are not decoded; it may be or hold a `<` that begins no tag.
    Text(&'a str),
    Tag(Tag<'a>),
    /// The content of an element that holds no HTML, up to its end tag.
    Raw(&'static str, &'a str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// In lower case.
    pub(super) name: String,
    pub(super) is_end: bool,
    /// Names in lower case, and values as written between the quotes. No more than 64.
    pub(super) attributes: Vec<(String, &'a str)>,
}

pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The element without HTML that was begun last.
    raw: Option<&'static str>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    /// Takes `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn token(&mut self) -> Option<Token<'a>> {
        let after = self.rest.strip_prefix('<')?;
        match *after.as_bytes() {
            [first, ..] if first.is_ascii_alphabetic() => self.tag(1),
            [b'/', first, ..] if first.is_ascii_alphabetic() => self.tag(2),
            [b'!' | b'?', ..] | [b'/', _, ..] => {
                let length = comment_length(self.rest);
                self.take(length);
                None
            }
            _ => Some(Token::Text(self.take(1))),
        }
    }

    /// A tag whose name begins at `start`; none if the page ends in it.
    fn tag(&mut self, start: usize) -> Option<Token<'a>> {
        self.take(start);
        let end = self.rest.find(|char: char| is_space(char) || matches!(char, '/' | '>')).unwrap_or(self.rest.len());
        let name = self.take(end).to_ascii_lowercase();
        let mut attributes = Vec::new();
        loop {
            self.skip(|char| is_space(char) || char == '/');
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with('>') {
                self.take(1);
                break;
            }
            let attribute = self.attribute();
            if attributes.len() < ATTRIBUTE_LIMIT {
                attributes.push(attribute);
            }
        }
        let is_end = start == 2;
        self.raw = RAW.into_iter().find(|raw| *raw == name && !is_end);
        Some(Token::Tag(Tag { name, is_end, attributes }))
    }

    fn attribute(&mut self) -> (String, &'a str) {
        // A "=" at the beginning belongs to the name (13.2.5.32).
        let ends =
            |(at, char): &(usize, char)| is_space(*char) || matches!(char, '/' | '>') || (*char == '=' && *at > 0);
        let end = self.rest.char_indices().find(ends).map_or(self.rest.len(), |(at, _)| at);
        let name = self.take(end).to_ascii_lowercase();
        self.skip(is_space);
        if !self.rest.starts_with('=') {
            return (name, "");
        }
        self.take(1);
        self.skip(is_space);
        (name, self.value())
    }

    fn value(&mut self) -> &'a str {
        for quote in ['"', '\''] {
            if self.rest.starts_with(quote) {
                self.take(1);
                let value = self.take(self.rest.find(quote).unwrap_or(self.rest.len()));
                self.take(1);
                return value;
            }
        }
        self.take(self.rest.find(|char: char| is_space(char) || char == '>').unwrap_or(self.rest.len()))
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(belongs);
    }

    fn raw_content(&mut self, element: &'static str) -> Token<'a> {
        let ends = |(at, _): &(usize, &str)| {
            let tail = self.rest.as_bytes().get(at.saturating_add(2)..).unwrap_or_default();
            let (name, after) = tail.split_at_checked(element.len()).unwrap_or_default();
            name.eq_ignore_ascii_case(element.as_bytes())
                && after.first().is_none_or(|byte| is_space(char::from(*byte)) || matches!(byte, b'/' | b'>'))
        };
        let end = self.rest.match_indices("</").find(ends).map_or(self.rest.len(), |(at, _)| at);
        Token::Raw(element, self.take(end))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.rest.is_empty() {
            if let Some(element) = self.raw.take() {
                return Some(self.raw_content(element));
            }
            if !self.rest.starts_with('<') {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                return Some(Token::Text(self.take(end)));
            }
            if let Some(token) = self.token() {
                return Some(token);
            }
        }
        None
    }
}

/// Length of what a parser takes for a comment: to the end of the page if nothing closes it.
fn comment_length(html: &str) -> usize {
    let Some(comment) = html.strip_prefix("<!--") else {
        return html.find('>').map_or(html.len(), |at| at.saturating_add(1));
    };
    for (start, length) in [(">", 5), ("->", 6)] {
        if comment.starts_with(start) {
            return length;
        }
    }
    // Not a search for each of both ends: one that is nowhere would be looked for in all the page at each comment.
    let closes = |(at, _): &(usize, &str)| {
        let before = comment.get(..*at).unwrap_or_default();
        before.ends_with("--") || before.ends_with("--!")
    };
    let end = comment.match_indices('>').find(closes);
    end.map_or(html.len(), |(at, mark)| "<!--".len().saturating_add(at).saturating_add(mark.len()))
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r' | '\x0C')
}

#[cfg(test)]
mod tests {
    use super::{Token, Tokens};

    /// Tags as `name(attribute=value …)`, with a `/` before that of an end tag.
    fn told(html: &str) -> Vec<String> {
        let tell = |token| match token {
            Token::Text(text) => text.to_owned(),
            Token::Raw(element, content) => format!("{element}[{content}]"),
            Token::Tag(tag) => {
                let attributes: Vec<_> = tag.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{}{}({})", if tag.is_end { "/" } else { "" }, tag.name, attributes.join(" "))
            }
        };
        Tokens::of(html).map(tell).collect()
    }

    #[test]
    fn tags_are_those_that_a_browser_sees() {
        let table: &[(&str, &[&str])] = &[
            ("a<B>c</B >d", &["a", "b()", "c", "/b()", "d"]),
            ("<a href=x/y TITLE='>' id = \"q\"r>", &["a(href=x/y title=> id=q r=)"]),
            ("<a/b/c=1>", &["a(b= c=1)"]),
            ("<a =b=c ==>", &["a(=b=c ==)"]),
            ("<a b=>c", &["a(b=)", "c"]),
            ("<img\nsrc=a\tonerror=b>", &["img(src=a onerror=b)"]),
            ("1 < 2 <3 </ 4> </>5", &["1 ", "<", " 2 ", "<", "3 ", " ", "5"]),
            ("a<!-- <b> -->c<!-->d<!--->e<!--x--!>f<!DOCTYPE g>h<?i>j", &["a", "c", "d", "e", "f", "h", "j"]),
            ("a<!-- - > -- > --->b<!-->--!>c<!-- --!> -->d", &["a", "b", "--!>c", " -->d"]),
            ("a<!-- open <b>", &["a"]),
            ("a<b c", &["a"]),
            ("a<b c=\"d> <e>", &["a"]),
            ("<script>a</b><c></SCRIPT >d", &["script()", "script[a</b><c>]", "/script()", "d"]),
            ("<style>a</stylex>b", &["style()", "style[a</stylex>b]"]),
            ("<title>", &["title()"]),
            ("ä<ö><p ä=ß>", &["ä", "<", "ö>", "p(ä=ß)"]),
        ];
        for (html, meant) in table {
            assert_eq!(told(html), *meant, "{html}");
        }
    }

    #[test]
    fn a_tag_has_no_more_attributes_than_are_kept() {
        let many = (0..100_000).map(|number| format!(" a{number}")).collect::<Vec<_>>().concat();
        let html = format!("<p{many}>x");
        let tokens: Vec<_> = Tokens::of(&html).collect();
        assert!(matches!(&tokens[..], [Token::Tag(tag), Token::Text("x")] if tag.attributes.len() == 64));
    }
}
