use std::fmt;
use std::str::FromStr;

/// How mails lie in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each place told apart by content.
    Auto,
    /// A MailStore "E-mail files" directory: directories of EML.
    Mailstore,
    /// Any tree of EML.
    Eml,
    Maildir,
    Mbox,
    Zip,
}

/// A word that names no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not a layout (auto, mailstore, eml, maildir, mbox, zip)")]
pub struct UnknownLayout(pub String);

impl Layout {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Mailstore => "mailstore",
            Self::Eml => "eml",
            Self::Maildir => "maildir",
            Self::Mbox => "mbox",
            Self::Zip => "zip",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(word: &str) -> Result<Self, UnknownLayout> {
        [Self::Auto, Self::Mailstore, Self::Eml, Self::Maildir, Self::Mbox, Self::Zip]
            .into_iter()
            .find(|layout| layout.as_str() == word)
            .ok_or_else(|| UnknownLayout(word.to_owned()))
    }
}
