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
mod recognise;
mod utf7;
mod walk;
mod whole;

use std::io;
use std::path::{Path, PathBuf};

pub use content::{Content, FileContent, read_full_at};
pub use flag::Flag;
pub use found::Found;
pub use layout::{Layout, UnknownLayout};
pub use mbox::Mbox;
pub use place::Place;
pub use walk::Source;

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
    /// The root is not there, or cannot be read.
    #[error("{path}: {error}", path = .path.display())]
    Root {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// The outcome of one file, or of one mail in a container. Each has exactly one.
#[derive(Clone, Debug)]
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

/// Opens a source. `root` is a directory, or one file; it may itself be reached through a link.
/// In the layout `auto` the whole tree is looked at first, so that a layout that is not built is an error before any
/// item, never a file left out.
pub fn open(root: &Path, layout: Layout, options: &Options) -> Result<Source, SourceError> {
    match layout {
        Layout::Mailstore | Layout::Eml | Layout::Maildir | Layout::Mbox => {}
        Layout::Auto => recognise::refuse_unbuilt(root)?,
        Layout::Zip => return Err(SourceError::NotBuilt { layout, path: root.to_owned() }),
    }
    Source::new(root, layout, options)
}
