//! The walk: depth first, names in byte order, so that two walks of one tree are equal.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::container::Items;
use super::content::AsOpened;
use super::found::Origin;
use super::kind::{helper, helper_directory, says_its_kind};
use super::look::{Extent, Seen, look_at};
use super::maildir;
use super::name::{key_part, segment, stem, zip_stem};
use super::names::{EntryKind, Names};
use super::visit::{Stamp, Visited, Visitor, stamp};
use super::walked::{Walked, WalkedMbox};
use super::whole::WholeFile;
use super::{Content, FileContent, Found, Item, Layout, Mbox, Options, Place, SourceError, ZipError, ZipItems};

/// Why nothing is a mail that a directory within `cur` or `new` holds.
const TOO_DEEP: &str = "in a directory within cur/ or new/, where a Maildir has none";

/// A source being walked: an iterator over its items, in byte order of their names.
/// Holds the names of the directories between the root and the current file, and what [`Source::look_again`] is for.
#[derive(Debug)]
pub struct Source {
    layout: Layout,
    /// The mails of a user's Maildir itself lie in the folder `INBOX`.
    has_inbox: bool,
    open: Vec<Directory>,
    /// A root that is a file, until it was yielded.
    single: Option<Entry>,
    /// The mbox or ZIP that is being read.
    container: Option<Items>,
    /// Where that lies if it is an mbox, and what the file was then.
    mbox: Option<(PathBuf, AsOpened)>,
    walked: Walked,
    visitor: Option<Visitor>,
    options: Options,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Its key is empty for the root.
    place: Place,
    /// What the locations begin with in the directories within: those of `cur` and `new` belong to a folder of that name.
    folder: Vec<String>,
    role: Role,
    is_in_maildir: bool,
    /// Why nothing in here is a mail.
    helper: Option<&'static str>,
    /// Why none of the files in here is a mail, though a Maildir within may have some.
    stray: Option<&'static str>,
    names: Names,
    /// Of a Maildir: the names in `new`, which were read before those of `cur`.
    new: Option<Names>,
}

/// A file or directory that the walk has come to.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    place: Place,
    role: Role,
    helper: Option<&'static str>,
}

/// What a directory is to the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Tree,
    Maildir,
    /// `cur` or `new` of a Maildir.
    Items,
}

impl Source {
    pub(super) fn new(root: &Path, layout: Layout, options: &Options) -> Result<Self, SourceError> {
        let failed = |error| SourceError::Root { path: root.to_owned(), error };
        let metadata = fs::metadata(root).map_err(failed)?;
        let user_archive = options.user_archive.clone();
        let mut place = Place { key: String::new(), segments: Vec::new(), user_archive };
        let mut source = Self {
            layout,
            has_inbox: false,
            open: Vec::new(),
            single: None,
            container: None,
            mbox: None,
            walked: Walked::default(),
            visitor: None,
            options: options.clone(),
        };
        if metadata.is_dir() {
            let names = Names::read(root).map_err(failed)?;
            let is_maildir = root_is_maildir(root, layout);
            let role = if is_maildir { Role::Maildir } else { Role::Tree };
            source.has_inbox = is_maildir || layout == Layout::Maildir;
            if is_maildir || layout == Layout::Mbox {
                place.segments.push(place.user_archive.clone());
            }
            source.open.push(Directory {
                path: root.to_owned(),
                folder: place.segments.clone(),
                place,
                role,
                is_in_maildir: is_maildir,
                helper: None,
                stray: None,
                names,
                new: None,
            });
        } else {
            let path = fs::canonicalize(root).map_err(failed)?;
            place.key = key_part(path.file_name().unwrap_or_default());
            source.single = Some(Entry { path, place, role: Role::Tree, helper: None });
        }
        Ok(source)
    }

    /// Tells `visit` the key and the stamp of each file that may be mail, before anything is read of it, and passes over those
    /// that are the same as in a walk before.
    #[must_use]
    pub fn visiting(mut self, visit: impl FnMut(&str, Stamp) -> Visited + Send + 'static) -> Self {
        self.visitor = Some(Visitor(Box::new(visit)));
        self
    }

    /// Looks once more at the mboxes of which all mails were met, the last 16,384 of them: for when all mails are read, some
    /// time after the walk has found them. Says what came meanwhile; no mail is among it.
    pub fn look_again(&mut self) -> impl Iterator<Item = Item> {
        iter::from_fn(|| self.walked.look_again())
    }

    fn entry(&mut self, name: &OsStr, kind: EntryKind) -> Option<Item> {
        let top = self.open.last()?;
        let slash = if top.place.key.is_empty() { "" } else { "/" };
        let key = format!("{}{slash}{}", top.place.key, key_part(name));
        let path = top.path.join(name);
        if kind == EntryKind::Directory {
            return self.enter(path, key, name);
        }
        let place = top.place.below(key, []);
        // A file that says by its name what it is lies in a folder that is called as that of a Maildir.
        let is_unfinished = |why: &&str| *why == maildir::UNFINISHED && top.is_in_maildir;
        let stray = top.stray.filter(|why| is_unfinished(why) || !says_its_kind(name));
        let entry = Entry { path, place, role: top.role, helper: top.helper.or(stray) };
        self.file(entry, name, kind)
    }

