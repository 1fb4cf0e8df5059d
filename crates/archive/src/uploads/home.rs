//! A user's SFTP home: what it shows, and what may be done in it.
//!
//! One flat folder. A file is *partial* until it was closed, then *whole* and an upload. What follows from that:
//!
//! | file | shown as | may be |
//! |---|---|---|
//! | partial | `NAME`, at its durable size | resumed, renamed, removed; renaming does not make it whole |
//! | whole, not looked at yet | `(Pending) NAME` | written again (partial from then on), renamed, removed |
//! | whole, can be imported | `NAME` | the same; renaming keeps what is known about it |
//! | whole, cannot be imported | `(Rejected) NAME` | the same |
//! | whole under a client's temporary name | `NAME` | the same; becomes an upload by a rename to a lasting name |
//! | whole, read by an import now | as before | read, and nothing else |
//!
//! A rename onto a name that is taken is refused, as SFTP version 3 wants it, unless there is nothing to lose there (a
//! partial or rejected file) or the client asked to replace (`posix-rename@openssh.com`). A name under a writer
//! takes no second one and can be neither renamed nor removed.

mod file;
mod name;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use self::name::FileName;
pub use self::{
    file::HomeFile,
    name::{PENDING, REJECTED},
};
use super::{KEPT_SECONDS, Upload, UploadState};
use crate::{
    Archive, Error, Result,
    ports::{Landing, LandingEntry, LandingSpace, ObjectKey, OpenMode},
    records::{Record as _, Stored},
};

/// One flat folder of uploads. Names are taken plain or with the prefix of their state, and shown with it.
#[derive(Clone)]
pub struct Home {
    archive: Archive,
    landing: Arc<dyn Landing>,
    user: String,
    quota_bytes: Option<u64>,
}

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeEntry {
    /// With the prefix of its state.
    pub name: String,
    pub size_bytes: u64,
    /// Unix seconds UTC.
    pub modified: i64,
}

/// How far a file of a home is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Not closed yet, or closed under a client's temporary name: no upload.
    Partial,
    /// Whole, not looked at yet.
    Pending,
    /// Whole, can be imported.
    Ready,
    /// Whole, cannot be imported, and why.
    Rejected(String),
}

const PAGE: usize = 1000;

impl Home {
    /// The home of `user`. `quota_bytes` bounds the sum of its files' sizes; several files that are written at once
    /// may pass it by a few dozen MiB.
    pub fn new(archive: Archive, landing: Arc<dyn Landing>, user: &str, quota_bytes: Option<u64>) -> Result<Self> {
        let sound = !user.contains('/') && ObjectKey::parse(user).is_ok();
        if !sound {
            return Err(Error::invalid(format!("user {user:?} can have no home")));
        }
        Ok(Self { archive, landing, user: user.to_owned(), quota_bytes })
    }

    /// Whose home it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// A name that clients give a file until it is complete: no upload, and not looked at, until it is renamed.
    pub fn is_temporary(name: &str) -> bool {
        name::is_temporary(name)
    }

    /// Removes, in every home, what was cut off so long ago that nobody will resume it: uploads are kept seven days,
    /// whole or not.
    pub async fn expire(archive: &Archive, landing: &dyn Landing) -> Result<()> {
        let removed = landing.expire(archive.clock.now().saturating_sub(KEPT_SECONDS)).await?;
        if removed > 0 {
            tracing::info!(removed, "uploads that were cut off and never resumed are deleted");
        }
        Ok(())
    }

    /// Every file, in no particular order.
    pub async fn list(&self) -> Result<Vec<HomeEntry>> {
        let states = self.states().await?;
        let entries = self.landing.list(&self.user).await?;
        Ok(entries.iter().map(|entry| shown(states.get(&entry.name).copied(), entry)).collect())
    }

    /// The file, `NotFound` if there is none.
    pub async fn stat(&self, name: &str) -> Result<HomeEntry> {
        let name = FileName::parse(name)?;
        let entry = self.need(&name).await?;
        let record = self.archive.find::<Upload>(self.key(&name)?.as_str()).await?;
        Ok(shown(record.map(|upload| upload.value.state), &entry))
    }

