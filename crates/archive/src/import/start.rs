//! Starting imports: everything is checked before anything is queued.

use std::time::Duration;

use volume::{Certificate, Volume};

use sha2::{Digest, Sha256};

use super::{
    Foreign, Import, ImportState, ImportView, Source, Tally,
    claim::{Claimed, Live},
    open::{Located, file_name, refused},
    target::takes_volumes,
    unlock::context,
};
use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, ProcessId, Result,
    hash::to_hex,
    job::Job,
    mailbox::{Mailbox, Origin},
    ports::ETag,
    process::{Failure, Severity},
    uploads::{Kind, UploadState},
};

/// One process names all that is started at once, in one row.
const MAX_SOURCES: usize = 5000;
/// So many file names stand in the title of a process.
const TITLE_NAMES: usize = 3;
/// So many earlier processes does an import remember: who starts it again and again does not make its row long.
const MAX_EARLIER: usize = 20;
/// So long a start closes an import that was cut off while it was ending: an answer by HTTP has 29 s on AWS.
const CLOSING: Duration = Duration::from_secs(15);

/// What is to be imported, and with what.
#[derive(Clone)]
pub struct StartImports {
    pub sources: Vec<Source>,
    /// The target; made if it does not exist.
    pub mailbox: MailboxAddress,
    /// DER or PEM. Of no matter for a foreign file, as is the password.
    pub certificate: Option<Vec<u8>>,
    pub password: Option<String>,
    /// Further volumes of the same exports start by themselves, those that are there and those that come in, until all
    /// are imported, one is cancelled, or none has come for seven days.
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

/// A source that may be imported.
pub(super) struct Checked {
    pub(super) source: Source,
    pub(super) etag: ETag,
    pub(super) size_bytes: u64,
    pub(super) opened: Opened,
}

/// What came of the look at a source.
pub(super) struct Looked {
    source: Source,
    kind: Kind,
    pub(super) outcome: Result<Checked>,
    /// To be said, whatever came of it.
    pub(super) alarm: Option<String>,
}

impl Looked {
    fn is_volume(&self) -> bool {
        self.volume().is_some()
    }

    /// One that may be imported.
    pub(super) fn volume(&self) -> Option<&Volume> {
        match &self.outcome.as_ref().ok()?.opened {
            Opened::Volume(volume) => Some(volume),
            Opened::Foreign(_) => None,
        }
    }
}

/// What a source turned out to be.
#[derive(Clone)]
pub(super) enum Opened {
    Volume(Volume),
    Foreign(Kind),
}

impl Archive {
    /// Checks file, certificate and password of every source, then queues their imports. An import of the same file
    /// into the same mailbox that was cut off goes on under its id. `Unavailable` while the catalogue is being made anew.
    pub async fn start_imports(&self, start: StartImports) -> Result<Started> {
        self.need_whole_catalogue().await?;
        if start.sources.is_empty() {
            return Err(Error::invalid("there is nothing to import"));
        }
        if start.sources.len() > MAX_SOURCES {
            let text = format!("{} files at once, more than {MAX_SOURCES}", start.sources.len());
            return Err(Error::invalid(text).hint("start them in several calls"));
        }
        let certificate = start.certificate.as_deref().map(Certificate::parse).transpose();
        let mut checked = Vec::new();
        let target = self.find::<Mailbox>(start.mailbox.folded()).await?.map(|stored| stored.value);
        for source in &start.sources {
            let mut kind = Kind::Unknown;
            let proof = certificate.as_ref().map(Option::as_ref).map_err(|e| refused(e.clone()));
            let secrets = (proof, start.password.as_deref());
            let outcome = self.check_source(source, &start.mailbox, secrets, &mut kind).await.and_then(|checked| {
                if matches!(checked.opened, Opened::Volume(_)) {
                    target.as_ref().map_or(Ok(()), takes_volumes)?;
                }
                Ok(checked)
            });
            match outcome {
                Err(error) if !start.each_alone || passes_for(source, &error) => return Err(error),
                outcome => checked.push(Looked { source: source.clone(), kind, outcome, alarm: None }),
            }
        }
        self.look_at_chain(&mut checked, certificate.as_ref().ok().and_then(Option::as_ref), start.each_alone).await?;
        self.queue_imports(&start, certificate.ok().flatten().as_ref(), checked).await
    }

