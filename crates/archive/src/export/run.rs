//! One run of an export, from its keys to its report.

use std::fs::File;
use std::io;
use std::path::Path;

use mail::source::{Source, SourceError};
use serde::{Deserialize, Serialize};
use volume::{ExportKeys, ExportState, Protection, Totals, WriteError};

use super::again::Again;
use super::files::Files;
use super::fresh::Fresh;
use super::known::{Met, Sight, Written};
use super::options::ChosenOptions;
use super::pipeline::{self, Stages};
use super::prepare::{Compressors, Reader, Root};
use super::report::ExportReport;
use super::resume::{Resumed, read_back};
use super::tally::Tally;
use super::target::{Held, Target};
use super::volumes::{Chain, Volumes};
use super::writing::Writing;
use super::{ExportOptions, Surroundings, ahead, html, report, rfc3339};
use crate::rng::Rng;
use crate::{Error, Result};

/// A run that holds the state file: nobody else writes this export.
pub(super) struct Run<'a> {
    options: &'a ExportOptions,
    surroundings: &'a Surroundings<'a>,
    target: &'a Target<'a>,
    held: Held,
    keys: ExportKeys,
    memo: Memo,
}

/// What the state file keeps beside the keys.
#[derive(Serialize, Deserialize)]
struct Memo {
    options: ChosenOptions,
    /// RFC 3339 UTC.
    started: String,
}

impl<'a> Run<'a> {
    /// Makes keys and state file of a new export; none if one of this name has ended meanwhile.
    pub(super) fn begin(
        options: &'a ExportOptions,
        surroundings: &'a Surroundings<'a>,
        target: &'a Target<'a>,
        chosen: &ChosenOptions,
    ) -> Result<Option<Self>> {
        let mut rng = Rng(surroundings.random);
        let recipients = options.distinct_recipients();
        let protection =
            Protection { password: options.password.as_deref(), recipients: &recipients, ..Protection::default() };
        let export_id = rng.uuid().hyphenated().to_string();
        let keys = ExportKeys::generate(&export_id, &protection, &mut rng).map_err(not_possible)?;
        let memo = Memo { options: chosen.clone(), started: rfc3339(surroundings.clock.now()) };
        let plain = serde_json::to_vec(&memo).map_err(|error| Error::internal("options").caused_by(error))?;
        let state = ExportState::seal(&keys, &plain, &mut rng).map_err(not_possible)?;
        let held = target.begin(state)?;
        Ok(held.map(|held| Self { options, surroundings, target, held, keys, memo }))
    }

    /// Opens the state file of an export that was cut off.
    pub(super) fn resume(
        options: &'a ExportOptions,
        surroundings: &'a Surroundings<'a>,
        target: &'a Target<'a>,
        chosen: &ChosenOptions,
        held: Held,
    ) -> Result<Self> {
        let name = target.state();
        let state = ExportState::open(&held.bytes, options.password.as_deref()).map_err(|e| cannot_open(&name, &e))?;
        let memo: Memo = serde_json::from_slice(&state.options)
            .map_err(|error| Error::corrupt(format!("{name}: its options cannot be read")).caused_by(error))?;
        report::refuse_other_options(target, &memo.options, chosen)?;
        Ok(Self { options, surroundings, target, held, keys: state.keys, memo })
    }

    /// Writes what is missing: volumes, certificate, reports; then the keys are deleted.
    pub(super) fn complete(self) -> Result<ExportReport> {
        let mut tally = Tally::new(self.target.folder());
        // Where its beginning cannot be read, each file counts as changed since.
        let began = crate::time::unix_seconds(&self.memo.started).unwrap_or(i64::MIN);
        let resumed = read_back(self.target, &self.keys, began, &mut tally, self.surroundings.progress)?;
        self.settle_certificate()?;
        if !resumed.chain.has_ended {
            self.write_volumes(tally, resumed)?;
        } else if !self.target.part_exists(&self.target.report())? {
            let name = self.target.report();
            return Err(Error::invalid(format!("{name}.part, the report of this export, was taken away")).hint(
                "the volumes are whole, but what was skipped is not known any more: export again under another --name",
            ));
        }
        self.target.publish(&self.target.report())?;
        let report = report::read(self.target)?.ok_or_else(|| Error::internal("the report went away"))?;
        conclude(self.target, self.held, &report)?;
        Ok(report)
    }

