//! Claims: of a file into a mailbox one import at a time, and of an upload one reader.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Import, Source};
use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, Result,
    hash::to_hex,
    records::Record,
    uploads::{Upload, UploadState},
};

/// So often a record may change while it is being claimed.
const MAX_TRIES: usize = 50;

/// Only one import of a file into a mailbox runs at a time: this row names it. Of a volume that lies there twice each file
/// has its own: what is damaged in one may be whole in the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Live {
    /// Hex SHA-256 of its seal and of where it lies.
    #[serde(alias = "seal")]
    file: String,
    mailbox: MailboxAddress,
    pub(super) import: ImportId,
}

impl Live {
    pub(super) fn of(import: &Import) -> Self {
        let file = to_hex(&Sha256::digest(serde_json::json!((&import.seal, &import.source)).to_string()));
        Self { file, mailbox: import.mailbox.clone(), import: import.id.clone() }
    }
}

impl Record for Live {
    const KIND: &'static str = "live";
    fn id(&self) -> String {
        format!("{} {}", self.file, self.mailbox.folded())
    }
}

/// Whether an import is new, or one that was cut off.
pub(super) enum Claimed {
    New(Import),
    Old(Import),
}

impl Claimed {
    fn id(&self) -> &ImportId {
        match self {
            Self::New(import) | Self::Old(import) => &import.id,
        }
    }
}

impl Archive {
    /// Stores the new import, unless one of this file into this mailbox has not ended, and notes on the upload which of
    /// them reads it: before there is such an import, so that none is left by a crash whose upload anybody may replace,
    /// and again after that, so that it shows if somebody took the upload away in between.
    pub(super) async fn claim(&self, new: &Import) -> Result<Claimed> {
        self.reserve_upload(new, &new.id).await?;
        let claimed = self.claim_row(new).await?;
        match (self.reserve_upload(new, claimed.id()).await, &claimed) {
            (Err(error), Claimed::New(import)) if error.kind() != ErrorKind::Unavailable => {
                // Nobody has worked on it: it is as if it had not been asked for.
                self.drop_record::<Import>(None, &import.id.0).await?;
                self.forget_live(import).await?;
                Err(error)
            }
            (Err(error), _) => Err(error),
            (Ok(()), _) => Ok(claimed),
        }
    }

    async fn claim_row(&self, new: &Import) -> Result<Claimed> {
        let live = Live::of(new);
        for _ in 0..MAX_TRIES {
            let row = match self.add(&live).await {
                Ok(added) => added,
                Err(e) if e.kind() != ErrorKind::Conflict => return Err(e),
                Err(_) => {
                    let Some(mut row) = self.find::<Live>(&live.id()).await? else { continue };
                    let old = self.find::<Import>(&row.value.import.0).await?;
                    if let Some(old) = old.filter(|old| old.value.finished.is_none()) {
                        return Ok(Claimed::Old(old.value));
                    }
                    // A crash came between the row and its import, or between the end of that import and the row's. Or
                    // another start has not come to its import yet.
                    row.value.import = new.id.clone();
                    match self.save(row).await {
                        Err(e) if e.kind() == ErrorKind::Conflict => continue,
                        saved => saved?,
                    }
                }
            };
            let import = self.add(new).await?.value;
            // Of two starts that both found no import, the row is as it was left for one.
            match self.save(row).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {
                    self.drop_record::<Import>(None, &new.id.0).await?;
                }
                saved => return saved.map(|_| Claimed::New(import)),
            }
        }
        Err(Error::conflict("imports of this file begin and end all the time").hint("try again soon"))
    }

    /// Notes that this import reads the upload, so that it is neither changed nor deleted meanwhile; refused if another one
    /// does, or if it is not the file any more that was checked.
    pub(super) async fn reserve_upload(&self, import: &Import, id: &ImportId) -> Result<()> {
        let Source::Upload(key) = &import.source else { return Ok(()) };
        for _ in 0..MAX_TRIES {
            let mut upload = self.need::<Upload>(key.as_str()).await?;
            if upload.value.state == UploadState::Pending || upload.value.etag != import.etag {
                let text = format!("upload {} was changed just now", upload.value.name());
                return Err(Error::conflict(text).code(super::SOURCE_CHANGED).hint("try again soon"));
            }
            if self.check_reader(&upload.value, &import.mailbox).await?.is_some_and(|reader| reader != *id) {
                // It reads this upload into this mailbox: the claim finds it.
                return Ok(());
            }
            upload.value.import = Some(id.clone());
            match self.save(upload).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                saved => return saved.map(drop),
            }
        }
        Err(Error::conflict(format!("upload {key} changes all the time")).hint("try again soon"))
    }

    /// The imports that have begun, until nothing is left to do for them.
    pub(crate) async fn live_imports(&self) -> Result<BTreeSet<ImportId>> {
        Ok(self.all::<Live>(None).await?.into_iter().map(|live| live.import).collect())
    }

    /// Who reads the upload. It goes into one mailbox at a time: the end of its import deletes it.
    pub(super) async fn check_reader(&self, upload: &Upload, mailbox: &MailboxAddress) -> Result<Option<ImportId>> {
        let Some(id) = self.reader_of(upload).await? else { return Ok(None) };
        if self.need::<Import>(&id.0).await?.value.mailbox == *mailbox {
            return Ok(Some(id));
        }
        let text = format!("upload {} is being imported into another mailbox", upload.name());
        Err(Error::conflict(text).code(super::IN_USE).hint(format!("wait for import {id}, or cancel it")))
    }
}
