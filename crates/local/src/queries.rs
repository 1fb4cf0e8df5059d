//! Saved searches: `DIR/queries/NAME`, one line of text each. They need no archive, and are read without its lock.

use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use archive::{Error, Result};

use crate::{folders, from_io};

/// The name of a file, with room for what file systems add.
const MAX_NAME_BYTES: usize = 100;
/// Longer than any query.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The saved searches of one data folder.
#[derive(Clone, Debug)]
pub struct Queries {
    folder: PathBuf,
}

/// The name of a saved search: up to 100 bytes of letters and digits of any script, `-`, `_` and `.`, of which the first
/// is a letter or a digit.
///
/// ```
/// assert!("Prüfung-2024".parse::<local::QueryName>().is_ok());
/// for hostile in ["", "..", "../a", "-a", "a b", "@a", "a/b", ".a"] {
///     assert!(hostile.parse::<local::QueryName>().is_err(), "{hostile}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryName(String);

impl QueryName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QueryName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name =
            name.len() <= MAX_NAME_BYTES && name.starts_with(char::is_alphanumeric) && name.chars().all(is_inner);
        if is_name {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::invalid(format!("{name:?} is no name for a query")).hint(
            "take letters, digits, hyphens, underscores and dots, the first a letter or a digit; up to 100 bytes",
        ))
    }
}

impl Queries {
    /// Those of the data folder `dir`, which need not exist.
    pub fn of(dir: &Path) -> Self {
        Self { folder: dir.join("queries") }
    }

    /// Saves a query, in place of one of that name. A crash leaves the old one or the new one.
    pub fn save(&self, name: &QueryName, query: &str) -> Result<()> {
        let failed = |error| from_io(self.path(name).display(), error);
        folders::make(&self.folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        writeln!(file, "{query}").and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(self.path(name)).map_err(|error| failed(error.error))?;
        folders::sync(&self.folder).map_err(failed)
    }

    /// The text of a saved query. `NotFound` says which there are.
    pub fn read(&self, name: &QueryName) -> Result<String> {
        let path = self.path(name);
        let mut text = String::new();
        let read = fs::File::open(&path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.unknown(name)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Error::invalid(format!("{} is not UTF-8", path.display())))
            }
            Err(error) => Err(from_io(path.display(), error)),
        }
    }

    /// The names in order.
    pub fn names(&self) -> Result<Vec<QueryName>> {
        let failed = |error| from_io(self.folder.display(), error);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // Anything else there is none of ours.
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.parse::<QueryName>().ok()));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes a saved query and returns its text.
    pub fn delete(&self, name: &QueryName) -> Result<String> {
        let text = self.read(name)?;
        let deleted = fs::remove_file(self.path(name)).and_then(|()| folders::sync(&self.folder));
        deleted.map_err(|error| from_io(self.path(name).display(), error))?;
        Ok(text)
    }

    fn unknown(&self, name: &QueryName) -> Error {
        let names = self.names().unwrap_or_default();
        let hint = if names.is_empty() {
            "none is saved yet: `postkahn query save NAME QUERY` saves one".to_owned()
        } else {
            let names: Vec<_> = names.iter().map(QueryName::as_str).collect();
            format!("saved are: {}", names.join(", "))
        };
        Error::not_found(format!("no query is saved as {name} in {}", self.folder.display())).hint(hint)
    }

    fn path(&self, name: &QueryName) -> PathBuf {
        self.folder.join(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;

    use super::*;

    #[test]
    fn queries_are_saved_replaced_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let queries = Queries::of(&data);
        let [anna, bob] = ["anna", "bob"].map(|name| name.parse::<QueryName>().unwrap());
        assert_eq!(queries.names().unwrap(), []);
        assert_eq!(queries.read(&anna).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!data.exists(), "looking makes nothing");
        queries.save(&bob, "to:bob").unwrap();
        queries.save(&anna, "from:anna").unwrap();
        queries.save(&anna, "from:anna size:>1MiB").unwrap();
        fs::write(data.join("queries/.tmp123"), "cut off").unwrap();
        assert_eq!(queries.names().unwrap(), [anna.clone(), bob.clone()]);
        assert_eq!(queries.read(&anna).unwrap(), "from:anna size:>1MiB");
        assert_eq!(fs::read_to_string(data.join("queries/anna")).unwrap(), "from:anna size:>1MiB\n");
        assert_eq!(queries.delete(&anna).unwrap(), "from:anna size:>1MiB");
        let error = queries.delete(&anna).unwrap_err();
        assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("saved are: bob")));
        assert!(!data.join("lock").exists() && !data.join("catalogue.sqlite").exists());
    }
}
