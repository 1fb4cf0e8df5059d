//! The host key, kept in a secret: the same for every server that is ever made, so that clients know it again.

use std::fmt;

use archive::{Error, ErrorKind, Result, ports::Random};
use aws_sdk_secretsmanager::Client;
use ssh_key::{HashAlg, LineEnding, PrivateKey, private::Ed25519Keypair};

use crate::error::{from_sdk, kind};

/// An Ed25519 key when made here.
#[derive(Clone)]
pub(crate) struct HostKey {
    openssh: String,
    fingerprint: String,
}

impl HostKey {
    /// From the private key in OpenSSH form, without a passphrase.
    fn parse(openssh: &str) -> Result<Self> {
        let refuse = || Error::corrupt("the secret of the host key holds no private key in OpenSSH form");
        let key = PrivateKey::from_openssh(openssh).map_err(|e| refuse().caused_by(e))?;
        if key.is_encrypted() {
            let error = Error::invalid("the host key in the secret is protected by a passphrase");
            return Err(error.hint("remove the passphrase with ssh-keygen -p"));
        }
        Ok(Self { openssh: openssh.to_owned(), fingerprint: key.fingerprint(HashAlg::Sha256).to_string() })
    }

    pub(crate) fn openssh(&self) -> &str {
        &self.openssh
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint).finish()
    }
}

/// Whether a fingerprint as AWS tells it (with or without `SHA256:` and padding) is this one.
pub(crate) fn same_fingerprint(told: Option<&str>, ours: &str) -> bool {
    fn bare(text: &str) -> &str {
        text.strip_prefix("SHA256:").unwrap_or(text).trim_end_matches('=')
    }
    told.is_some_and(|told| !bare(told).is_empty() && bare(told) == bare(ours))
}

/// The secret that holds it.
#[derive(Clone)]
pub(crate) struct HostKeySecret {
    secrets: Client,
    id: String,
}

impl HostKeySecret {
    pub(crate) fn new(secrets: Client, id: String) -> Self {
        Self { secrets, id }
    }

    /// None while the secret has no value yet. `Corrupt` if the value is no key; it stays as it is, for a door must not
    /// change its key by itself.
    pub(crate) async fn load(&self) -> Result<Option<HostKey>> {
        match self.secrets.get_secret_value().secret_id(&self.id).send().await {
            Ok(answer) => answer.secret_string().map(HostKey::parse).transpose(),
            Err(e) if kind(&e) == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(from_sdk("secret of the host key", &e)),
        }
    }

    pub(crate) async fn load_or_make(&self, random: &dyn Random) -> Result<HostKey> {
        if let Some(key) = self.load().await? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        random.fill(&mut seed);
        let made = PrivateKey::from(Ed25519Keypair::from_seed(&seed)).to_openssh(LineEnding::LF);
        let made = made.map_err(|e| Error::internal("the host key cannot be written").caused_by(e))?;
        let put = self.secrets.put_secret_value().secret_id(&self.id).secret_string(made.as_str());
        put.send().await.map_err(|e| from_sdk("secret of the host key", &e))?;
        // What lies there now counts: somebody else may have been as fast.
        self.load().await?.ok_or_else(|| Error::unavailable("the secret of the host key has no value yet"))
    }
}