    /// Tells in `kind` what the source is, as far as it comes to know that.
    async fn check_source(
        &self,
        source: &Source,
        mailbox: &MailboxAddress,
        (certificate, password): (Result<Option<&Certificate>>, Option<&str>),
        kind: &mut Kind,
    ) -> Result<Checked> {
        if let Source::Upload(key) = source {
            let upload = self.upload(key.as_str()).await?;
            *kind = upload.kind;
            if upload.state == UploadState::Pending {
                let text = format!("upload {} is still being checked", upload.name());
                return Err(Error::conflict(text).hint("try again soon"));
            }
            self.check_reader(&upload, mailbox).await?;
        }
        let located = match Located::find(self, source, None).await {
            Err(error) if error.machine_code() == "not_a_volume" => {
                let foreign = self.check_foreign(source).await;
                *kind = kind_told_by(foreign.as_ref().map(|checked| &checked.opened)).unwrap_or(*kind);
                return foreign;
            }
            Err(error) => {
                *kind = kind_told_by(Err(&error)).unwrap_or(*kind);
                return Err(error);
            }
            Ok(located) => located,
        };
        *kind = Kind::Volume;
        let verified = located.verify(certificate?).await?;
        let opened = Opened::Volume(self.unlock(verified, password).await?);
        Ok(Checked { source: source.clone(), etag: located.meta.etag, size_bytes: located.meta.size_bytes, opened })
    }

    async fn check_foreign(&self, source: &Source) -> Result<Checked> {
        let Foreign { meta, kind, .. } = Foreign::find(self, source, None).await?;
        if meta.size_bytes == 0 && matches!(source, Source::Upload(_)) {
            return Err(Error::invalid("the file is empty").code("empty"));
        }
        let (etag, size_bytes) = (meta.etag, meta.size_bytes);
        Ok(Checked { source: source.clone(), etag, size_bytes, opened: Opened::Foreign(kind) })
    }

    async fn queue_imports(
        &self,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: Vec<Looked>,
    ) -> Result<Started> {
        self.settle_lost_starts().await?;
        let names: Vec<_> = checked.iter().map(|it| file_name(self.store_of(&it.source).1).to_owned()).collect();
        let process = self.begin_start(&format!("{} → {}", listed(&names), start.mailbox), &start.by).await?;
        match self.queue_in(&process, start, certificate, checked.into_iter().zip(names).collect()).await {
            Ok(imports) => Ok(Started { process, imports }),
            Err(error) => {
                // Whoever starts them again goes on with what was claimed. Failing that, the sweep does.
                let _ = self.settle_start(&process, &error).await;
                let is_passing = passes(&error) && error.advice().is_none();
                Err(if is_passing { error.hint("start them again: what was begun goes on") } else { error })
            }
        }
    }

    async fn queue_in(
        &self,
        process: &ProcessId,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: Vec<(Looked, String)>,
    ) -> Result<Vec<ImportView>> {
        if checked.iter().any(|(looked, _)| looked.outcome.is_ok()) {
            let (target, _) = self.ensure_mailbox(&start.mailbox, Origin::Import, None).await?;
            // Restructure may have made it since the look at the sources. From now on it stays what it is.
            if checked.iter().any(|(looked, _)| looked.is_volume()) {
                takes_volumes(&target)?;
            }
        }
        let begun = self.begun_imports().await?;
        // Lists of imports, and those that wait for room, are in the order in which they were named.
        let mut ids: Vec<_> = checked.iter().map(|_| self.sortable_id()).collect();
        ids.sort();
        let (mut claimed, mut views) = (Vec::new(), Vec::new());
        for (id, (Looked { kind, outcome, alarm, .. }, name)) in ids.into_iter().zip(checked) {
            if let Some(alarm) = alarm {
                self.say(process, Severity::Error, format!("{name}: {alarm}")).await?;
            }
            let outcome = match outcome {
                Ok(checked) => {
                    let opened = checked.opened.clone();
                    let import = self.new_import(start, certificate, &checked, (id, name.clone()), process).await?;
                    match self.claim_source(&import, &opened, &begun).await {
                        // It is the catalogue that fails: no file is to blame.
                        Err(error) if passes(&error) => return Err(error),
                        import => import.map(|import| (import, opened)),
                    }
                }
                Err(error) => Err(error),
            };
            views.push(match outcome {
                Ok((import, opened)) => {
                    claimed.push((import.clone(), opened));
                    self.view_import(import).await?
                }
                Err(error) => {
                    self.say(process, Severity::Error, format!("{name} is refused: {error}")).await?;
                    refused_view((name, kind), start, process, &error)
                }
            });
        }
        // The process knows its parts before any of them can end.
        self.note_parts(process, &views).await?;
        if start.auto_start {
            self.choose_further(&claimed).await?;
        }
        for (import, _) in claimed {
            self.send_shards(&import).await?;
        }
        self.end_start(process).await?;
        Ok(views)
    }