    fn enter(&mut self, path: PathBuf, key: String, name: &OsStr) -> Option<Item> {
        let read = self.names(&path, name);
        let top = self.open.last()?;
        let within = |segments: Vec<String>| top.folder.iter().cloned().chain(segments).collect::<Vec<_>>();
        let names = match read {
            Ok(names) => names,
            Err(error) => {
                let segments = within(self.segments(top, Role::Tree, name));
                return Some(Place { key, segments, ..top.place.clone() }.skipped(reason(&error)));
            }
        };
        let role = self.role(top, &path, name);
        let segments = within(self.segments(top, role, name));
        let folder = if role == Role::Items { within(maildir::folder(name)) } else { segments.clone() };
        let place = Place { key, segments, ..top.place.clone() };
        let helper = top.helper.or_else(|| helper_directory(name));
        let stray = stray(top, role, name);
        let is_in_maildir = top.is_in_maildir || role == Role::Maildir;
        let new = None;
        let directory = Directory { path, place, folder, role, is_in_maildir, helper, stray, names, new };
        self.open.push(directory);
        None
    }

    /// The names in a directory.
    ///
    /// Readers move mails from `new` to `cur`, which is walked first. So the names in `new` are read before those in `cur`:
    /// each mail is in one of both then, and what has gone from `new` is looked for in `cur` by its name.
    fn names(&mut self, path: &Path, name: &OsStr) -> io::Result<Names> {
        let Some(maildir) = self.open.last_mut().filter(|top| top.role != Role::Tree) else { return Names::read(path) };
        if name == "new"
            && let Some(names) = maildir.new.take()
        {
            return Ok(names);
        }
        let new = maildir.path.join("new");
        if name == "cur" && maildir::is_real_directory(&new) {
            maildir.new = Names::read(&new).ok();
        }
        let mut names = Names::read(path)?;
        if name == "cur" {
            maildir::mark_renamed(&mut names);
            if let Some(new) = &mut maildir.new {
                maildir::mark_moved(new, &names);
            }
        }
        Ok(names)
    }

    fn role(&self, top: &Directory, path: &Path, name: &OsStr) -> Role {
        let is_maildir = match self.layout {
            Layout::Maildir => maildir::has_place_for_items(path),
            Layout::Auto if top.is_in_maildir => maildir::has_place_for_items(path) || maildir::is_maildir(path),
            Layout::Auto => maildir::is_maildir(path),
            Layout::Mailstore | Layout::Eml | Layout::Mbox | Layout::Zip => false,
        };
        // A folder may be called `cur`: then `cur/cur` holds its mails, and `cur` those of the folder around it.
        if top.role != Role::Tree && maildir::holds_items(name) {
            Role::Items
        } else if is_maildir {
            Role::Maildir
        } else {
            Role::Tree
        }
    }

    /// What a directory adds to the locations of its mails.
    fn segments(&self, top: &Directory, role: Role, name: &OsStr) -> Vec<String> {
        if role == Role::Items {
            let is_inbox = self.has_inbox && top.folder.len() == 1;
            is_inbox.then(|| "INBOX".to_owned()).into_iter().collect()
        } else if top.folder.is_empty() {
            vec![segment(name)]
        } else if role == Role::Maildir {
            maildir::folder(name)
        } else if top.is_in_maildir || self.layout == Layout::Maildir {
            vec![maildir::decoded(&segment(name))]
        } else {
            vec![segment(name)]
        }
    }

    /// The outcome of a file; none yet if it is a container, whose mails have their own.
    fn file(&mut self, mut entry: Entry, name: &OsStr, kind: EntryKind) -> Option<Item> {
        let not_mail = |reason: &str, source| Some(Item::NotMail { source, reason: reason.to_owned() });
        let key = entry.place.key.clone();
        if let Some(what) = special(kind).or(entry.helper).or_else(|| helper(name)) {
            return not_mail(what, key);
        }
        let is_root = self.open.is_empty();
        let mut facts = fs::symlink_metadata(&entry.path);
        let mut name = Cow::Borrowed(name);
        if facts.as_ref().is_err_and(is_gone) && entry.role == Role::Items {
            if kind == EntryKind::Twin {
                // Its other name was read as well.
                return None;
            }
            if let Some(moved) = maildir::renamed(&entry.path) {
                facts = fs::symlink_metadata(&moved);
                name = Cow::Owned(moved.file_name().unwrap_or(&name).to_owned());
                entry.path = moved;
            }
        }
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => return Some(entry.place.skipped(reason(&error))),
        };
        let visited = self.visitor.as_mut().map_or(Visited::New, |visitor| visitor.0(&key, stamp(&facts)));
        if visited == Visited::Same {
            return None;
        }
        let name = &*name;
        match look_at(&entry.path, &facts, name, self.layout, entry.role, is_root) {
            Ok(Seen::Mail(extent)) => Some(Item::Mail(found(entry, extent))),
            // What is to be said of it, the walk before says when it looks again.
            Ok(Seen::Mbox(_)) if visited == Visited::Changed => None,
            Ok(Seen::Zip(_)) if visited == Visited::Changed => {
                let reason = "changed after it was read: its mails are those that it had before".to_owned();
                Some(Item::Noted { source: key, reason })
            }
            Ok(Seen::Mbox(content)) => {
                self.mbox = Some((entry.path, content.as_opened()));
                let content: Arc<dyn Content> = Arc::new(content);
                self.container = Some(Items::Mbox(Mbox::new(content, entry.place, stem(name))));
                None
            }
            Ok(Seen::Zip(content)) => {
                let directory = (!is_root).then(|| zip_stem(name));
                self.enter_zip(content, entry.place.below(key, directory))
            }
            Ok(Seen::Not(what)) => not_mail(what, key),
            Ok(Seen::Empty) => Some(entry.place.skipped_mail("empty")),
            Ok(Seen::Broken(what)) => Some(entry.place.skipped_mail(what.to_string())),
            Err(error) => Some(entry.place.skipped(reason(&error))),
        }
    }
}

