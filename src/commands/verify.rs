use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use archive::{Error, Result};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::Value;
use volume::{Certificate, Secret, SetCheck, State, VolumeCheck};

use self::folder::Found;
use super::outcome::Outcome;
use crate::config::Config;
use crate::{password, text};

mod folder;

/// Check volumes without an archive: signature, completeness, and with the password every mail
///
/// A folder stands for the volumes in it, and for the certificate beside them unless --certificate names one; then it is
/// also said which volumes are missing, renamed or of another export. The password comes from --password-file or
/// POSTKAHN_PASSWORD, or is asked for on a terminal; without it the signature, the catalogue and the stored bytes are
/// checked, but no mail is opened.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Verify {
    /// The volumes of one export, or the folder that they lie in
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<PathBuf>,
    /// The certificate of the export, NAME.cer [default: the one in the folder]
    #[arg(long, value_name = "CER")]
    certificate: Option<PathBuf>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Say whether the volumes fit into an upload quota: bytes, or a number right before KiB, MiB or GiB
    #[arg(long, value_name = "SIZE")]
    quota: Option<String>,
}

impl Verify {
    /// Checks each volume, then all of them together.
    pub(crate) fn run(self, config: &Config) -> Result<Outcome> {
        let quota_bytes = self.quota.as_deref().map(quota).transpose()?;
        let found = Found::look(&self.volumes)?;
        let certificate = match &self.certificate {
            Some(path) => Certificate::parse(&certificate_bytes(path)?),
            None => found.certificate()?.cloned().ok_or_else(|| found.without_certificate()),
        };
        let password = match password::given(self.password_file.as_deref(), config)? {
            None if password::can_ask() && found.can_be_opened_by_password() => {
                password::asked_for_more("Password of the export (none: no mail is opened)")?
            }
            given => given,
        };
        let secret = password.as_deref().map_or(Secret::None, Secret::Password);
        let bar = Bar::new(found.volumes.len());
        let of_others = certificate.as_ref().map(|certificate| found.of_others(certificate)).unwrap_or_default();
        let check = |path: &PathBuf| {
            let is_other = of_others.contains(path.as_path());
            let checked = if is_other { VolumeCheck::OtherExport } else { check(path, &certificate, secret, &bar) };
            (shown(path), checked)
        };
        let set = volume::verify_set(found.volumes.iter().map(check).collect());
        bar.clear();
        let ours = |path: &&PathBuf| !of_others.contains(path.as_path());
        let size = Size::of(&set, &found.volumes, ours, quota_bytes);
        let exit = match set.exit_code() {
            0 if size.fits == Some(false) => 8,
            exit => exit,
        };
        Ok(Outcome { document: document(&set, &size)?.into(), text: told(&set, &size), exit })
    }
}

fn quota(text: &str) -> Result<u64> {
    archive::export::parse_size(text).ok_or_else(|| {
        Error::invalid(format!("the quota {text:?} is not a size"))
            .hint("give bytes, or a whole number right before KiB, MiB or GiB: --quota 50GiB")
    })
}

/// What an upload of these volumes would take.
#[derive(serde::Serialize)]
struct Size {
    /// Bytes of all files but those that are doubled, in conflict, or of another export.
    bytes: u64,
    quota_bytes: Option<u64>,
    fits: Option<bool>,
    /// How many files do not count.
    #[serde(skip)]
    left_out: u64,
}

impl Size {
    fn of(set: &SetCheck, paths: &[PathBuf], ours: impl Fn(&&PathBuf) -> bool, quota_bytes: Option<u64>) -> Self {
        let counts = |state| !matches!(state, State::Doubled | State::Foreign | State::Conflict);
        let files = set.volumes.iter().zip(paths).filter(|(report, _)| counts(report.state));
        let files: Vec<_> = files.map(|(_, path)| path).filter(ours).collect();
        let bytes = files.iter().filter_map(|path| path.metadata().ok()).map(|facts| facts.len()).sum();
        let in_conflict = set.volumes.iter().filter(|report| report.state == State::Conflict).count();
        let left_out = paths.len().saturating_sub(files.len() + in_conflict) as u64;
        Self { bytes, quota_bytes, fits: quota_bytes.map(|quota| bytes <= quota), left_out }
    }
}

