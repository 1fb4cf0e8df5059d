//! Bytes to text: charsets, encoded words, raw 8-bit bytes.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::transfer::{decode_base64, decode_q};
use crate::{Defect, Defects, shifted};

/// A header is decoded up to here: longer ones are shown cut.
const HEADER_TEXT_BYTES: usize = 64 << 10;
/// "=?" charset "?" encoding "?": the charset's name and the encoding's letter.
const WORD_HEAD_BYTES: usize = 64;
/// RFC 2047, 2 allows 75; some senders put a whole subject into one word. The bound keeps the search linear.
const WORD_LIMIT_BYTES: usize = 8 << 10;

/// The text of an unstructured header value (RFC 5322, 3.2.5; RFC 2047): unfolded, encoded words decoded, raw 8-bit
/// bytes guessed, of which `charset` (the body's) is tried second.
pub(crate) fn header_text(value: &[u8], charset: Option<&str>) -> (String, Defects) {
    cut_text(value, Words::new(charset))
}

/// As [`header_text`], of a field that holds addresses: what was encoded is never taken for their syntax (RFC 2047, 6.2).
pub(crate) fn address_text(value: &[u8], charset: Option<&str>) -> (String, Defects) {
    cut_text(value, Words::of_addresses(charset))
}

/// The text of all that the header scan kept of a value, to be searched: of ten thousand addresses, none is left out.
pub(crate) fn whole_header_text(value: &[u8], charset: Option<&str>) -> String {
    shown(&decoded(value, Words::new(charset)).0)
}

/// As [`whole_header_text`], of a field that holds addresses.
pub(crate) fn whole_address_text(value: &[u8], charset: Option<&str>) -> String {
    shown(&decoded(value, Words::of_addresses(charset)).0)
}

fn cut_text(value: &[u8], words: Words<'_>) -> (String, Defects) {
    let cut = value.get(..HEADER_TEXT_BYTES).unwrap_or(value);
    let (text, mut defects) = decoded(cut, words);
    if cut.len() < value.len() {
        defects.insert(Defect::HdrLongline);
    }
    if text.contains('\0') {
        defects |= Defects::from(Defect::Nul) | Defect::NulDb;
    }
    (shown(&text), defects)
}

fn decoded(value: &[u8], words: Words<'_>) -> (String, Defects) {
    let mut defects = Defects::NONE;
    let text = words.decode(&unfolded(value.trim_ascii()), &mut defects);
    (text, defects)
}

/// The value on one line (RFC 5322, 2.2.3). A CR that ends no line parts words.
pub(crate) fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(value.len());
    for (at, byte) in value.iter().enumerate() {
        match byte {
            b'\n' => {}
            b'\r' if !is_lone_cr(value, at) => {}
            b'\r' => line.push(b' '),
            other => line.push(*other),
        }
    }
    line
}

/// A CR that neither ends a line nor folds one.
pub(crate) fn is_lone_cr(value: &[u8], at: usize) -> bool {
    let next = value.get(at.saturating_add(1));
    next.is_some_and(|next| !matches!(next, b'\r' | b'\n' | b' ' | b'\t'))
}

/// Text for one line: control characters as their pictures, line ends and tabs as spaces.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|char| if matches!(char, '\t' | '\r' | '\n') { ' ' } else { picture(char) }).collect()
}

