//! The MIME tree of a mail (RFC 2045, 2046): bodies to show and parts to list.
//!
//! Our own walk, not a library's: a part that ends a byte too early has another hash, and that is what an archive is
//! asked for.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::boundary::{Sections, sections};
use crate::html::IMAGE_TYPES;
use crate::parameters::{Structured, attachment_name};
use crate::scan::scan_part;
use crate::text::charset_text;
use crate::transfer::{Encoding, encode_base64};
use crate::view::{Attachment, Limits};
use crate::{Defect, Defects, Field, flowed, scan_headers, summary};

/// Images that the HTML shows by `cid:`, over all of them.
const IMAGE_LIMIT_BYTES: usize = 4 << 20;
/// An attached mail that is transfer-encoded is decoded into memory up to here.
const NESTED_LIMIT_BYTES: usize = 32 << 20;

/// Begins what is encrypted in a text body (RFC 9580, 6.2.1).
const PGP_MESSAGE: &str = "-----BEGIN PGP MESSAGE-----";

/// What one body, or one group of alternative bodies, says.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
}

/// What a walk over a mail finds.
pub(crate) struct Walk<'a> {
    limits: &'a Limits,
    goes_on: &'a dyn Fn() -> bool,
    /// Where the bytes end, if the mail does not: what reaches there goes on beyond.
    cut_at: Option<usize>,
    /// Parts of the mail itself, without those of attached mails.
    pub(crate) parts: usize,
    all_parts: usize,
    text_left: usize,
    images_left: usize,
    /// Attached mails around the part.
    attached: usize,
    /// The mail was converted to UTF-8 as a whole.
    is_utf8: bool,
    pub(crate) attachments: Vec<Attachment>,
    /// `data:` URLs by Content-ID; none for an image that is too large.
    pub(crate) images: HashMap<String, Option<String>>,
    pub(crate) attached_text: String,
    pub(crate) defects: Defects,
}

/// The fields of a part that say what it is.
pub(crate) struct Head {
    pub(crate) kind: Structured,
    pub(crate) media: String,
    disposition: Structured,
    pub(crate) encoding: Encoding,
    content_id: Option<String>,
}

