//! The data folder, opened.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use archive::{Error, Result};

use crate::{
    Database, Files, Folder, Jobs, KeyFile, Lock, Sqlite, SystemClock, SystemRandom, Timetable, folders, from_io,
};

const CATALOGUE: &str = "catalogue.sqlite";
const OBJECTS: &str = "objects";
const NEW_CATALOGUE: &str = "catalogue.new.sqlite";
/// What SQLite keeps beside a file.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Every adapter of one data folder.
#[derive(Debug)]
pub struct Local {
    pub objects: Arc<Folder>,
    /// Uploads that were closed. The SFTP server's partial ones lie beside, in `uploads/partial`.
    pub uploads: Arc<Folder>,
    pub files: Arc<Files>,
    pub catalog: Arc<Sqlite>,
    pub queue: Arc<Jobs>,
    pub schedules: Arc<Timetable>,
    pub keys: Arc<KeyFile>,
    pub clock: Arc<SystemClock>,
    pub random: Arc<SystemRandom>,
    /// An empty folder for temporary files, emptied at each start.
    pub scratch: PathBuf,
    /// Held until this, the catalogue, the queue and the schedules are all dropped.
    pub lock: Arc<Lock>,
    dir: PathBuf,
    is_anew: bool,
}

impl Local {
    /// Opens the data folder and makes it first if need be. `Unavailable` if another process owns it, `Corrupt` if the
    /// catalogue cannot be read or the key file of an archive is gone, `Invalid` if a newer version of this program wrote it.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with(dir, None)
    }

    /// As [`Self::open`], with the key file under a passphrase if one is given; see [`KeyFile::open_under`].
    pub fn open_with(dir: &Path, passphrase: Option<&str>) -> Result<Self> {
        let lock = own(dir)?;
        let keys = Arc::new(keys(dir, passphrase)?);
        need_catalogue(dir)?;
        Self::open_under(dir, lock, keys, false)
    }

    /// Opens the data folder with a new, empty catalogue beside the present one, which stays in force until
    /// [`Self::replace_catalogue`]. For `rebuild`; works when the present catalogue is damaged or missing.
    pub fn open_anew(dir: &Path, passphrase: Option<&str>) -> Result<Self> {
        let lock = own(dir)?;
        Self::open_under(dir, lock, Arc::new(keys(dir, passphrase)?), true)
    }

    /// Keeps the catalogue that [`Self::replace_catalogue`] will replace under another name, which it answers: the first of
    /// `catalogue.before-1.sqlite` … that is free.
    pub fn keep_catalogue(&self) -> Result<String> {
        let there = self.dir.join(CATALOGUE);
        // With its log in it.
        Database::open(&there)?.close()?;
        let names = (1_u32..).map(|number| format!("catalogue.before-{number}.sqlite"));
        for name in names {
            let kept = self.dir.join(&name);
            // Not every file system has links.
            let linked = fs::hard_link(&there, &kept).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                _ => File::create_new(&kept).and_then(|_| fs::copy(&there, &kept)).map(drop),
            });
            match linked {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => {
                    linked.and_then(|()| folders::sync(&self.dir)).map_err(|e| from_io(kept.display(), e))?;
                    return Ok(name);
                }
            }
        }
        Err(Error::internal("no name is free"))
    }

    /// Puts the new catalogue of [`Self::open_anew`] in place of the old one and opens the folder again. All other
    /// holders of the adapters get `Unavailable` from now on. Changes nothing if the catalogue is the one in force.
    pub fn replace_catalogue(self) -> Result<Self> {
        if !self.is_anew {
            return Ok(self);
        }
        self.catalog.database().close()?;
        let (old, new) = (self.dir.join(CATALOGUE), self.dir.join(NEW_CATALOGUE));
        // The log of the old one must go first, or it would be taken for the new one's. It is folded in where it can
        // be, so that a crash here leaves the old catalogue as it was.
        if let Err(error) = Database::open(&old).and_then(|old| old.close()) {
            tracing::info!(%error, "the old catalogue is given up");
        }
        BESIDE.iter().try_for_each(|ending| remove(&beside(&old, ending)))?;
        let replaced = fs::rename(&new, &old).and_then(|()| folders::sync(&self.dir));
        replaced.map_err(|e| from_io(old.display(), e))?;
        let (dir, lock, keys) = (self.dir.clone(), Arc::clone(&self.lock), Arc::clone(&self.keys));
        drop(self);
        Self::open_under(&dir, lock, keys, false)
    }

    /// With the keys before all else: whoever finds a catalogue or objects finds the keys that belong to them.
    fn open_under(dir: &Path, lock: Arc<Lock>, keys: Arc<KeyFile>, is_anew: bool) -> Result<Self> {
        let new = dir.join(NEW_CATALOGUE);
        ["", "-wal", "-shm"].iter().try_for_each(|ending| remove(&beside(&new, ending)))?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let path = if is_anew { new } else { dir.join(CATALOGUE) };
        let database = Database::open_under(&path, Some(Arc::clone(&lock)))?;
        Ok(Self {
            objects: Arc::new(Folder::open(&dir.join(OBJECTS))?),
            uploads: Arc::new(Folder::open(&dir.join("uploads").join("whole"))?),
            files: Arc::default(),
            catalog: Arc::new(Sqlite::new(database.clone(), clock.clone())),
            queue: Arc::new(Jobs::new(database.clone(), clock.clone())?),
            schedules: Arc::new(Timetable::new(database, clock.clone())),
            keys,
            clock,
            random,
            scratch: scratch(dir)?,
            lock,
            dir: dir.to_owned(),
            is_anew,
        })
    }
}

