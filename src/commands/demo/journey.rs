//! The steps of the demo, in the order in which a company would take them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use archive::{Error, ports::Random as _};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Parser as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    folder::temporary_folder,
    proof::{self, Proof},
    source::{self, Truth},
    upload::OpenSsh,
};
use crate::{
    assemble::Place, cli::Cli, client::Client, config::Config, failure::Result, first_password, print, server::Server,
    text,
};

const MAILBOX: &str = "import@example.org";
const OFFICER: &str = "clara";

/// Everything that the steps share.
pub(super) struct Journey {
    place: Place,
    server: Server,
    config: Config,
    samples: PathBuf,
    /// Volumes, keys and passwords; gone at the end.
    work: TempDir,
    export_password: String,
    login_password: String,
    admin: Client,
    /// A compliance officer: sees all mail.
    officer: Client,
    proof: Proof,
}

impl Journey {
    /// Gives the admin a password, as the first login must.
    pub(super) async fn begin(place: &Place, server: Server, config: &Config, samples: PathBuf) -> Result<Self> {
        let secret = |prefix: &str| {
            let mut bytes = [0; 6];
            place.local.random.fill(&mut bytes);
            format!("{prefix}-{}", archive::hash::to_hex(&bytes))
        };
        let (export_password, login_password) = (secret("volumes"), secret("demo"));
        let first =
            first_password::kept(&config.data)?.ok_or_else(|| Error::internal("the admin has no first password"))?;
        let login = json!({ "user": "admin", "password": first, "new_password": login_password });
        let admin = log_in(&server, &login).await?;
        Ok(Self {
            place: place.clone(),
            // Until she has a login, she is nobody.
            officer: Client::remote(&format!("http://{}", server.http), None)?,
            server,
            config: config.clone(),
            samples,
            work: temporary_folder(config)?,
            export_password,
            login_password,
            admin,
            proof: Proof::default(),
        })
    }

    /// All steps; the document says whether every number closes.
    pub(super) async fn go(&mut self) -> Result<Value> {
        let truth = source::read(&self.samples)?;
        self.title("1. Prepare: a group with the role Compliance, and a user in it who may use SFTP");
        let ssh = self.prepare().await?;
        self.title("2. Export: the mails become a signed, encrypted volume and a certificate");
        let report = self.export(&truth).await?;
        self.title("3. Upload with the sftp program of OpenSSH");
        self.upload(&ssh).await?;
        self.title("4. Import: certificate and password are checked before anything is queued");
        let imports = self.import(&report).await?;
        self.title("5. Recreate the structure");
        let restructured = self.restructure().await?;
        self.title("6. The proof: the archive against the files of the samples");
        self.prove(&truth).await?;
        self.tell(&self.proof.table());
        let balanced = self.proof.closes();
        self.tell(if balanced { "every number closes" } else { "SOME NUMBERS DO NOT CLOSE" });
        let proof = self.proof.document();
        Ok(
            json!({ "balanced": balanced, "proof": proof, "export": report, "imports": imports, "restructure": restructured }),
        )
    }

    async fn prepare(&mut self) -> Result<OpenSsh> {
        let ssh = OpenSsh::new(self.work.path()).await?;
        self.admin.post("/groups", &json!({ "name": "officers", "roles": ["Compliance"] })).await?;
        let user = json!({
            "name": OFFICER, "groups": ["officers"], "password": self.login_password, "keys": [ssh.public_key()?],
        });
        let user = self.admin.post("/users", &user).await?;
        self.tell(&text::list(&["name", "groups", "roles"], &json!([user])));
        self.officer = log_in(&self.server, &json!({ "user": OFFICER, "password": self.login_password })).await?;
        Ok(ssh)
    }

