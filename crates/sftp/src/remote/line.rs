//! A connection that is made anew when it is lost.

use std::{
    borrow::Cow,
    cell::Cell,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use archive::{Error, Result};
use russh::{
    Preferred, SshId, cipher,
    client::{Config, Handle, Handler, connect_stream},
    keys::{PublicKey, PublicKeyOrCertificate},
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    Address, Fingerprint, Login, Trust,
    session::Session,
    trouble::{Tried, Trouble},
};

/// For a name to be looked up and a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For the exchange of keys, and for a login: servers slow down whoever guesses.
const GREETING_TIMEOUT: Duration = Duration::from_mins(1);
/// A server that answers nothing for four such periods is gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// AES first: processors have instructions for it.
const CIPHERS: [cipher::Name; 3] = [cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR];

/// What became of the first contact with a server.
pub enum Meeting {
    /// Its key is the right one.
    Trusted(Trusted),
    /// Nothing is known of it; nothing was said to it either.
    Stranger(ServerKey),
}

/// The key that a server showed.
#[derive(Clone, Debug)]
pub struct ServerKey {
    fingerprint: Fingerprint,
    line: String,
}

impl ServerKey {
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// As `known_hosts` has it.
    pub fn line(&self) -> &str {
        &self.line
    }
}

/// A server whose key is trusted, before anybody has logged in.
pub struct Trusted {
    address: Address,
    ssh: Handle<Doorman>,
    fingerprint: Fingerprint,
}

impl Meeting {
    /// Connects and judges the server's key. `Unavailable` if there is no server, `Denied` if its key is wrong.
    pub async fn with(address: &Address, trust: &Trust) -> Result<Self> {
        let (ssh, key) = greet(address, trust).await.map_err(|trouble| given_up(address, trouble))?;
        let fingerprint = Fingerprint::of(&key);
        if trust.judge(address, &key)? {
            return Ok(Self::Trusted(Trusted { address: address.clone(), ssh, fingerprint }));
        }
        let key = PublicKey::from(key.key_data().clone());
        let line = key.to_openssh().map_err(|error| Error::internal("host key").caused_by(error))?;
        Ok(Self::Stranger(ServerKey { fingerprint, line }))
    }
}

impl Trusted {
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Logs in. A lost connection is made anew up to `retries` times in a row without progress, to the same key.
    /// `Denied` if the server refuses.
    pub async fn log_in(self, login: Login, retries: u32) -> Result<Line> {
        let Self { address, ssh, fingerprint } = self;
        let session = enter(ssh, &address, &login).await.map_err(|trouble| given_up(&address, trouble))?;
        Ok(Line { address, login, fingerprint, retries, session: Some(session), moved: Cell::new(0) })
    }
}

/// A connection to one server, made anew when it is lost.
pub struct Line {
    address: Address,
    login: Login,
    fingerprint: Fingerprint,
    retries: u32,
    session: Option<Session>,
    /// Bytes that the server has taken so far: whoever makes progress may lose the connection again.
    moved: Cell<u64>,
}

impl Line {
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Does the work, from its beginning after each loss of the connection. `on_loss` is told why and how long the pause
    /// will be.
    pub(crate) async fn insist<T>(
        &mut self,
        on_loss: &dyn Fn(&str, Duration),
        work: impl AsyncFn(&Session, &Cell<u64>) -> Tried<T>,
    ) -> Result<T> {
        let (mut failures, mut moved) = (0, self.moved.get());
        loop {
            let why = match self.attempt(&work).await {
                Ok(done) => return Ok(done),
                Err(Trouble::Refused(error)) => return Err(error),
                Err(Trouble::Lost(why)) => why,
            };
            self.session = None;
            if self.moved.get() > moved {
                (failures, moved) = (0, self.moved.get());
            }
            if failures >= self.retries {
                return Err(given_up(&self.address, Trouble::Lost(why)));
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
            failures += 1;
            on_loss(&why, pause);
            sleep(pause).await;
        }
    }

    async fn attempt<T>(&mut self, work: &impl AsyncFn(&Session, &Cell<u64>) -> Tried<T>) -> Tried<T> {
        let session = if let Some(session) = self.session.take() {
            session
        } else {
            let trust = Trust::Fingerprint(self.fingerprint);
            let (ssh, key) = greet(&self.address, &trust).await?;
            trust.judge(&self.address, &key)?;
            enter(ssh, &self.address, &self.login).await?
        };
        work(self.session.insert(session), &self.moved).await
    }

    /// Says goodbye; whether the server hears it matters to nobody.
    pub async fn end(mut self) {
        if let Some(session) = self.session.take() {
            session.end().await;
        }
    }
}

fn given_up(address: &Address, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Refused(error) => error,
        Trouble::Lost(why) => Error::unavailable(format!("{address}: {why}"))
            .hint("give the same command again once the server can be reached: it goes on where it was cut off"),
    }
}

/// Takes whatever key the server shows, and keeps it: it is judged before anything is said to the server.
pub(crate) struct Doorman(Arc<Mutex<Option<PublicKey>>>);

impl Handler for Doorman {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Keys are exchanged again in a long connection, and then the server must be the same.
        Ok(kept.get_or_insert_with(|| key.clone()).key_data() == key.key_data())
    }
}

/// Connects and exchanges keys: what the server showed is not judged yet.
async fn greet(address: &Address, trust: &Trust) -> Tried<(Handle<Doorman>, PublicKey)> {
    let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect((address.host(), address.port())));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Trouble::Lost(error.to_string())),
        Err(_) => return Err(Trouble::Lost("no connection within 30 seconds".to_owned())),
    };
    // Without it a system without hurry holds back what does not fill a packet.
    let _ = stream.set_nodelay(true);
    let kept = Arc::<Mutex<Option<PublicKey>>>::default();
    let greeting = connect_stream(Arc::new(config(address, trust)), stream, Doorman(kept.clone()));
    let ssh = timeout(GREETING_TIMEOUT, greeting).await.map_err(|_| silent())??;
    let key = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    key.map(|key| (ssh, key)).ok_or_else(|| Trouble::Lost("the server showed no key".to_owned()))
}

async fn enter(mut ssh: Handle<Doorman>, address: &Address, login: &Login) -> Tried<Session> {
    let proof = timeout(GREETING_TIMEOUT, login.prove(&mut ssh, address.user()));
    if !proof.await.map_err(|_| silent())?? {
        let text = format!("{address}: the server does not let the user in");
        return Err(Error::denied(text).code("wrong_login").hint(login.advice()).into());
    }
    timeout(GREETING_TIMEOUT, Session::begin(ssh)).await.map_err(|_| silent())?
}

fn silent() -> Trouble {
    Trouble::Lost("the server said nothing for 60 seconds".to_owned())
}

fn config(address: &Address, trust: &Trust) -> Config {
    let preferred =
        Preferred { key: Cow::Owned(trust.signatures(address)), cipher: Cow::Borrowed(&CIPHERS), ..Preferred::DEFAULT };
    Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Postkahn")),
        keepalive_interval: Some(KEEPALIVE_INTERVAL),
        keepalive_max: 3,
        nodelay: true,
        preferred,
        ..Config::default()
    }
}
