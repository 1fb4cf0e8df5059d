//! Meeting a server: its key, then ours.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use archive::{Error, Result};
use sftp::remote::{Address, Fingerprint, KnownHosts, Line, Login, Meeting, ServerKey, Trust, Trusted, UserKey};

use crate::{config::Config, password};

/// What OpenSSH notes for all users of a machine.
const KNOWN_TO_ALL: &str = "/etc/ssh/ssh_known_hosts";

/// The key with the fingerprint that was given, else what is noted of servers.
pub(super) fn trust(fingerprint: Option<&str>, known_hosts: Option<&Path>, config: &Config) -> Result<Trust> {
    if let Some(fingerprint) = fingerprint {
        return Ok(Trust::Fingerprint(fingerprint.parse()?));
    }
    let mut known = KnownHosts::default();
    match known_hosts {
        Some(path) => known.read(path)?,
        None => {
            for path in own_list(config).as_deref().into_iter().chain([Path::new(KNOWN_TO_ALL)]) {
                known.read(path)?;
            }
        }
    }
    Ok(Trust::KnownHosts(known))
}

/// A key if one is named, the password if one is given, an agent if there is neither.
///
/// The password of the environment may be that of the export: it is not shown to a server that a key is meant for.
pub(super) fn login(key: Option<&Path>, password_file: Option<&Path>, config: &Config) -> Result<Login> {
    let key = key
        .map(|path| UserKey::read(path, || password::asked(&format!("Passphrase of {}", path.display()))))
        .transpose()?;
    let own = Config { password: config.sftp_password.clone().or_else(|| config.password.clone()), ..config.clone() };
    let password = match (&key, password_file) {
        (Some(_), None) => None,
        _ => password::given(password_file, &own)?,
    };
    let agent = config.ssh_agent.clone().filter(|_| key.is_none() && password.is_none());
    Ok(Login { key, agent, password })
}

fn own_list(config: &Config) -> Option<PathBuf> {
    config.home.as_ref().map(|home| home.join(".ssh/known_hosts"))
}

/// A server that is to be met.
pub(super) struct Contact<'a> {
    pub(super) address: &'a Address,
    pub(super) known_hosts: Option<&'a Path>,
    pub(super) retries: u32,
}

impl Contact<'_> {
    /// Connects, judges the server's key, and logs in. What is not known may be told on a terminal: whether the key is
    /// the right one, and the password.
    pub(super) async fn make(&self, trust: Trust, mut login: Login, config: &Config) -> Result<(Line, Fingerprint)> {
        let trusted = self.meet(trust, config).await?;
        let host_key = trusted.fingerprint();
        if login.key.is_none() && login.agent.is_none() && login.password.is_none() {
            login.password = self.ask_password()?;
        }
        let may_ask = login.key.is_none() && login.password.is_none();
        let line = match trusted.log_in(login, self.retries).await {
            Err(refused) if may_ask && refused.machine_code() == "wrong_login" => {
                let Some(password) = self.ask_password()? else { return Err(refused) };
                let trusted = self.meet(Trust::Fingerprint(host_key), config).await?;
                trusted.log_in(Login { password: Some(password), ..Login::default() }, self.retries).await?
            }
            entered => entered?,
        };
        Ok((line, host_key))
    }

    async fn meet(&self, trust: Trust, config: &Config) -> Result<Trusted> {
        let stranger = match Meeting::with(self.address, &trust).await? {
            Meeting::Trusted(trusted) => return Ok(trusted),
            Meeting::Stranger(key) => key,
        };
        self.introduce(&stranger, config)?;
        match Meeting::with(self.address, &Trust::Fingerprint(stranger.fingerprint())).await? {
            Meeting::Trusted(trusted) => Ok(trusted),
            Meeting::Stranger(_) => Err(Error::internal("a fingerprint judges every key")),
        }
    }

    /// Asks whether the key is the right one, and notes it if so. `Denied` without a yes.
    fn introduce(&self, key: &ServerKey, config: &Config) -> Result<()> {
        let (host, fingerprint) = (self.address.known_as(), key.fingerprint());
        let unknown = || {
            Error::denied(format!("{host} is not known: it shows the host key {fingerprint}")).code("host_key_unknown")
        };
        let question =
            format!("{host} is not known. Its host key is\n  {fingerprint}\nIs that the right one (yes/no)? ");
        match confirmed(&question)? {
            Some(true) => {}
            Some(false) => return Err(unknown()),
            None => {
                let hint = format!("if that is the right one, add --host-key-fingerprint {fingerprint}");
                return Err(unknown().hint(hint));
            }
        }
        let list = self.known_hosts.map(Path::to_path_buf).or_else(|| own_list(config));
        list.map_or(Ok(()), |list| KnownHosts::learn(&list, &host, key.line()))
    }

    fn ask_password(&self) -> Result<Option<String>> {
        password::asked(&format!("Password for {}", self.address))
    }
}

/// The answer to a question; none without a terminal.
fn confirmed(question: &str) -> Result<Option<bool>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    let failed = |error: io::Error| Error::invalid("the answer could not be read from the terminal").caused_by(error);
    io::stderr().write_all(question.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(Some(answer.trim() == "yes"))
}
