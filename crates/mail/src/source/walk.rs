//! The walk: depth first, names in byte order, so that two walks of one tree are equal.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::file::open_regular;
use super::found::Origin;
use super::kind::{Kind, by_content, helper, helper_directory, is_always_mail, is_emlx};
use super::name::{key_part, segment};
use super::whole::{WholeFile, file_date};
use super::{Found, Item, Options, SourceError, emlx};
use crate::FallbackDate;

/// A source being walked: an iterator over its items, in byte order of their names.
/// Holds the names of the directories between the root and the current file, nothing else.
#[derive(Debug)]
pub struct Source {
    user_archive: String,
    open: Vec<Directory>,
    /// A root that is a file, until it was yielded.
    single: Option<PathBuf>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// With a `/` at the end, but for the root.
    key: String,
    segments: Vec<String>,
    /// Why nothing in here is a mail.
    helper: Option<&'static str>,
    names: std::vec::IntoIter<(OsString, FileType)>,
    /// The reading of the directory broke off.
    broken: Option<io::Error>,
}

impl Source {
    pub(super) fn new(root: &Path, options: &Options) -> Result<Self, SourceError> {
        let failed = |error| SourceError::Root { path: root.to_owned(), error };
        let metadata = fs::metadata(root).map_err(failed)?;
        let mut source = Self { user_archive: options.user_archive.clone(), open: Vec::new(), single: None };
        if metadata.is_dir() {
            let (names, broken) = sorted_names(root).map_err(failed)?;
            let (key, segments) = (String::new(), Vec::new());
            source.open.push(Directory { path: root.to_owned(), key, segments, helper: None, names, broken });
        } else {
            source.single = Some(fs::canonicalize(root).map_err(failed)?);
        }
        Ok(source)
    }

    fn enter(&mut self, entry: Entry, name: &OsStr) -> Option<Item> {
        let (names, broken) = match sorted_names(&entry.path) {
            Ok(read) => read,
            Err(error) => return Some(Item::Skipped { source: entry.key, reason: reason(&error) }),
        };
        let mut segments = entry.segments;
        segments.push(segment(name));
        let helper = entry.helper.or_else(|| helper_directory(name));
        let key = format!("{}/", entry.key);
        self.open.push(Directory { path: entry.path, key, segments, helper, names, broken });
        None
    }

    fn entry(&mut self, name: &OsStr, file_type: FileType) -> Option<Item> {
        let top = self.open.last()?;
        let entry = Entry {
            path: top.path.join(name),
            key: format!("{}{}", top.key, key_part(name)),
            segments: top.segments.clone(),
            helper: top.helper,
        };
        if file_type.is_dir() {
            return self.enter(entry, name);
        }
        Some(self.file(entry, name, Some(file_type)))
    }

    fn file(&self, entry: Entry, name: &OsStr, file_type: Option<FileType>) -> Item {
        let not_mail = |reason: &str, source| Item::NotMail { source, reason: reason.to_owned() };
        if let Some(kind) = file_type.and_then(special) {
            return not_mail(kind, entry.key);
        }
        if let Some(kind) = entry.helper.or_else(|| helper(name)) {
            return not_mail(kind, entry.key);
        }
        match look_at(&entry.path, name) {
            Ok(Seen::Mail(extent)) => Item::Mail(self.found(entry, extent)),
            Ok(Seen::Not(what)) => not_mail(what, entry.key),
            Ok(Seen::Empty) => Item::Skipped { source: entry.key, reason: "empty".to_owned() },
            Ok(Seen::Broken(what)) => Item::Skipped { source: entry.key, reason: what.to_owned() },
            Err(error) => Item::Skipped { source: entry.key, reason: reason(&error) },
        }
    }

    fn found(&self, entry: Entry, extent: Extent) -> Found {
        let location = if entry.segments.is_empty() { vec![self.user_archive.clone()] } else { entry.segments };
        Found {
            key: entry.key,
            locations: vec![location],
            flags: extent.flags,
            size_bytes: extent.size_bytes,
            fallback_date: extent.date,
            locator: None,
            origin: Origin::File(WholeFile { path: entry.path, offset: extent.offset, file_bytes: extent.file_bytes }),
        }
    }
}