/// A control character as its picture (U+2400 …), others as they are.
pub(crate) fn picture(char: char) -> char {
    match char {
        '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(char)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7F' => '\u{2421}',
        '\u{80}'..='\u{9F}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

struct Words<'a> {
    charset: Option<&'a str>,
    text: String,
    /// Bytes of adjacent encoded words of one charset: senders cut characters in two.
    pending: Option<(String, Vec<u8>)>,
    /// The text of adjacent encoded words.
    run: String,
    /// In a field of addresses: whether a quoted string is open in the text so far.
    quoting: Option<bool>,
}

impl<'a> Words<'a> {
    fn new(charset: Option<&'a str>) -> Self {
        Self { charset, text: String::new(), pending: None, run: String::new(), quoting: None }
    }

    fn of_addresses(charset: Option<&'a str>) -> Self {
        Self { quoting: Some(false), ..Self::new(charset) }
    }

    fn decode(mut self, value: &[u8], defects: &mut Defects) -> String {
        let mut rest = value;
        while let Some(at) = memchr::memmem::find(rest, b"=?") {
            let (before, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            let Some((word, length)) = encoded_word(tail, defects) else {
                let (literal, tail) = rest.split_at_checked(at.saturating_add(2)).unwrap_or((rest, &[]));
                self.raw(literal, defects);
                rest = tail;
                continue;
            };
            // RFC 2047, 6.2: white space between two encoded words is none.
            if self.pending.is_none() || !before.trim_ascii().is_empty() {
                self.raw(before, defects);
            }
            self.word(word, defects);
            rest = tail.get(length..).unwrap_or_default();
        }
        self.raw(rest, defects);
        self.end_run(defects);
        self.text
    }

    fn word(&mut self, (charset, bytes): (String, Vec<u8>), defects: &mut Defects) {
        match &mut self.pending {
            // ISO-2022 begins each word anew with an escape; two in a row are an error to a decoder.
            Some((pending, before)) if *pending == charset && !charset.contains("2022") => before.extend(bytes),
            _ => {
                self.flush(defects);
                self.pending = Some((charset, bytes));
            }
        }
    }

    fn raw(&mut self, bytes: &[u8], defects: &mut Defects) {
        if bytes.is_empty() {
            return;
        }
        self.end_run(defects);
        if !bytes.is_ascii() {
            defects.insert(Defect::Hdr8bit);
        }
        let text = guess(bytes, self.charset);
        self.quoting = self.quoting.map(|open| ends_quoted(&text, open));
        self.text.push_str(&text);
    }

    fn flush(&mut self, defects: &mut Defects) {
        if let Some((charset, bytes)) = self.pending.take() {
            let (text, found) = charset_text(&bytes, Some(&charset));
            self.run.push_str(&text);
            *defects |= found;
        }
    }

    /// The encoded words so far are whole: their text is one word of the value.
    fn end_run(&mut self, defects: &mut Defects) {
        self.flush(defects);
        let run = std::mem::take(&mut self.run);
        match self.quoting {
            Some(false) if run.contains(SPECIALS) => self.text.extend(["\"", &escaped(&run), "\""]),
            Some(true) => self.text.push_str(&escaped(&run)),
            _ => self.text.push_str(&run),
        }
    }
}

/// What is syntax between addresses (RFC 5322, 3.2.3), but for the dot.
const SPECIALS: [char; 12] = ['<', '>', '@', ',', ';', ':', '"', '\\', '(', ')', '[', ']'];

/// The content of a quoted string (RFC 5322, 3.2.4).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Whether a quoted string is open after `text`, which begins in one or not.
fn ends_quoted(text: &str, open: bool) -> bool {
    let mut open = open;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => open = !open,
            '\\' if open => drop(chars.next()),
            _ => {}
        }
    }
    open
}

/// `=?charset*language?B|Q?text?=` at the beginning of `bytes`: charset and decoded bytes, and the word's length.
fn encoded_word(bytes: &[u8], defects: &mut Defects) -> Option<((String, Vec<u8>), usize)> {
    let head = bytes.get(2..bytes.len().min(WORD_HEAD_BYTES))?;
    let charset_end = memchr::memchr(b'?', head)?;
    let charset = std::str::from_utf8(head.get(..charset_end)?).ok()?;
    let charset = charset.split('*').next().unwrap_or(charset).to_ascii_lowercase();
    let [encoding, b'?', ..] = head.get(charset_end.checked_add(1)?..)? else { return None };
    let text_start = charset_end.checked_add(5)?;
    let tail = bytes.get(text_start..)?;
    let Some(text_end) = memchr::memmem::find(tail.get(..WORD_LIMIT_BYTES).unwrap_or(tail), b"?=") else {
        if tail.len() > WORD_LIMIT_BYTES {
            defects.insert(Defect::HdrLongline);
        }
        return None;
    };
    let text = tail.get(..text_end)?;
    let (decoded, whole) = match encoding {
        b'b' | b'B' => decode_base64(text),
        b'q' | b'Q' => decode_q(text),
        _ => return None,
    };
    if !whole {
        defects.insert(Defect::CteBroken);
    }
    Some(((charset, decoded), text_start.checked_add(text_end)?.checked_add(2)?))
}

/// Bytes without a charset: UTF-8, else the charset given if it fits, else what a detector makes of them.
pub(crate) fn guess<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if let Some(encoding) = charset.and_then(named_encoding).filter(|encoding| *encoding != UTF_8)
        && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return text;
    }
    detect(bytes).decode_without_bom_handling(bytes).0
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, chardetng::Utf8Detection::Deny)
}

