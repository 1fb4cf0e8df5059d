//! Starting imports: everything is checked before anything is queued.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use volume::{Certificate, Volume};

use super::{
    Import, ImportState, ImportView, Source, Tally,
    open::{Located, file_name, refused},
};
use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, ProcessId, Result,
    hash::to_hex,
    job::Job,
    mailbox::Origin,
    ports::ETag,
    process::{Failure, ProcessState, Severity},
    records::Record,
    uploads::{Kind, Upload, UploadState},
};

/// Mails per shard: large enough that opening the volume again costs little beside it.
const SHARD_MAILS: u64 = 50_000;

/// What is to be imported, and with what.
#[derive(Clone)]
pub struct StartImports {
    pub sources: Vec<Source>,
    /// The target; made if it does not exist.
    pub mailbox: MailboxAddress,
    /// DER or PEM.
    pub certificate: Option<Vec<u8>>,
    pub password: Option<String>,
    /// Further volumes of the same exports start by themselves when they come in.
    pub auto_start: bool,
    /// A source that is refused does not stop the others.
    pub each_alone: bool,
    /// Who asks.
    pub by: String,
}

#[derive(Clone, Debug)]
pub struct Started {
    pub process: ProcessId,
    pub imports: Vec<ImportView>,
}

/// Only one import of a volume into a mailbox runs at a time: this row names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Live {
    seal: String,
    mailbox: MailboxAddress,
    import: ImportId,
}

impl Record for Live {
    const KIND: &'static str = "live";
    fn id(&self) -> String {
        live_id(&self.seal, &self.mailbox)
    }
}

pub(super) fn live_id(seal: &str, mailbox: &MailboxAddress) -> String {
    format!("{seal} {}", mailbox.folded())
}

/// A source that may be imported.
struct Checked {
    source: Source,
    etag: ETag,
    size_bytes: u64,
    volume: Volume,
}

impl Archive {
    /// Checks file, certificate and password of every source, then queues their imports. An import of the same volume
    /// into the same mailbox that was cut off goes on under its id.
    pub async fn start_imports(&self, start: StartImports) -> Result<Started> {
        if start.sources.is_empty() {
            return Err(Error::invalid("there is nothing to import"));
        }
        if start.auto_start {
            return Err(Error::invalid("further volumes cannot start by themselves yet").hint("start each volume"));
        }
        let certificate = start.certificate.as_deref().map(Certificate::parse).transpose();
        let mut checked = Vec::new();
        for source in &start.sources {
            let certificate = certificate.as_ref().map(Option::as_ref).map_err(|e| refused(e.clone()));
            let outcome = match certificate {
                Ok(certificate) => self.check_source(source, certificate, start.password.as_deref()).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if !start.each_alone => return Err(error),
                outcome => checked.push((source.clone(), outcome)),
            }
        }
        self.queue_imports(&start, certificate.ok().flatten().as_ref(), checked).await
    }

    async fn check_source(
        &self,
        source: &Source,
        certificate: Option<&Certificate>,
        password: Option<&str>,
    ) -> Result<Checked> {
        if let Source::Upload(key) = source {
            let upload = self.upload(key.as_str()).await?;
            if upload.state == UploadState::Pending {
                return Err(
                    Error::conflict(format!("upload {} is still being checked", upload.name())).hint("try again soon")
                );
            }
        }
        let located = Located::find(self, source, None).await?;
        let verified = located.verify(certificate).await?;
        let volume = self.unlock(verified, password).await?;
        Ok(Checked { source: source.clone(), etag: located.meta.etag, size_bytes: located.meta.size_bytes, volume })
    }

    async fn queue_imports(
        &self,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: Vec<(Source, Result<Checked>)>,
    ) -> Result<Started> {
        let names: Vec<_> = checked.iter().map(|(source, _)| file_name(self.store_of(source).1).to_owned()).collect();
        let process =
            self.begin_process("import", &format!("{} → {}", names.join(", "), start.mailbox), &start.by).await?;
        let mut imports = Vec::new();
        if checked.iter().any(|(_, outcome)| outcome.is_ok()) {
            self.ensure_mailbox(&start.mailbox, Origin::Import, None).await?;
        }
        for ((_, outcome), name) in checked.into_iter().zip(names) {
            imports.push(match outcome {
                Ok(checked) => {
                    let import = self.queue_import(start, certificate, checked, name, &process.id).await?;
                    self.view_import(import).await?
                }
                Err(error) => {
                    self.say(&process.id, Severity::Error, format!("{name} is refused: {error}")).await?;
                    refused_view(name, start, &process.id, &error)
                }
            });
        }
        self.note_parts(&process.id, &imports).await?;
        Ok(Started { process: process.id, imports })
    }

    async fn queue_import(
        &self,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: Checked,
        file: String,
        process: &ProcessId,
    ) -> Result<Import> {
        let import = self.new_import(start, certificate, &checked, file, process).await?;
        let import = self.claim(import).await?;
        if let Source::Upload(key) = &import.source {
            let reading = |upload: &mut Upload| {
                upload.import = Some(import.id.clone());
                Ok(())
            };
            self.update::<Upload>(key.as_str(), reading).await?;
        }
        for shard in (0..import.shard_count()).filter(|shard| !import.shards_done.contains(shard)) {
            self.queue.send(&Job::Import { import: import.id.clone(), shard }, Duration::ZERO).await?;
        }
        if import.shards_done.len() as u64 == u64::from(import.shard_count()) {
            self.queue.send(&Job::Import { import: import.id.clone(), shard: 0 }, Duration::ZERO).await?;
        }
        Ok(import)
    }