/// Makes the folder if need be, and takes its lock.
fn own(dir: &Path) -> Result<Arc<Lock>> {
    make(dir)?;
    Lock::take(&dir.join("lock")).map(Arc::new)
}

fn make(dir: &Path) -> Result<()> {
    folders::make(dir).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            Error::invalid(format!("{} is no folder", dir.display()))
        }
        _ => from_io(dir.display(), e),
    })
}

/// The keys of the archive; new ones only for a new archive. Others in their place would open nothing of what was
/// sealed, and would be another recipient under the same name.
fn keys(dir: &Path, passphrase: Option<&str>) -> Result<KeyFile> {
    let path = dir.join("keys").join("archive.key");
    let exists = |path: &Path| path.try_exists().map_err(|e| from_io(path.display(), e));
    if !exists(&path)? && (exists(&dir.join(CATALOGUE))? || exists(&dir.join(OBJECTS))?) {
        let message = format!("the archive in {} has lost its key file {}", dir.display(), path.display());
        return Err(Error::corrupt(message).hint("put it back from a backup"));
    }
    KeyFile::open_under(&path, &SystemRandom, passphrase)
}

/// An archive whose catalogue is gone must not pass for an empty one, which answers, and takes in, what is not so.
fn need_catalogue(dir: &Path) -> Result<()> {
    let path = dir.join(CATALOGUE);
    // What was written last may lie in the log alone.
    let is_empty =
        || -> Result<bool> { Ok(length(&path)? == Some(0) && length(&beside(&path, "-wal"))?.unwrap_or(0) == 0) };
    let is_gone = length(&path)?.is_none() || is_empty()?;
    if is_gone && Folder::is_filled(&dir.join(OBJECTS))? {
        let message = format!("the archive in {} has lost its catalogue {}", dir.display(), path.display());
        return Err(
            Error::corrupt(message).hint("run `postkahn rebuild`: it makes the catalogue anew from the objects")
        );
    }
    Ok(())
}

fn scratch(dir: &Path) -> Result<PathBuf> {
    let scratch = dir.join("scratch");
    match fs::remove_dir_all(&scratch) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(from_io(scratch.display(), e)),
        _ => make(&scratch)?,
    }
    Ok(scratch)
}

/// None if there is no such file.
fn length(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found.len())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(from_io(path.display(), e)),
    }
}

