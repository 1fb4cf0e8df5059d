//! API Gateway's HTTP API, payload version 2.0: to a request of the router and back.
//!
//! The gateway hands the path on decoded, whatever the client had encoded; taken as it is, a `%`, `#` or `?` in a name
//! would change its meaning. So the path is encoded anew here.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use api::Problem;
use archive::{Error, Result};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, header, request::Builder},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

/// A mail beyond this goes by a link; base64 makes it a third longer, and Lambda carries 6 MB.
pub const LARGEST_MAIL_BYTES: u64 = 4 << 20;
/// What an answer may take in the form in which it leaves; Lambda carries 6 MB, headers included.
const LARGEST_ANSWER_BYTES: usize = 5_500_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRequest {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: HttpContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpContext {
    method: String,
    source_ip: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

/// Asks the router. Whatever goes wrong is a problem document.
pub async fn answer(router: Router, request: GatewayRequest) -> GatewayResponse {
    let response = match translate(request) {
        Ok(request) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
        Err(error) => Problem::from(error).into_response(),
    };
    match carried(response).await {
        Ok(response) => response,
        Err(error) => carried(Problem::from(error).into_response()).await.unwrap_or_else(|_| nothing()),
    }
}

/// Each request carries its peer's address, so that none can be the operator's.
fn translate(request: GatewayRequest) -> Result<Request<Body>> {
    let wrong = |what: &str| Error::invalid(format!("the request's {what} cannot be read"));
    let peer = request.request_context.http.source_ip.as_deref().and_then(|ip| ip.parse().ok());
    let peer = SocketAddr::new(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 0);
    let body = match request.body {
        Some(text) if request.is_base64_encoded => BASE64_STANDARD.decode(text).map_err(|_| wrong("body"))?,
        Some(text) => text.into_bytes(),
        None => Vec::new(),
    };
    let method = Method::from_bytes(request.request_context.http.method.as_bytes()).map_err(|_| wrong("method"))?;
    let builder = Request::builder().method(method).uri(target(&request.raw_path, &request.raw_query_string));
    let with = |builder: Builder, (name, value): (&String, &String)| builder.header(name, value);
    let builder = request.headers.iter().fold(builder.extension(ConnectInfo(peer)), with);
    builder.body(Body::from(body)).map_err(|error| wrong("head").caused_by(error))
}

/// Path and query; what is not allowed in a path (RFC 3986, 3.3) is encoded, and so is `%`.
fn target(path: &str, query: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    let part = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let path: String = path.bytes().map(part).collect();
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// The answer as the gateway takes it. `Invalid` for one that it cannot carry, and the reason for one that broke off.
async fn carried(response: Response) -> Result<GatewayResponse> {
    let (head, body) = response.into_parts();
    let (body, is_base64_encoded) = encoded(collected(body).await?, is_text(&head.headers))?;
    Ok(GatewayResponse { status_code: head.status.as_u16(), headers: headers(&head.headers), body, is_base64_encoded })
}

async fn collected(body: Body) -> Result<Vec<u8>> {
    let mut blocks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(block) = blocks.try_next().await.map_err(broken)? {
        if bytes.len() + block.len() > LARGEST_ANSWER_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&block);
    }
    Ok(bytes)
}

/// Text as it is, unless it has so much to escape that base64 is shorter.
fn encoded(bytes: Vec<u8>, is_text: bool) -> Result<(String, bool)> {
    let base64_bytes = bytes.len().div_ceil(3) * 4;
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if is_text && escaped_bytes(&text) <= base64_bytes.max(256) => return Ok((text, false)),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    if base64_bytes > LARGEST_ANSWER_BYTES {
        return Err(too_large());
    }
    Ok((BASE64_STANDARD.encode(bytes), true))
}

/// The text's length inside a JSON string, at most.
fn escaped_bytes(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

fn is_text(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/") || essence == "application/json" || essence.ends_with("+json")
}

/// The gateway counts the body itself.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut carried = BTreeMap::<String, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        let value = String::from_utf8_lossy(value.as_bytes());
        carried
            .entry(name.as_str().to_owned())
            .and_modify(|known| *known = format!("{known}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    carried
}

fn too_large() -> Error {
    let error = Error::invalid("the answer is larger than can be carried here").code("answer_too_large");
    error.hint("ask for fewer items with `limit`, or for a mail's raw bytes")
}

/// An answer that broke off, for the reason that the archive gave: each layer of the router has wrapped it once.
fn broken(error: axum::Error) -> Error {
    let mut inner = error.into_inner();
    loop {
        match inner.downcast::<axum::Error>() {
            Ok(wrapped) => inner = wrapped.into_inner(),
            Err(other) => {
                return match other.downcast::<Error>() {
                    Ok(error) => *error,
                    Err(other) => Error::internal("the answer broke off").caused_by(other),
                };
            }
        }
    }
}

fn nothing() -> GatewayResponse {
    GatewayResponse { status_code: 500, headers: BTreeMap::new(), body: String::new(), is_base64_encoded: false }
}

#[cfg(test)]
mod tests;
