//! Further volumes of an export, which start by themselves as they come in.
//!
//! Events come twice and workers die. So the upload is marked first, with the ids of the process and the import that it
//! is to have; everything after that is done under these ids, as often as somebody comes by.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use volume::Certificate;

use super::{
    Import, ImportState, Source, StartImports, VOLUME_CONFLICT,
    chain::Chain,
    claim::Claimed,
    open::Located,
    start::{Checked, Opened},
};
use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, ProcessId, Result,
    job::Job,
    mailbox::Origin,
    ports::Expect,
    process::Severity,
    records::{Record, Stored},
    uploads::{Upload, UploadState},
};

/// A choice ends so many seconds after it was last of use.
const KEPT_SECONDS: i64 = 7 * 24 * 3600;

/// Somebody has chosen that the volumes of an export start by themselves. The password is not kept, only the content key,
/// wrapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Further {
    export_id: String,
    mailbox: MailboxAddress,
    /// DER in hex.
    certificate: String,
    wrapped_key: Option<String>,
    by: String,
    /// The process of the start that chose it; its log says which volumes are refused.
    process: ProcessId,
    used: i64,
    /// Every volume up to this one is imported, and these beyond it.
    through: u64,
    beyond: BTreeSet<u64>,
    /// The number of the last volume, once it is known.
    last: Option<u64>,
}

impl Record for Further {
    const KIND: &'static str = "auto-start";
    fn id(&self) -> String {
        self.export_id.clone()
    }
    fn expires(&self) -> Option<i64> {
        Some(self.used + KEPT_SECONDS)
    }
}

impl Further {
    fn has_expired(&self, now: i64) -> bool {
        self.used + KEPT_SECONDS <= now
    }

    fn note(&mut self, import: &Import) {
        if import.last {
            self.last = Some(import.volume);
        }
        if import.volume > self.through {
            self.beyond.insert(import.volume);
        }
        while self.beyond.remove(&(self.through + 1)) {
            self.through += 1;
        }
    }

    fn is_complete(&self) -> bool {
        self.last.is_some_and(|last| last <= self.through)
    }
}

/// That an upload starts by itself, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfStart {
    /// The choice that it follows.
    choice: ProcessId,
    process: ProcessId,
    import: ImportId,
    /// Where the line about it stands in a log.
    seq: String,
    /// Why it was refused.
    refused: Option<String>,
}

impl Archive {
    /// Keeps what further volumes of these exports need, and asks for those that are there already.
    pub(super) async fn choose_further(&self, claimed: &[(Import, Opened)]) -> Result<()> {
        let Some((first, _)) = claimed.first() else { return Ok(()) };
        let mut exports = BTreeSet::new();
        for (import, opened) in claimed {
            let Opened::Volume(volume) = opened else { continue };
            if exports.insert(import.export_id.clone()) {
                let further = Further {
                    export_id: import.export_id.clone(),
                    mailbox: import.mailbox.clone(),
                    certificate: import.certificate.clone(),
                    wrapped_key: self.wrap_key(volume, &context(&import.export_id)).await?,
                    by: import.by.clone(),
                    process: import.process.clone(),
                    used: self.clock.now(),
                    through: 0,
                    beyond: BTreeSet::new(),
                    last: None,
                };
                self.put(further).await?;
            }
        }
        // Only now: what ends meanwhile is noted by whoever ends it.
        for import in self.all::<Import>(None).await?.into_iter().filter(|it| exports.contains(&it.export_id)) {
            if self.note_imported(&import).await? {
                let text = format!(
                    "every volume of export {:?} was imported into {} before: no further one starts by itself",
                    import.export_name, import.mailbox
                );
                self.say(&first.process, Severity::Info, text).await?;
            }
        }
        for upload in self.uploads().await? {
            let waits = upload.state == UploadState::Ready && upload.import.is_none();
            if waits && upload.export_id.as_ref().is_some_and(|id| exports.contains(id)) {
                self.send(&Job::Intake { upload: upload.key }).await?;
            }
        }
        Ok(())
    }

