//! Files as SFTP describes them.

use archive::uploads::HomeEntry;
use jiff::Timestamp;
use russh_sftp::protocol::{File, FileAttributes};

const FOLDER_MODE: u32 = 0o040_700;
const FILE_MODE: u32 = 0o100_600;
/// `ls` shows the year in place of the time of day for what is older.
const HALF_A_YEAR: i64 = 182 * 24 * 3600;

pub(crate) fn of_home() -> FileAttributes {
    FileAttributes { permissions: Some(FOLDER_MODE), ..FileAttributes::empty() }
}

pub(crate) fn of_file(entry: &HomeEntry) -> FileAttributes {
    let modified = u32::try_from(entry.modified.max(0)).unwrap_or(u32::MAX);
    FileAttributes {
        size: Some(entry.size_bytes),
        permissions: Some(FILE_MODE),
        atime: Some(modified),
        mtime: Some(modified),
        ..FileAttributes::empty()
    }
}

/// The home itself in its listing, as `.` and `..`.
pub(crate) fn listed_home(name: &str, now: i64) -> File {
    let longname = longname("drwx------", 0, now, now, name);
    File { filename: name.to_owned(), longname, attrs: of_home() }
}

pub(crate) fn listed_file(entry: &HomeEntry, now: i64) -> File {
    let longname = longname("-rw-------", entry.size_bytes, entry.modified, now, &entry.name);
    File { filename: entry.name.clone(), longname, attrs: of_file(entry) }
}

/// A line as `ls -l` prints it: some clients read nothing else.
fn longname(mode: &str, size: u64, modified: i64, now: i64, name: &str) -> String {
    let recent = (0..HALF_A_YEAR).contains(&now.saturating_sub(modified));
    let format = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
    let time = Timestamp::from_second(modified).unwrap_or_default();
    format!("{mode}   1 postkahn postkahn {size:>12} {} {name}", time.strftime(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_like_that_of_ls() {
        let now = 1_767_225_600;
        let mut entry = HomeEntry { name: "(Pending) a b.zip".into(), size_bytes: 4 << 30, modified: now - 60 };
        let line = listed_file(&entry, now).longname;
        assert_eq!(line, "-rw-------   1 postkahn postkahn   4294967296 Dec 31 23:59 (Pending) a b.zip");
        entry.modified = 0;
        let line = listed_file(&entry, now).longname;
        assert_eq!(line, "-rw-------   1 postkahn postkahn   4294967296 Jan  1  1970 (Pending) a b.zip");
        entry.modified = i64::MIN;
        assert_eq!(listed_file(&entry, now).attrs.mtime, Some(0));
    }
}
