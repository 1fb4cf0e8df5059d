//! Which path stands for which key, and back.
//!
//! Objects and folders of one name may lie side by side (`a` and `a/b` are both keys), so a folder's name ends in `.d`.
//! `%` is written `%25`; an object whose own name ends in `.d` is written with `%2Ed`. Whatever is longer than
//! [`PIECE`] bytes goes on in a folder whose name ends in `%+`. No other name ever has a `%` at its start, so that one
//! may hold what is no object.

use std::path::{Path, PathBuf};

/// File systems take 255 bytes a name; this leaves room for the endings.
const PIECE: usize = 240;
/// The last piece of a long name has at least so many bytes.
const LAST_PIECE: usize = 8;
const FOLDER: &str = ".d";
const MORE: &str = "%+";

/// Where the object of this key lies.
pub(super) fn object(root: &Path, key: &str) -> PathBuf {
    let (folders, name) = key.rsplit_once('/').map_or(("", key), |(folders, name)| (folders, name));
    let mut path = folder(root, folders);
    push(&mut path, &escaped(name, Kind::Object), "");
    path
}

/// Where the objects lie whose keys go on after `key` and a `/`. The empty key is the root.
pub(super) fn folder(root: &Path, key: &str) -> PathBuf {
    let mut path = root.to_owned();
    for part in key.split('/').filter(|part| !part.is_empty()) {
        push(&mut path, &escaped(part, Kind::Folder), FOLDER);
    }
    path
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Folder,
    /// Holds the rest of long names.
    More,
}

/// What an entry of a folder is, and the part of its name that counts, still escaped.
pub(super) fn entry(name: &str) -> (Kind, &str) {
    if let Some(piece) = name.strip_suffix(MORE) {
        (Kind::More, piece)
    } else if let Some(piece) = name.strip_suffix(FOLDER) {
        (Kind::Folder, piece)
    } else {
        (Kind::Object, name)
    }
}

pub(super) fn unescaped(text: &str) -> String {
    text.replace("%2E", ".").replace("%25", "%")
}

fn escaped(part: &str, kind: Kind) -> String {
    let text = part.replace('%', "%25");
    match text.strip_suffix(FOLDER) {
        Some(stem) if kind == Kind::Object => format!("{stem}%2Ed"),
        _ => text,
    }
}

fn push(path: &mut PathBuf, text: &str, ending: &str) {
    let mut rest = text;
    while rest.len() > PIECE {
        // The last piece must not be `.` or `..`, which are no names.
        let cut = PIECE.min(rest.len() - LAST_PIECE);
        let (piece, more) = rest.split_at(rest.floor_char_boundary(cut));
        path.push(format!("{piece}{MORE}"));
        rest = more;
    }
    path.push(format!("{rest}{ending}"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a path back as the list does.
    fn key_of(path: &Path) -> String {
        let (mut key, mut part) = (String::new(), String::new());
        for name in path {
            let (kind, piece) = entry(name.to_str().unwrap());
            part.push_str(piece);
            if kind != Kind::More {
                key.push_str(&unescaped(&part));
                part.clear();
            }
            if kind == Kind::Folder {
                key.push('/');
            }
        }
        key
    }

    #[test]
    fn names_stay_readable() {
        let path = |key| object(Path::new("/r"), key).to_str().unwrap().to_owned();
        assert_eq!(path("packs/3f/3fa2"), "/r/packs.d/3f.d/3fa2");
        assert_eq!(path("anna/50%.d"), "/r/anna.d/50%25%2Ed");
        assert_ne!(path("a.d"), folder(Path::new("/r"), "a").to_str().unwrap());
    }

    #[test]
    fn the_end_of_a_long_name_is_a_name() {
        for dots in [".", "..", ".d", "..d"] {
            for length in PIECE - 3..PIECE + 3 {
                let key = format!("{}{dots}", "a".repeat(length));
                let path = object(Path::new(""), &key);
                assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{path:?}");
                assert_eq!(key_of(&path), key);
            }
        }
    }

    proptest! {
        #[test]
        fn every_path_leads_back_to_its_key(key in "([a%.dE2+5é山]{1,300}/){0,3}[a%.dE2+5é]{1,500}") {
            prop_assume!(archive::ports::ObjectKey::parse(key.as_str()).is_ok());
            let path = object(Path::new(""), &key);
            prop_assert!(path.iter().all(|name| name.len() <= 255 && !name.as_encoded_bytes().starts_with(b"%t")));
            prop_assert_eq!(key_of(&path), key);
        }
    }
}
