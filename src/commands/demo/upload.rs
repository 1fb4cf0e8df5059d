//! The SFTP client of OpenSSH, as somebody at another machine would use it.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use archive::{Error, Result};
use tokio::process::Command;

/// A client with a key of its own.
pub(super) struct OpenSsh {
    folder: PathBuf,
}

impl OpenSsh {
    /// Makes a key pair in the folder.
    pub(super) async fn new(folder: &Path) -> Result<Self> {
        let key = folder.join("id_ed25519");
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "postkahn demo", "-f"].map(OsStr::new);
        run(Command::new("ssh-keygen").args(arguments).arg(&key)).await?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn public_key(&self) -> Result<String> {
        let path = self.folder.join("id_ed25519.pub");
        fs::read_to_string(&path).map_err(|error| Error::internal(path.display().to_string()).caused_by(error))
    }

    /// Runs a batch of commands and answers what they printed.
    pub(super) async fn sftp(&self, user: &str, server: SocketAddr, batch: &str) -> Result<String> {
        let script = self.folder.join("batch");
        fs::write(&script, batch).map_err(|error| Error::internal("the batch of sftp").caused_by(error))?;
        let known = self.known_hosts();
        let mut command = Command::new("sftp");
        command.arg("-b").arg(&script).args(["-F", "/dev/null", "-P", &server.port().to_string()]);
        command.arg("-i").arg(self.folder.join("id_ed25519"));
        for option in ["IdentitiesOnly=yes", "StrictHostKeyChecking=accept-new", "BatchMode=yes", "LogLevel=ERROR"] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        run(command.arg(format!("{user}@{}", server.ip()))).await
    }

    /// The fingerprint of the host key that the server showed.
    pub(super) async fn seen_fingerprint(&self) -> Result<String> {
        let told = run(Command::new("ssh-keygen").arg("-lf").arg(self.known_hosts())).await?;
        let fingerprint = told.split_whitespace().find(|word| word.starts_with("SHA256:"));
        Ok(fingerprint.unwrap_or_default().to_owned())
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }
}

async fn run(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let missing = |error| {
        let text = format!("{program} cannot be run");
        Error::not_found(text).hint("install openssh-client").caused_by(error)
    };
    let output = command.kill_on_drop(true).output().await.map_err(missing)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::internal(format!("{program} ended with {}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