    async fn export(&mut self, truth: &Truth) -> Result<Value> {
        let password_file = self.in_work("password");
        fs::write(&password_file, &self.export_password)
            .map_err(|error| Error::unavailable("the password file").caused_by(error))?;
        let samples = self.samples.display().to_string();
        let [work, password_file] = [self.work.path(), &password_file].map(|path| path.display().to_string());
        let arguments = ["postkahn", "export", "--from", &samples, "--to", &work, "--name", "samples"];
        let secret = ["--layout", "mailstore", "--password-file", &password_file];
        let arguments: Vec<_> = arguments.into_iter().chain(secret).map(str::to_owned).collect();
        self.tell(&format!("$ {}", arguments.join(" ")));
        let config = self.config.clone();
        let exported = tokio::task::spawn_blocking(move || {
            let cli = Cli::try_parse_from(arguments).map_err(|error| Error::internal("export").caused_by(error))?;
            cli.command.run(&config)
        });
        let exported = exported.await.map_err(|error| Error::internal("the export broke off").caused_by(error))??;
        self.tell(&exported.text);
        let report = serde_json::to_value(exported.document)
            .map_err(|error| Error::internal("the report is no JSON").caused_by(error))?;
        self.proof.compare("mails exported", truth.files, report["exported"].as_u64().unwrap_or_default());
        self.proof.compare(
            "different mails exported",
            truth.mails.len() as u64,
            report["unique_mails"].as_u64().unwrap_or_default(),
        );
        self.proof.compare("bytes exported", truth.bytes, report["raw_bytes"].as_u64().unwrap_or_default());
        Ok(report)
    }

    /// Uploads while nobody works, so that the pending state can be seen, then lets the work begin.
    async fn upload(&mut self, ssh: &OpenSsh) -> Result<()> {
        let volume = self.in_work("samples-0001.mszip");
        let batch = format!("put \"{}\"\nls -l\n", volume.display());
        let listing = ssh.sftp(OFFICER, self.server.sftp, &batch).await?;
        self.tell(&listing);
        if ssh.seen_fingerprint().await? != self.server.fingerprint {
            return Err(Error::denied("the SFTP server showed another host key than ours").into());
        }
        let pending = listing.lines().filter(|line| line.contains("(Pending) samples-0001.mszip")).count();
        self.proof.compare("uploads shown as pending", 1, pending as u64);
        self.server.work(&self.place, &self.config);
        let uploads = self.checked_uploads().await?;
        self.tell(&ssh.sftp(OFFICER, self.server.sftp, "ls -l\n").await?);
        self.tell(&text::list(&["name", "state", "kind", "volume", "mails", "encrypted"], &uploads));
        let ready = uploads.as_array().into_iter().flatten().filter(|upload| upload["state"] == "ready").count();
        self.proof.compare("uploads ready", 1, ready as u64);
        Ok(())
    }

