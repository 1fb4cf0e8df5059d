//! Uploads: what lies in the upload store, what it turned out to be, and when it goes.

mod home;
mod intake;
mod sweep;
mod take;

pub use home::{FileState, Home, HomeEntry, HomeFile, PENDING, REJECTED};
use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, ErrorKind, ImportId, Result,
    import::{Import, SelfStart},
    job::Job,
    ports::{ETag, ObjectKey, ObjectMeta},
    records::{Record, Stored},
};

/// An upload that was not imported goes after so many seconds.
pub const KEPT_SECONDS: i64 = 7 * 24 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Came in, not looked at yet.
    Pending,
    /// Checked as far as that goes without certificate and password; an import can start.
    Ready,
    /// Cannot be imported; `reason` says why.
    Rejected,
}

/// What a file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Volume,
    Zip,
    Mbox,
    Eml,
    Unknown,
}

/// One file in the upload store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub key: ObjectKey,
    pub state: UploadState,
    pub kind: Kind,
    pub size_bytes: u64,
    pub etag: ETag,
    pub arrived: i64,
    /// The rest is what an unverified look at header and seal says.
    pub export_id: Option<String>,
    pub export_name: Option<String>,
    pub volume: Option<u64>,
    /// Hex SHA-256 of `seal.json`.
    pub seal: Option<String>,
    pub mails: Option<u64>,
    pub encrypted: Option<bool>,
    pub code: Option<String>,
    pub reason: Option<String>,
    /// The import that reads it now. A record may name one that has ended, or never was.
    pub import: Option<ImportId>,
    /// That it starts by itself.
    #[serde(default)]
    pub further: Option<SelfStart>,
}

impl Record for Upload {
    const KIND: &'static str = "upload";
    fn id(&self) -> String {
        self.key.to_string()
    }
}

impl Upload {
    /// An object that nobody has looked at.
    fn pending(object: ObjectMeta, arrived: i64) -> Self {
        Self {
            key: object.key,
            state: UploadState::Pending,
            kind: Kind::Unknown,
            size_bytes: object.size_bytes,
            etag: object.etag,
            arrived,
            export_id: None,
            export_name: None,
            volume: None,
            seal: None,
            mails: None,
            encrypted: None,
            code: None,
            reason: None,
            import: None,
            further: None,
        }
    }
    /// The file's name, without the user.
    pub fn name(&self) -> &str {
        self.key.as_str().split_once('/').map_or(self.key.as_str(), |(_, name)| name)
    }
    /// The user whose home it lies in.
    pub fn user(&self) -> &str {
        self.key.as_str().split_once('/').map_or("", |(user, _)| user)
    }
}

impl Archive {
    /// A whole object lies under `key` in the upload store: note it as pending and ask for a look at it. Safe to repeat;
    /// an object that was replaced is looked at anew.
    pub async fn upload_landed(&self, key: &ObjectKey) -> Result<()> {
        if Home::is_temporary(key.as_str().rsplit('/').next().unwrap_or_default()) {
            return Ok(());
        }
        let Some(meta) = self.uploads.head(key).await? else { return Ok(()) };
        let known = self.find::<Upload>(key.as_str()).await?;
        if known.as_ref().is_some_and(|u| u.value.etag == meta.etag && u.value.state != UploadState::Pending) {
            return Ok(());
        }
        // One that waits still has come when it came.
        let arrived = known.as_ref().filter(|known| known.value.etag == meta.etag).map(|known| known.value.arrived);
        let pending = Upload::pending(meta, arrived.unwrap_or_else(|| self.clock.now()));
        let noted = match known {
            Some(known) => self.save(Stored { value: pending, version: known.version }).await,
            None => self.add(&pending).await,
        };
        match noted {
            // Somebody else noted it at the same time.
            Err(e) if e.kind() != ErrorKind::Conflict => return Err(e),
            _ => {}
        }
        self.queue.send(&Job::Intake { upload: key.clone() }, std::time::Duration::ZERO).await
    }

    /// Every upload, by user and name.
    pub async fn uploads(&self) -> Result<Vec<Upload>> {
        let mut uploads: Vec<Upload> = self.all(None).await?;
        for upload in &mut uploads {
            upload.import = self.reader_of(upload).await?;
        }
        Ok(uploads)
    }

    pub async fn upload(&self, id: &str) -> Result<Upload> {
        let upload = self.need::<Upload>(id).await?.value;
        Ok(Upload { import: self.reader_of(&upload).await?, ..upload })
    }

    /// Deletes an upload by hand; refused while an import reads it. One without a record goes too: it is new, or somebody who
    /// was deleting it came no further.
    pub async fn delete_upload(&self, id: &str) -> Result<Upload> {
        let gone = || Error::not_found(format!("upload {id:?} does not exist"));
        let key = ObjectKey::parse(id).map_err(|_| gone())?;
        let taken = self.take_upload(&key).await?;
        let upload = if let Some(upload) = &taken {
            upload.clone()
        } else {
            let object = self.uploads.head(&key).await?.ok_or_else(gone)?;
            let arrived = object.modified;
            Upload::pending(object, arrived)
        };
        match self.uploads.delete(&key, Some(&upload.etag)).await {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                self.give_back_upload(taken).await;
                return Err(e);
            }
            _ => {}
        }
        tracing::info!(upload = id, "upload deleted by hand");
        Ok(upload)
    }

    /// The import that reads the upload now; one that has ended reads nothing any more, and one that was never claimed, because
    /// its start was cut off, never did.
    pub(crate) async fn reader_of(&self, upload: &Upload) -> Result<Option<ImportId>> {
        let Some(id) = &upload.import else { return Ok(None) };
        let import = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
        Ok(import.filter(|import| import.finished.is_none()).map(|import| import.id))
    }
}
