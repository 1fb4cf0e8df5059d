//! Migration reports, as documents and as pages.

use std::{io, time::Duration};

use archive::{Error, ImportId, access::Principal, migration};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{
    Problem,
    bodies::{Export, ExportReport, ImportReport},
    extract::{PathText, text},
    guard::Caller,
    router::App,
};

/// A page has its style in itself, and nothing else.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
);

/// Exports of which something was imported
#[utoipa::path(get, path = "/api/v1/exports", tag = "imports", operation_id = "list_exports",
    responses((status = 200, body = Vec<Export>)))]
pub(crate) async fn exports(State(app): State<App>) -> Result<Json<Vec<Export>>, Problem> {
    Ok(Json(app.archive.exports().await?.into_iter().map(Export::from).collect()))
}

/// The migration report of an import
///
/// Counted again from the ledger and the catalogue, as far as the time for an answer reaches. An HTML page where
/// `Accept` asks for one.
#[utoipa::path(get, path = "/api/v1/imports/{id}/report", tag = "imports", operation_id = "get_import_report",
    params(("id" = String, Path)),
    responses((status = 200, description = "The report", content(
        (ImportReport = "application/json"), (String = "text/html")))))]
pub(crate) async fn import(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if wants_page(&headers) {
        return import_page(State(app), Caller(caller), PathText(id)).await;
    }
    let report = app.archive.import_report(&ImportId(id), until(&app, &caller)).await?;
    Ok(Json(report).into_response())
}

/// The migration report of an import, as an HTML page
#[utoipa::path(get, path = "/api/v1/imports/{id}/report.html", tag = "imports", operation_id = "show_import_report",
    params(("id" = String, Path)), responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn import_page(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    let report = app.archive.import_report(&ImportId(id), until(&app, &caller)).await?;
    Ok(page(|out| migration::write_import(&report, out))?)
}

/// The migration report of an export
///
/// All imports of its volumes together, and which volumes are missing, doubled, out of order or foreign. Counted again
/// from the ledger and the catalogue, as far as the time for an answer reaches. An HTML page where `Accept` asks for one.
#[utoipa::path(get, path = "/api/v1/exports/{id}/report", tag = "imports", operation_id = "get_export_report",
    params(("id" = String, Path)),
    responses((status = 200, description = "The report", content(
        (ExportReport = "application/json"), (String = "text/html")))))]
pub(crate) async fn export(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if wants_page(&headers) {
        return export_page(State(app), Caller(caller), PathText(id)).await;
    }
    let report = app.archive.export_report(&id, until(&app, &caller)).await?;
    Ok(Json(report).into_response())
}

/// The migration report of an export, as an HTML page
#[utoipa::path(get, path = "/api/v1/exports/{id}/report.html", tag = "imports", operation_id = "show_export_report",
    params(("id" = String, Path)), responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn export_page(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    let report = app.archive.export_report(&id, until(&app, &caller)).await?;
    Ok(page(|out| migration::write_export(&report, out))?)
}

/// When counting must end so that an answer can begin in time, on the boot clock. The operator waits as long as it takes.
fn until(app: &App, caller: &Principal) -> Option<Duration> {
    (!caller.operator).then(|| app.archive.clock.boot().saturating_add(app.options.timeout / 2))
}

/// Browsers name HTML and not JSON; other clients name JSON, or anything.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted = accepted.collect::<Vec<_>>().join(",").to_lowercase();
    accepted.contains("text/html") && !accepted.contains("application/json")
}

fn page(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<Response, Error> {
    let mut html = Vec::new();
    write(&mut html).map_err(|e| Error::internal("a report cannot be written").caused_by(e))?;
    let mut response = text("text/html; charset=utf-8", Bytes::from(html));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    Ok(response)
}

impl From<migration::ExportView> for Export {
    fn from(view: migration::ExportView) -> Self {
        Self {
            export_id: view.export_id,
            export_name: view.export_name,
            volumes: view.volumes,
            imported_volumes: view.imported_volumes,
        }
    }
}