    async fn new_import(
        &self,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: &Checked,
        file: String,
        process: &ProcessId,
    ) -> Result<Import> {
        let id = self.sortable_id();
        let verified = checked.volume.verified();
        let header = verified.header();
        Ok(Import {
            wrapped_key: self.wrap_key(&checked.volume, &id).await?,
            id: ImportId(id),
            process: process.clone(),
            source: checked.source.clone(),
            etag: checked.etag.clone(),
            size_bytes: checked.size_bytes,
            file,
            kind: Kind::Volume,
            mailbox: start.mailbox.clone(),
            state: ImportState::Waiting,
            export_id: header.export_id.clone(),
            export_name: header.name.clone(),
            volume: header.volume,
            seal: to_hex(verified.seal_sha256()),
            certificate: certificate.map(|c| to_hex(c.der())).unwrap_or_default(),
            first_mail: verified.first_mail(),
            mails: verified.mails(),
            shard_mails: SHARD_MAILS,
            shards_done: std::collections::BTreeSet::new(),
            started: self.clock.now(),
            finished: None,
            by: start.by.clone(),
            tally: Tally::default(),
            error: None,
        })
    }

    /// Stores the new import, or takes over the one that was cut off, with the new process, source and key.
    async fn claim(&self, new: Import) -> Result<Import> {
        let live = Live { seal: new.seal.clone(), mailbox: new.mailbox.clone(), import: new.id.clone() };
        self.add(&new).await?;
        match self.add(&live).await {
            Ok(_) => return Ok(new),
            Err(e) if e.kind() != ErrorKind::Conflict => return Err(e),
            Err(_) => {}
        }
        let live: Live = self.need::<Live>(&live.id()).await?.value;
        let Some(old) = self.find::<Import>(&live.import.0).await?.filter(|old| old.value.finished.is_none()) else {
            // The row outlived its import by a crash between two writes.
            self.put(Live { import: new.id.clone(), ..live }).await?;
            return Ok(new);
        };
        self.take_over(old.value, new).await
    }

    async fn take_over(&self, old: Import, new: Import) -> Result<Import> {
        let wrapped = self.rewrap(&new, &old.id).await?;
        let (process, before) = (new.process.clone(), old.process.clone());
        let go_on = |import: &mut Import| {
            if import.state.ended() {
                return Err(Error::conflict(format!("import {} is just ending", import.id)).hint("try again soon"));
            }
            import.process = new.process.clone();
            import.source = new.source.clone();
            import.etag = new.etag.clone();
            import.wrapped_key.clone_from(&wrapped);
            Ok(())
        };
        let import = self.update::<Import>(&old.id.0, go_on).await?.value;
        self.drop_record::<Import>(None, &new.id.0).await?;
        self.say(&process, Severity::Info, format!("{} goes on where it was cut off", import.file)).await?;
        // A volume that is named twice in one call takes over from itself.
        if before != process {
            let text = Error::conflict(format!("its imports go on in process {process}"));
            self.end_process(&before, ProcessState::Cancelled, Err(text)).await?;
        }
        Ok(import)
    }

    async fn rewrap(&self, new: &Import, id: &ImportId) -> Result<Option<String>> {
        let verified = Located::find(self, &new.source, Some(&new.etag)).await?;
        let certificate = Self::certificate_of(new)?;
        let volume = self.reopen(new, verified.verify(Some(&certificate)).await?).await?;
        self.wrap_key(&volume, &id.0).await
    }

    /// Cancels an import; what was imported so far stays and is placed.
    pub async fn cancel_import(&self, id: &ImportId) -> Result<ImportView> {
        let cancel = |import: &mut Import| {
            if import.state.ended() {
                return Err(Error::conflict(format!("import {id} has ended")));
            }
            import.state = ImportState::Cancelled;
            Ok(())
        };
        let import = self.update::<Import>(&id.0, cancel).await?.value;
        // The closing runs in a worker: over what is done, as for any other end.
        self.queue.send(&Job::Import { import: id.clone(), shard: 0 }, Duration::ZERO).await?;
        self.view_import(import).await
    }
}

fn refused_view(file: String, start: &StartImports, process: &ProcessId, error: &Error) -> ImportView {
    let failure = Failure::from(error);
    ImportView {
        id: None,
        process: Some(process.clone()),
        file,
        kind: if failure.code == "not_a_volume" { Kind::Unknown } else { Kind::Volume },
        mailbox: Some(start.mailbox.clone()),
        state: ImportState::Refused,
        export_id: None,
        volume: None,
        in_volume: 0,
        imported: 0,
        already_there: 0,
        failed: Vec::new(),
        not_mail: Vec::new(),
        balanced: false,
        code: Some(failure.code),
        reason: Some(failure.message),
    }
}