    /// Starts the import of an upload that is ready, if somebody has chosen that for its export. Safe to repeat.
    pub(crate) async fn start_by_itself(&self, upload: Stored<Upload>) -> Result<()> {
        let Some(choice) = self.choice_for(&upload.value).await? else { return Ok(()) };
        let Some((upload, marked)) = self.mark(upload, &choice).await? else { return Ok(()) };
        if marked.refused.is_some() {
            return self.say_refused(&upload, &choice, &marked).await;
        }
        if let Some(import) = self.find::<Import>(&marked.import.0).await? {
            return self.begin_further(import.value, &marked).await;
        }
        let begun = match self.check_further(&upload, &choice).await {
            Ok(checked) => self.claim_further(&upload, &choice, &marked, checked).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(()) => Ok(()),
            // Gone or replaced: that brings a look of its own.
            Err(e) if e.kind() == ErrorKind::NotFound || e.machine_code() == super::SOURCE_CHANGED => Ok(()),
            // By hand, in this very moment.
            Err(e) if e.machine_code() == super::IN_USE => Ok(()),
            Err(e) if super::run::passes(&e) && e.machine_code() != VOLUME_CONFLICT => Err(e),
            Err(e) => self.refuse_further(&upload, &choice, &marked, e.to_string()).await,
        }
    }

    /// Whether the upload is ready and waits for somebody to start it who has not been told.
    pub(crate) async fn is_left_to_start(&self, upload: &Upload) -> Result<bool> {
        let choice = self.choice_for(upload).await?;
        let known = upload.further.as_ref().map(|marked| &marked.choice);
        let is_free = self.reader_of(upload).await?.is_none();
        Ok(is_free && choice.is_some_and(|choice| known != Some(&choice.process)))
    }

    async fn choice_for(&self, upload: &Upload) -> Result<Option<Further>> {
        let Some(export) = upload.export_id.as_ref().filter(|_| upload.state == UploadState::Ready) else {
            return Ok(None);
        };
        let choice = self.find::<Further>(export).await?.map(|stored| stored.value);
        Ok(choice.filter(|choice| !choice.has_expired(self.clock.now())))
    }

    /// The upload with its mark for this choice; none if somebody has started it by hand.
    async fn mark(&self, upload: Stored<Upload>, choice: &Further) -> Result<Option<(Upload, SelfStart)>> {
        if let Some(marked) = upload.value.further.clone().filter(|marked| marked.choice == choice.process) {
            return Ok(Some((upload.value, marked)));
        }
        if self.reader_of(&upload.value).await?.is_some() {
            return Ok(None);
        }
        let marked = SelfStart {
            choice: choice.process.clone(),
            process: ProcessId(self.sortable_id()),
            import: ImportId(self.sortable_id()),
            seq: self.line_id(),
            refused: None,
        };
        let mut upload = upload;
        upload.value.further = Some(marked.clone());
        Ok(Some((self.save(upload).await?.value, marked)))
    }

    /// Certificate and key of the choice must open the volume.
    async fn check_further(&self, upload: &Upload, choice: &Further) -> Result<(Checked, Certificate)> {
        let source = Source::Upload(upload.key.clone());
        let located = Located::find(self, &source, Some(&upload.etag)).await?;
        let certificate = Self::parse_certificate(&choice.certificate)?;
        let verified = located.verify(Some(&certificate)).await?;
        if verified.header().export_id != choice.export_id {
            return Err(Error::invalid("it is a volume of another export"));
        }
        let volume = self.unlock_wrapped(verified, choice.wrapped_key.as_deref(), &context(&choice.export_id)).await?;
        Chain::of(&self.all::<Import>(None).await?).add(&[&volume], Some(&certificate)).pop().transpose()?;
        let (etag, size_bytes) = (located.meta.etag, located.meta.size_bytes);
        Ok((Checked { source, etag, size_bytes, opened: Opened::Volume(volume) }, certificate))
    }

