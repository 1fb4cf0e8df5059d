//! The router on a real connection.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::world::World;

async fn ask(address: SocketAddr, request: &str) -> String {
    try_to_ask(address, request).await.unwrap()
}

async fn try_to_ask(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_network_gets_answers_and_no_operator() {
    let world = World::new().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(api::serve(listener, world.router.clone(), async { drop(stopped.await) }));

    let healthy = ask(address, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(healthy.starts_with("HTTP/1.1 200 OK\r\n") && healthy.ends_with("{\"status\":\"ok\"}"), "{healthy}");
    assert!(healthy.contains("x-request-id: "), "{healthy}");
    let stranger = ask(address, "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(stranger.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{stranger}");
    let many = "X-A: b\r\n".repeat(100);
    let refused = ask(address, &format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");

    // An idle connection does not hold up the end.
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), server).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// Otherwise one that is silent on all of them would stop the server for everybody.
#[tokio::test]
async fn one_peer_does_not_take_all_connections() {
    let world = World::new().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve(listener, world.router.clone(), std::future::pending()));
    let mut silent = Vec::new();
    for _ in 0..256 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let healthz = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let beyond = tokio::time::timeout(Duration::from_secs(10), try_to_ask(address, healthz)).await.unwrap();
    assert!(beyond.is_err() || beyond.is_ok_and(|answer| answer.is_empty()));
    drop(silent);
    let answered = async {
        while !try_to_ask(address, healthz).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), answered).await.unwrap();
}
