//! Maildirs: directories with `cur`, `new` and `tmp`, one mail a file, flags in its name. Folders are directories within,
//! named `.Folder.Sub` (Maildir++) or nested.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Flag;
use super::file::open_regular;
use super::kind::says_its_kind;
use super::name::segment;
use super::names::{EntryKind, Names};
use super::utf7;
use crate::looks_like_mail;
use crate::sniff::SNIFF_BYTES;

/// Why nothing in the `tmp` of a Maildir is a mail.
pub(super) const UNFINISHED: &str = "in tmp/, which holds unfinished files";
/// The letters behind `:2,`.
const LETTERS: [(u8, Flag); 5] =
    [(b'S', Flag::Seen), (b'R', Flag::Answered), (b'F', Flag::Flagged), (b'P', Flag::Forwarded), (b'D', Flag::Draft)];
/// All letters that are standard, in the order of the alphabet; T is for what will be deleted.
const RENAMED: [char; 6] = ['D', 'F', 'P', 'R', 'S', 'T'];
/// Where a file system allows no colon, another mark stands there.
const MARKS: [&[u8]; 3] = [b":2,", b";2,", b"!2,"];
/// Beginnings of the names that mail servers give their own files in a Maildir.
const SERVER_FILES: [&str; 6] = ["dovecot", "courier", "maildirfolder", "maildirsize", "subscriptions", "cyrus."];

/// True for the directories of a Maildir that hold mails.
pub(super) fn holds_items(name: &OsStr) -> bool {
    name == "cur" || name == "new"
}

/// True if a directory that lies in a Maildir, or is said to be one, has a place for mails.
pub(super) fn has_place_for_items(path: &Path) -> bool {
    ["cur", "new"].iter().any(|name| is_real_directory(&path.join(name)))
}

/// As [`has_place_for_items`], and not only for a folder or a user archive that is called so.
pub(super) fn has_items_of_its_own(path: &Path) -> bool {
    let holds_file = |directory: &Path| entries(directory).any(|(_, file_type)| file_type.is_file());
    let directories = ["cur", "new"].map(|name| path.join(name));
    directories.iter().any(|items| is_real_directory(items) && (!has_place_for_items(items) || holds_file(items)))
}

/// True for a directory that has all places for mails of a Maildir, though there may be none in them.
pub(super) fn has_all_places(path: &Path) -> bool {
    ["cur", "new"].iter().all(|name| is_real_directory(&path.join(name)))
}

/// Tells a Maildir by its content. It has `cur`, `new` and `tmp`, of which empty ones get lost on the way. Folders of
/// those names occur among other files too, so the names of the files decide: in a Maildir they are no `.eml`, no `.mbox`
/// and no number as MH has it, and read ones end in `:2,FLAGS`. Where all three are there, they may be numbers, or empty.
/// Thunderbird has no `new`, and calls a mail `TIME.eml`.
pub(super) fn is_maildir(path: &Path) -> bool {
    let directories: Vec<_> =
        ["cur", "new", "tmp"].iter().map(|name| path.join(name)).filter(|path| is_real_directory(path)).collect();
    let all_empty = || directories.len() == 3 && directories.iter().all(|path| entries(path).next().is_none());
    let mut holding = directories.iter().filter(|path| path.file_name().is_some_and(holds_items));
    holding.any(|directory| {
        // Without sorting: the first one that is found decides.
        let mut files = entries(directory).filter(|(_, file_type)| file_type.is_file());
        files.any(|(name, _)| is_item(directory, &name, directories.len()))
    }) || all_empty()
}

/// `places` is how many of the three directories there are.
fn is_item(directory: &Path, name: &OsStr, places: usize) -> bool {
    if says_its_kind(name) {
        return places == 2 && is_of_thunderbird(directory, name);
    }
    if marked(name).is_some() {
        return true;
    }
    let is_unique = is_unique_name(name);
    let is_number = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let may_be = is_unique || places == 3 || (places == 2 && !is_number);
    may_be && begins_as_mail(&directory.join(name), is_unique)
}

/// What can be read of a directory, in no order.
fn entries(path: &Path) -> impl Iterator<Item = (OsString, FileType)> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name(), entry.file_type().ok()?)))
}

/// True if folders of Maildir++ lie in a directory, and no Maildir of another name: then it is a Maildir whose own `cur` and
/// `new` were lost. Maildirs of users may lie beside a `.Trash`.
pub(super) fn holds_folders(path: &Path, is_folder: impl Fn(&Path) -> bool) -> bool {
    let names = Names::read(path).unwrap_or_default();
    let directories = names.filter(|(_, kind)| *kind == EntryKind::Directory).map(|(name, _)| name);
    let (dotted, others): (Vec<_>, Vec<_>) = directories.partition(|name| name.as_encoded_bytes().starts_with(b"."));
    let any_folder = |names: &[OsString]| names.iter().any(|name| is_folder(&path.join(name)));
    any_folder(&dotted) && !any_folder(&others)
}

/// The path segments that a directory within a Maildir stands for.
pub(super) fn folder(name: &OsStr) -> Vec<String> {
    let shown = segment(name);
    let Some(path) = shown.strip_prefix('.') else { return vec![decoded(&shown)] };
    let parts: Vec<String> = path.split('.').filter(|part| !part.is_empty()).map(decoded).collect();
    if parts.is_empty() { vec![shown] } else { parts }
}

