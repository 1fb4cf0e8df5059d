//! The archive on one machine: everything in one data folder, no other service.
//!
//! The only crate that knows SQLite and the file system. Each type here is an adapter of one port of `archive`;
//! decisions are made there.
//!
//! ```text
//! DIR/catalogue.sqlite   catalogue, queue and schedules
//! DIR/objects            the object store: packs, reports, journal
//! DIR/uploads/whole      uploads that were closed, key USER/NAME
//! DIR/uploads/partial    uploads in the making (the SFTP server's)
//! DIR/keys/archive.key   the archive's keys
//! DIR/queries/NAME       saved searches, one line of text each; they need no archive
//! DIR/scratch            temporary files; emptied at each start
//! DIR/lock               held by the one process that owns the folder
//! ```
//!
//! ```
//! # fn main() -> archive::Result<()> {
//! # let tmp = tempfile::tempdir().map_err(|e| archive::Error::internal(e.to_string()))?;
//! let local = local::Local::open(tmp.path())?;
//! let second = local::Local::open(tmp.path()).err().map(|e| e.kind());
//! assert_eq!(second, Some(archive::ErrorKind::Unavailable));
//! # drop(local);
//! # Ok(())
//! # }
//! ```

mod blocking;
mod clock;
mod data_dir;
mod database;
mod files;
mod folder;
mod folders;
mod io_error;
mod jobs;
mod json;
mod key_file;
mod landing;
mod lock;
mod queries;
mod random;
mod read;
mod sqlite;
mod timetable;

pub use clock::SystemClock;
pub use data_dir::Local;
pub use database::Database;
pub use files::Files;
pub use folder::Folder;
pub use io_error::from_io;
pub use jobs::{Dead, Jobs, QueueCounts, Received};
pub use key_file::KeyFile;
pub use landing::Landings;
pub use lock::Lock;
pub use queries::{Queries, QueryName};
pub use random::SystemRandom;
pub use sqlite::Sqlite;
pub use timetable::Timetable;
