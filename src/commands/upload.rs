mod bar;
mod contact;
mod volumes;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use archive::{Error, Result};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use sftp::remote::{Address, Courier, Fingerprint, LocalFile, Sent, SentState};

use self::{bar::Bar, contact::Contact, volumes::Volumes};
use super::outcome::Outcome;
use crate::{config::Config, failure, text};

/// Send the volumes of an export to an SFTP server
///
/// Sends NAME-0001.mszip and so on, and nothing else: never the certificate, the state or the reports of the export. The
/// volumes are looked at before anything is sent. What was cut off goes on where it ended, what is there already is left
/// alone; the same command again is always right. The host key must be known (known_hosts, --host-key-fingerprint, or
/// an answer on the terminal). The password comes from --password-file, POSTKAHN_SFTP_PASSWORD or POSTKAHN_PASSWORD, or
/// is asked for; without one an ssh-agent is.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Upload {
    /// The server: sftp://USER@HOST[:PORT][/DIR]
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// Where the exports lie [default: the current folder]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Exports by name (also DIR/NAME), folders of volumes, or single volumes
    #[arg(value_name = "NAME", required_unless_present = "from")]
    names: Vec<PathBuf>,
    /// A file with the user's password at the server
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A private key of OpenSSH; a passphrase is asked for
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The server's key must have this fingerprint: SHA256:…, as the server prints it
    #[arg(long, value_name = "FINGERPRINT")]
    host_key_fingerprint: Option<String>,
    /// Where servers and their keys are noted [default: ~/.ssh/known_hosts, and that of the system]
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// Send what is here of an export, even if volumes are missing
    #[arg(long)]
    partial: bool,
    /// Write over whole files of the same name and another content
    #[arg(long)]
    replace: bool,
    /// Compare with what is at the server, send nothing
    #[arg(long)]
    dry_run: bool,
    /// How long to wait until the server has looked at the volumes
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// How often in a row a lost connection is made anew; one that brings bytes begins the count again
    #[arg(long, value_name = "N", default_value_t = 10)]
    retries: u32,
}

/// How an upload ended.
struct Ended {
    host_key: Fingerprint,
    sent: Vec<Sent>,
    /// What stopped it.
    error: Option<Error>,
}

impl Upload {
    /// Checks the volumes, sends what is missing, and waits for the server's verdict; the exit code is 8 if a volume is
    /// rejected or the export is not whole, that of the table if something stopped it.
    pub(crate) async fn run(&self, config: &Config) -> failure::Result<Outcome> {
        let address: Address = self.to.parse()?;
        let volumes = Volumes::find(self.from.as_deref(), &self.names)?;
        if !self.partial {
            volumes.need_all()?;
        }
        let files = volumes.files()?;
        let ended = self.deliver(&address, &files, config).await?;
        Ok(self.outcome(&address, &volumes, ended))
    }

    async fn deliver(&self, address: &Address, files: &[LocalFile], config: &Config) -> Result<Ended> {
        let trust = contact::trust(self.host_key_fingerprint.as_deref(), self.known_hosts.as_deref(), config)?;
        let login = contact::login(self.key.as_deref(), self.password_file.as_deref(), config)?;
        let contact = Contact { address, known_hosts: self.known_hosts.as_deref(), retries: self.retries };
        let (line, host_key) = contact.make(trust, login, config).await?;
        let bar = Bar::new(files);
        let mut courier = Courier::new(line, files, self.replace, &bar);
        courier.look().await?;
        let error = if self.dry_run { None } else { self.send(&mut courier, &bar).await.err() };
        bar.clear();
        Ok(Ended { host_key, sent: courier.end().await, error })
    }

    async fn send(&self, courier: &mut Courier<'_>, bar: &Bar) -> Result<()> {
        if let (missing, Some(room)) = courier.room().await?
            && missing > room
        {
            let (missing, room) = (HumanBytes(missing), HumanBytes(room));
            bar.warn(&format!("{missing} are to be sent, and the server has room for {room}: it may end before"));
        }
        courier.send().await?;
        courier.wait(Duration::from_secs(self.wait)).await
    }

    fn outcome(&self, address: &Address, volumes: &Volumes, ended: Ended) -> Outcome {
        let Ended { host_key, sent, error } = ended;
        let failure = error.map(failure::Failure::from);
        let delivered = sent.iter().all(|sent| sent.state.is_delivered());
        let complete = delivered && volumes.is_whole();
        let mut document = json!({
            "to": address.to_string(),
            "host_key": host_key.to_string(),
            "uploads": sent.iter().map(document_of).collect::<Vec<_>>(),
            "bytes": sent.iter().map(|sent| sent.bytes).sum::<u64>(),
            "missing_volumes": volumes.missing(),
            "dry_run": self.dry_run,
            "complete": complete,
        });
        let mut told = told(&sent, self.dry_run);
        told += &volumes.told();
        if let Some(failure) = &failure {
            document["error"] = failure.document()["error"].take();
            let _ = writeln!(told, "{}", text::shown(&failure.text().replace('\n', "; ")));
        }
        let exit = match &failure {
            Some(failure) => failure.exit(),
            None if complete || (self.dry_run && volumes.is_whole()) => 0,
            None => 8,
        };
        Outcome { document: document.into(), text: told, exit }
    }
}

fn document_of(sent: &Sent) -> Value {
    json!({
        "file": sent.file,
        "bytes": sent.bytes,
        "sent_bytes": sent.sent_bytes,
        "resumed_from": sent.resumed_from,
        "already_there": sent.already_there,
        "replaced": sent.replaced,
        "state": sent.state.as_str(),
        "reason": sent.reason,
    })
}

fn told(sent: &[Sent], dry_run: bool) -> String {
    let row = |sent: &Sent| {
        let reason = sent.reason.as_deref().unwrap_or_default();
        vec![text::shown(&sent.file), HumanBytes(sent.bytes).to_string(), how(sent, dry_run), text::shown(reason)]
    };
    let bytes = sent.iter().map(|sent| sent.bytes).sum();
    let taken = sent.iter().map(|sent| sent.sent_bytes).sum();
    let files = text::count(sent.len() as u64, "file");
    let sum = format!("{files}, {}; {} sent now\n", HumanBytes(bytes), HumanBytes(taken));
    text::table(&["volume", "size", "state", ""], sent.iter().map(row)) + &sum
}

fn how(sent: &Sent, dry_run: bool) -> String {
    let state = match sent.state {
        SentState::NotSent if dry_run => "would be sent".to_owned(),
        state => state.as_str().replace('_', " "),
    };
    let from = sent.resumed_from.map(|from| format!(", from {} on", HumanBytes(from)));
    let already = if sent.already_there { ", was there already" } else { "" };
    let replaced = if sent.replaced { ", in place of another" } else { "" };
    format!("{state}{}{already}{replaced}", from.unwrap_or_default())
}
