//! The router: the table of routes, and what surrounds every one of them.

use std::{sync::Arc, time::Duration};

use archive::{Archive, Error};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::{Options, Problem, guard, limiter::Limiter, metrics::Metrics, openapi, table};

/// Heads larger than these are nobody's: 16 KiB hold a token and the longest folder path that is worth a link.
const MAX_HEADER_BYTES: usize = 16 << 10;
const MAX_TARGET_BYTES: usize = 16 << 10;

/// To start imports takes so many times longer than anything else: of each volume the password is tried, which is slow by
/// design, and the catalogue verified.
const PATIENCE: u32 = 10;
/// So many passwords are tried at a time: each takes 46 MiB and tens of milliseconds of one core.
const LOGINS_AT_A_TIME: usize = 4;
/// So many processes are watched at a time.
const WATCHERS: usize = 64;

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) archive: Archive,
    pub(crate) options: Arc<Options>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) logins: Arc<Semaphore>,
    pub(crate) watchers: Arc<Semaphore>,
    /// The OpenAPI document as it is sent.
    pub(crate) document: Bytes,
}

/// The whole HTTP interface over one archive.
///
/// A request whose extensions hold [`archive::access::Principal::operator`] is the operator's and needs no session:
/// only code in this process can put it there. It is ignored in a request that has a peer address
/// (`axum::extract::ConnectInfo<SocketAddr>`), as [`crate::serve`] gives to every one.
pub fn router(archive: Archive, options: Options) -> Router {
    let app = App {
        archive,
        options: Arc::new(options),
        limiter: Arc::default(),
        metrics: Arc::default(),
        logins: Arc::new(Semaphore::new(LOGINS_AT_A_TIME)),
        watchers: Arc::new(Semaphore::new(WATCHERS)),
        document: openapi::openapi_text().into(),
    };
    let router = table::rows().into_iter().fold(Router::new(), |router, row| add(router, &app, row));
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn(limit_head))
        .layer(middleware::from_fn_with_state(app.clone(), limit_time))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| {
            Problem::of_panic(panic.as_ref()).into_response()
        }))
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// Adds a row of the table behind the guard of what it needs; the guard comes before anything of a body is read.
fn add(router: Router<App>, app: &App, (needs, (_, paths, handler)): table::Row) -> Router<App> {
    let handler = handler.route_layer(middleware::from_fn_with_state((app.clone(), needs), guard::guard));
    openapi::operations(&paths)
        .into_iter()
        .fold(router, |router, (_, path)| router.route(&pattern(&path), handler.clone()))
}

/// Ids that hold slashes match to the end of the path: clients and gateways differ in what they leave encoded.
fn pattern(path: &str) -> String {
    match path {
        "/api/v1/uploads/{id}" | "/api/v1/mapping/{archive}" => path.replace('{', "{*"),
        _ => path.to_owned(),
    }
}

async fn not_found() -> Problem {
    Error::not_found("there is no such route").hint("/api/openapi.json names all routes").into()
}

async fn not_allowed(method: Method) -> Problem {
    let error = Error::invalid(format!("the method {method} is not offered here")).code("method_not_allowed");
    Problem::with_status(StatusCode::METHOD_NOT_ALLOWED, &error.hint("/api/openapi.json names all routes"))
}

/// Refuses heads beyond all use, before anything looks at them.
async fn limit_head(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let refuse = |status, text: &str| Problem::with_status(status, &Error::invalid(text)).into_response();
    if guard::in_process(request.extensions()).is_some() {
        next.run(request).await
    } else if target > MAX_TARGET_BYTES {
        refuse(StatusCode::URI_TOO_LONG, "the address of the request is too long")
    } else if headers > MAX_HEADER_BYTES {
        refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the header of the request is too large")
    } else {
        next.run(request).await
    }
}

/// Bounds the time until an answer begins. The operator waits as long as they like, and a body that is an upload has
/// its own bound, between its blocks.
async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let upload = request.method() == Method::PUT && path.starts_with("/api/v1/uploads/");
    if upload || guard::in_process(request.extensions()).is_some() {
        return next.run(request).await;
    }
    let starts_imports = request.method() == Method::POST && path == "/api/v1/imports";
    let limit = app.options.timeout.saturating_mul(if starts_imports { PATIENCE } else { 1 });
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| took_too_long(limit))
}

fn took_too_long(limit: Duration) -> Response {
    let error = Error::unavailable(format!("there was no answer within {} seconds", limit.as_secs()));
    Problem::from(error.code("timeout").hint("try again later")).into_response()
}

/// Gives the request an id and a span, counts it, and marks the answer. Neither addresses nor bodies are logged: both
/// may hold what is secret or personal.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(&app);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).replace("{*", "{");
    let span = tracing::info_span!("request", id, %method, route);
    let began = app.archive.clock.boot();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status(), app.archive.clock.boot().saturating_sub(began));
    span.in_scope(|| tracing::debug!(status = status.as_u16(), milliseconds = took.as_millis(), "answered"));
    app.metrics.count(&method, &route, status);
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        // A page for people says itself what it needs.
        if name != header::CONTENT_SECURITY_POLICY || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

fn request_id(app: &App) -> String {
    let mut bytes = [0; 8];
    app.archive.random.fill(&mut bytes);
    archive::hash::to_hex(&bytes)
}
