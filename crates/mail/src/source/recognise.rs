//! The look ahead of `auto`: a layout that is not built is said before anything is read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::file::open_regular;
use super::kind::{Kind, by_content, helper, helper_directory, is_always_mail};
use super::walk::sorted_names;
use super::{Layout, SourceError};

/// Walks the tree and fails at the first Maildir, mbox or ZIP. What cannot be read is left to the walk to name.
pub(super) fn refuse_unbuilt(root: &Path) -> Result<(), SourceError> {
    let mut directories = Vec::new();
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => directories.push(root.to_owned()),
        Ok(_) => look(&fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()))?,
        Err(_) => {}
    }
    while let Some(directory) = directories.pop() {
        let Ok((names, _)) = sorted_names(&directory) else { continue };
        refuse_directory(&directory)?;
        for (name, file_type) in names {
            let path = directory.join(&name);
            if file_type.is_dir() && helper_directory(&name).is_none() {
                directories.push(path);
            } else if file_type.is_file() && helper(&name).is_none() {
                look(&path)?;
            }
        }
    }
    Ok(())
}

fn look(path: &Path) -> Result<(), SourceError> {
    let name = path.file_name().unwrap_or_default();
    if is_always_mail(name) {
        return Ok(());
    }
    let kind = open_regular(path).and_then(|(mut file, _)| by_content(&mut file, name));
    match kind {
        Ok(Kind::Mbox) => Err(not_built(Layout::Mbox, path)),
        Ok(Kind::Zip) => Err(not_built(Layout::Zip, path)),
        _ => Ok(()),
    }
}

/// Apple's package is a directory `NAME.mbox` with the file `mbox` in it.
fn refuse_directory(path: &Path) -> Result<(), SourceError> {
    if is_maildir(path) {
        return Err(not_built(Layout::Maildir, path));
    }
    let package = path.extension().and_then(OsStr::to_str).is_some_and(|tail| tail.eq_ignore_ascii_case("mbox"));
    let inner: PathBuf = path.join("mbox");
    if package && fs::symlink_metadata(&inner).is_ok_and(|inner| inner.is_file()) {
        return Err(not_built(Layout::Mbox, &inner));
    }
    Ok(())
}

/// A Maildir has `cur`, `new` and `tmp`, of which empty ones get lost on the way. Folders of those names occur among
/// e-mail files too, so the names of the files decide: in a Maildir they are no `.eml`, and read ones end in `:2,FLAGS`.
fn is_maildir(path: &Path) -> bool {
    let there: Vec<_> =
        ["cur", "new", "tmp"].map(|name| path.join(name)).into_iter().filter(|p| is_real_directory(p)).collect();
    let is_item = |directory: &Path, name: &OsStr| {
        let marked = name.as_encoded_bytes().windows(3).any(|window| window == b":2,");
        marked || (there.len() >= 2 && !is_always_mail(name) && is_mail(&directory.join(name), name))
    };
    let holds_item = |directory: &PathBuf| {
        let names = sorted_names(directory).map(|(names, _)| names).unwrap_or_default();
        names.into_iter().any(|(name, file_type)| file_type.is_file() && is_item(directory, &name))
    };
    there.iter().filter(|directory| !directory.ends_with("tmp")).any(holds_item)
}

fn is_mail(path: &Path, name: &OsStr) -> bool {
    open_regular(path).and_then(|(mut file, _)| by_content(&mut file, name)).is_ok_and(|kind| kind == Kind::Mail)
}

fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn not_built(layout: Layout, path: &Path) -> SourceError {
    SourceError::NotBuilt { layout, path: path.to_owned() }
}
