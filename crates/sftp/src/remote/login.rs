//! How a user proves who it is.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use archive::{Error, Result};
use russh::{
    MethodKind,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{
        Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg,
        agent::{AgentIdentity, client::AgentClient},
        decode_secret_key,
    },
};

use super::{line::Doorman, trouble::Tried};

/// A private key is a few thousand bytes.
const MAX_KEY_BYTES: u64 = 64 << 10;
/// How a key in OpenSSH's own form begins. Of its ECDSA keys the `ssh-key` crate (0.7.0-rc.11) cannot read those whose number
/// is short, one in 256.
const OPENSSH: &str = "BEGIN OPENSSH PRIVATE KEY";
const ANEW: &str = "if ssh-keygen can read it, `ssh-keygen -p -m PKCS8 -f KEY` writes it in another form";
/// Keys of an agent that are offered: servers end the connection after some six attempts.
const MAX_AGENT_KEYS: usize = 5;
/// Rounds of questions that are answered with the password.
const MAX_ROUNDS: usize = 4;

/// What there is to show, tried in this order.
#[derive(Clone, Default)]
pub struct Login {
    pub key: Option<UserKey>,
    /// The socket of an ssh-agent.
    pub agent: Option<PathBuf>,
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// A user's private key.
#[derive(Clone)]
pub struct UserKey(Arc<PrivateKey>);

impl UserKey {
    /// Reads a key in OpenSSH, PEM or PuTTY form; `passphrase` is asked only if the file has one.
    pub fn read(path: &Path, passphrase: impl FnOnce() -> Result<Option<String>>) -> Result<Self> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_KEY_BYTES).read_to_string(&mut text))
            .map_err(|error| Error::not_found(format!("key {}", path.display())).caused_by(error))?;
        if let Ok(key) = decode_secret_key(&text, None)
            && !key.is_encrypted()
        {
            return Ok(Self(Arc::new(key)));
        }
        let is_locked = match decode_secret_key(&text, None) {
            Ok(key) => key.is_encrypted(),
            Err(error) => matches!(error, KeyError::KeyIsEncrypted) || text.contains("ENCRYPTED"),
        };
        if !is_locked {
            let error = Error::invalid(format!("key {} is no private key of OpenSSH", path.display()));
            return Err(error.hint(if text.contains(OPENSSH) { ANEW } else { "give the file without .pub" }));
        }
        let Some(passphrase) = passphrase()? else {
            return Err(Error::denied(format!("key {} has a passphrase", path.display()))
                .hint("run it on a terminal, or add the key to an ssh-agent and leave --key out"));
        };
        let key = decode_secret_key(&text, Some(&passphrase)).map_err(|_| {
            let error = Error::denied(format!("the passphrase does not open key {}", path.display()));
            let error = error.code("wrong_password");
            if text.contains(OPENSSH) { error.hint(ANEW) } else { error }
        })?;
        Ok(Self(Arc::new(key)))
    }
}

impl Login {
    /// Whether the server lets the user in.
    pub(crate) async fn prove(&self, ssh: &mut Handle<Doorman>, user: &str) -> Tried<bool> {
        if let Some(UserKey(key)) = &self.key {
            let hash = rsa_hash(ssh).await?;
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            if ssh.authenticate_publickey(user, key).await?.success() {
                return Ok(true);
            }
        }
        if let Some(socket) = &self.agent
            && by_agent(ssh, user, socket).await?
        {
            return Ok(true);
        }
        match &self.password {
            Some(password) => by_password(ssh, user, password).await,
            None => Ok(false),
        }
    }

    /// What a refusal leaves to be tried.
    pub(crate) fn advice(&self) -> &'static str {
        if self.password.is_some() || self.key.is_some() {
            "check user, password and key; a user with a second factor, or without the right to upload, is refused too"
        } else {
            "give a password with --password-file, or a key with --key"
        }
    }
}

/// By which an RSA key signs: never SHA-1, and SHA-256 where the server does not say what it takes.
async fn rsa_hash(ssh: &Handle<Doorman>) -> Tried<Option<HashAlg>> {
    Ok(ssh.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha256)))
}

async fn by_password(ssh: &mut Handle<Doorman>, user: &str, password: &str) -> Tried<bool> {
    match ssh.authenticate_password(user, password).await? {
        AuthResult::Success => Ok(true),
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.contains(&MethodKind::KeyboardInteractive)
                && !remaining_methods.contains(&MethodKind::Password) =>
        {
            by_answers(ssh, user, password).await
        }
        AuthResult::Failure { .. } => Ok(false),
    }
}

/// Some servers ask for the password in a dialogue alone. A visible answer is no password, so it is not given.
async fn by_answers(ssh: &mut Handle<Doorman>, user: &str, password: &str) -> Tried<bool> {
    let mut step = ssh.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_ROUNDS {
        let answers = match step {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                if prompts.len() > 1 || prompts.iter().any(|prompt| prompt.echo) {
                    return Ok(false);
                }
                prompts.iter().map(|_| password.to_owned()).collect()
            }
        };
        step = ssh.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Ok(false)
}

/// An agent that cannot be reached has no keys.
async fn by_agent(ssh: &mut Handle<Doorman>, user: &str, socket: &Path) -> Tried<bool> {
    let Ok(mut agent) = AgentClient::connect_uds(socket).await else { return Ok(false) };
    let Ok(identities) = agent.request_identities().await else { return Ok(false) };
    let hash = rsa_hash(ssh).await?;
    let keys = identities.into_iter().filter_map(|identity| match identity {
        AgentIdentity::PublicKey { key, .. } => Some(key),
        AgentIdentity::Certificate { .. } => None,
    });
    for key in keys.take(MAX_AGENT_KEYS) {
        let hash = hash.filter(|_| key.algorithm().is_rsa());
        // An agent that will not sign with this key may with the next.
        if let Ok(AuthResult::Success) = ssh.authenticate_publickey_with(user, key, hash, &mut agent).await {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use archive::ErrorKind;

    use super::*;

    fn keygen(path: &Path, passphrase: &str, form: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", passphrase]).args(form).arg("-f").arg(path);
        assert!(command.status().expect("ssh-keygen is installed").success());
    }

    #[test]
    fn a_key_is_read_and_its_passphrase_asked_only_if_it_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let none = || panic!("nothing to ask");
        for (name, form) in [("openssh", &["-t", "ed25519"][..]), ("pkcs8", &["-t", "ecdsa", "-m", "PKCS8"])] {
            let (plain, locked) = (folder.path().join(name), folder.path().join(format!("{name}-locked")));
            keygen(&plain, "", form);
            assert!(UserKey::read(&plain, none).is_ok(), "{name}");
            keygen(&locked, "a phrase", form);
            let read = |phrase: Option<&str>| UserKey::read(&locked, || Ok(phrase.map(str::to_owned)));
            assert!(read(Some("a phrase")).is_ok(), "{name}");
            for wrong in [Some("another"), None] {
                assert_eq!(read(wrong).err().map(|error| error.kind()), Some(ErrorKind::Denied), "{name}");
            }
        }
        let kind = |path: &Path| UserKey::read(path, none).err().map(|error| error.kind());
        assert_eq!(kind(&folder.path().join("openssh.pub")), Some(ErrorKind::Invalid));
        assert_eq!(kind(&folder.path().join("missing")), Some(ErrorKind::NotFound));
    }
}
