//! Closing an import: each part is idempotent, and all of it is repeated until it was acknowledged.

use std::time::Duration;

use serde_json::json;

use super::{Import, ImportState, Source, Tally, target::Closing, view::LISTED};
use crate::{
    Archive, Error, ErrorKind, ImportId, ProcessId, Result,
    job::Job,
    lease::Lease,
    ports::ObjectKey,
    process::{Failure, Part, Process, ProcessState, RefusedPart, Severity},
    uploads::Upload,
};

/// How often restructure runs once the first import has finished.
pub(crate) const RESTRUCTURE_MINUTES: u32 = 15;
pub(crate) const RESTRUCTURE: &str = "restructure";
/// An import that another worker closes, or whose target is being emptied, is looked at again after so long.
const RETRY: Duration = Duration::from_secs(30);

impl Archive {
    /// Target placements → report object → report row → schedule → upload deleted → import row. Runs also for an import
    /// that failed or was cancelled, over what is done. What does not fit before `stop` is left for the next turn.
    pub(super) async fn close_import(&self, id: &ImportId, stop: Duration) -> Result<()> {
        // A late event of an import that has ended waits for nobody.
        if self.need::<Import>(&id.0).await?.value.finished.is_some() {
            return self.tidy_up(id).await;
        }
        let again = Job::Import { import: id.clone(), shard: 0 };
        let Some(mut lease) = self.take_closing(id).await? else { return self.queue.send(&again, RETRY).await };
        let import = self.need::<Import>(&id.0).await?.value;
        if import.finished.is_none() && self.is_being_emptied(&import.mailbox).await? {
            lease.release(self, |_| {}).await?;
            return self.queue.send(&again, RETRY).await;
        }
        let closed = match import.finished {
            // Somebody has closed it before the lease was ours.
            Some(_) => Ok(true),
            None => self.close_held(import, &mut lease, stop).await,
        };
        match closed {
            Ok(true) => self.tidy_up(id).await,
            Ok(false) => {
                lease.release(self, |_| {}).await?;
                self.send(&again).await
            }
            Err(error) => {
                // Let go for whoever tries next; if that fails too, the lease runs out by itself.
                let _ = lease.release(self, |_| {}).await;
                Err(error)
            }
        }
    }

    /// False if the time was up.
    async fn close_held(&self, import: Import, lease: &mut Lease<Closing>, stop: Duration) -> Result<bool> {
        let import = self.with_tally(import).await?;
        let rows = match import.state {
            ImportState::Failed => self.readable_slice_rows(&import).await?,
            _ => self.slice_rows(&import).await?,
        };
        let slices: Vec<_> = rows.iter().map(|row| row.slice.clone()).collect();
        if !self.place_in_target(&import, &slices, lease, stop).await? {
            return Ok(false);
        }
        lease.renew(self).await?;
        let filed = self.file_report(&import, slices, &rows).await?;
        // Nothing else makes work for it.
        if !import.is_foreign()
            && self.schedules.create(RESTRUCTURE, RESTRUCTURE_MINUTES, &Job::Restructure { process: None }).await?
        {
            let text = format!("schedule {RESTRUCTURE:?} was created: every {RESTRUCTURE_MINUTES} minutes");
            self.say(&import.process, Severity::Info, text).await?;
        }
        self.settle_upload(&import).await?;
        self.note_imported(&import).await?;
        self.end_import(&import, filed).await?;
        Ok(true)
    }

    /// What is left to do once the import has ended, however often somebody comes by.
    pub(super) async fn tidy_up(&self, id: &ImportId) -> Result<()> {
        let import = self.need::<Import>(&id.0).await?.value;
        self.in_hand.forget(id).await;
        self.leave_room(id).await?;
        for process in import.earlier.iter().chain([&import.process]) {
            // A start that is still claiming knows its parts soon, and ends its process itself if they have ended.
            if !self.is_starting(process).await? {
                self.recall_parts(process).await?;
            }
            self.end_if_all_ended(process).await?;
        }
        self.drop_record::<Closing>(None, &id.0).await?;
        // By this row the sweep finds what was not tidied up.
        self.forget_live(&import).await
    }

    async fn with_tally(&self, import: Import) -> Result<Import> {
        let mut import = self.counted(import).await?;
        if !import.state.ended() {
            import.state = ImportState::Finished;
        }
        Ok(import)
    }