    async fn claim_source(&self, new: &Import, opened: &Opened, begun: &[Live]) -> Result<Import> {
        let left = self.left_behind(new, begun).await?;
        let import = match self.claim_anew(new, left.as_ref()).await? {
            Claimed::New(import) => import,
            Claimed::Old(old) => self.take_over(old, new, opened).await?,
        };
        for replaced in self.replaced_by(new, begun).await? {
            let text = format!("{} was changed after its import was started", replaced.file);
            let error = Error::conflict(text).code(super::SOURCE_CHANGED);
            self.fail_import(&replaced.id, &error, self.clock.boot() + CLOSING).await?;
        }
        Ok(import)
    }

    /// As [`Self::claim`]; an import that was cut off while it was ending is ended first.
    async fn claim_anew(&self, new: &Import, left: Option<&ImportId>) -> Result<Claimed> {
        match self.claim(new, left).await? {
            Claimed::Old(old) if old.state.ended() => {
                self.close_unless_held(old, 0, self.clock.boot() + CLOSING).await?;
                self.claim(new, None).await
            }
            claimed => Ok(claimed),
        }
    }

    /// A job for each shard that is not done; one at least, so that somebody closes the import.
    pub(super) async fn send_shards(&self, import: &Import) -> Result<()> {
        let open: Vec<u32> = (0..import.shard_count()).filter(|shard| !import.shards_done.contains(shard)).collect();
        for shard in if open.is_empty() { vec![0] } else { open } {
            self.send(&Job::Import { import: import.id.clone(), shard }).await?;
        }
        Ok(())
    }

    pub(super) async fn new_import(
        &self,
        start: &StartImports,
        certificate: Option<&Certificate>,
        checked: &Checked,
        (id, file): (String, String),
        process: &ProcessId,
    ) -> Result<Import> {
        let wrapped_key = self.wrap_opened(&checked.opened, &context(&id)).await?;
        let mut import = Import {
            wrapped_key,
            id: ImportId(id),
            process: process.clone(),
            earlier: Vec::new(),
            source: checked.source.clone(),
            etag: checked.etag.clone(),
            size_bytes: checked.size_bytes,
            file,
            kind: Kind::Volume,
            mailbox: start.mailbox.clone(),
            state: ImportState::Waiting,
            export_id: String::new(),
            export_name: String::new(),
            volume: 0,
            last: false,
            seal: String::new(),
            certificate: String::new(),
            previous_seal: None,
            skipped: 0,
            total_skipped: None,
            first_mail: 1,
            mails: 0,
            not_mail: 0,
            shard_mails: self.sizes.shard_mails,
            shards_done: std::collections::BTreeSet::new(),
            started: self.clock.now(),
            touched: self.clock.now(),
            finished: None,
            by: start.by.clone(),
            tally: Tally::default(),
            error: None,
        };
        match &checked.opened {
            Opened::Volume(volume) => import.tell_volume(volume, certificate),
            Opened::Foreign(kind) => import.tell_foreign(*kind),
        }
        Ok(import)
    }

    async fn wrap_opened(&self, opened: &Opened, context: &str) -> Result<Option<String>> {
        match opened {
            Opened::Volume(volume) => self.wrap_key(volume, context).await,
            Opened::Foreign(_) => Ok(None),
        }
    }

    /// Lets an import that was cut off go on, with the new process, source and key.
    async fn take_over(&self, old: Import, new: &Import, opened: &Opened) -> Result<Import> {
        let wrapped = self.wrap_opened(opened, &context(&old.id.0)).await?;
        // The import forgets it now, and would not end it with itself.
        if let Some(first) = old.earlier.first().filter(|_| old.earlier.len() >= MAX_EARLIER) {
            self.end_if_all_ended(first).await?;
        }
        let go_on = |import: &mut Import| {
            if import.state.ended() {
                return Err(Error::conflict(format!("import {} is just ending", import.id)).hint("try again soon"));
            }
            import.touched = new.touched;
            import.start_in(&new.process);
            import.source = new.source.clone();
            import.file.clone_from(&new.file);
            import.etag = new.etag.clone();
            import.wrapped_key.clone_from(&wrapped);
            Ok(())
        };
        let import = self.update::<Import>(&old.id.0, go_on).await?.value;
        self.say(&new.process, Severity::Info, format!("{} goes on where it was cut off", import.file)).await?;
        if old.source != import.source {
            if let Source::Upload(key) = &old.source {
                self.free_upload(key, &import.id).await?;
            }
            self.forget_live(&old).await?;
        }
        if old.process != new.process {
            self.end_if_all_ended(&old.process).await?;
        }
        Ok(import)
    }