    /// The first part file, then the certificate: once that is there, a missing part file means a missing volume.
    fn settle_certificate(&self) -> Result<()> {
        let name = self.target.certificate();
        let der = self.keys.certificate().der();
        match self.target.read(&name, volume::MAX_CERTIFICATE_BYTES)? {
            Some(found) if found == der => return Ok(()),
            Some(_) => {
                return Err(Error::invalid(format!("{name} is not the certificate of this export"))
                    .hint("move it away, then the same command again goes on"));
            }
            None => {}
        }
        let present = self.target.present()?;
        if present.volumes.is_empty() && present.parts.is_empty() {
            self.target.make_part(&self.target.volume(1))?;
        }
        self.target.write_part(&name, |out| out.write_all(der))?;
        self.target.publish(&name)
    }

    /// Walks the source and leaves the last volume in place, with a durable report that is not yet named so.
    fn write_volumes(&self, tally: Tally, resumed: Resumed) -> Result<()> {
        let files = Files::new(self.target.folder());
        let mut source = files.remembering(open_source(self.options)?);
        let root = Root::new(&self.options.from);
        let reader = Reader {
            root: &root,
            scratch: self.target.folder(),
            filter: self.options.filter.as_ref(),
            compressors: Compressors::default(),
        };
        let Resumed { chain, known } = resumed;
        let failed = |error| self.target.scratch_failed(error);
        let stages = Stages {
            leaves_out: &|item| self.options.filter.as_ref().is_some_and(|filter| filter.leaves_out(item)),
            sight: &|found| known.sight(found).map_err(failed),
            recognise: &|found| known.recognise(found).map_err(failed),
            prepare: &|found| reader.prepare(found),
        };
        let limit = self.options.volume_size.limit_bytes();
        let volumes = Volumes::begin(self.target, &self.keys, limit, self.surroundings, chain)?;
        let mut writing = Writing {
            target: self.target,
            volumes,
            tally,
            known: &known,
            met: Met::none_of(&known),
            written: Written::none_beside(&known, self.target.folder()),
            reader: &reader,
            fresh: Fresh::default(),
            surroundings: self.surroundings,
        };
        ahead::counting(&self.options.from, self.surroundings.progress, || {
            pipeline::run(&mut source, &stages, &mut |arrival| writing.take(arrival))
        })?;
        writing.volumes.flush()?;
        root.check()?;
        let changes = files.changes(open_source(self.options)?).map_err(failed)?;
        let mut again = Again::after(writing)?;
        let stages = Stages { sight: &|_| Ok(Sight::New), ..stages };
        pipeline::run(changes, &stages, &mut |arrival| again.take(arrival))?;
        pipeline::run(source.look_again(), &stages, &mut |arrival| again.say(arrival))?;
        let Writing { volumes, tally, .. } = again.finish()?;
        root.check()?;
        let totals = Totals { mails: tally.exported, raw_bytes: tally.raw_bytes, skipped: tally.skipped.len() as u64 };
        let (chain, last) = volumes.finish(totals)?;
        let report = self.report(tally, &chain)?;
        self.target.write_json_part(&self.target.report(), &report)?;
        self.target.publish(&last)
    }

