//! A function's way to an emulator: on it stand what its role does not allow, and faults.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

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

use super::{Faults, Rights};

#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) rights: Arc<Rights>,
    pub(crate) faults: Option<Arc<Faults>>,
}

impl Way {
    /// Listens before the emulator of this address until the runtime ends; answers the address to use instead.
    pub(crate) async fn before(self, emulator: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (way, client, emulator) = (self.clone(), client.clone(), emulator.clone());
                let service = service_fn(move |request| pass(request, way.clone(), client.clone(), emulator.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        format!("http://{address}")
    }
}

/// An error ends the connection without an answer.
async fn pass(
    request: Request<Incoming>,
    way: Way,
    client: Client<HttpConnector, Full<Bytes>>,
    emulator: String,
) -> io::Result<Response<Body>> {
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(missing) = way.rights.missing(&head.method, target) {
        eprintln!("{missing}");
        return Ok(answer(
            StatusCode::FORBIDDEN,
            "<Error><Code>AccessDenied</Code><Message>no right</Message></Error>",
        ));
    }
    let mut fault = None;
    if let Some(faults) = &way.faults {
        tokio::time::sleep(faults.slow).await;
        fault = faults.next();
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match fault {
        Some(0) => return Ok(throttled(head.headers.contains_key("x-amz-target"))),
        Some(1) => return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, "")),
        _ => {}
    }
    head.uri = format!("{emulator}{target}").parse::<Uri>().map_err(io::Error::other)?;
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
