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

/// A Maildir has `cur`, `new` and `tmp`, of which empty ones get lost on the way; Apple's package is a directory
/// `NAME.mbox` with the file `mbox` in it.
fn refuse_directory(path: &Path) -> Result<(), SourceError> {
    let holds = |name: &str| is_real_directory(&path.join(name));
    let of_three = ["cur", "new", "tmp"].into_iter().filter(|name| holds(name)).count();
    if of_three >= 2 && (holds("cur") || holds("new")) {
        return Err(not_built(Layout::Maildir, path));
    }
    let package = path.extension().and_then(OsStr::to_str).is_some_and(|tail| tail.eq_ignore_ascii_case("mbox"));
    let inner: PathBuf = path.join("mbox");
    if package && fs::symlink_metadata(&inner).is_ok_and(|inner| inner.is_file()) {
        return Err(not_built(Layout::Mbox, &inner));
    }
    Ok(())
}

fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn not_built(layout: Layout, path: &Path) -> SourceError {
    SourceError::NotBuilt { layout, path: path.to_owned() }
}
