//! What a client may do over SSH: log in, and begin SFTP sessions.

use std::{collections::HashMap, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use archive::{Archive, ErrorKind, Proof, ports::Landing, uploads::Home};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Pty,
    keys::{Algorithm, HashAlg, PublicKey},
    server::{Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Session as Ssh, VerifiedPublicKey},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional_with_sizes, duplex},
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};

use crate::{Options, limits::MAX_SESSIONS, peers::Peers, session::Session};

/// A channel that does not become an SFTP session within this time is closed: what it sends is held in memory.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests, and answers, that wait in a session. The answers to writes are smaller than the writes, so that the one
/// cannot fill up before the other is worked off.
const BACKLOG_BYTES: usize = 2 << 20;
const CARRIED_BYTES: usize = 64 << 10;
/// For the last answers of a session that was ended.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// User names are shorter; what is longer is not looked up.
const MAX_USER_BYTES: usize = 256;

/// What all connections share.
pub(crate) struct Door {
    pub(crate) archive: Archive,
    pub(crate) landing: Arc<dyn Landing>,
    pub(crate) options: Options,
    pub(crate) peers: Arc<Peers>,
    /// Logins looked at side by side: each may take 64 MiB of memory to hash the password.
    pub(crate) logins: Semaphore,
}

/// One connection's state.
pub(crate) struct Client {
    door: Arc<Door>,
    peer: SocketAddr,
    home: Option<Home>,
    /// Channels whose session waits for its `subsystem` request.
    waiting: HashMap<ChannelId, oneshot::Sender<()>>,
    progress: watch::Sender<Progress>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) logged_in: bool,
    pub(crate) sessions: usize,
}

/// Counts a session as long as it lives.
struct Running(watch::Sender<Progress>);

impl Running {
    fn new(progress: &watch::Sender<Progress>) -> Self {
        progress.send_modify(|p| p.sessions += 1);
        Self(progress.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|p| p.sessions = p.sessions.saturating_sub(1));
    }
}

impl Client {
    pub(crate) fn new(door: Arc<Door>, peer: SocketAddr, progress: watch::Sender<Progress>) -> Self {
        Self { door, peer, home: None, waiting: HashMap::new(), progress }
    }

    /// Asks the archive whether the proof lets the user in.
    async fn check(&self, user: &str, proof: Proof<'_>) -> archive::Result<Home> {
        let principal = self.door.archive.sftp_login(user, proof).await?;
        let (archive, landing) = (self.door.archive.clone(), self.door.landing.clone());
        Home::new(archive, landing, &principal.name, self.door.options.quota_bytes)
    }

    async fn log_in(&mut self, user: &str, proof: Proof<'_>) -> Auth {
        let peer = self.peer;
        if user.len() > MAX_USER_BYTES || !self.door.peers.may_try(peer.ip()) {
            tracing::warn!(%peer, "login refused without a look: too many failures, or no user name");
            return Auth::reject();
        }
        let Ok(_turn) = self.door.logins.acquire().await else { return Auth::reject() };
        match self.check(user, proof).await {
            Ok(home) => {
                tracing::info!(user, %peer, "logged in over SFTP");
                self.home = Some(home);
                Auth::Accept
            }
            Err(error) => {
                self.log_refusal(user, &error);
                self.door.peers.failed(peer.ip());
                Auth::reject()
            }
        }
    }

    fn log_refusal(&self, user: &str, error: &archive::Error) {
        let peer = self.peer;
        if error.kind() == ErrorKind::Denied {
            tracing::warn!(user = ?user, %peer, reason = %error, "login over SFTP refused");
        } else {
            tracing::error!(user = ?user, %peer, %error, "login over SFTP failed");
        }
    }

    /// Whether the user could still log in: the connection may be old.
    async fn is_welcome(&self, home: &Home) -> bool {
        let asked = self.door.archive.may_upload(home.user()).await;
        asked.inspect_err(|error| self.log_refusal(home.user(), error)).is_ok()
    }

    /// Waits for the client to ask for SFTP on the channel, then serves it.
    fn begin(&mut self, channel: Channel<Msg>, handle: Handle, home: Home) {
        let (start, started) = oneshot::channel();
        let id = channel.id();
        self.waiting.insert(id, start);
        let (session, idle) = (Session::new(self.door.archive.clone(), home), self.door.options.idle_timeout);
        let (running, peer) = (Running::new(&self.progress), self.peer);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(START_TIMEOUT, started).await {
                let status = match serve(session, channel.into_stream(), idle).await {
                    Ok(()) => 0,
                    Err(error) => {
                        tracing::info!(%peer, %error, "an SFTP session was ended");
                        1
                    }
                };
                // The client may be gone, and with it who would hear this.
                let _ = handle.exit_status_request(id, status).await;
                let _ = handle.eof(id).await;
                let _ = handle.close(id).await;
            }
            drop(running);
        });
    }
}

