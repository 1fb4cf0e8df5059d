//! Taking an upload away: only its record says whether an import reads it, so the record goes first.

use super::Upload;
use crate::{
    Archive, Error, ErrorKind, Result,
    ports::{ETag, Expect, ObjectKey},
    records::Record as _,
};

/// So often a record may change while it is being taken.
const MAX_TRIES: usize = 50;

impl Archive {
    /// Takes the upload's record away, so that no import can begin on it while its file is touched; refused if one has.
    /// The look at a new upload may change the record in between: then what it says now counts.
    pub(super) async fn take_upload(&self, key: &ObjectKey) -> Result<Option<Upload>> {
        for _ in 0..MAX_TRIES {
            let Some(found) = self.find::<Upload>(key.as_str()).await? else { return Ok(None) };
            let upload = found.value;
            if let Some(import) = self.reader_of(&upload).await? {
                let error = Error::conflict(format!("{:?} is being imported now", upload.name()));
                return Err(error.hint(format!("wait for import {import}, or cancel it")));
            }
            match self.catalog.remove(Upload::KIND, key.as_str(), Expect::Version(found.version)).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                removed => return removed.map(|_| Some(Upload { import: None, ..upload })),
            }
        }
        Err(Error::conflict(format!("what is known of {:?} changes all the time", key.as_str())).hint("try again"))
    }

    /// Puts the record of a file back that was not touched after all. Failing that, the sweep finds the file.
    pub(super) async fn give_back_upload(&self, taken: Option<Upload>) {
        let Some(upload) = taken else { return };
        match self.add(&upload).await {
            Err(error) if error.kind() != ErrorKind::Conflict => {
                tracing::warn!(upload = %upload.key, %error, "the upload waits for the next sweep");
            }
            _ => {}
        }
    }

    /// Drops the record of an upload that is gone, unless a new file lies there by now. A start may reserve it in between, and
    /// finds nothing then.
    pub(crate) async fn forget_upload(&self, key: &ObjectKey, etag: &ETag) -> Result<()> {
        for _ in 0..MAX_TRIES {
            let Some(record) = self.find::<Upload>(key.as_str()).await? else { return Ok(()) };
            if record.value.etag != *etag {
                return Ok(());
            }
            match self.catalog.remove(Upload::KIND, key.as_str(), Expect::Version(record.version)).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                removed => return removed.map(drop),
            }
        }
        // The sweep does it.
        Ok(())
    }
}
