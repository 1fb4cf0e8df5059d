use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::content::ContentReader;
use super::emlx::EmlxError;
use super::found::{Member, Origin};
use super::kind::{Kind, by_content, is_always_mail, is_emlx, is_mbox_name};
use super::name::stem;
use super::{Content, Found, Item, Mbox, Options, Place, Position, ZipEncoding, ZipError, ZipItems, emlx};

/// The first segment of a location in no user archive. No other segment is this, as none has a slash.
pub const NO_ARCHIVE: &str = "/";

/// One file that is read by itself, wherever its bytes lie: a ZIP, an mbox, or one mail. An iterator over its items.
///
/// Keys begin with the file's name. Locations are those of the layout `auto`, with [`NO_ARCHIVE`] for the user archive of
/// mails that lie in none. A walk that was cut off goes on where it was: [`Container::reached`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use mail::source::{Container, ContainerKind, FileContent, Item, NO_ARCHIVE, ZipEncoding};
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
/// assert_eq!(found.locations, [[NO_ARCHIVE, "old"]]);
/// assert_eq!(found.read(1 << 20)?, b"Subject: hi\n\nhello\n");
/// assert!(mails.next().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Container {
    kind: ContainerKind,
    /// Of the container itself.
    key: String,
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
            Kind::Mbox => {
                let key = place.key.clone();
                let items = Items::Mbox(Mbox::new(content, place, stem(os_name)));
                Ok(Self { kind: ContainerKind::Mbox, key, items })
            }
            Kind::Zip | Kind::Packed => {
                let key = place.key.clone();
                let items = Items::Zip(Box::new(ZipItems::open(content, place, &options)?));
                Ok(Self { kind: ContainerKind::Zip, key, items })
            }
            Kind::Other(what) => Err(ContainerError::NotMail(what)),
        }
    }

    pub fn kind(&self) -> ContainerKind {
        self.kind
    }

    /// Where the walk stands: behind the item that was delivered last.
    pub fn reached(&self) -> Position {
        match &self.items {
            Items::One(Some(_)) => Position::default(),
            Items::One(None) => Position::END,
            Items::Mbox(mails) => match mails.reached() {
                None => Position::END,
                mail_at => Position { mail_at, ..Position::default() },
            },
            Items::Zip(entries) => entries.reached(),
        }
    }

    /// Goes on at a position of an earlier walk through the same bytes, without reading what lies before it.
    pub fn go_to(&mut self, position: Position) {
        match &mut self.items {
            Items::One(item) if position.has_ended => *item = None,
            Items::One(_) => {}
            Items::Mbox(mails) if position.has_ended => mails.end(),
            Items::Mbox(mails) => mails.go_to(position.mail_at.unwrap_or(0)),
            Items::Zip(entries) => entries.go_to(position),
        }
    }

    /// Where in the container an item lies, for people: the member's path in a ZIP, the byte offset in an mbox (both, with
    /// `//` between, for an mbox in a ZIP), and the file's name where the item is the whole of it.
    pub fn locator(&self, key: &str) -> String {
        let place = key.strip_prefix(&self.key).and_then(|rest| rest.strip_prefix("//"));
        let place = match (self.kind, place) {
            (ContainerKind::Zip, Some(member)) => member.split_once('/').map_or(member, |(_, path)| path),
            (_, place) => place.unwrap_or(&self.key),
        };
        place.replace("\\\\", "\\")
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
        self.items.next()
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
    let part = if is_emlx(name) && size_bytes > 0 {
        match emlx::read_through(&mut ContentReader::whole(&content), size_bytes) {
            Err(EmlxError::Io(error)) => return Err(error.into()),
            other => other.map(|emlx| (emlx.offset, emlx.size_bytes, emlx.flags)),
        }
    } else {
        Ok((0, size_bytes, Vec::new()))
    };
    let item = match part {
        Err(broken) => place.skipped_mail(broken.to_string()),
        Ok((_, 0, _)) => place.skipped_mail("empty"),
        Ok((offset, size_bytes, flags)) => Item::Mail(Found {
            key: place.key.clone(),
            locations: vec![place.location()],
            flags,
            size_bytes,
            fallback_date: None,
            locator: None,
            origin: Origin::Member(Arc::new(ContentMail { content, offset, size_bytes })),
        }),
    };
    Ok(Container { kind: ContainerKind::Mail, key: place.key.clone(), items: Items::One(Some(item)) })
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