    async fn claim_further(
        &self,
        upload: &Upload,
        choice: &Further,
        marked: &SelfStart,
        (checked, certificate): (Checked, Certificate),
    ) -> Result<()> {
        let start = StartImports {
            sources: Vec::new(),
            mailbox: choice.mailbox.clone(),
            certificate: None,
            password: None,
            auto_start: false,
            each_alone: true,
            by: choice.by.clone(),
        };
        let file = super::open::file_name(&upload.key).to_owned();
        let id = marked.import.0.clone();
        let import = self.new_import(&start, Some(&certificate), &checked, (id, file), &marked.process).await?;
        self.ensure_mailbox(&choice.mailbox, Origin::Import, None).await?;
        match self.claim(&import, None).await? {
            Claimed::New(import) => self.begin_further(import, marked).await,
            // Another worker with the same event.
            Claimed::Old(old) if old.id == import.id => self.begin_further(old, marked).await,
            // By hand, in this very moment.
            Claimed::Old(_) => Ok(()),
        }
    }

    /// What follows a claim: the upload is taken, the process knows its part, and the shards are sent.
    async fn begin_further(&self, import: Import, marked: &SelfStart) -> Result<()> {
        if import.state != ImportState::Waiting {
            return Ok(());
        }
        let title = format!("{} → {}", import.file, import.mailbox);
        self.begin_waiting_as(&marked.process, "import", &title, &import.by).await?;
        let text = format!(
            "{}: volume {} of export {:?} starts by itself, as was chosen",
            import.file, import.volume, import.export_name
        );
        self.say_at(&marked.process, &marked.seq, Severity::Info, text).await?;
        self.reserve_upload(&import, &import.id).await?;
        self.note_parts(&marked.process, &[self.view_import(import.clone()).await?]).await?;
        self.touch_choice(&import.export_id).await?;
        self.send_shards(&import).await
    }

    async fn refuse_further(&self, upload: &Upload, choice: &Further, marked: &SelfStart, why: String) -> Result<()> {
        let marked = SelfStart { refused: Some(why), ..marked.clone() };
        let refuse = |there: &mut Upload| {
            if there.further.as_ref().is_some_and(|other| other.import == marked.import) {
                there.further = Some(marked.clone());
            }
            Ok(())
        };
        self.update::<Upload>(upload.key.as_str(), refuse).await?;
        self.say_refused(upload, choice, &marked).await
    }

    async fn say_refused(&self, upload: &Upload, choice: &Further, marked: &SelfStart) -> Result<()> {
        let why = marked.refused.as_deref().unwrap_or_default();
        let text = format!("{} does not start by itself: {why}; it stays", upload.key);
        self.say_at(&choice.process, &marked.seq, Severity::Warning, text).await
    }

    async fn touch_choice(&self, export_id: &str) -> Result<()> {
        let now = self.clock.now();
        let touch = |choice: &mut Further| {
            choice.used = choice.used.max(now);
            Ok(())
        };
        self.update::<Further>(export_id, touch).await.map_or_else(unless_gone, |_| Ok(()))
    }

    /// Counts a volume that was imported. With the last one missing, the choice and its key go, which it answers.
    pub(super) async fn note_imported(&self, import: &Import) -> Result<bool> {
        // One with failed mails may come again, whole.
        if import.state != ImportState::Finished || import.is_foreign() || import.tally.failed > 0 {
            return Ok(false);
        }
        let note = |choice: &mut Further| {
            if choice.mailbox == import.mailbox {
                choice.note(import);
            }
            Ok(())
        };
        let choice = match self.update::<Further>(&import.export_id, note).await {
            Err(e) => return unless_gone(e).map(|()| false),
            Ok(choice) => choice,
        };
        if !choice.value.is_complete() {
            return Ok(false);
        }
        match self.catalog.remove(Further::KIND, &import.export_id, Expect::Version(choice.version)).await {
            // Whoever changed it looks as well.
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            removed => Ok(removed.is_ok()),
        }
    }

    /// No further volume of the export starts by itself.
    pub(super) async fn forget_choice(&self, export_id: &str) -> Result<()> {
        self.drop_record::<Further>(None, export_id).await.map(drop)
    }

    /// Removes the choices that were of no use for seven days, and their keys.
    pub(crate) async fn expire_choices(&self) -> Result<()> {
        for choice in self.all::<Further>(None).await? {
            if choice.has_expired(self.clock.now()) {
                self.forget_choice(&choice.export_id).await?;
            }
        }
        Ok(())
    }
}

fn unless_gone(error: Error) -> Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn context(export_id: &str) -> String {
    format!("export {export_id}")
}