impl Iterator for Source {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(path) = self.single.take() {
            let name = path.file_name().unwrap_or_default().to_owned();
            let entry = Entry { key: key_part(&name), path, segments: Vec::new(), helper: None };
            return Some(self.file(entry, &name, None));
        }
        loop {
            let top = self.open.last_mut()?;
            if let Some((name, file_type)) = top.names.next() {
                if let Some(item) = self.entry(&name, file_type) {
                    return Some(item);
                }
            } else if let Some(Directory { key, broken: Some(error), .. }) = self.open.pop() {
                return Some(Item::Skipped { source: key, reason: reason(&error) });
            }
        }
    }
}

struct Entry {
    path: PathBuf,
    key: String,
    segments: Vec<String>,
    helper: Option<&'static str>,
}

/// Where the bytes of a mail lie in a file, and what is known of them without reading.
struct Extent {
    offset: u64,
    size_bytes: u64,
    file_bytes: u64,
    date: Option<FallbackDate>,
    flags: Vec<super::Flag>,
}

enum Seen {
    Mail(Extent),
    Not(&'static str),
    Empty,
    Broken(&'static str),
}

/// Opens only what its name does not tell: a tree of `.eml` is walked without opening a file.
fn look_at(path: &Path, name: &OsStr) -> io::Result<Seen> {
    let metadata = fs::symlink_metadata(path)?;
    if let Some(kind) = special(metadata.file_type()) {
        return Ok(Seen::Not(kind));
    }
    if metadata.len() == 0 {
        return Ok(Seen::Empty);
    }
    if is_emlx(name) {
        return look_at_emlx(path);
    }
    if is_always_mail(name) {
        return Ok(Seen::Mail(whole(&metadata)));
    }
    let (mut file, metadata) = open_regular(path)?;
    Ok(match by_content(&mut file, name)? {
        Kind::Mail => Seen::Mail(whole(&metadata)),
        Kind::Mbox => Seen::Not("an mbox, which this layout does not read"),
        Kind::Zip => Seen::Not("a zip archive, which this layout does not read"),
        Kind::Other(what) => Seen::Not(what),
    })
}

fn look_at_emlx(path: &Path) -> io::Result<Seen> {
    let (mut file, metadata) = open_regular(path)?;
    Ok(match emlx::read(&mut file, metadata.len())? {
        Some(emlx) if emlx.size_bytes == 0 => Seen::Empty,
        Some(emlx) => {
            let file = whole(&metadata);
            Seen::Mail(Extent { offset: emlx.offset, size_bytes: emlx.size_bytes, flags: emlx.flags, ..file })
        }
        None => Seen::Broken("emlx without a true length line"),
    })
}

fn whole(metadata: &Metadata) -> Extent {
    let date = file_date(metadata);
    Extent { offset: 0, size_bytes: metadata.len(), file_bytes: metadata.len(), date, flags: Vec::new() }
}

/// What is neither file nor directory is never opened: links may loop, pipes block, devices act.
fn special(file_type: FileType) -> Option<&'static str> {
    if file_type.is_symlink() {
        Some("a symbolic link, which is not followed")
    } else if file_type.is_file() || file_type.is_dir() {
        None
    } else {
        Some("a pipe, socket or device")
    }
}

type Names = (std::vec::IntoIter<(OsString, FileType)>, Option<io::Error>);

/// The names in a directory in byte order, and the error that ended the reading before its end.
pub(super) fn sorted_names(path: &Path) -> io::Result<Names> {
    let mut names = Vec::new();
    let mut broken = None;
    for entry in fs::read_dir(path)? {
        match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok(name) => names.push(name),
            Err(error) => broken = Some(error),
        }
    }
    names.sort_unstable_by(|left, right| left.0.as_encoded_bytes().cmp(right.0.as_encoded_bytes()));
    Ok((names.into_iter(), broken))
}

fn reason(error: &io::Error) -> String {
    format!("unreadable: {error}")
}
