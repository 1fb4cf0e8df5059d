//! What one entry is.

use std::ffi::OsStr;
use std::io::Read;
use std::sync::Arc;

use super::directory::{Extent, Record, RecordKind};
use super::member::ZipMember;
use super::name::Name;
use super::spool::{SpoolError, spool};
use super::{Archive, Entry, HARMLESS_BYTES, MAX_RATIO, ZipItems, inflate};
use crate::FallbackDate;
use crate::source::emlx::EmlxError;
use crate::source::found::Origin;
use crate::source::kind::{
    Kind, ZIP_IN_ZIP, by_content, helper, helper_directory, is_always_mail, is_emlx, is_mbox_name,
};
use crate::source::name::stem;
use crate::source::{Content, Flag, Found, Item, Mbox, Place, emlx, maildir};

impl ZipItems {
    /// None for a directory, which is no item in a folder either.
    pub(super) fn entry(&mut self, record: &Record) -> Option<Entry> {
        let name = record.name.read(self.archive.encoding, self.survey.has_backslashes);
        if is_directory(record, &name) {
            return None;
        }
        let part = record.name.key_part(self.archive.encoding);
        let key = self.archive.place.member_key(record.number, &part);
        let place = self.archive.place.below(key, name.directories.iter().cloned());
        let not_mail = |reason: &str| Item::NotMail { source: place.key.clone(), reason: reason.to_owned() };
        let unfinished = self.survey.is_unfinished(&name).then_some(maildir::UNFINISHED);
        if let Some(reason) = no_mail(record, &name).or(unfinished) {
            return Some(Entry::Item(not_mail(reason)));
        }
        if let Some(reason) = self.refusal(record) {
            let is_one_mail = is_always_mail(OsStr::new(&name.file));
            return Some(Entry::Item(if is_one_mail { place.skipped_mail(reason) } else { place.skipped(reason) }));
        }
        Some(Entry::Item(match self.look(&record.extent, &name) {
            Ok(Seen::Mail(mail)) => Item::Mail(self.found(place, record, name.path, mail)),
            Ok(Seen::Mbox(content)) => {
                return Some(Entry::Mbox(Mbox::new(content, place, stem(OsStr::new(&name.file)))));
            }
            Ok(Seen::Not(reason)) => not_mail(reason),
            Ok(Seen::Empty) => place.skipped_mail("empty"),
            Ok(Seen::Broken(reason)) => place.skipped_mail(reason.to_string()),
            Err(SpoolError::Entry(error)) => place.skipped(error.to_string()),
            Err(SpoolError::Scratch(error)) => Item::ScratchFailed(error),
        }))
    }

    /// Why an entry that may be a mail is not even opened.
    fn refusal(&mut self, record: &Record) -> Option<String> {
        let Extent { local_offset, packed_bytes, size_bytes, method, .. } = record.extent;
        if record.is_encrypted {
            return Some("encrypted in the zip archive".to_owned());
        }
        if !inflate::is_known(method) {
            return Some(inflate::unknown_method(method));
        }
        if self.survey.overlapping.contains(&local_offset) {
            return Some("shares bytes with another entry of the zip archive".to_owned());
        }
        let most = packed_bytes.saturating_mul(MAX_RATIO).saturating_add(HARMLESS_BYTES);
        let left = self.budget_bytes.checked_sub(size_bytes).filter(|_| size_bytes <= most);
        if left.is_none() {
            return Some(format!("would be unpacked to more than {MAX_RATIO} times its size"));
        }
        self.budget_bytes = left.unwrap_or(0);
        None
    }

    /// Tells what an entry is, as for a file of its name. One of `.eml` is not opened.
    fn look(&self, extent: &Extent, name: &Name) -> Result<Seen, SpoolError> {
        let file = OsStr::new(&name.file);
        let open = || inflate::open(&self.archive.content, self.archive.prefix_bytes, extent);
        if extent.size_bytes == 0 {
            return Ok(open()?.read(&mut [0]).map(|_| Seen::Empty)?);
        }
        if is_emlx(file) {
            return Ok(match emlx::read_through(&mut open()?, extent.size_bytes) {
                Ok(emlx) if emlx.size_bytes == 0 => Seen::Empty,
                Ok(emlx) => Seen::Mail(Part { skip: emlx.offset, size_bytes: emlx.size_bytes, flags: emlx.flags }),
                Err(EmlxError::Io(error)) => return Err(error.into()),
                Err(broken) => Seen::Broken(broken),
            });
        }
        if is_always_mail(file) {
            return Ok(Seen::Mail(whole(extent)));
        }
        Ok(match by_content(&mut open()?, file, is_said_mbox(name))? {
            Kind::Mail => Seen::Mail(whole(extent)),
            Kind::Mbox => {
                let Archive { content, prefix_bytes, scratch, .. } = &*self.archive;
                Seen::Mbox(spool(content, *prefix_bytes, extent, scratch)?)
            }
            Kind::Zip => Seen::Not(ZIP_IN_ZIP),
            Kind::Packed => Seen::Not("a document or program packed as a zip archive"),
            Kind::Other(what) => Seen::Not(what),
        })
    }

    fn found(&self, place: Place, record: &Record, path: String, mail: Part) -> Found {
        let member = ZipMember {
            content: Arc::clone(&self.archive.content),
            prefix_bytes: self.archive.prefix_bytes,
            extent: record.extent,
            skip: mail.skip,
            size_bytes: mail.size_bytes,
        };
        Found {
            locations: vec![place.location()],
            key: place.key,
            flags: mail.flags,
            size_bytes: mail.size_bytes,
            fallback_date: record.modified.map(FallbackDate::File),
            locator: Some(path),
            origin: Origin::Member(Arc::new(member)),
        }
    }
}

/// The part of an entry that is a mail.
struct Part {
    skip: u64,
    size_bytes: u64,
    flags: Vec<Flag>,
}

enum Seen {
    Mail(Part),
    Mbox(Arc<dyn Content>),
    Not(&'static str),
    Empty,
    Broken(EmlxError),
}

/// True for the name of an mbox, and for the file `mbox` in a package of Apple Mail.
fn is_said_mbox(name: &Name) -> bool {
    let package = name.directories.last().filter(|_| name.file == "mbox");
    is_mbox_name(OsStr::new(package.unwrap_or(&name.file)))
}

fn whole(extent: &Extent) -> Part {
    Part { skip: 0, size_bytes: extent.size_bytes, flags: Vec::new() }
}

/// Directories are told by their name or their attributes. One that has bytes is looked at as what it is.
fn is_directory(record: &Record, name: &Name) -> bool {
    let is_named = name.file.is_empty() && !name.path.is_empty();
    record.extent.size_bytes == 0 && (record.kind == RecordKind::Directory || is_named)
}

/// Why an entry is no mail whatever is in it, or none.
fn no_mail(record: &Record, name: &Name) -> Option<&'static str> {
    match record.kind {
        RecordKind::Link => Some("a symbolic link, which is not followed"),
        RecordKind::Special => Some("a pipe, socket or device"),
        RecordKind::File | RecordKind::Directory => {
            let directories = name.directories.iter();
            let mut directories = directories.filter_map(|directory| helper_directory(OsStr::new(directory)));
            directories.next().or_else(|| helper(OsStr::new(&name.file)))
        }
    }
}
