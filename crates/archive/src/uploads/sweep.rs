//! Sweeping: uploads that nobody told of, records without a file, what is older than seven days, and work whose job was
//! lost.

use super::{KEPT_SECONDS, Upload};
use crate::{
    Archive, ErrorKind, Result,
    job::Job,
    ports::{ObjectKey, ObjectMeta},
};

const PAGE: usize = 1000;

impl Archive {
    /// Looks at the door, at the whole upload store, and at the work that has not ended. Of all that queues and events
    /// bring, any may be lost: this finds it. The archive itself is never touched by this.
    pub async fn sweep(&self) -> Result<()> {
        // First: neither what is wrong with uploads, nor their number, may keep a door open that costs by the hour.
        let door = self.close_door_if_due().await;
        let uploads = self.sweep_uploads().await;
        door.and(uploads)
    }

    async fn sweep_uploads(&self) -> Result<()> {
        let mut after: Option<ObjectKey> = None;
        loop {
            let page = self.uploads.list("", after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for object in page {
                self.sweep_one(object).await?;
            }
        }
        self.expire_choices().await?;
        self.settle_lost_starts().await?;
        self.wake_imports().await?;
        self.wake_restructure().await?;
        self.wake_emptying().await?;
        for upload in self.uploads().await? {
            if self.uploads.head(&upload.key).await?.is_none() {
                self.forget_upload(&upload.key, &upload.etag).await?;
            }
        }
        Ok(())
    }

    async fn sweep_one(&self, object: ObjectMeta) -> Result<()> {
        let record = self.find::<Upload>(object.key.as_str()).await?.map(|stored| stored.value);
        let arrived = record.as_ref().map_or(object.modified, |upload| upload.arrived.min(object.modified));
        let in_use = match &record {
            Some(upload) => self.reader_of(upload).await?.is_some(),
            None => false,
        };
        if arrived + KEPT_SECONDS <= self.clock.now() && !in_use {
            return self.expire(&object).await;
        }
        match record {
            Some(upload) if upload.etag == object.etag && self.is_left_to_start(&upload).await? => {
                self.send(&Job::Intake { upload: upload.key }).await
            }
            _ => self.upload_landed(&object.key).await,
        }
    }

    async fn expire(&self, object: &ObjectMeta) -> Result<()> {
        let taken = match self.take_upload(&object.key).await {
            // An import has begun on it just now.
            Err(e) if e.kind() == ErrorKind::Conflict => return Ok(()),
            taken => taken?,
        };
        match self.uploads.delete(&object.key, Some(&object.etag)).await {
            // Replaced meanwhile: that is another upload.
            Err(e) if e.kind() == ErrorKind::Conflict => self.give_back_upload(taken).await,
            Err(e) => {
                self.give_back_upload(taken).await;
                return Err(e);
            }
            Ok(_) => tracing::info!(upload = object.key.as_str(), "upload deleted after seven days"),
        }
        Ok(())
    }
}
