//! The data folder, opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use archive::Result;

use crate::{Files, Folder, Jobs, KeyFile, Lock, Sqlite, SystemClock, SystemRandom, Timetable};

/// Every adapter of one data folder, and the lock that makes it ours.
#[derive(Debug)]
pub struct Local {
    pub objects: Arc<Folder>,
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
    pub lock: Lock,
}

impl Local {
    /// Opens the data folder and makes it first if need be. `Unavailable` if another process owns it, `Corrupt` if the
    /// catalogue cannot be read, `Invalid` if a newer version of this program wrote it.
    pub fn open(dir: &Path) -> Result<Self> {
        todo!()
    }

    /// Opens the data folder with a new, empty catalogue beside the present one, which stays in force until
    /// [`Self::replace_catalogue`]. For `rebuild`; works when the present catalogue is damaged or missing.
    pub fn open_anew(dir: &Path) -> Result<Self> {
        todo!()
    }

    /// Puts the new catalogue of [`Self::open_anew`] in place of the old one and opens the folder again. All other
    /// holders of the adapters get `Unavailable` from now on. Changes nothing if the catalogue is the one in force.
    pub fn replace_catalogue(self) -> Result<Self> {
        todo!()
    }
}