/// Where a part stands among its siblings.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) depth: usize,
    pub(crate) first: bool,
    pub(crate) related: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(limits: &'a Limits, goes_on: &'a dyn Fn() -> bool, is_utf8: bool) -> Self {
        Self {
            limits,
            goes_on,
            cut_at: None,
            parts: 0,
            all_parts: 0,
            text_left: limits.text_bytes,
            images_left: IMAGE_LIMIT_BYTES,
            attached: 0,
            is_utf8,
            attachments: Vec::new(),
            images: HashMap::new(),
            attached_text: String::new(),
            defects: Defects::NONE,
        }
    }

    /// Says that the mail goes on beyond `body`.
    pub(crate) fn cut_after(&mut self, body: &[u8]) {
        self.cut_at = Some(end_of(body));
        self.defects.insert(Defect::SizeBig);
    }

    fn is_cut(&self, part: &[u8]) -> bool {
        self.cut_at == Some(end_of(part))
    }

    /// Reads the body of a mail with those fields.
    pub(crate) fn mail(&mut self, fields: &[Field], body: &[u8], depth: usize) -> Vec<Piece> {
        self.entity(&Head::of(fields, "text/plain"), body, Place { depth, first: true, related: false })
    }

    fn entity(&mut self, head: &Head, body: &[u8], place: Place) -> Vec<Piece> {
        if !(self.goes_on)() {
            self.defects.insert(Defect::ParserFailed);
            return Vec::new();
        }
        self.all_parts += 1;
        if self.all_parts > self.limits.parts {
            self.defects.insert(Defect::MimeBomb);
            return Vec::new();
        }
        if self.attached == 0 {
            self.parts += 1;
        }
        if head.media.starts_with("multipart/") {
            return self.multipart(head, body, place);
        }
        if matches!(head.media.as_str(), "message/rfc822" | "message/global") {
            self.attachment(head, body);
            self.attached_mail(head, body, place);
            return Vec::new();
        }
        if head.is_body(place) {
            return vec![self.text_body(head, body)];
        }
        self.attachment(head, body);
        Vec::new()
    }

    fn multipart(&mut self, head: &Head, body: &[u8], place: Place) -> Vec<Piece> {
        if place.depth >= self.limits.depth {
            self.defects.insert(Defect::MimeBomb);
            self.attachment(head, body);
            return Vec::new();
        }
        if head.media == "multipart/encrypted" {
            self.defects.insert(Defect::Encrypted);
        }
        let boundary = head.kind.boundary();
        let room = self.limits.parts.saturating_sub(self.all_parts);
        let found = if boundary.is_empty() { None } else { sections(body, &boundary, room) };
        match found {
            Some(found) => self.children(head, body, &found, place),
            None => self.without_delimiter(head, body, &boundary, place),
        }
    }

    /// RFC 2045, 6.4 forbids to encode a multipart, some do; else the boundary is wrong, and what there is is text.
    fn without_delimiter(&mut self, head: &Head, body: &[u8], boundary: &[u8], place: Place) -> Vec<Piece> {
        if matches!(head.encoding, Encoding::Base64 | Encoding::QuotedPrintable) && !boundary.is_empty() {
            let (decoded, _, _) = head.encoding.decode_to(body, NESTED_LIMIT_BYTES);
            if let Some(found) = sections(&decoded, boundary, self.limits.parts) {
                self.defects.insert(Defect::NestedEnc);
                return self.children(head, &decoded, &found, place);
            }
        }
        if !self.is_cut(body) {
            self.defects.insert(Defect::BoundaryMissing);
        }
        if body.trim_ascii().is_empty() {
            return Vec::new();
        }
        vec![self.text_body(&Head { encoding: head.encoding, ..Head::of(&[], "text/plain") }, body)]
    }

    fn children(&mut self, head: &Head, body: &[u8], found: &Sections, place: Place) -> Vec<Piece> {
        if found.cut {
            self.defects.insert(Defect::MimeBomb);
        } else if !found.closed && !self.is_cut(body) {
            self.defects.insert(Defect::BoundaryMissing);
        }
        if found.in_mid_line {
            self.defects.insert(Defect::BoundaryMid);
        }
        let default = if head.media == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        let related = head.media == "multipart/related";
        let mut pieces = Vec::new();
        for (number, part) in found.parts.iter().enumerate() {
            let bytes = body.get(part.clone()).unwrap_or_default();
            let scan = scan_part(bytes);
            self.defects |= scan.defects;
            let content = bytes.get(scan.body_offset.unwrap_or(bytes.len())..).unwrap_or_default();
            let place = Place { depth: place.depth.saturating_add(1), first: number == 0, related };
            pieces.extend(self.entity(&Head::of(&scan.fields, default), content, place));
        }
        if head.media == "multipart/alternative" { vec![alternatives(pieces)] } else { pieces }
    }

    fn text_body(&mut self, head: &Head, body: &[u8]) -> Piece {
        let (bytes, whole, fits) = head.encoding.decode_to(body, self.text_left);
        self.text_left = self.text_left.saturating_sub(bytes.len());
        if !whole && !self.is_cut(body) {
            self.defects.insert(Defect::CteBroken);
        }
        if !fits {
            self.defects.insert(Defect::SizeBig);
        }
        let charset = if self.is_utf8 { Some("utf-8".to_owned()) } else { head.charset(&bytes) };
        let (mut text, found) = charset_text(&bytes, charset.as_deref());
        self.defects |= found;
        if text.contains('\0') {
            self.defects |= Defects::from(Defect::Nul) | Defect::NulBody;
            text.retain(|char| char != '\0');
        }
        if text.lines().any(|line| line.trim_end() == PGP_MESSAGE) {
            self.defects.insert(Defect::Encrypted);
        }
        if head.media == "text/html" {
            return Piece { text: None, html: Some(text) };
        }
        if head.kind.word("format").as_deref() == Some("flowed") {
            text = flowed::unfold(&text, head.kind.word("delsp").as_deref() == Some("yes"));
        }
        Piece { text: Some(text), html: None }
    }

    /// Hashes the part without holding it.
    fn attachment(&mut self, head: &Head, body: &[u8]) {
        let name = head.name().map(|(name, found)| {
            self.defects |= found;
            name
        });
        self.note_opaque(head, name.as_deref());
        // Of a part that is cut neither size nor hash is known.
        if self.attached > 0 || self.is_cut(body) {
            return;
        }
        let mut hash = Sha256::new();
        let mut size_bytes = 0_u64;
        let whole = head.encoding.decode(body, &mut |piece| {
            hash.update(piece);
            size_bytes = size_bytes.saturating_add(piece.len() as u64);
        });
        if !whole {
            self.defects.insert(Defect::CteBroken);
        }
        self.keep_image(head, body, size_bytes);
        let content_type = head.media.clone();
        self.attachments.push(Attachment { name, content_type, size_bytes, sha256: hash.finalize().into() });
    }

    /// Parts that hold content which is not read.
    fn note_opaque(&mut self, head: &Head, name: Option<&str>) {
        let name = Path::new(name.unwrap_or_default());
        match head.media.as_str() {
            "application/ms-tnef" | "application/vnd.ms-tnef" => self.defects.insert(Defect::Tnef),
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => self.defects.insert(Defect::Smime),
            _ if name.as_os_str().eq_ignore_ascii_case("winmail.dat") => self.defects.insert(Defect::Tnef),
            _ if name.extension().is_some_and(|tail| tail.eq_ignore_ascii_case("p7m")) => {
                self.defects.insert(Defect::Smime);
            }
            _ => {}
        }
    }

    fn keep_image(&mut self, head: &Head, body: &[u8], size_bytes: u64) {
        let Some(content_id) = head.content_id.clone().filter(|_| IMAGE_TYPES.contains(&head.media.as_str())) else {
            return;
        };
        let fits = usize::try_from(size_bytes).is_ok_and(|size| size <= self.images_left);
        let data_url = fits.then(|| {
            let (bytes, _, _) = head.encoding.decode_to(body, self.images_left);
            self.images_left = self.images_left.saturating_sub(bytes.len());
            format!("data:{};base64,{}", head.media, encode_base64(&bytes))
        });
        self.images.insert(content_id, data_url);
    }

    /// Reads an attached mail for its text alone.
    fn attached_mail(&mut self, head: &Head, body: &[u8], place: Place) {
        if place.depth >= self.limits.depth {
            self.defects.insert(Defect::MimeBomb);
            return;
        }
        let decoded;
        let raw = if head.encoding == Encoding::Identity {
            body
        } else {
            self.defects.insert(Defect::NestedEnc);
            decoded = head.encoding.decode_to(body, NESTED_LIMIT_BYTES).0;
            &decoded
        };
        let scan = scan_headers(raw, true);
        let summary = summary::summary_of(&scan);
        self.attached += 1;
        let content = raw.get(scan.body_offset.unwrap_or(raw.len())..).unwrap_or_default();
        let pieces = self.mail(&scan.fields, content, place.depth.saturating_add(1));
        self.attached -= 1;
        for text in summary.subject.into_iter().chain(summary.from).chain(pieces.into_iter().filter_map(Piece::words)) {
            push_block(&mut self.attached_text, &text);
        }
    }
}