    /// Cancels an import; what was imported so far stays and is placed. No further volume of its export starts by itself.
    pub async fn cancel_import(&self, id: &ImportId) -> Result<ImportView> {
        let now = self.clock.now();
        let has_ended = || Error::conflict(format!("import {id} has ended"));
        let import = self.need::<Import>(&id.0).await?.value;
        if import.state.ended() {
            return Err(has_ended());
        }
        // Somebody may be closing it as finished.
        let is_whole = |import: &Import| import.shards_done.len() as u64 == u64::from(import.shard_count());
        let is_ending = || Error::conflict(format!("import {id} is just ending: all of its mails were read"));
        if is_whole(&import) {
            return Err(is_ending());
        }
        // Before it is cancelled: afterwards nobody could repeat it.
        if !import.is_foreign() {
            self.forget_choice(&import.export_id).await?;
        }
        let cancel = |import: &mut Import| {
            if import.state.ended() {
                return Err(has_ended());
            }
            if is_whole(import) {
                return Err(is_ending());
            }
            import.state = ImportState::Cancelled;
            import.touched = now;
            Ok(())
        };
        let import = self.update::<Import>(&id.0, cancel).await?.value;
        // The closing runs in a worker: over what is done, as for any other end.
        self.send(&Job::Import { import: id.clone(), shard: 0 }).await?;
        // Where there may be none for long, it is done at once if nobody has a part of it in hand.
        if self.worker.alone
            && let Err(error) = self.close_unless_held(import.clone(), 0, self.clock.boot() + CLOSING).await
        {
            tracing::warn!(import = %id, "a cancelled import is not closed yet: {error}");
        }
        self.view_import(import).await
    }
}

impl Import {
    /// Goes on in another process; a file that is named twice in one call takes over from itself.
    fn start_in(&mut self, process: &ProcessId) {
        if self.process != *process {
            self.earlier.push(std::mem::replace(&mut self.process, process.clone()));
        }
        if self.earlier.len() > MAX_EARLIER {
            self.earlier.remove(0);
        }
    }

    fn tell_volume(&mut self, volume: &Volume, certificate: Option<&Certificate>) {
        let verified = volume.verified();
        let header = verified.header();
        self.export_id.clone_from(&header.export_id);
        self.export_name.clone_from(&header.name);
        self.volume = header.volume;
        self.last = verified.seal().last;
        self.seal = to_hex(verified.seal_sha256());
        self.previous_seal = verified.seal().previous_seal_hex();
        self.skipped = verified.seal().skipped;
        self.total_skipped = verified.seal().total_skipped;
        self.certificate = certificate.map(|c| to_hex(c.der())).unwrap_or_default();
        self.first_mail = verified.first_mail();
        self.mails = verified.mails();
    }

    fn tell_foreign(&mut self, kind: Kind) {
        self.kind = kind;
        self.seal = to_hex(&Sha256::digest(serde_json::json!((&self.source, &self.etag)).to_string()));
    }
}

/// The names for a title: it is read by people and kept in a row.
fn listed(names: &[String]) -> String {
    match names.split_at_checked(TITLE_NAMES) {
        Some((some, rest)) if !rest.is_empty() => format!("{} and {} more", some.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

/// It says nothing about the file: the same start may do later.
fn passes(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}

/// A file beside the archive that cannot be read may lie on a disk that is broken for good: the others do not wait for it.
fn passes_for(source: &Source, error: &Error) -> bool {
    matches!(source, Source::Upload(_)) && passes(error)
}

/// The kind of a file by what became of opening it; none if that says nothing about it.
fn kind_told_by(opened: Result<&Opened, &Error>) -> Option<Kind> {
    match opened.map_err(Error::machine_code) {
        Ok(Opened::Volume(_)) | Err("truncated" | "newer_version" | "over_limit") => Some(Kind::Volume),
        Ok(Opened::Foreign(kind)) => Some(*kind),
        Err("zip_trunc" | "zip_eocd" | "zip_scattered") => Some(Kind::Zip),
        Err(_) => None,
    }
}

fn refused_view((file, kind): (String, Kind), start: &StartImports, process: &ProcessId, error: &Error) -> ImportView {
    let failure = Failure::from(error);
    ImportView {
        id: None,
        process: Some(process.clone()),
        file,
        kind,
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
        code: Some(failure.code.clone()),
        reason: Some(failure.in_words()),
    }
}