fn document(set: &SetCheck, size: &Size) -> Result<Value> {
    let both = (serde_json::to_value(set), serde_json::to_value(size));
    let (Ok(mut document), Ok(size)) = both else { return Err(Error::internal("document")) };
    if let (Some(members), Value::Object(more)) = (document.as_object_mut(), size) {
        members.extend(more);
    }
    Ok(document)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn check(path: &Path, certificate: &Result<Certificate, volume::Error>, secret: Secret<'_>, bar: &Bar) -> VolumeCheck {
    let check = open(path).and_then(|(file, size)| {
        volume::verify(&mut bar.watch(path, file, size), size, certificate.as_ref().ok(), secret)
    });
    match (check, certificate) {
        // What was given as the certificate is none: said where its lack would be.
        (Ok(VolumeCheck::Refused(volume::Error::CertificateNeeded)), Err(error)) => VolumeCheck::Refused(error.clone()),
        (Ok(check), _) => check,
        (Err(error), _) => VolumeCheck::Unreadable(error.to_string()),
    }
}

/// A line on the terminal, if there is one: how far the file being read is.
struct Bar {
    line: ProgressBar,
    files: usize,
    begun: Cell<usize>,
}

impl Bar {
    fn new(files: usize) -> Self {
        let line = if io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{msg} [{wide_bar}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        line.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { line, files, begun: Cell::new(0) }
    }

    fn watch(&self, path: &Path, file: File, size: u64) -> Watched {
        self.begun.set(self.begun.get() + 1);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.line.reset();
        self.line.set_length(size);
        self.line.set_message(format!("{} of {}: {}", self.begun.get(), self.files, text::shown(&name)));
        Watched { file, at: 0, line: self.line.clone() }
    }

    fn clear(&self) {
        self.line.finish_and_clear();
    }
}

/// A file, and where in it was read last, for the line. What is read twice, as both ends are, counts once: the line's own
/// reader would go on from the largest place that was ever read.
struct Watched {
    file: File,
    at: u64,
    line: ProgressBar,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.at += read as u64;
        self.line.set_position(self.at);
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

/// What a certificate file holds, one byte more than a certificate may have at most.
pub(super) fn certificate_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)
        .and_then(|(file, _)| file.take(volume::MAX_CERTIFICATE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Error::not_found(format!("the certificate {}", path.display())).caused_by(error))?;
    Ok(bytes)
}

/// A file and its size. A directory is none, nor is a pipe or a device: opening it could wait for ever.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let facts = path.metadata()?;
    if facts.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !facts.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn told(set: &SetCheck, size: &Size) -> String {
    let rows = set.volumes.iter().map(|report| {
        let state = serde_json::to_value(report.state).unwrap_or_default();
        let detail = report.detail.as_deref().unwrap_or_default();
        vec![text::shown(&report.file), text::cell(&state), report.mails.to_string(), text::shown(detail)]
    });
    let mut told = text::table(&["volume", "state", "mails", ""], rows);
    for report in &set.volumes {
        if let Some(name) = &report.renamed_from {
            let _ = writeln!(told, "{}: was written as {}", text::shown(&report.file), text::shown(name));
        }
        for mail in &report.damaged {
            let _ = writeln!(told, "{}: mail {} is damaged: {}", text::shown(&report.file), mail.number, mail.detail);
        }
    }
    // Where nothing was opened, nothing is known of the export.
    if set.export_id.is_some() {
        let mails = text::count(set.mails, "mail");
        let _ = writeln!(told, "{mails}, {}; {}", HumanBytes(set.raw_bytes), completeness(set));
    }
    let fits = match size.fits {
        Some(true) => ", within the quota",
        Some(false) => ", which is more than the quota",
        None => "",
    };
    let left_out = match size.left_out {
        0 => String::new(),
        files => format!(" without {} that the export does not need", text::count(files, "file")),
    };
    let _ = writeln!(told, "the volumes take {}{left_out}{fits}", HumanBytes(size.bytes));
    if set.volumes.iter().any(|report| report.state == State::Signed) {
        told += "signed: nothing was changed after the export; no mail was opened, which takes the password if there is one\n";
    }
    told
}

fn completeness(set: &SetCheck) -> String {
    match (set.complete, set.missing_volumes.as_slice(), set.last_seen) {
        (true, ..) => "the export is complete".to_owned(),
        (_, [], true) => "the export is not complete".to_owned(),
        (_, [], false) => format!("missing: {}", behind(set)),
        (_, missing, true) => format!("missing: {}", numbered(missing)),
        (_, missing, false) => format!("missing: {}, and {}", numbered(missing), behind(set)),
    }
}

fn numbered(volumes: &[u64]) -> String {
    let s = if volumes.len() == 1 { "" } else { "s" };
    format!("volume{s} {}", text::cell(&serde_json::json!(volumes)))
}

/// What nobody can count.
fn behind(set: &SetCheck) -> String {
    let is_one = |state| matches!(state, State::Ok | State::Signed | State::Damaged);
    let highest = set.volumes.iter().filter(|report| is_one(report.state)).filter_map(|report| report.volume).max();
    highest.map_or_else(
        || "the last volume".to_owned(),
        |highest| format!("whatever follows {highest}: the last volume is not among them"),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_or_a_device_is_refused_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            assert!(open(path).is_err(), "{}", path.display());
            assert_eq!(certificate_bytes(path).unwrap_err().kind(), archive::ErrorKind::NotFound);
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(open(&file).unwrap().1, 3);
    }

    #[test]
    fn the_line_says_where_in_the_file_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [0; 1000]).unwrap();
        let bar = Bar::new(1);
        let mut file = bar.watch(&path, File::open(&path).unwrap(), 1000);
        // Its ends first, then all of it.
        file.read_exact(&mut [0; 100]).unwrap();
        file.seek(SeekFrom::End(-100)).unwrap();
        file.read_exact(&mut [0; 100]).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        for at in 1..=10 {
            file.read_exact(&mut [0; 100]).unwrap();
            assert_eq!(bar.line.position(), at * 100);
        }
    }
}
