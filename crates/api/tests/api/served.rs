//! The router on a real connection.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::world::World;

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
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
    tokio::time::timeout(std::time::Duration::from_secs(20), server).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
