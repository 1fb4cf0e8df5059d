//! Words as they are compared: without case, without regard to how a character is composed or a line folded.

use std::borrow::Cow;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization as _;

/// A word, or a quoted phrase, of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    written: String,
    folded: String,
}

impl Phrase {
    /// None if there is nothing in it to be found.
    pub fn new(written: &str) -> Option<Self> {
        let folded = fold(written);
        (!folded.trim().is_empty()).then(|| Self { written: written.to_owned(), folded })
    }

    /// As the query has it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it occurs in a text that [`fold`] made.
    pub(super) fn is_in(&self, folded: &str) -> bool {
        memchr::memmem::find(folded.as_bytes(), self.folded.as_bytes()).is_some()
    }

    /// Whether it is all of a text that [`fold`] made.
    pub(super) fn is(&self, folded: &str) -> bool {
        self.folded.trim() == folded.trim()
    }

    /// Whether its parts between `/` are consecutive ones of a path that begins and ends with `/`.
    pub(super) fn is_part_of_path(&self, folded: &str) -> bool {
        let wanted = self.folded.trim().trim_matches('/');
        let whole = ["/", wanted, "/"].concat();
        memchr::memmem::find(folded.as_bytes(), whole.as_bytes()).is_some()
    }
}

/// The text with full Unicode case folding (`Straße` = `STRASSE`), composed (NFC), and each run of white space as one
/// space.
pub(super) fn fold(text: &str) -> String {
    let text: Cow<'_, str> = if text.is_ascii() {
        text.to_ascii_lowercase().into()
    } else {
        // Folding takes characters apart or not, depending on how they came: hence before it and after it (Unicode
        // Standard, 3.13, D145; composed at the end, so that `u` is not the beginning of `ü`).
        let apart: String = text.nfd().collect();
        UniCase::unicode(apart).to_folded_case().nfc().collect::<String>().into()
    };
    squeezed(&text)
}

fn squeezed(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    for char in text.chars() {
        if !char.is_whitespace() {
            squeezed.push(char);
        } else if !squeezed.ends_with(' ') {
            squeezed.push(' ');
        }
    }
    squeezed
}

#[cfg(test)]
mod tests {
    use super::{Phrase, fold};

    #[test]
    fn case_composition_and_folds_make_no_difference() {
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_eq!(fold("MU\u{308}LLER"), fold("müller"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_eq!(fold("annual \t report\u{a0}x"), "annual report x");
        assert!(!Phrase::new("mu").unwrap().is_in(&fold("Mu\u{308}ller")), "u is not ü");
    }

    #[test]
    fn a_path_is_matched_by_whole_names() {
        let path = fold("/Inbox/Angebote & Verträge/2019/");
        for (wanted, is_there) in
            [("INBOX", true), ("inbox/angebote & verträge", true), ("2019/", true), ("/Inbox", true), ("box", false)]
        {
            assert_eq!(Phrase::new(wanted).unwrap().is_part_of_path(&path), is_there, "{wanted}");
        }
        assert_eq!(Phrase::new(" \u{a0}"), None);
    }
}