fn named_encoding(label: &str) -> Option<&'static Encoding> {
    let label = label.trim_matches(|char: char| char.is_whitespace() || matches!(char, '"' | '\''));
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// Names that say nothing about a charset.
fn is_no_charset(label: &str) -> bool {
    matches!(label, "" | "unknown" | "x-unknown" | "unknown-8bit" | "default" | "none" | "binary" | "8bit" | "7bit")
}

/// The text of bytes whose charset is `label` (RFC 2045, 5.2: us-ascii without one). A byte-order mark rules, then
/// bytes that contradict the label, then the label.
pub(crate) fn charset_text(bytes: &[u8], label: Option<&str>) -> (String, Defects) {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        let (text, broken) = encoding.decode_without_bom_handling(bytes.get(length..).unwrap_or_default());
        return (text.into_owned(), defect_if(broken));
    }
    let label = label.map(str::to_ascii_lowercase).unwrap_or_default();
    let label = label.trim_matches(|char: char| char.is_whitespace() || matches!(char, '"' | '\''));
    if bytes.is_ascii() && !hides_in_ascii(label) {
        return (String::from_utf8_lossy(bytes).into_owned(), Defects::NONE);
    }
    if is_no_charset(label) {
        return (guess(bytes, None).into_owned(), defect_if(!bytes.is_ascii()));
    }
    if label == "utf-16" {
        let (text, broken) = utf16_without_mark(bytes);
        return (text, defect_if(broken));
    }
    if let Some((eight, encoding)) = shifted::to_eight_bits(bytes, label) {
        let (text, broken) = encoding.decode_without_bom_handling(&eight);
        return (text.into_owned(), defect_if(broken));
    }
    match named_encoding(label) {
        Some(encoding) => decode_as(bytes, encoding, label),
        None => rare_text(bytes, label),
    }
}

/// Charsets whose bytes may all be ASCII while the text is not.
fn hides_in_ascii(label: &str) -> bool {
    ["utf", "2022", "hz"].iter().any(|family| label.contains(family))
}

/// What browsers do not know, mail parsers may. One that answers with a single replacement does not.
fn rare_text(bytes: &[u8], label: &str) -> (String, Defects) {
    let label = if matches!(label, "utf7" | "unicode-1-1-utf-7" | "csunicode11utf7") { "utf-7" } else { label };
    let decoder = mail_parser::decoders::charsets::map::charset_decoder(label.as_bytes());
    match decoder.map(|decode| decode(bytes)).filter(|text| text != "\u{FFFD}") {
        Some(text) => {
            let broken = text.contains(char::REPLACEMENT_CHARACTER);
            (text, defect_if(broken))
        }
        None => (guess(bytes, None).into_owned(), Defect::Charset.into()),
    }
}

fn decode_as(bytes: &[u8], encoding: &'static Encoding, label: &str) -> (String, Defects) {
    if encoding == UTF_8 {
        return utf8_text(bytes);
    }
    // Text that is valid UTF-8 with characters beyond ASCII is nothing else in practice.
    if encoding == WINDOWS_1252
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return (text.to_owned(), Defect::Charset.into());
    }
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    let plain_ascii = matches!(label, "us-ascii" | "ascii" | "ansi_x3.4-1968" | "iso646-us");
    if plain_ascii {
        return (guess(bytes, None).into_owned(), Defect::Charset.into());
    }
    (text.into_owned(), defect_if(broken))
}

/// A mail cut in the middle of a character is still UTF-8; one with no valid sequence at all is not.
fn utf8_text(bytes: &[u8]) -> (String, Defects) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), Defects::NONE);
    }
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|char| !char.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    let text = if good >= bad { String::from_utf8_lossy(bytes) } else { guess(bytes, None) };
    (text.into_owned(), Defect::Charset.into())
}

/// RFC 2781, 4.3 says big-endian; Windows writes little-endian. The zero bytes of ASCII characters tell.
fn utf16_without_mark(bytes: &[u8]) -> (String, bool) {
    let zeros = |offset: usize| bytes.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let encoding = if zeros(1) > zeros(0) { UTF_16LE } else { UTF_16BE };
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    (text.into_owned(), broken)
}

fn defect_if(broken: bool) -> Defects {
    if broken { Defect::Charset.into() } else { Defects::NONE }
}
