//! The folder of the demo's archive: made anew each time, and never one that holds something else.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use archive::{Error, Result};
use local::Lock;
use tempfile::TempDir;

use crate::config::Config;

/// A file that says that a folder was made by the demo, and may be removed by it.
const MARK: &str = "made-by-postkahn-demo";

/// A fresh data folder.
pub(super) struct DataFolder {
    path: PathBuf,
    /// Removed at the end, if nobody was to look at it.
    _temporary: Option<TempDir>,
}

impl DataFolder {
    /// The folder that was asked for, else `./demo-data`, or one that goes at the end if nobody is to look at it.
    pub(super) fn prepare(for_a_moment: bool, config: &Config) -> Result<Self> {
        let (path, temporary) = if config.data_given {
            (config.data.clone(), None)
        } else if for_a_moment {
            let made = temporary_folder(config)?;
            (made.path().join("data"), Some(made))
        } else {
            (PathBuf::from("demo-data"), None)
        };
        clear(&path)?;
        let made =
            fs::create_dir_all(&path).and_then(|()| fs::write(path.join(MARK), "The next demo removes all of this.\n"));
        made.map_err(|error| Error::invalid(format!("{} cannot be made", path.display())).caused_by(error))?;
        Ok(Self { path, _temporary: temporary })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A folder that is removed when it is dropped.
pub(super) fn temporary_folder(config: &Config) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("postkahn-demo-").tempdir_in(&config.temp);
    made.map_err(|error| Error::unavailable(format!("no folder in {}", config.temp.display())).caused_by(error))
}

/// Removes what an earlier demo left; refuses what anybody else did.
fn clear(path: &Path) -> Result<()> {
    let fail = |error: io::Error| Error::invalid(path.display().to_string()).caused_by(error);
    let is_empty = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(fail(error)),
    };
    if is_empty {
        return Ok(());
    }
    if !path.join(MARK).exists() {
        let text = format!("{} is not empty, and no demo made it", path.display());
        return Err(Error::invalid(text).hint("choose another folder with --data"));
    }
    let lock = Lock::take(&path.join("lock"))?;
    fs::remove_dir_all(path).map_err(fail)?;
    drop(lock);
    Ok(())
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;

    use super::*;

    #[test]
    fn only_a_folder_of_the_demo_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        clear(&dir.path().join("new")).unwrap();
        fs::write(dir.path().join("letter"), "dear").unwrap();
        assert_eq!(clear(dir.path()).unwrap_err().kind(), ErrorKind::Invalid);
        fs::write(dir.path().join(MARK), "").unwrap();
        clear(dir.path()).unwrap();
        assert!(!dir.path().exists());
        fs::create_dir(dir.path()).unwrap();
    }
}