impl Source {
    fn enter_zip(&mut self, content: FileContent, place: Place) -> Option<Item> {
        match ZipItems::open(Arc::new(content), place.clone(), &self.options) {
            Ok(items) => {
                self.container = Some(Items::Zip(Box::new(items)));
                None
            }
            Err(error @ ZipError::NotZip) => Some(Item::NotMail { source: place.key, reason: error.to_string() }),
            Err(error) => Some(place.skipped(error.to_string())),
        }
    }
}

impl Source {
    /// Ends the reading of a container.
    fn ended(&mut self, items: Items) -> Option<Item> {
        let (path, as_opened) = self.mbox.take()?;
        let Items::Mbox(mbox) = items else { return None };
        let tail = mbox.tail()?;
        self.walked.push(WalkedMbox { path, as_opened, tail })
    }

    /// Ends the reading of a directory.
    fn leave(&mut self) -> Option<Item> {
        let directory = self.open.pop()?;
        directory.broken()
    }
}

impl Iterator for Source {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.container.as_mut().and_then(Iterator::next) {
                return Some(item);
            }
            let item = if let Some(ended) = self.container.take() {
                self.ended(ended)
            } else if let Some(entry) = self.single.take() {
                let name = entry.path.file_name().unwrap_or_default().to_owned();
                let kind = fs::symlink_metadata(&entry.path).map_or(EntryKind::File, |facts| facts.file_type().into());
                self.file(entry, &name, kind)
            } else if let Some(top) = self.open.last_mut() {
                if let Some((name, kind)) = top.names.next() { self.entry(&name, kind) } else { self.leave() }
            } else {
                return None;
            };
            if item.is_some() {
                return item;
            }
        }
    }
}

impl Directory {
    /// The outcome of names that could not be read.
    fn broken(self) -> Option<Item> {
        let source = if self.place.key.is_empty() { "." } else { &self.place.key };
        let place = self.place.below(format!("{source}/"), []);
        self.names.broken.map(|error| place.skipped(reason(&error)))
    }
}

/// Why none of the files in a directory is a mail, though a Maildir within may have some.
fn stray(top: &Directory, role: Role, name: &OsStr) -> Option<&'static str> {
    // Elsewhere `tmp` is a folder like any other.
    if name == "tmp" && (top.role == Role::Maildir || maildir::has_all_places(&top.path)) {
        return Some(maildir::UNFINISHED);
    }
    let too_deep = (top.role == Role::Items).then_some(TOO_DEEP);
    top.stray.or(too_deep).filter(|_| role == Role::Tree)
}

fn found(entry: Entry, extent: Extent) -> Found {
    let location = entry.place.location();
    let Extent { offset, as_found, last_change, .. } = extent;
    Found {
        key: entry.place.key,
        locations: vec![location],
        flags: extent.flags,
        size_bytes: extent.size_bytes,
        fallback_date: extent.date,
        locator: None,
        origin: Origin::File(WholeFile { path: entry.path, offset, as_found, last_change }),
    }
}

fn root_is_maildir(root: &Path, layout: Layout) -> bool {
    let is_maildir = match layout {
        Layout::Maildir => maildir::has_items_of_its_own,
        Layout::Auto => maildir::is_maildir,
        Layout::Mailstore | Layout::Eml | Layout::Mbox | Layout::Zip => return false,
    };
    is_maildir(root) || maildir::holds_folders(root, is_maildir)
}

/// What is neither file nor directory is never opened: links may loop, pipes block, devices act.
pub(super) fn special(kind: EntryKind) -> Option<&'static str> {
    match kind {
        EntryKind::Link => Some("a symbolic link, which is not followed"),
        EntryKind::Special => Some("a pipe, socket or device"),
        EntryKind::File | EntryKind::Twin | EntryKind::Directory => None,
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it went away before it was read".to_owned(),
        _ => format!("unreadable: {error}"),
    }
}