impl Head {
    pub(crate) fn of(fields: &[Field], default: &str) -> Self {
        let value = |name: &str| {
            let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            field.map(|field| field.value.as_slice()).unwrap_or_default()
        };
        let kind = Structured::parse(value("Content-Type"));
        let media = if is_media_type(&kind.value) { kind.value.clone() } else { default.to_owned() };
        let id = String::from_utf8_lossy(value("Content-ID").trim_ascii()).into_owned();
        let id = id.trim_start_matches('<').trim_end_matches('>').to_owned();
        Self {
            kind,
            media,
            disposition: Structured::parse(value("Content-Disposition")),
            encoding: Encoding::parse(value("Content-Transfer-Encoding")),
            content_id: Some(id).filter(|id| !id.is_empty()),
        }
    }

    /// RFC 8621, 4.1.4: text that is shown in line, and a name only on the first part.
    pub(crate) fn is_body(&self, place: Place) -> bool {
        matches!(self.media.as_str(), "text/plain" | "text/html")
            && self.disposition.value != "attachment"
            && (place.first || (!place.related && self.name().is_none()))
    }

    fn name(&self) -> Option<(String, Defects)> {
        let (name, found) = self.disposition.text("filename").or_else(|| self.kind.text("name"))?;
        let (name, odd) = attachment_name(&name);
        (!name.is_empty()).then_some((name, found | odd))
    }

    /// The charset said; of HTML that says it only in itself, that one.
    fn charset(&self, bytes: &[u8]) -> Option<String> {
        let said = self.kind.word("charset");
        if said.is_some() || self.media != "text/html" {
            return said;
        }
        let head = String::from_utf8_lossy(bytes.get(..2048).unwrap_or(bytes)).to_ascii_lowercase();
        let (_, tail) = head.split_once("charset=")?;
        let label = tail.trim_start_matches(['"', '\'']);
        let end = label.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte)).count();
        label.get(..end).filter(|label| !label.is_empty() && !label.starts_with("utf-16")).map(str::to_owned)
    }
}

impl Piece {
    /// The words for the search.
    fn words(self) -> Option<String> {
        let text = self.text.filter(|text| self.html.is_none() || !text.trim().is_empty());
        text.or_else(|| self.html.map(|html| crate::html::crude_text(&html)))
    }
}

fn is_media_type(value: &str) -> bool {
    let token = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    value.len() <= 255 && value.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

/// One body in several forms: the texts together, and the HTMLs together.
fn alternatives(pieces: Vec<Piece>) -> Piece {
    let mut all = Piece::default();
    for piece in pieces {
        for (all, one) in [(&mut all.text, piece.text), (&mut all.html, piece.html)] {
            if let Some(one) = one {
                push_block(all.get_or_insert_default(), &one);
            }
        }
    }
    all
}

/// An address that tells the end of the mail from that of a part before it.
fn end_of(bytes: &[u8]) -> usize {
    bytes.as_ptr_range().end.addr()
}

/// Appends on a new line.
pub(crate) fn push_block(text: &mut String, block: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(block);
}
