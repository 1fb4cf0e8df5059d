//! The folder that an export writes to: the only place that makes anything durable, in an order that any crash leaves
//! resumable.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ExportName, Progress};
use crate::{Error, Result};

/// The largest state file: keys, and options of at most eight recipients.
const MAX_STATE_BYTES: u64 = 1 << 20;

/// The name that stands for the folder itself.
const FOLDER: &str = ".";

/// What an export is about to make durable. File names are those below the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The state file is linked into place.
    Begin,
    /// A part file is made or emptied.
    Part(String),
    /// What is written into a part file so far becomes durable.
    Flush(String),
    /// A part file is renamed to its final name, given here.
    Publish(String),
    /// A file is deleted.
    Delete(String),
}

/// The files of one export in one folder.
pub(super) struct Target<'a> {
    folder: PathBuf,
    name: &'a str,
    progress: &'a dyn Progress,
}

/// The state file, locked until this is dropped.
pub(super) struct Held {
    _lock: File,
    pub(super) bytes: Vec<u8>,
}

/// What became of an attempt to lock a file.
enum Lock {
    Taken(File),
    /// Another exporter has it.
    Busy,
    /// It is not there, or went away or was replaced before it was locked.
    Gone,
}

/// The numbers of the volumes that lie in the folder.
#[derive(Debug, Default)]
pub(super) struct Present {
    pub(super) volumes: BTreeSet<u64>,
    pub(super) parts: BTreeSet<u64>,
}

