//! Figures for Prometheus.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    sync::{Mutex, PoisonError},
};

use archive::ports::Scope;
use axum::{
    extract::State,
    http::{Method, StatusCode},
    response::Response,
};

use crate::{Problem, extract::text, router::App, status::by_state};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Requests by method, route and status. Few: routes are those of the table, and methods those that have names.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, String, u16), u64>>,
}

impl Metrics {
    pub(crate) fn count(&self, method: &Method, route: &str, status: StatusCode) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((known(method), route.to_owned(), status.as_u16())).or_default() += 1;
    }

    fn requests(&self) -> Vec<(String, u64)> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let label = |(method, route, status): &(&str, String, u16)| {
            format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"")
        };
        requests.iter().map(|(key, count)| (label(key), *count)).collect()
    }
}

/// A method's name; one of the peer's own making is not kept.
fn known(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMES.into_iter().find(|name| method == *name).unwrap_or("other")
}

/// Figures for Prometheus
///
/// In the text format, version 0.0.4. On a server that is bound to a loopback address no session is needed, otherwise
/// that of an Admin.
#[utoipa::path(get, path = "/metrics", tag = "status", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let archive = &app.archive;
    let mut page = Page::default();
    page.family(
        "postkahn_build_info",
        "gauge",
        "The running version.",
        [(format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1)],
    );
    page.family(
        "postkahn_uploads",
        "gauge",
        "Files in the upload store.",
        by_label(by_state(archive.uploads().await?.iter().map(|u| u.state))),
    );
    page.family(
        "postkahn_imports",
        "gauge",
        "Imports ever started.",
        by_label(by_state(archive.imports().await?.iter().map(|i| i.state))),
    );
    page.family(
        "postkahn_mails",
        "gauge",
        "Distinct mails.",
        [(String::new(), archive.catalog.count(&Scope::All).await?)],
    );
    page.family(
        "postkahn_mailboxes",
        "gauge",
        "Mailboxes.",
        [(String::new(), archive.mailboxes().await?.len() as u64)],
    );
    if let Some(jobs_waiting) = &app.options.jobs_waiting {
        page.family("postkahn_jobs_waiting", "gauge", "Jobs in the queue.", [(String::new(), jobs_waiting().await?)]);
    }
    page.family("postkahn_http_requests_total", "counter", "Requests answered.", app.metrics.requests());
    Ok(text(CONTENT_TYPE, page.0))
}

fn by_label(counts: BTreeMap<String, u64>) -> impl Iterator<Item = (String, u64)> {
    counts.into_iter().map(|(state, count)| (format!("state=\"{state}\""), count))
}

#[derive(Default)]
struct Page(String);

impl Page {
    /// Labels are written as they are: all of them are words of this program.
    fn family<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, V)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}
