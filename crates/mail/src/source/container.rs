use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::content::ContentReader;
use super::found::{Member, Origin};
use super::kind::{Kind, by_content, is_always_mail, is_emlx, is_mbox_name};
use super::name::stem;
use super::{Content, Found, Item, Mbox, Options, Place, ZipEncoding, ZipError, ZipItems, emlx};

/// Stands for the user archive until it is taken away again: no segment of a location has a slash.
const NO_ARCHIVE: &str = "/";

/// One file that is read by itself, wherever its bytes lie: a ZIP, an mbox, or one mail. An iterator over its items.
///
/// Keys begin with the file's name. Locations are those of the layout `auto` without a user archive: none of the file's
/// own is put in front, and that of a mail which lies in no folder is empty.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use mail::source::{Container, ContainerKind, FileContent, Item, ZipEncoding};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("old.mbox");
/// std::fs::write(&path, "From jane Mon Jan  2 10:00:00 2023\nSubject: hi\n\nhello\n")?;
///
/// let content = Arc::new(FileContent::open(&path)?);
/// let mut mails = Container::open(content, "old.mbox", ZipEncoding::default(), folder.path())?;
/// assert_eq!(mails.kind(), ContainerKind::Mbox);
/// let Some(Item::Mail(found)) = mails.next() else { panic!("there is one") };
/// assert_eq!((found.key.as_str(), found.locator.as_deref()), ("old.mbox//0", Some("0")));
/// assert_eq!(found.locations, [["old"]]);
/// assert_eq!(found.read(1 << 20)?, b"Subject: hi\n\nhello\n");
/// assert!(mails.next().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Container {
    kind: ContainerKind,
    items: Items,
}

/// What a container is by its content; `.eml` and `.emlx` are always one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    Zip,
    Mbox,
    Mail,
}

/// Why a container cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// What it is instead.
    #[error("neither a mail nor an mbox nor a zip archive: {0}")]
    NotMail(&'static str),
    #[error(transparent)]
    Zip(#[from] ZipError),
    #[error("unreadable: {0}")]
    Io(#[from] io::Error),
}

#[derive(Debug)]
pub(super) enum Items {
    One(Option<Item>),
    Mbox(Mbox),
    Zip(Box<ZipItems>),
}

impl Container {
    /// Tells what the content is, and opens it as that. `name` is the file's name, without directories; `scratch` a
    /// directory for files without a name: an mbox in a ZIP is unpacked there.
    pub fn open(
        content: Arc<dyn Content>,
        name: &str,
        zip_encoding: ZipEncoding,
        scratch: &Path,
    ) -> Result<Self, ContainerError> {
        let place =
            Place { key: name.replace('\\', "\\\\"), segments: Vec::new(), user_archive: NO_ARCHIVE.to_owned() };
        let options = Options { zip_encoding, ..Options::new(NO_ARCHIVE, scratch) };
        let os_name = OsStr::new(name);
        if is_always_mail(os_name) || content.size_bytes() == 0 {
            return one(content, os_name, &place);
        }
        match by_content(&mut ContentReader::whole(&content), os_name, is_mbox_name(os_name))? {
            Kind::Mail => one(content, os_name, &place),
            Kind::Mbox => Ok(Self::of(ContainerKind::Mbox, Items::Mbox(Mbox::new(content, place, stem(os_name))))),
            Kind::Zip => {
                let items = Items::Zip(Box::new(ZipItems::open(content, place, &options)?));
                Ok(Self::of(ContainerKind::Zip, items))
            }
            Kind::Other(what) => Err(ContainerError::NotMail(what)),
        }
    }

    pub fn kind(&self) -> ContainerKind {
        self.kind
    }

    fn of(kind: ContainerKind, items: Items) -> Self {
        Self { kind, items }
    }
}

impl ContainerKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Mbox => "mbox",
            Self::Mail => "eml",
        }
    }
}

impl Iterator for Container {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let mut item = self.items.next()?;
        if let Item::Mail(found) = &mut item {
            for location in &mut found.locations {
                if location.first().is_some_and(|first| first == NO_ARCHIVE) {
                    location.remove(0);
                }
            }
        }
        Some(item)
    }
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        match self {
            Self::One(item) => item.take(),
            Self::Mbox(mails) => mails.next(),
            Self::Zip(entries) => entries.next(),
        }
    }
}

/// The one mail that the content is, or holds behind a length line.
fn one(content: Arc<dyn Content>, name: &OsStr, place: &Place) -> Result<Container, ContainerError> {
    let size_bytes = content.size_bytes();
    let skipped = |reason: &str| Item::Skipped { source: place.key.clone(), reason: reason.to_owned() };
    let whole = Some((0, size_bytes, Vec::new()));
    let part = if is_emlx(name) && size_bytes > 0 {
        let emlx = emlx::read_through(&mut ContentReader::whole(&content), size_bytes)?;
        emlx.map(|emlx| (emlx.offset, emlx.size_bytes, emlx.flags))
    } else {
        whole
    };
    let item = match part {
        None => skipped("emlx without a true length line"),
        Some((_, 0, _)) => skipped("empty"),
        Some((offset, size_bytes, flags)) => Item::Mail(Found {
            key: place.key.clone(),
            locations: vec![place.location()],
            flags,
            size_bytes,
            fallback_date: None,
            locator: None,
            origin: Origin::Member(Arc::new(ContentMail { content, offset, size_bytes })),
        }),
    };
    Ok(Container::of(ContainerKind::Mail, Items::One(Some(item))))
}

/// A mail that is a stretch of a content.
#[derive(Debug)]
struct ContentMail {
    content: Arc<dyn Content>,
    offset: u64,
    size_bytes: u64,
}

impl Member for ContentMail {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(ContentReader::new(Arc::clone(&self.content), self.offset, self.size_bytes)))
    }
}
