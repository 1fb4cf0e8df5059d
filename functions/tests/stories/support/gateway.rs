//! API Gateway: an address whose requests become payloads (version 2.0) for the function `http`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::{Function, Outcome};

/// What the gateway waits for an integration.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens until the runtime ends; answers the address.
pub(crate) async fn listen(function: Arc<Function>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(carry).with_state(function);
    tokio::spawn(api::serve(listener, router, std::future::pending()));
    address
}

async fn carry(State(function): State<Arc<Function>>, request: Request) -> Response {
    let payload = payload(request).await;
    match tokio::time::timeout(PATIENCE, function.invoke(&payload)).await {
        Ok(Outcome::Answer(answer)) => response(&answer),
        Ok(other) => {
            eprintln!("http: {other:?}");
            (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"Internal Server Error"}"#).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Service Unavailable"}"#).into_response(),
    }
}

async fn payload(request: Request) -> Value {
    let (head, body) = request.into_parts();
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().unwrap().0;
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        let value = value.to_str().unwrap_or_default();
        let known = headers.get(name.as_str()).and_then(Value::as_str).map(|known| format!("{known},{value}"));
        headers.insert(name.as_str().to_owned(), known.unwrap_or_else(|| value.to_owned()).into());
    }
    let body = to_bytes(body, 10 << 20).await.unwrap();
    let (body, is_base64) = match String::from_utf8(body.to_vec()) {
        Ok(text) => (text, false),
        Err(error) => (BASE64_STANDARD.encode(error.into_bytes()), true),
    };
    // The path arrives decoded, and what was an encoded question mark ends it.
    let decoded = decode(head.uri.path());
    let path = decoded.split('?').next().unwrap();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "played",
            "domainName": "played.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "played",
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": peer.ip().to_string(),
                "userAgent": head.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()),
            },
            "requestId": "played",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": if body.is_empty() { Value::Null } else { body.into() },
        "isBase64Encoded": is_base64,
    })
}

fn decode(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn response(answer: &Value) -> Response {
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(text).unwrap(),
        _ => text.as_bytes().to_vec(),
    };
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    response.body(Body::from(body)).unwrap()
}
