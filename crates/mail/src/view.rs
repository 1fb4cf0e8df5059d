//! A mail made readable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::html::Images;
use crate::mime::{Piece, Walk, push_block};
use crate::parameters::Structured;
use crate::preamble::from_utf16;
use crate::summary::summary_of;
use crate::text::{guess, picture};
use crate::{Defect, Defects, HeaderScan, html, scan_headers, second_opinion};

/// Bounds of a view. What exceeds them is left out and has a defect.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Multiparts and attached mails within each other.
    pub depth: usize,
    pub parts: usize,
    /// Decoded text over all text bodies.
    pub text_bytes: usize,
    /// HTML that is made safe, over all HTML bodies.
    pub html_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, parts: 10_000, text_bytes: 8 << 20, html_bytes: 2 << 20 }
    }
}

/// A mail made readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Every field in order: name and raw value, folds included.
    pub headers: Vec<(String, String)>,
    pub subject: Option<String>,
    pub from: Option<String>,
    /// The text bodies; of an HTML body without a text the words of the HTML.
    pub text: Option<String>,
    /// The HTML bodies without scripts, styles, forms and anything that is loaded from elsewhere.
    pub html_safe: Option<String>,
    pub attachments: Vec<Attachment>,
    /// Subjects, senders and texts of attached mails, for the search.
    pub attached_text: Option<String>,
    pub defects: Defects,
}

/// A part that is no body, an attached mail included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Decoded, for people: never a path to write to.
    pub name: Option<String>,
    /// Lower case, without parameters.
    pub content_type: String,
    /// Length of the decoded content.
    pub size_bytes: u64,
    /// SHA-256 of the decoded content.
    pub sha256: [u8; 32],
}

/// Reads a whole mail. Never fails and never panics: what cannot be read is missing and has a defect.
///
/// ```
/// let raw = b"Subject: a\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nsee --B for details\r\n\
///             --B\r\nContent-Type: text/csv; name=t.csv\r\n\r\n1;2\r\n--B--\r\n";
/// let view = mail::view(raw, &mail::Limits::default());
/// assert_eq!(view.text.as_deref(), Some("see --B for details"));
/// assert_eq!(view.attachments[0].name.as_deref(), Some("t.csv"));
/// assert_eq!(view.attachments[0].size_bytes, 3);
/// assert!(view.defects.contains(mail::Defect::BoundaryMid));
/// ```
pub fn view(raw: &[u8], limits: &Limits) -> View {
    if let Some(text) = from_utf16(raw) {
        let mut view = view_mail(text.as_bytes(), limits, true);
        view.defects.insert(Defect::HdrBom);
        return view;
    }
    view_mail(raw, limits, false)
}

fn view_mail(raw: &[u8], limits: &Limits, is_utf8: bool) -> View {
    let scan = scan_headers(raw, true);
    let summary = summary_of(&scan);
    let mut view = View {
        headers: headers(&scan),
        subject: summary.subject,
        from: summary.from,
        defects: summary.defects,
        ..View::default()
    };
    if scan.first("X-MS-Journal-Report").is_some() {
        view.defects.insert(Defect::Journal);
    }
    let body = body_of(raw, &scan);
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut view = view.clone();
        fill(&mut view, &scan, &body, limits, is_utf8);
        view
    }));
    read.unwrap_or_else(|_| {
        view.defects.insert(Defect::ParserFailed);
        view
    })
}

/// The body with line ends that MIME knows: a mail whose lines end in CR alone gets LF.
fn body_of<'a>(raw: &'a [u8], scan: &HeaderScan) -> Cow<'a, [u8]> {
    let body = raw.get(scan.body_offset.unwrap_or(raw.len())..).unwrap_or_default();
    if scan.defects.contains(Defect::EolCr) && memchr::memchr(b'\n', body).is_none() {
        return body.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
    }
    Cow::Borrowed(body)
}

fn fill(view: &mut View, scan: &HeaderScan, body: &[u8], limits: &Limits, is_utf8: bool) {
    let mut walk = Walk::new(limits, is_utf8);
    let pieces = walk.mail(&scan.fields, body, 0);
    view.defects |= walk.defects;
    if second_opinion::differs(scan, body, view, walk.parts) {
        view.defects.insert(Defect::ParserDisagrees);
    }
    view.attachments = walk.attachments;
    view.attached_text = Some(walk.attached_text).filter(|text| !text.is_empty());
    show(view, pieces, walk.images, limits);
}

/// Text and HTML of all bodies: each is made from the other where a body has one form only.
fn show(view: &mut View, pieces: Vec<Piece>, images: HashMap<String, String>, limits: &Limits) {
    let any_html = pieces.iter().any(|piece| piece.html.is_some());
    let images = Arc::new(Images::new(images));
    let mut left = limits.html_bytes;
    for piece in pieces {
        let (safe, words) = match piece.html {
            Some(source) => {
                let (safe, words) = safe_html(&source, &images, &mut left, &mut view.defects);
                (Some(safe), Some(words))
            }
            None => (piece.text.as_deref().map(html::escaped).filter(|_| any_html), None),
        };
        if let Some(text) = piece.text.or(words) {
            push_block(view.text.get_or_insert_default(), &text);
        }
        if let Some(safe) = safe {
            push_block(view.html_safe.get_or_insert_default(), &safe);
        }
    }
}

/// Safe HTML and its words; reads at most `left` bytes.
fn safe_html(source: &str, images: &Arc<Images>, left: &mut usize, defects: &mut Defects) -> (String, String) {
    if html::is_active(source) {
        defects.insert(Defect::HtmlActive);
    }
    let read = source.get(..source.floor_char_boundary(*left)).unwrap_or(source);
    *left = left.saturating_sub(read.len());
    if read.len() < source.len() {
        defects.insert(Defect::SizeBig);
    }
    if let Some(safe) = html::safe(read, images) {
        let words = html::text(&safe);
        return (safe, words);
    }
    defects.insert(Defect::MimeBomb);
    let words = html::crude_text(read);
    (html::escaped(&words), words)
}

/// Raw values as text: what is not UTF-8 is guessed, control characters but those of folds are made visible.
fn headers(scan: &HeaderScan) -> Vec<(String, String)> {
    let charset = scan.first("Content-Type").and_then(|field| Structured::parse(&field.value).word("charset"));
    let visible = |char: char| if matches!(char, '\t' | '\r' | '\n') { char } else { picture(char) };
    scan.fields
        .iter()
        .map(|field| {
            let value = guess(field.value.trim_ascii(), charset.as_deref());
            (field.name.clone(), value.chars().map(visible).collect())
        })
        .collect()
}