    /// How far the file is, `NotFound` if there is none. The name that is shown leaves open whether a file is partial or
    /// ready.
    pub async fn state(&self, name: &str) -> Result<FileState> {
        let name = FileName::parse(name)?;
        let entry = self.need(&name).await?;
        if !entry.whole || name.is_temporary() {
            return Ok(FileState::Partial);
        }
        let upload = self.archive.find::<Upload>(self.key(&name)?.as_str()).await?.map(|stored| stored.value);
        Ok(match upload {
            Some(Upload { state: UploadState::Ready, .. }) => FileState::Ready,
            Some(Upload { state: UploadState::Rejected, reason, .. }) => {
                FileState::Rejected(reason.unwrap_or_default())
            }
            Some(Upload { state: UploadState::Pending, .. }) | None => FileState::Pending,
        })
    }

    /// Opens a file for writing; a whole one is no upload from then on.
    pub async fn write(&self, name: &str, mode: OpenMode) -> Result<HomeFile> {
        let name = FileName::parse(name)?;
        let key = self.key(&name)?;
        if mode.exclusive && self.landing.stat(&self.user, name.as_str()).await?.is_some() {
            return Err(exists(&name));
        }
        let taken = self.archive.take_upload(&key).await?;
        match self.landing.open(&self.user, name.as_str(), mode).await {
            Ok(file) => HomeFile::new(self.clone(), name, key, file).await,
            Err(error) => {
                self.archive.give_back_upload(taken).await;
                Err(error)
            }
        }
    }

    /// At most `limit` bytes from `offset`; empty at the end.
    pub async fn read(&self, name: &str, offset: u64, limit: usize) -> Result<Bytes> {
        let name = FileName::parse(name)?;
        self.landing.read(&self.user, name.as_str(), offset, limit).await
    }

    /// Cuts or extends a file. A whole one is looked at anew, a partial one stays partial.
    pub async fn set_size(&self, name: &str, size_bytes: u64) -> Result<()> {
        let entry = self.need(&FileName::parse(name)?).await?;
        if entry.size_bytes == size_bytes {
            return Ok(());
        }
        let mut file = self.write(&entry.name, OpenMode::default()).await?;
        let changed = file.set_size(size_bytes).await;
        if entry.whole {
            file.close().await?;
        }
        changed
    }

