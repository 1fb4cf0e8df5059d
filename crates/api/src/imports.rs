//! Imports: asking for them, watching them, stopping them.

use archive::{
    Error, ImportId, MailboxAddress,
    access::Principal,
    import::{self, ImportView, Source},
    ports::ObjectKey,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{
    Problem,
    bodies::{FailedEntry, Import, ImportState, NotMail, StartImports, Started},
    extract::{self, PageParams, Params, PathText, page},
    guard::Caller,
    processes::ID_DIGITS,
    router::App,
};

/// Start imports
///
/// Certificate and password of every file are checked before anything is queued. A volume is refused by a mailbox that
/// recreates a user archive (409, `mailbox_recreated`).
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", operation_id = "start_imports", request_body = StartImports,
    responses((status = 202, description = "Queued", body = Started)))]
pub(crate) async fn start(
    State(app): State<App>,
    Caller(caller): Caller,
    extract::Json(given): extract::Json<StartImports>,
) -> Result<Response, Problem> {
    let start = import::StartImports {
        sources: sources(&caller, given.uploads, given.files)?,
        mailbox: MailboxAddress::parse(&given.mailbox)?,
        certificate: given.certificate.map(certificate).transpose()?,
        password: given.password,
        auto_start: given.auto_start,
        each_alone: given.each_alone,
        by: caller.name,
    };
    let started = app.archive.start_imports(start).await?;
    let imports = started.imports.into_iter().map(Import::from).collect();
    Ok((StatusCode::ACCEPTED, Json(Started { imports, process: started.process.0 })).into_response())
}

fn sources(caller: &Principal, uploads: Vec<String>, files: Vec<String>) -> Result<Vec<Source>, Error> {
    if !files.is_empty() && !caller.operator {
        let error = Error::denied("only the operator may name files on the server's machine");
        return Err(error.hint("upload the files and name the uploads"));
    }
    let uploads = uploads.into_iter().map(|id| ObjectKey::parse(id).map(Source::Upload));
    let files = files.into_iter().map(|path| file_key(&path).map(Source::File));
    uploads.chain(files).collect()
}

/// The key of a file is its absolute path without the first slash.
fn file_key(path: &str) -> Result<ObjectKey, Error> {
    let Some(key) = path.strip_prefix('/') else {
        return Err(Error::invalid(format!("the path {path:?} is not absolute")));
    };
    ObjectKey::parse(key)
}

/// The bytes of a certificate: PEM as it is, base64 decoded.
fn certificate(text: String) -> Result<Vec<u8>, Error> {
    if text.contains("-----BEGIN") {
        return Ok(text.into_bytes());
    }
    let base64: String = text.split_ascii_whitespace().collect();
    let decoded = BASE64_STANDARD.decode(base64);
    decoded
        .map_err(|e| Error::invalid("the certificate is neither PEM nor base64").code("wrong_certificate").caused_by(e))
}

/// Every import, by time of start
///
/// A full page has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", operation_id = "list_imports", params(PageParams),
    responses((status = 200, body = Vec<Import>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<PageParams>) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let after = params.after(ID_DIGITS)?.unwrap_or_default();
    let imports = app.archive.imports().await?.into_iter().map(Import::from);
    let imports: Vec<_> = imports.filter(|import| cursor(import) > after).take(limit).collect();
    Ok(page(&imports, limit, cursor))
}

fn cursor(import: &Import) -> &str {
    import.id.as_deref().unwrap_or_default()
}

/// One import
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", operation_id = "get_import",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub(crate) async fn get(State(app): State<App>, PathText(id): PathText) -> Result<Json<Import>, Problem> {
    Ok(Json(app.archive.import(&ImportId(id)).await?.into()))
}

/// Cancel an import
///
/// What was imported so far stays.
#[utoipa::path(post, path = "/api/v1/imports/{id}/cancel", tag = "imports", operation_id = "cancel_import",
    params(("id" = String, Path)), responses((status = 200, body = Import)))]
pub(crate) async fn cancel(State(app): State<App>, PathText(id): PathText) -> Result<Json<Import>, Problem> {
    Ok(Json(app.archive.cancel_import(&ImportId(id)).await?.into()))
}

impl From<ImportView> for Import {
    fn from(view: ImportView) -> Self {
        let failed = |entry: import::FailedEntry| FailedEntry {
            number: entry.number,
            locator: entry.locator,
            code: entry.code,
            reason: entry.reason,
        };
        Self {
            id: view.id.map(|id| id.0),
            process: view.process.map(|process| process.0),
            file: view.file,
            kind: view.kind.into(),
            mailbox: view.mailbox.map(|mailbox| mailbox.to_string()),
            state: view.state.into(),
            export_id: view.export_id,
            volume: view.volume,
            in_volume: view.in_volume,
            imported: view.imported,
            already_there: view.already_there,
            failed: view.failed.into_iter().map(failed).collect(),
            not_mail: view.not_mail.into_iter().map(|it| NotMail { locator: it.locator, reason: it.reason }).collect(),
            balanced: view.balanced,
            code: view.code,
            reason: view.reason,
        }
    }
}

impl From<import::ImportState> for ImportState {
    fn from(state: import::ImportState) -> Self {
        use import::ImportState as Is;
        match state {
            Is::Waiting => Self::Waiting,
            Is::Running => Self::Running,
            Is::Finished => Self::Finished,
            Is::Failed => Self::Failed,
            Is::Cancelled => Self::Cancelled,
            Is::Refused => Self::Refused,
        }
    }
}
