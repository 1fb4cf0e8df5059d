//! What a file is to a layout, and where in it its mail lies.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use super::content::{AsOpened, as_opened};
use super::emlx::EmlxError;
use super::file::{last_change, open_regular};
use super::kind::{Kind, by_content, is_always_mail, is_emlx, is_mbox_name, is_zip_name};
use super::walk::{Role, special};
use super::whole::file_date;
use super::{FileContent, Flag, Layout, emlx, maildir};
use crate::FallbackDate;

/// Where the bytes of a mail lie in a file, and what is known of them without reading.
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) size_bytes: u64,
    pub(super) as_found: AsOpened,
    pub(super) date: Option<FallbackDate>,
    pub(super) last_change: Option<i64>,
    pub(super) flags: Vec<Flag>,
}

const HELPER: &str = "a helper file of a mail server";

pub(super) enum Seen {
    Mail(Extent),
    Mbox(FileContent),
    Zip(FileContent),
    Not(&'static str),
    Empty,
    Broken(EmlxError),
}

/// Opens only what its name does not tell: a tree of `.eml` is walked without opening a file.
pub(super) fn look_at(
    path: &Path,
    metadata: &Metadata,
    name: &OsStr,
    layout: Layout,
    role: Role,
    is_root: bool,
) -> io::Result<Seen> {
    if let Some(kind) = special(metadata.file_type().into()) {
        return Ok(Seen::Not(kind));
    }
    let in_maildir = role == Role::Maildir || layout == Layout::Maildir;
    let is_helper = role != Role::Items && in_maildir && maildir::is_server_file(name);
    if role != Role::Items && layout == Layout::Maildir {
        let what = if is_helper { HELPER } else { "in neither cur/ nor new/ of a Maildir" };
        return Ok(Seen::Not(what));
    }
    if metadata.len() == 0 {
        return Ok(if is_helper { Seen::Not(HELPER) } else { Seen::Empty });
    }
    if matches!(layout, Layout::Mbox | Layout::Zip) && is_always_mail(name) {
        return Ok(Seen::Not("a single mail, which this layout does not read"));
    }
    let seen = if is_emlx(name) {
        look_at_emlx(path)?
    } else if is_always_mail(name) {
        Seen::Mail(whole(metadata))
    } else {
        look_into(path, name, layout, role, is_root)?
    };
    Ok(match seen {
        Seen::Mail(extent) if role == Role::Items => {
            Seen::Mail(Extent { flags: either(extent.flags, maildir::flags(name)), ..extent })
        }
        // A name alone makes no helper of a mail: `subscriptions.eml`, an mbox `dovecot`.
        Seen::Not(_) if is_helper => Seen::Not(HELPER),
        other => other,
    })
}

fn look_into(path: &Path, name: &OsStr, layout: Layout, role: Role, is_root: bool) -> io::Result<Seen> {
    let (mut file, metadata) = open_regular(path)?;
    let is_named_so = layout == Layout::Mbox || is_mbox_name(name) || is_in_package(path);
    Ok(match by_content(&mut file, name, is_named_so)? {
        Kind::Mbox if layout == Layout::Auto && is_mbox_name(name) => Seen::Mbox(FileContent::new(file, &metadata)),
        // Any other file of a Maildir is one mail, whatever it looks like.
        Kind::Mail | Kind::Mbox if role == Role::Items => Seen::Mail(whole(&metadata)),
        Kind::Mbox if matches!(layout, Layout::Auto | Layout::Mbox) => Seen::Mbox(FileContent::new(file, &metadata)),
        Kind::Mbox => Seen::Not("an mbox, which this layout does not read"),
        Kind::Mail if matches!(layout, Layout::Mbox | Layout::Zip) => {
            Seen::Not("a single mail, which this layout does not read")
        }
        Kind::Mail => Seen::Mail(whole(&metadata)),
        Kind::Packed if !is_root => Seen::Not("a document or program packed as a zip archive"),
        Kind::Zip if !is_root && !is_zip_name(name) && (role == Role::Items || has_ending(name)) => {
            Seen::Not("a zip archive under another name")
        }
        Kind::Zip | Kind::Packed if matches!(layout, Layout::Auto | Layout::Zip) => {
            Seen::Zip(FileContent::new(file, &metadata))
        }
        // One that extracts itself, under any name.
        Kind::Other(_) if is_root && layout == Layout::Zip => Seen::Zip(FileContent::new(file, &metadata)),
        Kind::Zip | Kind::Packed => Seen::Not("a zip archive, which this layout does not read"),
        Kind::Other(what) => Seen::Not(what),
    })
}

/// Whoever gave a ZIP another ending than its own meant something else by it.
fn has_ending(name: &OsStr) -> bool {
    Path::new(name).extension().is_some()
}

/// Apple's package is a directory `NAME.mbox` with the file `mbox` in it.
fn is_in_package(path: &Path) -> bool {
    let package = path.parent().and_then(Path::file_name);
    path.file_name().is_some_and(|name| name == "mbox") && package.is_some_and(is_mbox_name)
}

fn look_at_emlx(path: &Path) -> io::Result<Seen> {
    let (mut file, metadata) = open_regular(path)?;
    Ok(match emlx::read(&mut file, metadata.len()) {
        Ok(emlx) if emlx.size_bytes == 0 => Seen::Empty,
        Ok(emlx) => {
            let file = whole(&metadata);
            Seen::Mail(Extent { offset: emlx.offset, size_bytes: emlx.size_bytes, flags: emlx.flags, ..file })
        }
        Err(EmlxError::Io(error)) => return Err(error),
        Err(broken) => Seen::Broken(broken),
    })
}

fn whole(metadata: &Metadata) -> Extent {
    Extent {
        offset: 0,
        size_bytes: metadata.len(),
        as_found: as_opened(metadata),
        date: file_date(metadata),
        last_change: last_change(metadata),
        flags: Vec::new(),
    }
}

fn either(mut flags: Vec<Flag>, more: Vec<Flag>) -> Vec<Flag> {
    flags.extend(more);
    flags.sort_unstable();
    flags.dedup();
    flags
}