    fn report(&self, mut tally: Tally, chain: &Chain) -> Result<ExportReport> {
        let sealed = chain.finished.iter().map(|volume| volume.mails).sum::<u64>();
        if sealed != tally.exported {
            return Err(Error::internal(format!("{} mails written, {sealed} sealed", tally.exported)));
        }
        let unique_mails = tally.unique_mails().map_err(|error| self.target.scratch_failed(error))?;
        Ok(ExportReport {
            export_id: Some(self.keys.export_id().to_owned()),
            name: self.target.name().to_owned(),
            options: self.memo.options.clone(),
            generator: self.surroundings.generator.to_owned(),
            started: self.memo.started.clone(),
            finished: rfc3339(self.surroundings.clock.now()),
            certificate_sha256: Some(crate::hash::to_hex(self.keys.certificate().sha256())),
            encrypted: self.keys.content_key().is_some(),
            volumes_expected: None,
            volumes: chain.finished.clone(),
            in_source: tally.in_source()?,
            filtered: tally.filtered,
            exported: tally.exported,
            raw_bytes: tally.raw_bytes,
            unique_mails: Some(unique_mails),
            vanished: tally.vanished(),
            user_archives: tally.user_archives(),
            skipped: tally.skipped,
            not_mail: tally.not_mail,
            changed: tally.changed.into_list(),
            complete: chain.has_ended,
        })
    }
}

/// The last acts, once the report is in place; each may be repeated.
pub(super) fn conclude(target: &Target<'_>, held: Held, report: &ExportReport) -> Result<()> {
    let name = target.readable_report();
    target.write_part(&name, |out| html::write(report, out))?;
    target.publish(&name)?;
    target.end(held)
}

/// Opens the source that the options name. A pipe or a device is none: it may never end, and is read only once.
pub(super) fn open_source(options: &ExportOptions) -> Result<Source> {
    if options.from.metadata().is_ok_and(|facts| !facts.is_dir() && !facts.is_file()) {
        return Err(Error::invalid(format!("{}: neither a directory nor a file", options.from.display()))
            .hint("--from names a directory or a file"));
    }
    may_be_read(&options.from).map_err(|error| unreadable(&options.from, error))?;
    let told = mail::source::Options {
        user_archive: options.user_archive().to_owned(),
        zip_encoding: options.zip_encoding,
        scratch: options.scratch(),
    };
    mail::source::open(&options.from, options.layout, &told).map_err(|failed| match failed {
        SourceError::Root { path, error } => unreadable(&path, error),
    })
}

/// Whether there is something whose names, or bytes, can be read: otherwise each mail would fail by itself, or none be
/// found.
fn may_be_read(from: &Path) -> io::Result<()> {
    if from.metadata()?.is_dir() {
        from.read_dir()?;
        from.join(".").metadata().map(drop)
    } else {
        File::open(from).map(drop)
    }
}

/// Why a source cannot be opened, and the right that is missing if it is one.
fn unreadable(from: &Path, error: io::Error) -> Error {
    let shown = from.display();
    let failure = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let missing = match from.metadata() {
                Err(_) => "the right to enter a directory above it (x) is missing",
                Ok(facts) if !facts.is_dir() => "the right to read it (r) is missing",
                Ok(_) if from.read_dir().is_err() => "the right to list it (r) is missing",
                Ok(_) => "the right to enter it (x) is missing",
            };
            let hint = format!("{missing}: give it to whoever runs the export, or run it as somebody who has it");
            Error::denied(format!("{shown}: not permitted")).hint(hint)
        }
        io::ErrorKind::NotFound => {
            Error::not_found(format!("{shown}: not there")).hint("--from names a directory or a file")
        }
        _ => Error::not_found(format!("{shown}: cannot be read")).hint("--from names a directory or a file"),
    };
    failure.caused_by(error)
}

fn not_possible(error: WriteError) -> Error {
    match error {
        WriteError::Invalid(rule) => Error::invalid(rule).hint("a password has 1 to 1,024 bytes"),
        other => Error::internal("the keys of the export cannot be made").caused_by(other),
    }
}

fn cannot_open(name: &str, error: &volume::Error) -> Error {
    let code = error.code();
    let message = format!("{name}: {error}");
    match error {
        volume::Error::PasswordNeeded | volume::Error::WrongPassword => Error::denied(message)
            .code(code)
            .hint("give the password that the export was begun with, or begin anew with another --name"),
        volume::Error::NewerVersion(_) => Error::invalid(message).code(code).hint("resume it with a newer program"),
        _ => Error::corrupt(message).hint("it cannot be resumed: begin anew with another --name"),
    }
}