    /// Gives a file another name. `replace` allows the new name to be taken.
    pub async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let (from, to) = (FileName::parse(from)?, FileName::parse(to)?);
        let source = self.need(&from).await?;
        if from == to {
            return Ok(());
        }
        let (old_key, new_key) = (self.key(&from)?, self.key(&to)?);
        let target = self.landing.stat(&self.user, to.as_str()).await?;
        if let Some(target) = &target
            && !replace
            && !self.is_worthless(target, &new_key).await?
        {
            return Err(exists(&to));
        }
        let replaced = self.archive.take_upload(&new_key).await?;
        let moved = match self.archive.take_upload(&old_key).await {
            Ok(moved) => moved,
            Err(error) => {
                self.archive.give_back_upload(replaced).await;
                return Err(error);
            }
        };
        if let Err(error) = self.landing.rename(&self.user, from.as_str(), to.as_str(), target.is_some()).await {
            self.archive.give_back_upload(replaced).await;
            self.archive.give_back_upload(moved).await;
            return Err(error);
        }
        if source.whole && !to.is_temporary() {
            self.settle(new_key, moved).await;
        }
        Ok(())
    }

    /// Removes a file, `NotFound` if there is none.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let name = FileName::parse(name)?;
        self.need(&name).await?;
        let taken = self.archive.take_upload(&self.key(&name)?).await?;
        if let Err(error) = self.landing.remove(&self.user, name.as_str()).await {
            self.archive.give_back_upload(taken).await;
            return Err(error);
        }
        tracing::info!(user = self.user, name = name.as_str(), "upload removed over SFTP");
        Ok(())
    }

    /// Room for this home: the quota's or the disk's, whichever is less.
    pub async fn space(&self) -> Result<LandingSpace> {
        let disk = self.landing.space().await?;
        let Some(quota) = self.quota_bytes else { return Ok(disk) };
        let left = quota.saturating_sub(self.used_beside(None).await?);
        Ok(LandingSpace { total_bytes: quota, free_bytes: left.min(disk.free_bytes) })
    }

    fn key(&self, name: &FileName) -> Result<ObjectKey> {
        ObjectKey::parse(format!("{}/{}", self.user, name.as_str()))
    }

    async fn need(&self, name: &FileName) -> Result<LandingEntry> {
        let entry = self.landing.stat(&self.user, name.as_str()).await?;
        entry.ok_or_else(|| Error::not_found(format!("file {:?} does not exist", name.as_str())))
    }

    /// What is known of this user's uploads, by name.
    async fn states(&self) -> Result<HashMap<String, UploadState>> {
        let home = format!("{}/", self.user);
        let mut states = HashMap::new();
        let mut after = home.clone();
        loop {
            let page: Vec<Stored<Upload>> = self.archive.page_of(None, Some(&after), PAGE).await?;
            let full = page.len() == PAGE;
            for upload in page.into_iter().map(|stored| stored.value) {
                let id = upload.id();
                let Some(name) = id.strip_prefix(&home) else { return Ok(states) };
                states.insert(name.to_owned(), upload.state);
                after = id;
            }
            if !full {
                return Ok(states);
            }
        }
    }

    /// Nothing is lost with a file that can never be imported as it is.
    async fn is_worthless(&self, entry: &LandingEntry, key: &ObjectKey) -> Result<bool> {
        if !entry.whole {
            return Ok(true);
        }
        let record = self.archive.find::<Upload>(key.as_str()).await?;
        Ok(record.is_some_and(|upload| upload.value.state == UploadState::Rejected))
    }

    /// A whole file lies under a lasting name: what was known about it stays known, else it is to be looked at.
    /// It is safe on disk by now, so a failure here is no failure of the client's request: the sweep finds it.
    async fn settle(&self, key: ObjectKey, known: Option<Upload>) {
        let settled = match known.filter(|upload| upload.state != UploadState::Pending) {
            Some(upload) => self.carry_over(&key, upload).await,
            None => self.archive.upload_landed(&key).await,
        };
        if let Err(error) = settled {
            tracing::warn!(upload = %key, %error, "the upload waits for the next sweep");
        }
    }

    async fn carry_over(&self, key: &ObjectKey, upload: Upload) -> Result<()> {
        match self.archive.uploads.head(key).await? {
            Some(meta) if meta.size_bytes == upload.size_bytes => {
                let renamed = Upload { key: key.clone(), etag: meta.etag, ..upload };
                self.archive.put(renamed).await.map(drop)
            }
            _ => self.archive.upload_landed(key).await,
        }
    }

    /// Bytes that the home's files take, one of them left out.
    async fn used_beside(&self, name: Option<&FileName>) -> Result<u64> {
        let entries = self.landing.list(&self.user).await?;
        let others = entries.iter().filter(|entry| name.is_none_or(|name| name.as_str() != entry.name));
        Ok(others.fold(0, |sum, entry| sum.saturating_add(entry.size_bytes)))
    }
}

fn shown(state: Option<UploadState>, entry: &LandingEntry) -> HomeEntry {
    let prefix = match state {
        _ if !entry.whole || name::is_temporary(&entry.name) => "",
        Some(UploadState::Ready) => "",
        Some(UploadState::Rejected) => REJECTED,
        Some(UploadState::Pending) | None => PENDING,
    };
    HomeEntry { name: format!("{prefix}{}", entry.name), size_bytes: entry.size_bytes, modified: entry.modified }
}

fn exists(name: &FileName) -> Error {
    Error::conflict(format!("file {:?} exists", name.as_str()))
}

#[cfg(test)]
mod tests;
