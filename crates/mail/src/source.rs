//! Where mails lie: directories that are walked in a fixed order, one [`Item`] per file.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mail::source::{Item, Layout, Options, open};
//!
//! let root = tempfile::tempdir()?;
//! std::fs::create_dir_all(root.path().join("jane/Inbox"))?;
//! std::fs::write(root.path().join("jane/Inbox/1.eml"), "Subject: hi\n\nhello\n")?;
//!
//! let options = Options { user_archive: "export".into() };
//! for item in open(root.path(), Layout::Eml, &options)? {
//!     if let Item::Mail(found) = item {
//!         assert_eq!(found.key, "jane/Inbox/1.eml");
//!         assert_eq!(found.locations, [["jane", "Inbox"]]);
//!         assert_eq!(found.read(1 << 20)?, b"Subject: hi\n\nhello\n");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::io;
use std::path::{Path, PathBuf};
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

/// What a source is told besides its root.
#[derive(Clone, Debug)]
pub struct Options {
    /// The user archive of mails that lie in none. Not empty.
    pub user_archive: String,
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The caller's mistake: nothing was read.
    #[error("{path}: the layout {layout} is not built yet", path = .path.display())]
    NotBuilt { layout: Layout, path: PathBuf },
    #[error("{path}: {error}", path = .path.display())]
    Root {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// The outcome of one file. Every file has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Mail(Found),
    /// Named, and no failure.
    NotMail {
        source: String,
        reason: String,
    },
    /// A mail, or possibly mails, that could not be read: a failure. The reason `empty` is a code.
    Skipped {
        source: String,
        reason: String,
    },
}

/// A mail that was found and not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path below the root, separated by `/`: bad bytes as `\xNN`, a literal `\` as `\\`.
    pub key: String,
    pub path: PathBuf,
    /// Path segments, the first is the user archive.
    pub locations: Vec<Vec<String>>,
    pub flags: Vec<Flag>,
    /// Where the mail begins in its file.
    pub offset: u64,
    pub size_bytes: u64,
    /// The file's modification time, Unix seconds UTC.
    pub file_time: Option<i64>,
}

/// What a reader had done with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    Seen,
    Answered,
    Flagged,
    Forwarded,
    Draft,
}

impl Flag {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Answered => "answered",
            Self::Flagged => "flagged",
            Self::Forwarded => "forwarded",
            Self::Draft => "draft",
        }
    }
}

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

impl std::fmt::Display for Layout {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that names no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not a layout (auto, mailstore, eml, maildir, mbox, zip)")]
pub struct UnknownLayout(pub String);

impl FromStr for Layout {
    type Err = UnknownLayout;
    fn from_str(word: &str) -> Result<Self, UnknownLayout> {
        [Self::Auto, Self::Mailstore, Self::Eml, Self::Maildir, Self::Mbox, Self::Zip]
            .into_iter()
            .find(|layout| layout.as_str() == word)
            .ok_or_else(|| UnknownLayout(word.to_owned()))
    }
}

/// A source being walked: an iterator over its items, in byte order of their names.
#[derive(Debug)]
pub struct Source {}

impl Iterator for Source {
    type Item = Item;
    fn next(&mut self) -> Option<Item> {
        None
    }
}

/// Opens a source. `root` is a directory, or one file.
pub fn open(_root: &Path, _layout: Layout, _options: &Options) -> Result<Source, SourceError> {
    Ok(Source {})
}

impl Found {
    /// Opens the mail for reading: never through a link, never what is no regular file, never one whose size is
    /// another than when it was found. A file that changes while it is read ends in an error too.
    pub fn open(&self) -> io::Result<impl io::Read> {
        Ok(io::empty())
    }

    /// Reads the whole mail; one larger than `limit_bytes` is an error.
    pub fn read(&self, _limit_bytes: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
