//! Opening files that an attacker may swap: never through a link, never one that blocks.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Opens a regular file for reading. A link, a pipe, a socket or a device is an error, and does not block.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let file = options().open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a regular file")) }
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// The modification time in Unix seconds, rounded down; none where the file system has none.
pub(super) fn modified(metadata: &Metadata) -> Option<i64> {
    let time = metadata.modified().ok()?;
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok(),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).ok()?;
            whole.checked_neg()?.checked_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

/// When a file was written, named or moved last, in Unix seconds.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems may have no time")]
pub(super) fn last_change(metadata: &Metadata) -> Option<i64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(metadata.ctime().max(metadata.mtime()))
}

/// When a file was written last: no other time is to be had here.
#[cfg(not(unix))]
pub(super) fn last_change(metadata: &Metadata) -> Option<i64> {
    modified(metadata)
}
