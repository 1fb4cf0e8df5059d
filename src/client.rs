//! The command line's way to the archive: requests of the HTTP interface, answered in this process over the data folder,
//! or by a running server.

use std::{pin::pin, time::Duration};

use archive::{Error, access::Principal};
use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{Method, Request, Response, StatusCode, header},
};
use futures::TryStreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    assemble::Place,
    config::Config,
    failure::{Failure, Result},
    first_password,
    remote::Remote,
    worker::{Wanted, Workers},
};

/// A document of the interface is at most so large; mails themselves are streamed.
const MAX_DOCUMENT_BYTES: usize = 1 << 30;
/// What stays as it is in a part of a path or a value of a query (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends requests to the archive.
pub(crate) struct Client {
    road: Road,
}

enum Road {
    /// The folder is ours; answers come from a router in this process, and the work is done here too.
    Here {
        place: Box<Place>,
        router: Router,
    },
    There(Box<Remote>),
}

/// Escapes a part of a path, or a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl Client {
    /// Goes through the server that was named, otherwise opens the data folder.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        if let Some(server) = &config.server {
            return Self::remote(&server.url, config.token.as_deref());
        }
        let place = Box::new(Place::open(config).await?);
        let router = api::router(place.archive.clone(), place.api_options(config));
        let router = first_password::watched(router, place.archive.clone(), &config.data);
        Ok(Self { road: Road::Here { place, router } })
    }

    /// Goes through the server at this address.
    pub(crate) fn remote(url: &str, token: Option<&str>) -> Result<Self> {
        Ok(Self { road: Road::There(Box::new(Remote::new(url, token)?)) })
    }

    /// Whether the archive's machine is this one, so that it can read the caller's files itself.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.road, Road::Here { .. })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.document(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.document(Method::POST, path, Body::from(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.document(Method::PUT, path, Body::from(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.document(Method::DELETE, path, Body::empty()).await
    }

    /// Sends a file's bytes, in blocks.
    pub(crate) async fn upload(&self, path: &str, bytes: Body) -> Result<Value> {
        let request = Request::put(url(path)).header(header::CONTENT_TYPE, "application/octet-stream").body(bytes);
        read_document(self.send(request.map_err(malformed)?).await?).await
    }

    /// The bytes of the answer as they come in; where it is a link, what lies there.
    pub(crate) async fn stream(&self, path: &str) -> Result<BodyDataStream> {
        let request = Request::get(url(path)).body(Body::empty()).map_err(malformed)?;
        let mut response = self.send(request).await?;
        if let (Road::There(remote), Some(link)) = (&self.road, link(&response)) {
            response = remote.follow(&link).await?;
        }
        Ok(succeeded(response).await?.into_body().into_data_stream())
    }

    async fn document(&self, method: Method, path: &str, body: Body) -> Result<Value> {
        let request = Request::builder().method(method).uri(url(path)).header(header::CONTENT_TYPE, "application/json");
        read_document(self.send(request.body(body).map_err(malformed)?).await?).await
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>> {
        match &self.road {
            Road::Here { router, .. } => {
                request.extensions_mut().insert(Principal::operator());
                let Ok(response) = router.clone().oneshot(request).await;
                Ok(response)
            }
            Road::There(remote) => remote.send(request).await,
        }
    }

    /// Waits until the process has ended and answers it; its lines go to `say`. Over our own folder, the work is done
    /// here meanwhile.
    pub(crate) async fn wait(&self, process: &str, say: &mut (dyn FnMut(&Value) + Send)) -> Result<Value> {
        let Road::Here { place, .. } = &self.road else {
            return self.watch(process, Duration::from_millis(500), say).await;
        };
        // One after the other, and nobody else's work: what a command does must not depend on what waits besides.
        let wanted = Wanted::of(&place.archive, process).await?;
        place.local.queue.set_aside(move |job| wanted.includes(job)).await?;
        let workers = Workers::start(place, 1);
        let ended = tokio::select! {
            ended = self.watch(process, Duration::from_millis(20), say) => ended,
            failure = workers.stuck() => Err(given_up(process, failure)),
        };
        workers.stop(Duration::from_secs(10)).await;
        // What could not be brought back is when the folder is opened again; why the work ended counts more.
        let brought_back = place.local.queue.bring_back().await;
        let ended = ended?;
        brought_back?;
        Ok(ended)
    }

    async fn watch(&self, process: &str, pause: Duration, say: &mut (dyn FnMut(&Value) + Send)) -> Result<Value> {
        let path = format!("/processes/{}", escaped(process));
        let mut seen = None;
        loop {
            let now = self.get(&path).await?;
            self.tell(&path, &mut seen, say).await?;
            if matches!(now["state"].as_str(), Some("finished" | "failed" | "cancelled")) {
                return Ok(now);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Says the lines that were not said yet.
    async fn tell(&self, path: &str, seen: &mut Option<String>, say: &mut (dyn FnMut(&Value) + Send)) -> Result<()> {
        loop {
            let after = seen.as_ref().map(|seq| format!("?after={}", escaped(seq)));
            let page = self.get(&format!("{path}/lines{}", after.unwrap_or_default())).await?;
            let lines = page.as_array().map_or(&[][..], Vec::as_slice);
            if lines.is_empty() {
                return Ok(());
            }
            for line in lines {
                say(line);
                *seen = line["seq"].as_str().map(str::to_owned);
            }
        }
    }

    /// Waits for the process that an answer names and gives its result; a process that failed is a failure.
    pub(crate) async fn result(&self, started: &Value) -> Result<Value> {
        let id = started["process"].as_str().or(started["id"].as_str());
        let id = id.ok_or_else(|| Error::internal("the answer names no process"))?;
        let ended = self.wait(id, &mut to_stderr).await?;
        if !ended["result"].is_null() {
            return Ok(ended["result"].clone());
        }
        let error = serde_json::from_value::<archive::process::Failure>(ended["error"].clone());
        Err(error.map_or_else(|_| Error::internal(format!("process {id} ended without a result")).into(), Into::into))
    }
}

/// The work on a process ended before the process did.
fn given_up(process: &str, failure: Option<archive::process::Failure>) -> Failure {
    let silent = || Error::internal(format!("nobody works on process {process} any more")).into();
    failure.map_or_else(silent, Failure::from)
}

/// A line of a process for whoever waits in front of the terminal.
fn to_stderr(line: &Value) {
    crate::print::progress(&crate::text::shown(line["text"].as_str().unwrap_or_default()));
}

fn link(response: &Response<Body>) -> Option<String> {
    let location = response.headers().get(header::LOCATION).filter(|_| response.status() == StatusCode::SEE_OTHER)?;
    location.to_str().ok().map(str::to_owned)
}

fn url(path: &str) -> String {
    format!("/api/v1{path}")
}

fn malformed(error: axum::http::Error) -> Failure {
    Error::invalid("the request cannot be made").caused_by(error).into()
}

/// The response if it is a good one, otherwise the problem it tells of.
async fn succeeded(response: Response<Body>) -> Result<Response<Body>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem = read_body(response.into_body()).await?;
    Err(Failure::of_problem(status.as_u16(), &serde_json::from_slice(&problem).unwrap_or_default()))
}

async fn read_document(response: Response<Body>) -> Result<Value> {
    let body = read_body(succeeded(response).await?.into_body()).await?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|error| Error::internal("the answer is no JSON").caused_by(error).into())
}

async fn read_body(body: Body) -> Result<Vec<u8>> {
    let mut blocks = pin!(body.into_data_stream());
    let mut bytes = Vec::new();
    while let Some(block) = blocks.try_next().await.map_err(broken)? {
        if bytes.len() + block.len() > MAX_DOCUMENT_BYTES {
            return Err(Error::invalid("the answer is larger than 1 GiB").into());
        }
        bytes.extend_from_slice(&block);
    }
    Ok(bytes)
}

/// An answer that broke off: for the reason that the archive gave, if it is one in this process.
pub(crate) fn broken(error: axum::Error) -> Failure {
    match error.into_inner().downcast::<Error>() {
        Ok(error) => (*error).into(),
        Err(error) => Error::unavailable("the answer broke off").caused_by(error).into(),
    }
}
