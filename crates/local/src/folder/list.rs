//! Keys in byte order, with memory for one page only.

use std::{collections::BTreeSet, fs, io, path::Path};

use archive::{
    Result,
    ports::{ObjectKey, ObjectMeta},
};

use super::names::{self, Kind};
use crate::{from_io, read};

/// Objects whose keys begin with `prefix` and come after `after`, at most `limit`.
pub(super) fn list(root: &Path, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
    let after = after.map_or("", ObjectKey::as_str);
    let mut walk = Walk { root, prefix, after, limit, found: Vec::new() };
    walk.folder("")?;
    Ok(walk.found)
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<ObjectMeta>,
}

impl Walk<'_> {
    /// Adds what lies below `base`, which is empty or ends in `/`. Keys of a folder sort as its name with a `/` behind.
    fn folder(&mut self, base: &str) -> Result<()> {
        let mut from = String::new();
        loop {
            let room = self.limit - self.found.len();
            let page = self.page(base, &from, room)?;
            let is_last = page.len() < room;
            for text in &page {
                if text.ends_with('/') {
                    self.folder(text)?;
                } else {
                    self.object(text)?;
                }
                if self.found.len() >= self.limit {
                    return Ok(());
                }
            }
            match page.into_iter().next_back() {
                // Some of the page may have been empty folders.
                Some(last) if !is_last => from = last,
                _ => return Ok(()),
            }
        }
    }

    fn object(&mut self, key: &str) -> Result<()> {
        // What is no key of ours, somebody else put there.
        let Ok(key) = ObjectKey::parse(key) else { return Ok(()) };
        let path = names::object(self.root, key.as_str());
        self.found.extend(read::meta(&path, &key)?);
        Ok(())
    }

    /// The first `room` entries of a folder after `from`.
    fn page(&self, base: &str, from: &str, room: usize) -> Result<BTreeSet<String>> {
        let mut page = BTreeSet::new();
        let mut add = |text: String| {
            if text.as_str() > from && self.leads_on(&text) {
                page.insert(text);
            }
            if page.len() > room {
                page.pop_last();
            }
        };
        let path = names::folder(self.root, base);
        gather(&path, base, "", &mut add).map_err(|e| from_io(path.display(), e))?;
        Ok(page)
    }

    fn leads_on(&self, text: &str) -> bool {
        if text.ends_with('/') {
            let holds = |key: &str| key.starts_with(text);
            (text.starts_with(self.prefix) || holds(self.prefix)) && (text > self.after || holds(self.after))
        } else {
            text.starts_with(self.prefix) && text > self.after
        }
    }
}

/// Names every entry of a folder in full, folders with a `/` behind. `begun` is what came before, of a long name.
fn gather(path: &Path, base: &str, begun: &str, add: &mut impl FnMut(String)) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        match names::entry(name) {
            (Kind::More, piece) => gather(&entry.path(), base, &format!("{begun}{piece}"), add)?,
            (Kind::Folder, piece) => add(format!("{base}{}/", names::unescaped(&format!("{begun}{piece}")))),
            (Kind::Object, piece) => add(format!("{base}{}", names::unescaped(&format!("{begun}{piece}")))),
        }
    }
    Ok(())
}
