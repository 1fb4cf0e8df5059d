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
/// And its last request, once it is gone.
const LAST_REQUEST: Duration = Duration::from_secs(5);

/// Serves the connection until one side ends it. `stopping` changes when the server stops.
pub(crate) async fn serve(
    door: Arc<Door>,
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<()>,
) {
    let (progress, mut seen) = watch::channel(Progress::default());
    let times = Times { login: Instant::now() + door.options.login_timeout, idle: door.options.idle_timeout };
    let client = Client::new(door, peer, progress);
    match converse(client, config, stream, times, seen.clone(), &mut stopping).await {
        Ok(reason) => tracing::info!(%peer, reason, "a connection ended"),
        Err(error) => tracing::info!(%peer, %error, "a connection broke off"),
    }
    // Requests under way are carried out, and only then there is room for another connection.
    let _ = timeout(LAST_REQUEST, seen.wait_for(|progress| progress.sessions == 0)).await;
}

#[derive(Clone, Copy)]
struct Times {
    /// Until then a client has logged in.
    login: Instant,
    idle: Duration,
}

/// Answers why the connection ended.
async fn converse(
    client: Client,
    config: Arc<Config>,
    stream: TcpStream,
    times: Times,
    seen: watch::Receiver<Progress>,
    stopping: &mut watch::Receiver<()>,
) -> Result<&'static str, russh::Error> {
    let (stream, cut) = with_twin(stream)?;
    let mut ssh = tokio::select! {
        begun = run_stream(config, stream, client) => begun?,
        () = sleep_until(times.login) => return Ok("it said nothing"),
        _ = stopping.changed() => return Ok("the server is stopping"),
    };
    let reason = tokio::select! {
        ended = &mut ssh => return ended.map(|()| "the client left"),
        () = login_overdue(times.login, seen.clone()) => "no login in time",
        () = left_alone(times.idle, seen) => "idle for too long",
        _ = stopping.changed() => "the server is stopping",
    };
    part(ssh, &cut, reason).await;
    Ok(reason)
}

/// The stream, and a second hold on its socket by which it can be cut whoever sits on the first.
fn with_twin(stream: TcpStream) -> std::io::Result<(TcpStream, Socket)> {
    stream.set_nodelay(true)?;
    let socket = stream.into_std()?;
    let twin = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, twin))
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
