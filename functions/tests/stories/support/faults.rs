//! A way to an emulator on which some requests fail, as they do on AWS now and then.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response, StatusCode, Uri},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;

/// Every request takes a while, and one in so many fails, in turn: it is throttled, it fails on the other side, or it is
/// done and the answer is lost on its way back.
#[derive(Debug)]
pub(crate) struct Faults {
    every: usize,
    slow: Duration,
    count: AtomicUsize,
    pub(crate) made: AtomicUsize,
}

impl Faults {
    pub(crate) fn every(every: usize) -> Arc<Self> {
        Self::new(every, Duration::ZERO)
    }

    /// No request fails, and each takes so much longer: stand-ins on one's own machine are too fast for some stories.
    pub(crate) fn slow(slow: Duration) -> Arc<Self> {
        Self::new(usize::MAX, slow)
    }

    fn new(every: usize, slow: Duration) -> Arc<Self> {
        Arc::new(Self { every, slow, count: AtomicUsize::new(0), made: AtomicUsize::new(0) })
    }

    fn next(&self) -> Option<usize> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        (count % self.every == self.every - 1).then(|| self.made.fetch_add(1, Ordering::Relaxed) % 3)
    }

    /// Listens before the emulator of this address until the runtime ends; answers the address to use instead.
    pub(crate) async fn before(self: Arc<Self>, emulator: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (faults, client, emulator) = (self.clone(), client.clone(), emulator.clone());
                let service = service_fn(move |request| {
                    pass(request, faults.slow, faults.next(), client.clone(), emulator.clone())
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        format!("http://{address}")
    }
}

/// An error ends the connection without an answer.
async fn pass(
    request: Request<Incoming>,
    slow: Duration,
    fault: Option<usize>,
    client: Client<HttpConnector, Full<Bytes>>,
    emulator: String,
) -> io::Result<Response<Body>> {
    tokio::time::sleep(slow).await;
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match fault {
        Some(0) => return Ok(throttled(head.headers.contains_key("x-amz-target"))),
        Some(1) => return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, "")),
        _ => {}
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = format!("{emulator}{path}").parse::<Uri>().map_err(io::Error::other)?;
    let answered = client.request(Request::from_parts(head, Full::new(body))).await.map_err(io::Error::other)?;
    let (head, body) = answered.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if fault.is_some() {
        return Err(io::Error::other("the answer is lost"));
    }
    Ok(Response::from_parts(head, Body::new(Full::new(body).map_err(|never: Infallible| match never {}))))
}

fn throttled(is_json: bool) -> Response<Body> {
    if is_json {
        return answer(StatusCode::BAD_REQUEST, r#"{"__type":"ThrottlingException","message":"rate exceeded"}"#);
    }
    answer(StatusCode::SERVICE_UNAVAILABLE, "<Error><Code>SlowDown</Code><Message>reduce your rate</Message></Error>")
}

fn answer(status: StatusCode, body: &'static str) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}
