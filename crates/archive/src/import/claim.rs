//! Claims: of a file into a mailbox one import at a time, and of an upload one reader.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Import, Source};
use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, Result,
    hash::to_hex,
    ports::Expect,
    records::Record,
    uploads::{Upload, UploadState},
};

/// So often a record may change while it is being claimed.
const MAX_TRIES: usize = 50;

/// Only one import of a file into a mailbox runs at a time: this row names it. Of a volume that lies there twice each file
/// has its own: what is damaged in one may be whole in the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Live {
    seal: String,
    /// None in rows of old, which were of a volume wherever it lay.
    #[serde(default)]
    source: Option<Source>,
    mailbox: MailboxAddress,
    pub(super) import: ImportId,
}

impl Live {
    fn of(import: &Import) -> Self {
        let Import { seal, source, mailbox, id, .. } = import;
        Self { seal: seal.clone(), source: Some(source.clone()), mailbox: mailbox.clone(), import: id.clone() }
    }
}

impl Record for Live {
    const KIND: &'static str = "live";
    fn id(&self) -> String {
        let file = match &self.source {
            Some(source) => to_hex(&Sha256::digest(json!((&self.seal, source)).to_string())),
            None => self.seal.clone(),
        };
        format!("{file} {}", self.mailbox.folded())
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
    /// `left` is an import that was cut off and goes on with this file.
    pub(super) async fn claim(&self, new: &Import, left: Option<&ImportId>) -> Result<Claimed> {
        self.reserve_upload(new, &new.id).await?;
        let claimed = match left {
            Some(left) => self.claim_left(new, left).await?,
            None => None,
        };
        let claimed = match claimed {
            Some(claimed) => claimed,
            None => self.claim_row(new).await?,
        };
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

    /// None if the import has ended meanwhile, or the file has one of its own.
    async fn claim_left(&self, new: &Import, left: &ImportId) -> Result<Option<Claimed>> {
        let Some(old) = self.unfinished(left).await? else { return Ok(None) };
        match self.add(&Live { import: left.clone(), ..Live::of(new) }).await {
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(None),
            added => added.map(|_| Some(Claimed::Old(old))),
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
                    if let Some(old) = self.unfinished(&row.value.import).await? {
                        return Ok(Claimed::Old(old));
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

    async fn unfinished(&self, id: &ImportId) -> Result<Option<Import>> {
        let import = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
        Ok(import.filter(|import| import.finished.is_none()))
    }

    /// Of imports that have begun one of this volume into this mailbox that cannot go on where it was: its file was moved,
    /// or changed.
    pub(super) async fn left_behind(&self, new: &Import, begun: &[Live]) -> Result<Option<ImportId>> {
        for live in begun.iter().filter(|live| live.seal == new.seal && live.mailbox == new.mailbox) {
            let Some(old) = self.unfinished(&live.import).await?.filter(|old| old.process != new.process) else {
                continue;
            };
            let goes_on = if old.source == new.source { live.source.is_none() } else { !self.lies_there(&old).await? };
            if goes_on {
                return Ok(Some(old.id));
            }
        }
        Ok(None)
    }

    async fn lies_there(&self, import: &Import) -> Result<bool> {
        match self.version_of(&import.source, Some(&import.etag)).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            version => Ok(version.is_ok()),
        }
    }

    /// The imports that have begun and were to read other bytes, from where those of `new` lie now.
    pub(super) async fn replaced_by(&self, new: &Import, begun: &[Live]) -> Result<Vec<Import>> {
        let mut replaced = Vec::new();
        for live in begun.iter().filter(|live| live.source.as_ref() == Some(&new.source) && live.seal != new.seal) {
            replaced.extend(self.unfinished(&live.import).await?.filter(|old| old.process != new.process));
        }
        Ok(replaced)
    }

    /// The next import of this file into this mailbox is a new one; if it has begun, the row is its own.
    pub(super) async fn forget_live(&self, closed: &Import) -> Result<()> {
        self.forget_row(&Live::of(closed)).await
    }

    /// As [`Self::forget_live`], by the row as it was.
    pub(super) async fn forget_row(&self, row: &Live) -> Result<()> {
        let id = row.id();
        let Some(live) = self.find::<Live>(&id).await?.filter(|live| live.value.import == row.import) else {
            return Ok(());
        };
        match self.catalog.remove(Live::KIND, &id, Expect::Version(live.version)).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
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
        Ok(self.begun_imports().await?.into_iter().map(|live| live.import).collect())
    }

    pub(super) async fn begun_imports(&self) -> Result<Vec<Live>> {
        self.all::<Live>(None).await
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
