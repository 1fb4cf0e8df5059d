//! Where mails lie: directories that are walked in a fixed order, and containers in them; one [`Item`] for each file
//! that is no container, and for each mail of one.
//!
//! A mail is found first and read later, from any thread. What is found is the same in every walk as long as nothing
//! changes. Containers are read over [`Content`] alone, so that they may lie on an object store as well.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mail::source::{Item, Layout, Options, open};
//!
//! let root = tempfile::tempdir()?;
//! std::fs::create_dir_all(root.path().join("jane/Inbox"))?;
//! std::fs::write(root.path().join("jane/Inbox/1.eml"), "Subject: hi\n\nhello\n")?;
//!
//! let options = Options::new("export", root.path());
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

mod container;
mod content;
mod emlx;
mod file;
mod flag;
mod found;
mod kind;
mod layout;
mod look;
mod maildir;
mod mbox;
mod name;
mod names;
mod place;
mod position;
mod utf7;
mod visit;
mod walk;
mod walked;
mod whole;
mod zip;

use std::io;
use std::path::{Path, PathBuf};

pub use container::{Container, ContainerError, ContainerKind, NO_ARCHIVE};
pub use content::{Content, FileContent, read_full_at};
pub use flag::Flag;
pub use found::Found;
pub use kind::may_hold_mails;
pub use layout::{Layout, UnknownLayout};
pub use mbox::Mbox;
pub use place::Place;
pub use position::Position;
pub use visit::{Stamp, Visited};
pub use walk::Source;
pub use zip::{UnknownZipEncoding, ZipEncoding, ZipError, ZipItems};

/// What a source is told besides its root.
#[derive(Clone, Debug)]
pub struct Options {
    /// The user archive of mails that lie in none. Not empty.
    pub user_archive: String,
    /// The code page of names in a ZIP that do not say theirs.
    pub zip_encoding: ZipEncoding,
    /// A directory for files without a name: an mbox in a ZIP is unpacked there, as it is read at random.
    pub scratch: PathBuf,
}

impl Options {
    /// With the usual code page.
    pub fn new(user_archive: impl Into<String>, scratch: impl Into<PathBuf>) -> Self {
        let (user_archive, scratch) = (user_archive.into(), scratch.into());
        Self { user_archive, zip_encoding: ZipEncoding::default(), scratch }
    }
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The root is not there, or cannot be read.
    #[error("{path}: {error}", path = .path.display())]
    Root {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// The outcome of one file, or of one mail in a container. Each has exactly one.
#[derive(Debug)]
pub enum Item {
    Mail(Found),
    /// An mbox in a ZIP could not be unpacked into [`Options::scratch`]: no fault of the source, whose mails are not all
    /// named.
    ScratchFailed(io::Error),
    /// Named, and no failure.
    NotMail {
        source: String,
        reason: String,
    },
    /// What is to be said of a file whose mails have their own outcomes; no failure.
    Noted {
        source: String,
        reason: String,
    },
    /// A mail, or possibly mails, that could not be read: a failure. The reason `empty` is a code.
    Skipped {
        source: String,
        /// Where it would lie, user archive first.
        location: Vec<String>,
        reason: String,
        /// Whether it is one mail, which lies right there; if not, mails may lie in folders below as well.
        is_one_mail: bool,
    },
}

/// Opens a source. `root` is a directory, or one file; it may itself be reached through a link.
pub fn open(root: &Path, layout: Layout, options: &Options) -> Result<Source, SourceError> {
    Source::new(root, layout, options)
}
