use crate::Defects;

/// Bounds of a view. What exceeds them is left out and has a defect.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Multiparts and attached mails within each other.
    pub depth: usize,
    pub parts: usize,
    /// Decoded text over all text bodies.
    pub text_bytes: usize,
    /// HTML that is made safe, before and after.
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
    /// Subjects and texts of attached mails, for the search.
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
pub fn view(_raw: &[u8], _limits: &Limits) -> View {
    View::default()
}
