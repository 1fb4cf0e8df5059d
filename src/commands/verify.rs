use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use archive::{Error, Result};
use volume::{Certificate, Secret, SetCheck, State, VolumeCheck};

use super::outcome::Outcome;
use crate::config::Config;
use crate::{password, text};

/// Check volumes without an archive: signature, completeness, and with the password every mail
///
/// The password comes from --password-file or POSTKAHN_PASSWORD; without it the signature, the catalogue and the stored
/// bytes are checked, but no mail is opened.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Verify {
    /// The volumes of one export
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<PathBuf>,
    /// The certificate of the export, NAME.cer
    #[arg(long, value_name = "CER")]
    certificate: Option<PathBuf>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Verify {
    /// Checks each volume, then all of them together.
    pub(crate) fn run(self, config: &Config) -> Result<Outcome> {
        let certificate = match &self.certificate {
            Some(path) => Certificate::parse(&certificate_bytes(path)?),
            None => Err(volume::Error::CertificateNeeded),
        };
        let password = password::given(self.password_file.as_deref(), config)?;
        let secret = password.as_deref().map_or(Secret::None, Secret::Password);
        let checks = self.volumes.iter().map(|path| (shown(path), check(path, &certificate, secret)));
        let set = volume::verify_set(checks.collect());
        let document = serde_json::to_value(&set).map_err(|error| Error::internal("document").caused_by(error))?;
        Ok(Outcome { document, text: told(&set), exit: set.exit_code() })
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn check(path: &Path, certificate: &Result<Certificate, volume::Error>, secret: Secret<'_>) -> VolumeCheck {
    let check =
        open(path).and_then(|(mut file, size)| volume::verify(&mut file, size, certificate.as_ref().ok(), secret));
    match (check, certificate) {
        // What was given as the certificate is none: said where its lack would be.
        (Ok(VolumeCheck::Refused(volume::Error::CertificateNeeded)), Err(error)) => VolumeCheck::Refused(error.clone()),
        (Ok(check), _) => check,
        (Err(error), _) => VolumeCheck::Unreadable(error.to_string()),
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

fn told(set: &SetCheck) -> String {
    let rows = set.volumes.iter().map(|report| {
        let state = serde_json::to_value(report.state).unwrap_or_default();
        let detail = report.detail.as_deref().unwrap_or_default();
        vec![text::shown(&report.file), text::cell(&state), report.mails.to_string(), text::shown(detail)]
    });
    let mut told = text::table(&["volume", "state", "mails", ""], rows);
    for report in &set.volumes {
        for mail in &report.damaged {
            let _ = writeln!(told, "{}: mail {} is damaged: {}", text::shown(&report.file), mail.number, mail.detail);
        }
    }
    let _ = write!(told, "{} mails, {} bytes; ", set.mails, set.raw_bytes);
    let completeness = match (set.complete, set.missing_volumes.as_slice(), set.last_seen) {
        (true, ..) => "the export is complete".to_owned(),
        (_, [], false) => "the last volume is not among them".to_owned(),
        (_, [], true) => "the export is not complete".to_owned(),
        (_, missing, _) => format!("volumes missing: {}", text::cell(&serde_json::json!(missing))),
    };
    let _ = writeln!(told, "{completeness}");
    if set.volumes.iter().any(|report| report.state == State::Signed) {
        told += "signed: nothing was changed after the export; with the password every mail is opened too\n";
    }
    told
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
}