    async fn checked_uploads(&self) -> Result<Value> {
        loop {
            let uploads = self.admin.get("/uploads").await?;
            if uploads.as_array().into_iter().flatten().all(|upload| upload["state"] != "pending") {
                return Ok(uploads);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn import(&mut self, report: &Value) -> Result<Value> {
        let uploads = self.admin.get("/uploads").await?;
        let ids: Vec<_> = uploads.as_array().into_iter().flatten().map(|upload| upload["id"].clone()).collect();
        let certificate = fs::read(self.in_work("samples.cer"))
            .map_err(|error| Error::not_found("the certificate of the export").caused_by(error))?;
        let mut start = json!({
            "uploads": ids, "mailbox": MAILBOX, "certificate": BASE64_STANDARD.encode(certificate), "password": "guessed",
        });
        match self.admin.post("/imports", &start).await {
            Err(refused) => {
                self.tell(&format!("a guessed password is refused: {} ({})", refused.message, refused.code));
            }
            Ok(_) => return Err(Error::internal("a wrong password was taken").into()),
        }
        start["password"] = json!(self.export_password);
        let started = self.admin.post("/imports", &start).await?;
        let result = self.log_of(&started).await?;
        let exported = report["exported"].as_u64().unwrap_or_default();
        let failed = result["imports"].as_array().into_iter().flatten();
        let failed: usize = failed.filter_map(|import| import["failed"].as_array()).map(Vec::len).sum();
        let [in_volume, imported, there] =
            ["in_volume", "imported", "already_there"].map(|member| proof::sum(&result["imports"], member));
        self.tell(&format!("{in_volume} mails = {imported} imported + {there} already there + {failed} failed"));
        self.proof.compare("mails in the volume", exported, in_volume);
        self.proof.compare("imported + already there", exported, imported + there);
        self.proof.compare("mails that failed", 0, failed as u64);
        Ok(result["imports"].clone())
    }

    async fn restructure(&mut self) -> Result<Value> {
        let schedules = self.admin.get("/schedules").await?;
        self.tell(&text::list(&["id", "every_minutes", "enabled", "next_run"], &schedules));
        let started = self.admin.post("/schedules/restructure/run", &json!({})).await?;
        let done = self.log_of(&started).await?;
        self.proof.compare("reports left", 0, done["reports_left"].as_u64().unwrap_or(1));
        let mailboxes = self.admin.get("/mailboxes").await?;
        self.tell(&text::list(&["address", "origin", "user_archive", "mails", "folders"], &mailboxes));
        for mailbox in mailboxes.as_array().into_iter().flatten().filter(|mailbox| mailbox["origin"] == "restructure") {
            let address = mailbox["address"].as_str().unwrap_or_default();
            let folders = self.officer.get(&format!("/folders?mailbox={}", crate::client::escaped(address))).await?;
            let rows = folders.as_array().into_iter().flatten();
            let rows = rows.map(|folder| vec![text::cell(&folder["mails"]), text::path(&folder["path"])]);
            self.tell(&text::table(&["mails", &format!("folders of {address}")], rows));
        }
        Ok(done)
    }

    async fn prove(&mut self, truth: &Truth) -> Result<()> {
        let archives = truth.user_archives();
        let mailboxes = self.admin.get("/mailboxes").await?;
        let recreated: Vec<_> =
            mailboxes.as_array().into_iter().flatten().filter(|mailbox| mailbox["origin"] == "restructure").collect();
        self.proof.compare("user archives, mailboxes", archives.len() as u64, recreated.len() as u64);
        let mut strangers = 0;
        for archive in archives {
            let mailbox = recreated.iter().find(|mailbox| mailbox["user_archive"] == archive);
            let address = mailbox.and_then(|mailbox| mailbox["address"].as_str()).unwrap_or("nobody@example.org");
            let placed = proof::placements(truth, archive, address, &self.officer).await?;
            self.proof.compare(format!("mails in the folders of {archive}"), placed.wanted, placed.there);
            strangers += placed.strangers;
        }
        self.proof.compare("mails that lie where they did not", 0, strangers);
        let (same, bytes) = proof::originals(truth, &self.officer).await?;
        self.proof.compare("mails that are byte for byte the same", truth.mails.len() as u64, same);
        self.proof.compare("bytes of them", truth.mails.values().sum(), bytes);
        Ok(())
    }

    /// Shows the log of a process while it runs; its result.
    async fn log_of(&self, started: &Value) -> Result<Value> {
        let process = started["process"].as_str().or(started["id"].as_str()).unwrap_or_default();
        let mut say =
            |line: &Value| self.tell(&format!("  {}  {}", text::cell(&line["at"]), text::cell(&line["text"])));
        Ok(self.admin.wait(process, &mut say).await?["result"].clone())
    }

    /// Where to look, and who may.
    pub(super) fn invite(&self) {
        let Server { http, sftp, fingerprint, .. } = &self.server;
        self.tell(&format!("\nhttp: {http}\nsftp: {sftp} {fingerprint}"));
        self.tell(&format!("log in as admin or {OFFICER} with the password {}; Ctrl-C ends", self.login_password));
    }

    pub(super) fn into_server(self) -> Server {
        self.server
    }

    fn in_work(&self, name: &str) -> PathBuf {
        Path::join(self.work.path(), name)
    }

    fn title(&self, title: &str) {
        self.tell(&format!("\n== {title}"));
    }

    /// Narrates: on stdout, unless that is for the one document.
    fn tell(&self, text: &str) {
        let text = format!("{}\n", text.trim_end());
        // Nobody listens any more: the demo's numbers count, not its story.
        let _ = if self.config.json { print::to_stderr(&text) } else { print::to_stdout(&text) };
    }
}

async fn log_in(server: &Server, login: &Value) -> Result<Client> {
    let address = format!("http://{}", server.http);
    let session = Client::remote(&address, None)?.post("/session", login).await?;
    Client::remote(&address, session["token"].as_str())
}
