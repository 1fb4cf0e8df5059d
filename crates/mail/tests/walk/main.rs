//! Trees as they lie on real disks: every file has one outcome, and no file is opened that should not be.
#![expect(clippy::unwrap_used, reason = "tests")]

mod auto;
mod files;
#[cfg(unix)]
mod growing;
mod live;
mod maildir;
mod mbox;
mod place;
