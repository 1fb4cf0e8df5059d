//! What a file is, told from its name and its first bytes.

use std::ffi::OsStr;
use std::io::{self, Read};

use super::name::extension;
use crate::line::is_cr_only;
use crate::looks_like_mail;
use crate::sniff::{SEPARATOR_BYTES, SNIFF_BYTES, from_line_at, holds_separator};

/// What a file is by its content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mail,
    Mbox,
    Zip,
    /// A ZIP by its bytes, and a document or program by what is in it.
    Packed,
    /// None of the above, and what it is.
    Other(&'static str),
}

const ZIP_MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Where the name of the first entry begins, and how its length is stored (APPNOTE, 4.3.7).
const ZIP_NAME_AT: usize = 30;
const ZIP_NAME_LENGTH: std::ops::Range<usize> = 26..28;
/// How the first entry is named in documents of Microsoft, `OpenDocument` and Apple, in books, and in programs.
const PACKED: [(&[u8], &[u8]); 14] = [
    (b"[Content_Types].xml", b""),
    (b"_rels/", b".rels"),
    (b"docProps/", b".xml"),
    (b"customXml/", b".xml"),
    (b"word/", b".xml"),
    (b"xl/", b".xml"),
    (b"ppt/", b".xml"),
    (b"visio/", b".xml"),
    (b"mimetype", b""),
    (b"Index/", b".iwa"),
    (b"META-INF/", b""),
    (b"AndroidManifest.xml", b""),
    (b"Payload/", b""),
    (b"doc.kml", b""),
];

/// Archives and stores that may hold mails and are not read.
const STORES: [(&[u8], &str); 10] = [
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an Outlook item or another OLE file"),
    (b"!BDN", "an Outlook store (pst or ost)"),
    (b"\xCF\xAD\x12\xFE", "an Outlook Express folder (dbx)"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"MSCF", "a cabinet archive"),
    (b"\x1F\x8B", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xFD7zXZ\0", "xz data"),
    (b"\x28\xB5\x2F\xFD", "zstd data"),
];
/// People are told what a file is that holds no mail.
const OTHERS: [(&[u8], &str); 7] = [
    (b"\x89PNG", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"\x7FELF", "a program"),
    (b"<?xml", "an XML document"),
    (b"SQLite format 3\0", "an SQLite database"),
];
/// Where a tar archive says that it is one (POSIX.1, pax).
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
const TAR: &str = "a tar archive";
pub(super) const ZIP_IN_ZIP: &str = "a zip archive within a zip archive";

/// True if that is why an [`Item::NotMail`](super::Item::NotMail) is none: it is an archive or a store that may hold mails,
/// and was not read.
///
/// ```
/// assert!(mail::source::may_hold_mails("an Outlook store (pst or ost)"));
/// assert!(!mail::source::may_hold_mails("a PDF document"));
/// ```
pub fn may_hold_mails(reason: &str) -> bool {
    [TAR, ZIP_IN_ZIP].contains(&reason) || STORES.iter().any(|(_, what)| *what == reason)
}

/// True for `.eml` and `.emlx` in any case: always one mail.
pub(super) fn is_always_mail(name: &OsStr) -> bool {
    matches!(extension(name).as_deref(), Some("eml" | "emlx"))
}

pub(super) fn is_emlx(name: &OsStr) -> bool {
    extension(name).as_deref() == Some("emlx")
}

/// Why a name alone says that a file or directory is none of the user's, or none.
pub(super) fn helper(name: &OsStr) -> Option<&'static str> {
    let bytes = name.as_encoded_bytes();
    if bytes.starts_with(b"._") {
        return Some("a helper file of macOS");
    }
    match name.to_str()?.to_ascii_lowercase().as_str() {
        ".ds_store" | "icon\r" | ".localized" => Some("a helper file of macOS"),
        "thumbs.db" | "desktop.ini" | "ehthumbs.db" => Some("a helper file of Windows"),
        _ => None,
    }
}

/// Why nothing below a directory of that name is a mail, or none.
pub(super) fn helper_directory(name: &OsStr) -> Option<&'static str> {
    match name.to_str()? {
        "__MACOSX" => Some("in __MACOSX/, which holds helper files of macOS"),
        _ => None,
    }
}

/// True for a file that says by its name that it is an mbox, and is one if it begins so.
pub(super) fn is_mbox_name(name: &OsStr) -> bool {
    matches!(extension(name).as_deref(), Some("mbox" | "mbx"))
}

/// True for a file that says by its name that it is a ZIP.
pub(super) fn is_zip_name(name: &OsStr) -> bool {
    extension(name).as_deref() == Some("zip")
}

/// True for a file that says by its name what it is. No file of a Maildir does.
pub(super) fn says_its_kind(name: &OsStr) -> bool {
    is_always_mail(name) || is_mbox_name(name) || is_zip_name(name)
}

/// Tells a file of another name than `.eml` by its content: an mbox is one that begins with a `From ` line (but for a
/// byte-order mark and blank lines) and is said to be one, or holds a second one after a blank line.
pub(super) fn by_content(file: &mut impl Read, name: &OsStr, said_mbox: bool) -> io::Result<Kind> {
    let mut prefix = Vec::new();
    file.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut prefix)?;
    let behind = from_line_at(&prefix).and_then(|at| prefix.get(at..));
    if let Some(mails) = behind
        && (said_mbox || holds_second_from_line(mails, file)?)
    {
        return Ok(Kind::Mbox);
    }
    if looks_like_mail(&prefix) {
        return Ok(Kind::Mail);
    }
    // One that extracts itself begins as a program.
    if is_zip_name(name) {
        return Ok(Kind::Zip);
    }
    if ZIP_MAGIC.iter().any(|magic| prefix.starts_with(magic)) {
        return Ok(if is_packed(&prefix) { Kind::Packed } else { Kind::Zip });
    }
    Ok(Kind::Other(foreign(&prefix)))
}

fn foreign(prefix: &[u8]) -> &'static str {
    let (at, tar) = TAR_MAGIC;
    if prefix.get(at..).is_some_and(|header| header.starts_with(tar)) {
        return TAR;
    }
    let known = STORES.iter().chain(&OTHERS).find(|(magic, _)| prefix.starts_with(magic));
    known.map_or("the first line is no header field", |(_, what)| what)
}

/// True for what is packed as a ZIP and no archive to people.
fn is_packed(prefix: &[u8]) -> bool {
    let length = prefix.get(ZIP_NAME_LENGTH).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes);
    let end = ZIP_NAME_AT.saturating_add(usize::from(length));
    let name = prefix.get(ZIP_NAME_AT..end).unwrap_or_default();
    PACKED.iter().any(|(start, tail)| {
        let is_whole = tail.is_empty() && !start.ends_with(b"/");
        if is_whole { name == *start } else { name.starts_with(start) && name.ends_with(tail) }
    })
}

/// Looks through the rest of the file; what lies across the edge of two reads is seen too.
fn holds_second_from_line(prefix: &[u8], rest: &mut impl Read) -> io::Result<bool> {
    let cr_only = is_cr_only(prefix);
    let mut window = prefix.to_vec();
    let mut buffer = vec![0; SNIFF_BYTES];
    loop {
        if holds_separator(&window, cr_only) {
            return Ok(true);
        }
        let count = match rest.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let keep = window.len().saturating_sub(2 * SEPARATOR_BYTES);
        window.drain(..keep);
        window.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}