    /// Sums up what came of the entries. How many a foreign file has, its walk alone says.
    pub(super) async fn counted(&self, mut import: Import) -> Result<Import> {
        let shards = self.shards(&import).await?;
        import.tally = shards.iter().fold(Tally::default(), |sum, shard| sum.plus(shard.tally));
        if import.is_foreign() {
            import.mails = import.tally.total();
            import.not_mail = shards.iter().map(|shard| shard.not_mail).sum();
        }
        Ok(import)
    }

    /// Deletes the upload, if it is still the one that was read, once every entry of it is in the archive. An upload
    /// with a failed entry stays for a retry, and one that may hold mails which were not read until somebody deletes it or
    /// it expires.
    async fn settle_upload(&self, import: &Import) -> Result<()> {
        let Source::Upload(key) = &import.source else { return Ok(()) };
        let whole = import.state == ImportState::Finished && import.tally.failed == 0;
        if whole && import.tally.total() == import.mails {
            if let Some(unread) = self.unread(import).await? {
                self.say(&import.process, Severity::Warning, format!("{}: {unread}; the upload stays", import.file))
                    .await?;
                return self.free_upload(key, &import.id).await;
            }
            match self.uploads.delete(key, Some(&import.etag)).await {
                // Replaced meanwhile: the new file is another upload.
                Err(e) if matches!(e.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(e) => return Err(e),
                Ok(_) => {
                    self.forget_upload(key, &import.etag).await?;
                    let text = format!("{}: all of it is imported, the upload is deleted", import.file);
                    return self.say(&import.process, Severity::Info, text).await;
                }
            }
        }
        self.free_upload(key, &import.id).await
    }

    /// What of a foreign file may hold mails and was not read.
    async fn unread(&self, import: &Import) -> Result<Option<String>> {
        if !import.is_foreign() {
            return Ok(None);
        }
        let unread: u64 = self.shards(import).await?.iter().map(|shard| shard.unread).sum();
        Ok(match unread {
            0 if import.mails == 0 => Some("no mail was found in it".to_owned()),
            0 => None,
            1 => Some("an archive or store within it was not read and may hold mails".to_owned()),
            many => Some(format!("{many} archives or stores within it were not read and may hold mails")),
        })
    }

    /// The import does not read the upload any more.
    pub(super) async fn free_upload(&self, key: &ObjectKey, id: &ImportId) -> Result<()> {
        let free = |upload: &mut Upload| {
            upload.import = upload.import.take().filter(|reader| reader != id);
            Ok(())
        };
        match self.update::<Upload>(key.as_str(), free).await {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Ends an import whose jobs are given up: as one that failed, over what of it can be read.
    pub(crate) async fn give_up_import(&self, id: &ImportId, error: &Error) -> Result<()> {
        let there = self.find::<Import>(&id.0).await?.filter(|import| import.value.finished.is_none());
        let (Some(import), now) = (there, self.clock.now()) else { return Ok(()) };
        let fail = |import: &mut Import| {
            if import.finished.is_none() {
                import.touched = now;
                import.state = ImportState::Failed;
                import.error.get_or_insert_with(|| Failure::from(error));
            }
            Ok(())
        };
        let text = format!("{}: {error}", import.value.file);
        self.say(&import.value.process, Severity::Error, text).await?;
        let import = self.update::<Import>(&id.0, fail).await?.value;
        // One batch of placements: the jobs of an import that failed go on with the rest.
        match self.close_unless_held(import, 0, self.clock.boot()).await {
            Err(e) if matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Conflict) => Err(e),
            Err(e) => self.end_unclosed(id, &e).await,
            Ok(()) => Ok(()),
        }
    }

    /// Ends an import whose closing fails for good. Its report says what it has brought, so that `check` finds what was not
    /// placed.
    async fn end_unclosed(&self, id: &ImportId, error: &Error) -> Result<()> {
        let import = self.with_tally(self.need::<Import>(&id.0).await?.value).await?;
        let rows = self.readable_slice_rows(&import).await?;
        let filed = self.file_report(&import, rows.iter().map(|row| row.slice.clone()).collect(), &rows).await?;
        let text =
            format!("{}: not closed: {error}; `postkahn check --repair` places what was not placed", import.file);
        self.say(&import.process, Severity::Error, text).await?;
        if let Source::Upload(key) = &import.source {
            self.free_upload(key, id).await?;
        }
        self.end_import(&import, filed).await?;
        self.tidy_up(id).await
    }

    async fn end_import(&self, closed: &Import, now: i64) -> Result<()> {
        let tally = closed.tally;
        let text = format!(
            "{}: {} = {} imported + {} already there + {} failed",
            closed.file, closed.mails, tally.imported, tally.already_there, tally.failed
        );
        let severity =
            if tally.total() == closed.mails && tally.failed == 0 { Severity::Info } else { Severity::Warning };
        self.say(&closed.process, severity, text).await?;
        let end = |import: &mut Import| {
            import.state = closed.state;
            import.tally = tally;
            (import.mails, import.not_mail) = (closed.mails, closed.not_mail);
            import.wrapped_key = None;
            import.finished = Some(now);
            Ok(())
        };
        self.update::<Import>(&closed.id.0, end).await.map(drop)
    }

    /// Notes what the process works on, in the order asked for; ends it if nothing is left to do.
    pub(super) async fn note_parts(&self, id: &ProcessId, views: &[super::ImportView]) -> Result<()> {
        let mut parts = Vec::with_capacity(views.len());
        for (number, view) in (0..).zip(views) {
            parts.push(if let Some(import) = &view.id {
                Part::Import(import.clone())
            } else {
                self.put(RefusedPart { process: id.clone(), number, view: json!(view) }).await?;
                Part::Refused(number)
            });
        }
        let note = |process: &mut Process| {
            process.parts.clone_from(&parts);
            Ok(())
        };
        self.update::<Process>(&id.0, note).await?;
        self.end_if_all_ended(id).await
    }

    /// A start that was cut off could not say what it works on: its imports do.
    pub(super) async fn recall_parts(&self, id: &ProcessId) -> Result<()> {
        let process = self.find::<Process>(&id.0).await?.map(|stored| stored.value);
        if process.is_none_or(|process| !process.parts.is_empty()) {
            return Ok(());
        }
        let imports = self.all::<Import>(None).await?.into_iter();
        let of_it = imports.filter(|import| import.process == *id || import.earlier.contains(id));
        let parts: Vec<_> = of_it.map(|import| Part::Import(import.id)).collect();
        let recall = |process: &mut Process| {
            if process.parts.is_empty() {
                process.parts.clone_from(&parts);
            }
            Ok(())
        };
        self.update::<Process>(&id.0, recall).await.map(drop)
    }

    pub(super) async fn end_if_all_ended(&self, id: &ProcessId) -> Result<()> {
        // A volume that is to start by itself is claimed before its process begins.
        let Some(process) = self.find::<Process>(&id.0).await?.map(|stored| stored.value) else { return Ok(()) };
        // From the end: parts end in their order, and of thousands each one that ends asks.
        for part in process.parts.iter().rev() {
            if let Part::Import(import) = part
                && self.is_open(id, import).await?
            {
                return Ok(());
            }
        }
        let (mut imports, mut room) = (Vec::new(), LISTED);
        for part in process.parts {
            imports.push(match part {
                Part::Refused(number) => {
                    let refused = self.find_in::<RefusedPart>(&id.0, &RefusedPart::id_of(number)).await?;
                    refused.map_or(serde_json::Value::Null, |refused| refused.value.view)
                }
                Part::Import(import) => self.view_part(&import, &mut room).await?,
            });
        }
        if imports.is_empty() {
            return Ok(());
        }
        let cancelled = imports.iter().all(|import| import["state"] == "cancelled");
        let state = if cancelled { ProcessState::Cancelled } else { ProcessState::Finished };
        self.end_process(id, state, Ok(json!({ "imports": imports }))).await
    }

    /// Whether the import still has something to do with this process: it has not ended, and does not go on in another one.
    async fn is_open(&self, process: &ProcessId, id: &ImportId) -> Result<bool> {
        let import = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
        Ok(import.is_some_and(|import| import.finished.is_none() && import.process == *process))
    }

    /// An import that is not there was withdrawn by its start.
    async fn view_part(&self, id: &ImportId, room: &mut usize) -> Result<serde_json::Value> {
        match self.find::<Import>(&id.0).await? {
            Some(import) => Ok(json!(self.view_within(import.value, room).await?)),
            None => Ok(serde_json::Value::Null),
        }
    }
}