/// The text of a name in modified UTF-7; any other one is itself.
pub(super) fn decoded(name: &str) -> String {
    utf7::decode(name).unwrap_or_else(|| name.to_owned())
}

/// Where a file of a Maildir is now that a reader has moved it from `new` to `cur`, or given it other flags: both rename
/// it. Letters stand in the order of the alphabet, so that few names are possible.
pub(super) fn renamed(path: &Path) -> Option<PathBuf> {
    let (name, items) = (path.file_name()?, path.parent().filter(|items| items.file_name().is_some_and(holds_items))?);
    let bytes = name.as_encoded_bytes();
    let mark = MARKS.into_iter().find(|mark| memchr::memmem::rfind(bytes, mark).is_some()).unwrap_or(b":2,");
    let base_len = memchr::memmem::rfind(bytes, mark).unwrap_or(bytes.len());
    let base = name.to_str()?.get(..base_len)?;
    let mark = std::str::from_utf8(mark).ok()?;
    let cur = items.parent()?.join("cur");
    (0..1_u8 << RENAMED.len())
        .map(|chosen| {
            let letters = RENAMED.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, letter)| letter);
            cur.join(format!("{base}{mark}{}", letters.collect::<String>()))
        })
        .find(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()))
}

/// Marks those of `new` that `cur` has as well. Of a mail that a reader moved between the reading of both, there is one name
/// too many.
pub(super) fn mark_moved(new: &mut Names, cur: &Names) {
    new.mark_twins(|name| {
        let base = base(name);
        cur.beginning(base).any(|other| self::base(other) == base)
    });
}

/// Marks those that `cur` has with other flags, too: a reader may have renamed one while the names were read.
pub(super) fn mark_renamed(cur: &mut Names) {
    cur.mark_doubles(base);
}

/// A name without the flags.
fn base(name: &[u8]) -> &[u8] {
    let mark = MARKS.iter().filter_map(|mark| memchr::memmem::rfind(name, mark)).max();
    mark.and_then(|at| name.get(..at)).unwrap_or(name)
}

pub(super) fn flags(name: &OsStr) -> Vec<Flag> {
    let letters = marked(name).unwrap_or_default();
    LETTERS.iter().filter(|(letter, _)| letters.contains(letter)).map(|(_, flag)| *flag).collect()
}

/// True for the files that a mail server keeps beside `cur` and `new`.
pub(super) fn is_server_file(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| SERVER_FILES.iter().any(|start| name.starts_with(start)))
}

/// What stands behind the last mark.
fn marked(name: &OsStr) -> Option<&[u8]> {
    let bytes = name.as_encoded_bytes();
    let behind = |mark: &&[u8]| memchr::memmem::rfind(bytes, mark).map(|at| at.saturating_add(mark.len()));
    bytes.get(MARKS.iter().filter_map(behind).max()?..)
}

/// Microseconds or milliseconds of some year since 2001, in a `cur` beside `tmp`. A date of the last century in digits begins
/// with larger numbers.
fn is_of_thunderbird(directory: &Path, name: &OsStr) -> bool {
    let time = name.as_encoded_bytes().strip_suffix(b".eml").unwrap_or_default();
    let is_time = matches!(time.len(), 13 | 16) && time.iter().all(u8::is_ascii_digit) && time.starts_with(b"1");
    let beside = || directory.parent().is_some_and(|folder| is_real_directory(&folder.join("tmp")));
    is_time && time < &b"195"[..] && directory.file_name().is_some_and(|name| name == "cur") && beside()
}

/// A name as delivery makes it: seconds, a dot, something unique, a dot, the host.
fn is_unique_name(name: &OsStr) -> bool {
    let mut parts = name.as_encoded_bytes().splitn(3, |byte| *byte == b'.');
    let seconds = parts.next().is_some_and(|part| part.len() >= 9 && part.iter().all(u8::is_ascii_digit));
    seconds && parts.filter(|part| !part.is_empty()).count() == 2
}

/// True for a mail. What begins with a `From ` line may be an mbox of one, unless its name is that of a mail.
fn begins_as_mail(path: &Path, is_unique: bool) -> bool {
    let Ok((file, _)) = open_regular(path) else { return false };
    let mut prefix = Vec::new();
    let read = file.take(SNIFF_BYTES as u64).read_to_end(&mut prefix);
    read.is_ok() && looks_like_mail(&prefix) && (is_unique || !prefix.starts_with(b"From "))
}

pub(super) fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Flag, flags, folder, is_unique_name};

    #[test]
    fn names_of_files_and_folders() {
        assert_eq!(flags(OsStr::new("1.a:2,FS")), [Flag::Seen, Flag::Flagged]);
        assert_eq!(flags(OsStr::new("1.a;2,DPRTab")), [Flag::Answered, Flag::Forwarded, Flag::Draft]);
        assert_eq!(flags(OsStr::new("1.a,S=12:2,")), []);
        assert_eq!(flags(OsStr::new("S.R")), []);
        assert_eq!(folder(OsStr::new(".Entw&APw-rfe.R&D.a&AC4-b")), ["Entwürfe", "R&D", "a.b"]);
        assert_eq!(folder(OsStr::new("v1.2")), ["v1.2"]);
        assert_eq!(folder(OsStr::new(".a..Büro")), ["a", "Büro"]);
        assert_eq!(folder(OsStr::new("...")), ["..."]);
        assert!(is_unique_name(OsStr::new("1204680122.27c448.host,S=1")));
        assert!(!is_unique_name(OsStr::new("2023.01.txt")));
    }
}