/// The path with an ending behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(from_io(path.display(), e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::OpenOptions,
        io::Write as _,
        os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    };

    use archive::{
        ErrorKind,
        ports::{Catalog as _, Expect, Keys as _, ObjectKey, Objects as _, PutMode},
    };
    use serde_json::json;

    use super::*;

    async fn value(local: &Local) -> Option<serde_json::Value> {
        local.catalog.load("p", "x").await.unwrap().map(|document| document.body)
    }

    #[tokio::test]
    async fn a_folder_is_made_and_found_again() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("some/where");
        let local = Local::open(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.join(CATALOGUE)).unwrap().mode() & 0o777, 0o600);
        local.catalog.save("p", "x", &json!(1), Expect::Absent, None).await.unwrap();
        fs::write(local.scratch.join("left"), "over").unwrap();
        let catalog = Arc::clone(&local.catalog);
        drop(local);
        let error = Local::open(&dir).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "the catalogue is still in use");
        drop(catalog);
        let local = Local::open(&dir).unwrap();
        assert_eq!(value(&local).await, Some(json!(1)));
        assert_eq!(fs::read_dir(&local.scratch).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_no_data_folder() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("file");
        fs::write(&file, "").unwrap();
        for wrong in [file.clone(), file.join("below")] {
            assert_eq!(Local::open(&wrong).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[tokio::test]
    async fn a_catalogue_that_is_still_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        drop(Local::open(dir.path()).unwrap());
        let anew = Local::open_anew(dir.path(), None).unwrap();
        anew.catalog.save("p", "x", &json!(1), Expect::Absent, None).await.unwrap();
        let reader = rusqlite::Connection::open(dir.path().join(NEW_CATALOGUE)).unwrap();
        let read = "BEGIN; SELECT count(*) FROM document;";
        reader.execute_batch(read).unwrap();
        anew.catalog.save("p", "x", &json!(2), Expect::Version(1), None).await.unwrap();
        assert_eq!(anew.replace_catalogue().unwrap_err().kind(), ErrorKind::Unavailable);
        drop(reader);
        assert_eq!(value(&Local::open(dir.path()).unwrap()).await, None, "the old one is in force");
    }

    #[tokio::test]
    async fn lost_keys_are_told_and_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("keys").join("archive.key");
        let public = Local::open(dir.path()).unwrap().keys.public().await.unwrap();
        let kept = fs::read(&key).unwrap();
        fs::remove_file(&key).unwrap();
        for gone in [None, Some(CATALOGUE)] {
            gone.map_or(Ok(()), |gone| fs::remove_file(dir.path().join(gone))).unwrap();
            for error in [Local::open(dir.path()).unwrap_err(), Local::open_anew(dir.path(), None).unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert!(error.message().contains("archive.key") && error.advice().is_some());
            }
        }
        assert!(!key.exists());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key).unwrap().write_all(&kept).unwrap();
        assert_eq!(Local::open(dir.path()).unwrap().keys.public().await.unwrap(), public);
    }

    #[tokio::test]
    async fn a_lost_catalogue_is_told_and_made_anew_by_nobody_but_a_rebuild() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let key = ObjectKey::parse("a").unwrap();
        local.objects.put(&key, "1".into(), PutMode::IfAbsent).await.unwrap();
        drop(local);
        drop(Local::open(dir.path()).unwrap());
        let path = dir.path().join(CATALOGUE);
        for lose in [|path: &Path| fs::remove_file(path).unwrap(), |path: &Path| fs::write(path, "").unwrap()] {
            lose(&path);
            let error = Local::open(dir.path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.advice().unwrap().contains("postkahn rebuild"));
            assert!(!path.exists() || fs::metadata(&path).unwrap().len() == 0);
        }
        let anew = Local::open_anew(dir.path(), None).unwrap().replace_catalogue().unwrap();
        assert!(anew.objects.head(&key).await.unwrap().is_some());
        drop(anew);
        Local::open(dir.path()).unwrap().objects.delete(&key, None).await.unwrap();
        fs::remove_file(&path).unwrap();
        Local::open(dir.path()).unwrap();
    }

    #[tokio::test]
    async fn a_new_catalogue_takes_the_place_of_the_old_one_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        local.catalog.save("p", "x", &json!("old"), Expect::Absent, None).await.unwrap();
        drop(local);
        let unfinished = Local::open_anew(dir.path(), None).unwrap();
        assert_eq!(value(&unfinished).await, None);
        unfinished.catalog.save("p", "x", &json!("unfinished"), Expect::Absent, None).await.unwrap();
        drop(unfinished);
        let local = Local::open(dir.path()).unwrap().replace_catalogue().unwrap();
        assert_eq!(value(&local).await, Some(json!("old")));
        drop(local);
        for damage in [true, false] {
            if damage {
                fs::write(dir.path().join(CATALOGUE), "damaged ".repeat(2000)).unwrap();
                assert_eq!(Local::open(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt);
            }
            let anew = Local::open_anew(dir.path(), None).unwrap();
            anew.catalog.save("p", "x", &json!(damage), Expect::Absent, None).await.unwrap();
            let held = Arc::clone(&anew.catalog);
            let local = anew.replace_catalogue().unwrap();
            assert_eq!(value(&local).await, Some(json!(damage)));
            assert_eq!(held.load("p", "x").await.unwrap_err().kind(), ErrorKind::Unavailable);
            assert!(!dir.path().join(NEW_CATALOGUE).exists());
        }
    }

    #[tokio::test]
    async fn a_catalogue_is_kept_beside_those_that_were_kept_before() {
        let dir = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            let old = Local::open(dir.path()).unwrap();
            old.catalog.save("kept", "n", &json!(number), Expect::Anything, None).await.unwrap();
            drop(old);
            let anew = Local::open_anew(dir.path(), None).unwrap();
            let name = anew.keep_catalogue().unwrap();
            assert_eq!(name, format!("catalogue.before-{number}.sqlite"));
            drop(anew.replace_catalogue().unwrap());
            let kept = Sqlite::new(Database::open(&dir.path().join(name)).unwrap(), Arc::new(SystemClock));
            assert_eq!(kept.load("kept", "n").await.unwrap().unwrap().body, json!(number));
        }
    }
}