impl<'a> Target<'a> {
    pub(super) fn new(folder: &Path, name: &'a ExportName, progress: &'a dyn Progress) -> Self {
        Self { folder: folder.to_owned(), name: name.as_str(), progress }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn volume(&self, number: u64) -> String {
        format!("{}-{number:04}.mszip", self.name)
    }
    pub(super) fn certificate(&self) -> String {
        format!("{}.cer", self.name)
    }
    pub(super) fn report(&self) -> String {
        format!("{}.report.json", self.name)
    }
    pub(super) fn readable_report(&self) -> String {
        format!("{}.report.html", self.name)
    }
    pub(super) fn state(&self) -> String {
        format!("{}.export-state", self.name)
    }

    /// Makes the state file and locks it. It holds keys, so nobody else ever reads it, under no name. None if an
    /// export of this name has ended since it was looked for.
    pub(super) fn begin(&self, state: Vec<u8>) -> Result<Option<Held>> {
        std::fs::create_dir_all(&self.folder).map_err(|error| self.failed(FOLDER, error))?;
        let (name, part) = (self.state(), part_of(&self.state()));
        let mut file = self.lock(&part, private().create(true))?.ok_or_else(|| self.busy())?;
        // Only who holds the part file makes a state file, so what is seen now holds until it is linked.
        let free = self.is_free();
        if !matches!(free, Ok(true)) {
            self.delete(&part)?;
            return free.map(|_| None);
        }
        file.set_len(0)
            .and_then(|()| make_private(&file))
            .and_then(|()| file.write_all(&state))
            .and_then(|()| file.sync_all())
            .map_err(|error| self.failed(&part, error))?;
        self.before(&name, &Effect::Begin)?;
        self.link(&part, &name)?;
        Ok(Some(Held { _lock: file, bytes: state }))
    }

    /// Takes hold of the state file of an export that is unfinished; none if there is none.
    pub(super) fn hold(&self) -> Result<Option<Held>> {
        let name = self.state();
        let Some(file) = self.lock(&name, &mut private())? else { return Ok(None) };
        let bytes = self.whole(&name, &file, MAX_STATE_BYTES)?;
        // A crash between link and removal leaves the second name.
        if self.is_named(&file, &part_of(&name))? {
            self.delete(&part_of(&name))?;
        }
        self.sweep()?;
        Ok(Some(Held { _lock: file, bytes }))
    }

    /// Removes the state file in the making that an exporter left when it died; one that is alive removes its own.
    pub(super) fn sweep(&self) -> Result<()> {
        let part = part_of(&self.state());
        if !self.path(&part).symlink_metadata().is_ok_and(|facts| facts.is_file()) {
            return Ok(());
        }
        match self.try_lock(&part, &mut private())? {
            Lock::Taken(_held) => self.delete(&part),
            Lock::Busy | Lock::Gone => Ok(()),
        }
    }

    /// The last act: the keys are gone, the export is over. Nothing may be written after it.
    pub(super) fn end(&self, held: Held) -> Result<()> {
        self.delete(&self.state())?;
        drop(held);
        Ok(())
    }

    /// Which volumes and part files there are.
    pub(super) fn present(&self) -> Result<Present> {
        let mut present = Present::default();
        let prefix = format!("{}-", self.name);
        for entry in std::fs::read_dir(&self.folder).map_err(|error| self.failed(FOLDER, error))? {
            let name = entry.map_err(|error| self.failed(FOLDER, error))?.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else { continue };
            let (rest, numbers) = match rest.strip_suffix(".part") {
                Some(rest) => (rest, &mut present.parts),
                None => (rest, &mut present.volumes),
            };
            let number = rest.strip_suffix(".mszip").and_then(|digits| digits.parse::<u64>().ok());
            // Only names as this program writes them: no sign, four digits at least.
            numbers.extend(number.filter(|number| format!("{number:04}.mszip") == rest));
        }
        Ok(present)
    }

    pub(super) fn exists(&self, name: &str) -> Result<bool> {
        match self.path(name).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// Opens a file that must be there, with its size.
    pub(super) fn open(&self, name: &str) -> Result<(File, u64)> {
        open_file(&self.path(name))
            .and_then(|file| file.metadata().map(|facts| (file, facts.len())))
            .map_err(|error| self.failed(name, error))
    }

    /// A whole file; none if there is none.
    pub(super) fn read(&self, name: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>> {
        match open_file(&self.path(name)) {
            Ok(file) => self.whole(name, &file, limit_bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// A file from its beginning, without what lies beyond `limit_bytes`; none if there is none.
    pub(super) fn reader(&self, name: &str, limit_bytes: u64) -> Result<Option<impl Read>> {
        match open_file(&self.path(name)) {
            Ok(file) => Ok(Some(BufReader::new(file).take(limit_bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// Makes or empties the part file of a final name. It is never removed first: that it is there says how far the
    /// export has come.
    pub(super) fn make_part(&self, name: &str) -> Result<File> {
        let part = part_of(name);
        self.before(name, &Effect::Part(part.clone()))?;
        let path = self.path_of_file(&part)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .and_then(|file| self.sync().map(|()| file))
            .map_err(|error| self.failed(&part, error))
    }

    /// A nameless file beside the volumes, which is gone with the process.
    pub(super) fn scratch(&self) -> Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| self.scratch_failed(error))
    }

    /// What went wrong with a nameless file.
    pub(super) fn scratch_failed(&self, error: io::Error) -> Error {
        self.failed(FOLDER, error)
    }

    /// Makes durable what was written into the part file of a final name.
    pub(super) fn flush_part(&self, name: &str, file: &File) -> Result<()> {
        self.before(name, &Effect::Flush(part_of(name)))?;
        file.sync_all().map_err(|error| self.failed(&part_of(name), error))
    }

    /// Renames a flushed part file to its final name.
    pub(super) fn publish(&self, name: &str) -> Result<()> {
        self.before(name, &Effect::Publish(name.to_owned()))?;
        std::fs::rename(self.path(&part_of(name)), self.path(name))
            .and_then(|()| self.sync())
            .map_err(|error| self.failed(name, error))
    }

    /// Writes a durable part file, not yet under its final name.
    pub(super) fn write_part(&self, name: &str, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let file = self.make_part(name)?;
        let mut out = io::BufWriter::new(&file);
        content(&mut out).and_then(|()| out.flush()).map_err(|error| self.failed(name, error))?;
        drop(out);
        self.flush_part(name, &file)
    }

    /// A JSON document in a part file.
    pub(super) fn write_json_part(&self, name: &str, document: &impl Serialize) -> Result<()> {
        self.write_part(name, |out| {
            serde_json::to_writer_pretty(&mut *out, document)?;
            out.write_all(b"\n")
        })
    }

    pub(super) fn part_exists(&self, name: &str) -> Result<bool> {
        self.exists(&part_of(name))
    }

    /// What went wrong with a file of this folder. Everything can be resumed once its cause is gone.
    pub(super) fn failed(&self, name: &str, error: io::Error) -> Error {
        let path = if name == FOLDER { self.folder.clone() } else { self.path(name) };
        let again = "the same command again goes on from here";
        let failure = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::unavailable(format!("{}: no space left", path.display()))
                    .hint(format!("make room in {}, then {again}", self.folder.display()))
            }
            io::ErrorKind::ReadOnlyFilesystem => Error::unavailable(format!("{}: read-only", path.display()))
                .hint(format!("make {} writable, then {again}", self.folder.display())),
            io::ErrorKind::FileTooLarge => Error::unavailable(format!("{}: too large a file here", path.display()))
                .hint(format!(
                    "raise the limit on file sizes, then {again}; or begin anew with a smaller --volume-size and another --name"
                )),
            io::ErrorKind::NotFound => Error::not_found(format!("{}: not there", path.display())),
            io::ErrorKind::PermissionDenied => Error::denied(format!("{}: not permitted", path.display()))
                .hint(format!("the exporter must be able to write to {}; {again}", self.folder.display())),
            // No later run finds it otherwise, unless somebody changes the path or what lies there.
            io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::InvalidFilename => Error::invalid(format!("{}: no such file can be", path.display()))
                .hint("choose another --to, or move away what is in the way"),
            _ => Error::unavailable(format!("{}: cannot be written", path.display())).hint(again),
        };
        failure.caused_by(error)
    }

    /// Whether the name belongs to no export; false if to one that has ended.
    fn is_free(&self) -> Result<bool> {
        // In this order: the state file is deleted only when the report is there.
        if self.exists(&self.state())? {
            return Err(self.busy());
        }
        if self.exists(&self.report())? {
            return Ok(false);
        }
        self.refuse_leftovers().map(|()| true)
    }

    /// Files that would be mistaken for ones of the export that is about to begin.
    fn refuse_leftovers(&self) -> Result<()> {
        let present = self.present()?;
        let number = present.volumes.iter().chain(&present.parts).next();
        let fixed = [self.report(), part_of(&self.report()), self.readable_report(), self.certificate()];
        let mut found = number.map(|number| self.volume(*number));
        for name in fixed {
            if self.exists(&name)? {
                found = Some(name);
            }
        }
        match found {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!("{} is there already", self.path(&name).display()))
                .hint("it belongs to another export: choose another --name or --to, or move it away")),
        }
    }

    /// Links without overwriting; where a file system has no links, the lock on the part file keeps others out.
    fn link(&self, part: &str, name: &str) -> Result<()> {
        match std::fs::hard_link(self.path(part), self.path(name)) {
            Ok(()) => self.sync().map_err(|error| self.failed(name, error)).and_then(|()| self.delete(part)),
            // Put there by no exporter; the keys of this one must not stay.
            Err(_) if self.exists(name)? => self.delete(part).and_then(|()| Err(self.busy())),
            Err(_) => std::fs::rename(self.path(part), self.path(name))
                .and_then(|()| self.sync())
                .map_err(|error| self.failed(name, error)),
        }
    }

    /// Opens and locks; none if the file is gone.
    fn lock(&self, name: &str, how: &mut OpenOptions) -> Result<Option<File>> {
        match self.try_lock(name, how)? {
            Lock::Taken(file) => Ok(Some(file)),
            Lock::Busy => Err(self.busy()),
            Lock::Gone => Ok(None),
        }
    }

    fn try_lock(&self, name: &str, how: &mut OpenOptions) -> Result<Lock> {
        let file = match how.open(self.path_of_file(name)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Gone),
            Err(error) => return Err(self.failed(name, error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(if self.is_named(&file, name)? { Lock::Taken(file) } else { Lock::Gone }),
            Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
            Err(TryLockError::Error(error)) => Err(self.failed(name, error)),
        }
    }

    /// Whether an open file has this name now.
    fn is_named(&self, file: &File, name: &str) -> Result<bool> {
        let found = match self.path(name).symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed(name, error)),
        };
        file.metadata().map(|facts| is_same(&facts, &found)).map_err(|error| self.failed(name, error))
    }

    pub(super) fn busy(&self) -> Error {
        Error::unavailable(format!("another exporter is writing {} in {}", self.name, self.folder.display()))
            .hint("wait until it has ended, or choose another --name")
    }

    fn whole(&self, name: &str, file: &File, limit_bytes: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = BufReader::new(file).take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(name, error))?;
        if bytes.len() as u64 > limit_bytes {
            return Err(Error::invalid(format!("{}: larger than any file of an export", self.path(name).display())));
        }
        Ok(bytes)
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.before(name, &Effect::Delete(name.to_owned()))?;
        std::fs::remove_file(self.path(name)).and_then(|()| self.sync()).map_err(|error| self.failed(name, error))
    }

    fn before(&self, name: &str, effect: &Effect) -> Result<()> {
        self.progress.before(effect).map_err(|error| self.failed(name, error))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The path of a file to be opened for writing: what is no file, a link above all, is in the way.
    fn path_of_file(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if path.symlink_metadata().is_ok_and(|facts| !facts.is_file()) {
            return Err(Error::invalid(format!("{} is in the way, and no file", path.display())).hint("move it away"));
        }
        Ok(path)
    }

    /// A rename is durable once its folder is.
    #[cfg(unix)]
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "folders are flushed by the system here")]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The name under which a file is written until it is whole.
fn part_of(name: &str) -> String {
    format!("{name}.part")
}

/// Opens a file to be read; a pipe in its place would block.
fn open_file(path: &Path) -> io::Result<File> {
    if path.metadata()?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::IsADirectory, "not a file"))
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file that is open keeps its name here.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut how = OpenOptions::new();
    how.read(true).write(true).mode(0o600);
    how
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    let mut how = OpenOptions::new();
    how.read(true).write(true);
    how
}

/// The mode of a file that an interrupted run left under the same name.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the folder's permissions hold here")]
fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::Target;

    #[test]
    fn what_lies_under_no_name_is_told_by_its_folder() {
        let name = "out".parse().unwrap();
        let target = Target::new(Path::new("/mnt/stick"), &name, &());
        let full = target.scratch_failed(io::ErrorKind::StorageFull.into());
        assert_eq!(full.message(), "/mnt/stick: no space left");
        let full = target.failed("out.cer", io::ErrorKind::StorageFull.into());
        assert_eq!(full.message(), "/mnt/stick/out.cer: no space left");
    }
}
