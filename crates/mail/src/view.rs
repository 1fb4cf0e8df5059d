//! A mail made readable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::html::{Blocked, Images, Room};
use crate::mime::{Piece, Walk, push_block};
use crate::preamble::from_utf16;
use crate::summary::{body_charset, summary_of};
use crate::text::{guess, picture, whole_address_text};
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
    /// Of each field of that name the decoded addresses, after a comma each; none if there is no field.
    pub to: Option<String>,
    pub cc: Option<String>,
    pub bcc: Option<String>,
    pub reply_to: Option<String>,
    /// The text bodies; of an HTML body without a text the words of the HTML.
    pub text: Option<String>,
    /// The HTML bodies without scripts, styles, forms and anything that is loaded from elsewhere.
    pub html_safe: Option<String>,
    /// What was removed of the HTML.
    pub blocked: Blocked,
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
    view_while(raw, true, limits, &|| true)
}

/// Reads the mail that begins with `prefix` as [`view`] does; `complete` says that `prefix` is the whole mail. Else a part
/// that reaches the end is no attachment, as neither its size nor its hash is known, and the mail has the defect
/// `size_big`.
///
/// Reads as long as `goes_on` says so: it is asked at each part and each tag of HTML. What was not read when it
/// said no is missing, and the mail has the defect `parser_failed`.
///
/// ```
/// let view = mail::view_while(b"Subject: a\r\n\r\nbody", true, &mail::Limits::default(), &|| false);
/// assert_eq!((view.subject.as_deref(), view.text), (Some("a"), None));
/// assert!(view.defects.contains(mail::Defect::ParserFailed));
/// ```
pub fn view_while(prefix: &[u8], complete: bool, limits: &Limits, goes_on: &dyn Fn() -> bool) -> View {
    let bounds = Bounds { complete, limits, goes_on };
    if let Some(text) = from_utf16(prefix) {
        let mut view = view_mail(text.as_bytes(), bounds, true);
        view.defects.insert(Defect::HdrBom);
        return view;
    }
    view_mail(prefix, bounds, false)
}

#[derive(Clone, Copy)]
struct Bounds<'a> {
    /// The bytes are the whole mail.
    complete: bool,
    limits: &'a Limits,
    goes_on: &'a dyn Fn() -> bool,
}

fn view_mail(raw: &[u8], bounds: Bounds, is_utf8: bool) -> View {
    let scan = scan_headers(raw, bounds.complete);
    let summary = summary_of(&scan);
    let mut view = View {
        headers: headers(&scan),
        subject: summary.subject,
        from: summary.from,
        to: addresses(&scan, "To"),
        cc: addresses(&scan, "Cc"),
        bcc: addresses(&scan, "Bcc"),
        reply_to: addresses(&scan, "Reply-To"),
        defects: summary.defects,
        ..View::default()
    };
    if scan.first("X-MS-Journal-Report").is_some() {
        view.defects.insert(Defect::Journal);
    }
    let body = body_of(raw, &scan);
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut view = view.clone();
        fill(&mut view, &scan, &body, bounds, is_utf8);
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

/// The decoded values of all fields of that name.
fn addresses(scan: &HeaderScan, name: &str) -> Option<String> {
    let charset = body_charset(scan);
    let decoded: Vec<_> = scan.all(name).map(|field| whole_address_text(&field.value, charset.as_deref())).collect();
    (!decoded.is_empty()).then(|| decoded.join(", "))
}

fn fill(view: &mut View, scan: &HeaderScan, body: &[u8], bounds: Bounds, is_utf8: bool) {
    let mut walk = Walk::new(bounds.limits, bounds.goes_on, is_utf8);
    if !bounds.complete {
        walk.cut_after(body);
    }
    let pieces = walk.mail(&scan.fields, body, 0);
    view.defects |= walk.defects;
    if bounds.complete && (bounds.goes_on)() && second_opinion::differs(scan, body, view, walk.parts) {
        view.defects.insert(Defect::ParserDisagrees);
    }
    view.attachments = walk.attachments;
    view.attached_text = Some(walk.attached_text).filter(|text| !text.is_empty());
    show(view, pieces, walk.images, bounds);
}

/// Text and HTML of all bodies: each is made from the other where a body has one form only.
fn show(view: &mut View, pieces: Vec<Piece>, images: HashMap<String, Option<String>>, bounds: Bounds) {
    let any_html = pieces.iter().any(|piece| piece.html.is_some());
    let images = Arc::new(Images::new(images));
    let mut pages = Pages { images, room: Room::default(), bounds, bytes_left: bounds.limits.html_bytes };
    for piece in pieces {
        let (safe, words) = match piece.html {
            Some(source) => {
                let (safe, words) = pages.read(&source, view);
                (Some(safe), Some(words))
            }
            None => (piece.text.as_deref().map(html::escaped).filter(|_| any_html), None),
        };
        // Gateways add an empty text to an HTML body that has words.
        let text = piece.text.filter(|text| words.is_none() || !text.trim().is_empty()).or(words);
        if let Some(text) = text {
            push_block(view.text.get_or_insert_default(), &text);
        }
        if let Some(safe) = safe {
            push_block(view.html_safe.get_or_insert_default(), &safe);
        }
    }
    if pages.images.is_short() {
        view.defects.insert(Defect::SizeBig);
    }
}

/// The HTML bodies of one mail.
struct Pages<'a> {
    images: Arc<Images>,
    /// For what they become in their parser.
    room: Room,
    bounds: Bounds<'a>,
    /// HTML that may still be read.
    bytes_left: usize,
}

impl Pages<'_> {
    /// Safe HTML and its words; notes in `view` what was removed or left out.
    fn read(&mut self, source: &str, view: &mut View) -> (String, String) {
        let read = source.get(..source.floor_char_boundary(self.bytes_left)).unwrap_or(source);
        self.bytes_left = self.bytes_left.saturating_sub(read.len());
        let safe = html::safe(read, &self.images, &self.room, self.bounds.goes_on);
        if read.len() < source.len() || safe.is_cut {
            view.defects.insert(Defect::SizeBig);
        }
        view.blocked += safe.blocked;
        if safe.blocked.any() {
            view.defects.insert(Defect::HtmlActive);
        }
        if let Some(html) = safe.html {
            let words = html::text(&html);
            return (html, words);
        }
        view.defects.insert(if (self.bounds.goes_on)() { Defect::MimeBomb } else { Defect::ParserFailed });
        let words = html::crude_text(read);
        (html::escaped(&words), words)
    }
}

/// Raw values as text: what is not UTF-8 is guessed, control characters but those of folds are made visible.
fn headers(scan: &HeaderScan) -> Vec<(String, String)> {
    let charset = body_charset(scan);
    let visible = |char: char| if matches!(char, '\t' | '\r' | '\n') { char } else { picture(char) };
    scan.fields
        .iter()
        .map(|field| {
            let value = guess(field.value.trim_ascii(), charset.as_deref());
            (field.name.clone(), value.chars().map(visible).collect())
        })
        .collect()
}
