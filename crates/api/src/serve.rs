//! Serving the router on a listener.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use archive::Result;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt as _;

use crate::peers::{Peers, Place};

const MAX_CONNECTIONS: usize = 512;
/// From the first byte of a connection, or the end of the answer before, to the end of the next head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 64;
/// Bounds what one connection reads ahead, its head included.
const MAX_BUFFER_BYTES: usize = 64 << 10;
/// Answers that are under way at the end have so long.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// After a failure to accept (no file handles left), which would come again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves HTTP/1.1 on the listener until `shutdown` completes, then ends what is under way. Each request carries its
/// peer's address. A connection beyond the share of its peer is closed at once.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> Result<()> {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (graceful, peers) = (GracefulShutdown::new(), Peers::default());
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (permit, accepted) = accept(&listener, &room) => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = peers.admit(peer.ip()) {
                        take(stream, peer, (permit, place), &router, &graceful);
                    } else {
                        tracing::debug!("a connection beyond the share of its peer was closed");
                    }
                }
                Err(error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests that were under way were cut off");
    }
    Ok(())
}

type Accepted = (Option<OwnedSemaphorePermit>, std::io::Result<(TcpStream, SocketAddr)>);

/// Waits for room first, so that connections beyond it stay in the kernel's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Accepted {
    let permit = room.clone().acquire_owned().await.ok();
    (permit, listener.accept().await)
}

fn take(
    stream: TcpStream,
    peer: SocketAddr,
    held: (Option<OwnedSemaphorePermit>, Place),
    router: &Router,
    graceful: &GracefulShutdown,
) {
    // Answers leave in small blocks: waiting for the peer to acknowledge one before the next goes costs 40 ms each.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("a connection stays slow: {error}");
    }
    let router = router.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!("a connection ended early: {error}");
        }
        drop(held);
    });
}
