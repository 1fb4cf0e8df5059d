//! The look ahead of `auto`: a layout that is not built is said before anything is read.

use std::fs;
use std::path::Path;

use super::file::open_regular;
use super::kind::{Kind, by_content, helper, helper_directory, is_always_mail};
use super::names::{EntryKind, Names};
use super::{Layout, SourceError};

/// Walks the tree and fails at the first ZIP. What cannot be read is left to the walk to name.
pub(super) fn refuse_unbuilt(root: &Path) -> Result<(), SourceError> {
    let mut directories = Vec::new();
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => directories.push(root.to_owned()),
        Ok(_) => look(&fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()))?,
        Err(_) => {}
    }
    while let Some(directory) = directories.pop() {
        for (name, kind) in Names::read(&directory).unwrap_or_default() {
            let path = directory.join(&name);
            if kind == EntryKind::Directory && helper_directory(&name).is_none() {
                directories.push(path);
            } else if kind == EntryKind::File && helper(&name).is_none() {
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
    match open_regular(path).and_then(|(mut file, _)| by_content(&mut file, name, true)) {
        Ok(Kind::Zip) => Err(SourceError::NotBuilt { layout: Layout::Zip, path: path.to_owned() }),
        _ => Ok(()),
    }
}
