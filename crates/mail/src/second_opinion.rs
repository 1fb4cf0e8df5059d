//! What another parser makes of the same mail. Two readers that disagree mean a mail that can be read in two ways.

use std::panic::catch_unwind;

use mail_parser::MessageParser;

use crate::{Defect, Defects, HeaderScan, View};

/// Larger mails are read once only: the answer is worth less than the time.
const LIMIT_BYTES: usize = 4 << 20;

/// Defects of which it is known that `mail-parser` reads another thing; no second opinion is asked for.
fn is_known_to_differ(defects: Defects) -> bool {
    [
        Defect::DupHeader,
        Defect::HdrLarge,
        Defect::HdrLongline,
        Defect::Hdr8bit,
        Defect::BoundaryMid,
        Defect::BoundaryMissing,
        Defect::MimeBomb,
        Defect::CteBroken,
        Defect::Charset,
        Defect::Nul,
        Defect::NotMail,
        Defect::HdrLoose,
    ]
    .into_iter()
    .any(|defect| defects.contains(defect))
}

/// True if `mail-parser`, given the mail with its header repaired, finds another Message-ID or another number of parts,
/// or cannot read it at all: it panics at some multiparts within attached mails, which must not cost the view its text.
pub(crate) fn differs(scan: &HeaderScan, body: &[u8], view: &View, parts: usize) -> bool {
    if body.len() > LIMIT_BYTES || is_known_to_differ(view.defects) {
        return false;
    }
    let repaired = repaired(scan, body);
    let Ok(Some(other)) = catch_unwind(|| MessageParser::default().parse(&repaired)) else { return true };
    let id = scan.first("Message-ID").map(|field| without_brackets(&field.value));
    let same_id = id.is_none_or(|id| id.is_empty() || other.message_id().is_none_or(|other| other == id));
    !same_id || other.parts.len() != parts
}

/// The mail without what stands before the first field, between fields and in place of the separator.
fn repaired(scan: &HeaderScan, body: &[u8]) -> Vec<u8> {
    let mut mail = Vec::with_capacity(body.len().saturating_add(16 << 10));
    for field in &scan.fields {
        mail.extend_from_slice(field.name.as_bytes());
        mail.push(b':');
        mail.extend_from_slice(&field.value);
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(b"\r\n");
    mail.extend_from_slice(body);
    mail
}

fn without_brackets(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}