/// Runs the session over the channel, with room between the two. Without it a client that sends many requests before
/// it reads answers would bring both to a halt: the connection waits for the session to take a packet, and the session
/// for the connection to take an answer.
pub(crate) async fn serve<S>(session: Session, mut channel: S, idle: Duration) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (inside, mut outside) = duplex(BACKLOG_BYTES);
    let mut carry = pin!(async {
        // Whether the last answers reached a client that is gone matters to nobody.
        let _ = copy_bidirectional_with_sizes(&mut channel, &mut outside, CARRIED_BYTES, CARRIED_BYTES).await;
        // But nothing more comes from it, even if that shows first in an answer that cannot be sent.
        let _ = outside.shutdown().await;
    });
    let mut run = pin!(session.run(inside, idle));
    let ended = tokio::select! {
        ended = &mut run => ended,
        () = &mut carry => return run.await,
    };
    match ended {
        Ok(()) => carry.await,
        // A session that ends by itself does not wait for the client to say something more.
        Err(_) => drop(timeout(LAST_ANSWERS, carry).await),
    }
    ended
}

fn openssh(key: &PublicKey) -> Option<String> {
    key.to_openssh().ok()
}

/// Signatures over SHA-1 can be forged.
fn is_sound(algorithm: &Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa)
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.log_in(user, Proof::Password(password)).await)
    }

    /// Spares clients with many keys the wrong ones. Grants nothing: nobody has shown yet to hold the key. An agent
    /// that offers all its keys is not guessing, so that a strange key counts as no failure of the peer.
    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let key = Some(offer.public_key).filter(|_| is_sound(offer.algorithm)).and_then(openssh);
        let (Some(key), true) = (key, user.len() <= MAX_USER_BYTES && self.door.peers.may_try(self.peer.ip())) else {
            return Ok(Auth::reject());
        };
        match self.check(user, Proof::Key(&key)).await {
            Ok(_) => Ok(Auth::Accept),
            Err(error) => {
                if error.machine_code() == "wrong_login" {
                    let (peer, key) = (self.peer, offer.public_key.fingerprint(HashAlg::Sha256));
                    tracing::info!(user = ?user, %peer, %key, reason = %error, "a key is refused over SFTP");
                } else {
                    self.log_refusal(user, &error);
                }
                Ok(Auth::reject())
            }
        }
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        match Some(key.public_key).filter(|_| is_sound(key.algorithm)).and_then(openssh) {
            Some(line) => Ok(self.log_in(user, Proof::Key(&line)).await),
            None => Ok(Auth::reject()),
        }
    }

    async fn auth_succeeded(&mut self, _: &mut Ssh) -> Result<(), Self::Error> {
        self.progress.send_modify(|p| p.logged_in = true);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        match self.home.clone() {
            Some(home) if !self.is_welcome(&home).await => {
                reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            }
            Some(home) if self.progress.borrow().sessions < MAX_SESSIONS => {
                self.begin(channel, ssh.handle(), home);
                reply.accept().await;
            }
            _ => reply.reject(ChannelOpenFailure::ResourceShortage).await,
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        Ok(())
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, ssh: &mut Ssh) -> Result<(), Self::Error> {
        match self.waiting.remove(&channel).filter(|_| name == "sftp") {
            Some(start) => {
                ssh.channel_success(channel)?;
                // A session that has given up waiting is closed already.
                let _ = start.send(());
                Ok(())
            }
            None => ssh.channel_failure(channel),
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, ssh: &mut Ssh) -> Result<(), Self::Error> {
        self.refuse(channel, ssh)
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], ssh: &mut Ssh) -> Result<(), Self::Error> {
        self.refuse(channel, ssh)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        ssh.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        ssh.channel_failure(channel)
    }

    async fn env_request(&mut self, channel: ChannelId, _: &str, _: &str, ssh: &mut Ssh) -> Result<(), Self::Error> {
        ssh.channel_failure(channel)
    }
}

impl Client {
    /// There is no shell and no program here: the channel is of no further use.
    fn refuse(&mut self, channel: ChannelId, ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.waiting.remove(&channel);
        ssh.channel_failure(channel)?;
        ssh.close(channel)
    }
}
