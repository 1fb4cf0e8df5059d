//! One connection from its first byte to its last.

use std::{
    future::pending,
    net::{Shutdown, SocketAddr, TcpStream as Socket},
    sync::Arc,
    time::Duration,
};

use russh::{
    Disconnect,
    server::{Config, RunningSession, run_stream},
};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::client::{Client, Door, Progress};

/// A client has so long to take its leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves the connection until one side ends it. `stopping` changes when the server stops.
pub(crate) async fn serve(
    door: Arc<Door>,
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<()>,
) {
    let deadline = Instant::now() + door.options.login_timeout;
    let idle = door.options.idle_timeout;
    let (progress, seen) = watch::channel(Progress::default());
    let (stream, cut) = match with_twin(stream) {
        Ok(both) => both,
        Err(error) => return tracing::warn!(%peer, %error, "a connection could not be set up"),
    };
    let greeting = run_stream(config, stream, Client::new(door, peer, progress));
    let mut ssh = tokio::select! {
        begun = greeting => match begun {
            Ok(ssh) => ssh,
            Err(error) => return tracing::debug!(%peer, %error, "not an SSH client"),
        },
        () = sleep_until(deadline) => return tracing::debug!(%peer, "not an SSH client: silent"),
        _ = stopping.changed() => return,
    };
    let reason = tokio::select! {
        ended = &mut ssh => return log_end(peer, ended),
        () = login_overdue(deadline, seen.clone()) => "no login in time",
        () = left_alone(idle, seen) => "idle for too long",
        _ = stopping.changed() => "the server is stopping",
    };
    tracing::info!(%peer, reason, "a connection is ended");
    part(ssh, &cut, reason).await;
}

/// The stream, and a second hold on its socket by which it can be cut whoever sits on the first.
fn with_twin(stream: TcpStream) -> std::io::Result<(TcpStream, Socket)> {
    stream.set_nodelay(true)?;
    let socket = stream.into_std()?;
    let twin = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, twin))
}

fn log_end(peer: SocketAddr, ended: Result<(), russh::Error>) {
    match ended {
        Ok(()) => tracing::debug!(%peer, "a connection ended"),
        Err(error) => tracing::info!(%peer, %error, "a connection broke off"),
    }
}

async fn login_overdue(deadline: Instant, seen: watch::Receiver<Progress>) {
    sleep_until(deadline).await;
    if seen.borrow().logged_in {
        pending::<()>().await;
    }
}

/// Sessions watch their own silence; this is for a connection that has none.
async fn left_alone(idle: Duration, mut seen: watch::Receiver<Progress>) {
    loop {
        let alone = seen.wait_for(|progress| progress.logged_in && progress.sessions == 0).await.is_ok();
        let ended = tokio::select! {
            () = sleep(idle), if alone => return,
            changed = seen.changed() => changed.is_err(),
        };
        if ended {
            // A client that is gone is seen elsewhere.
            pending::<()>().await;
        }
    }
}

/// Says why and goes; cuts the line if the client, or what it made of its own connection, does not let go.
async fn part(mut ssh: RunningSession<Client>, cut: &Socket, reason: &str) {
    let handle = ssh.handle();
    let said = handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new());
    let _ = timeout(FAREWELL, said).await;
    if timeout(FAREWELL, &mut ssh).await.is_err() {
        let _ = cut.shutdown(Shutdown::Both);
        let _ = timeout(FAREWELL, &mut ssh).await;
    }
}
