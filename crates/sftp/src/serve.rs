//! Taking connections.

use std::{borrow::Cow, sync::Arc, time::Duration};

use archive::{Archive, Result, ports::Landing, uploads::Home};
use russh::{
    MethodKind, MethodSet, Preferred, SshId,
    keys::{Algorithm, EcdsaCurve, HashAlg},
    server::Config,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use crate::{HostKey, Options, client::Door, connection, peers::Peers};

/// After a failed `accept` (out of file handles, mostly), so as not to spin.
const BREATH: Duration = Duration::from_millis(100);
/// For requests under way when the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// Messages of at most 32 KiB that a channel holds for its session before the peer has to wait.
const CHANNEL_BUFFER: usize = 32;
/// How often old uploads that were cut off are looked for.
const EXPIRY: Duration = Duration::from_hours(1);
/// Passwords hashed side by side.
const LOGINS_AT_ONCE: usize = 4;
/// Keys that an agent offers in vain count too.
const MAX_LOGIN_ATTEMPTS: usize = 10;

/// Serves SFTP on the listener until `shutdown` completes; then ends every connection. Files that were being written
/// stay partial.
pub async fn serve(
    listener: TcpListener,
    archive: Archive,
    landing: Arc<dyn Landing>,
    host_key: HostKey,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let config = Arc::new(config(host_key, &options));
    let peers = Arc::new(Peers::new(options.max_connections, options.max_connections_per_peer));
    let logins = Semaphore::new(LOGINS_AT_ONCE);
    let door = Arc::new(Door { archive, landing, options, peers: peers.clone(), logins });
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut expiry = interval(EXPIRY);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = expiry.tick() => {
                expire(&door).await;
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(BREATH).await;
                continue;
            }
        };
        let Some(seat) = peers.seat(peer.ip()) else {
            tracing::warn!(%peer, "a connection is refused: too many");
            continue;
        };
        let serving = connection::serve(door.clone(), config.clone(), stream, peer, stopping.clone());
        connections.spawn(async move {
            serving.await;
            drop(seat);
        });
    }
    drop(stop);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(LAST_REQUESTS, ended).await.is_err() {
        tracing::warn!("connections were still open when the SFTP server stopped");
    }
    Ok(())
}

/// By which servers and users sign; nothing with SHA-1.
pub(crate) const SIGNATURES: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

async fn expire(door: &Door) {
    if let Err(error) = Home::expire(&door.archive, door.landing.as_ref()).await {
        tracing::warn!(%error, "uploads that were cut off could not be looked through");
    }
}

fn config(host_key: HostKey, options: &Options) -> Config {
    let preferred = Preferred { key: Cow::Borrowed(&SIGNATURES), ..Preferred::DEFAULT };
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Postkahn")),
        methods: MethodSet::from([MethodKind::PublicKey, MethodKind::Password].as_slice()),
        auth_rejection_time: options.refusal_delay,
        // The first question of every client, which methods there are, is no attempt.
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: MAX_LOGIN_ATTEMPTS,
        keys: vec![host_key.into_private()],
        // Bounds how long a client may leave its answers unread. Silence is measured by the sessions, in requests:
        // the answers to keepalives are no work.
        inactivity_timeout: Some(options.idle_timeout),
        keepalive_interval: Some(options.keepalive_interval),
        keepalive_max: 3,
        nodelay: true,
        channel_buffer_size: CHANNEL_BUFFER,
        preferred,
        ..Config::default()
    }
}
