//! The mails themselves; never for an Admin.

use archive::{Error, FolderPath, MailHash, MailQuery, MailboxAddress};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    Problem,
    bodies::{MailPage, MailParams, Shown},
    extract::{Params, PathText},
    guard::Caller,
    router::App,
};

/// Mails
///
/// Message date descending, unknown last, then by hash.
#[utoipa::path(get, path = "/api/v1/mails", tag = "mails", operation_id = "list_mails", params(MailParams),
    responses((status = 200, body = MailPage)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Params(params): Params<MailParams>,
) -> Result<Response, Problem> {
    let query = MailQuery {
        mailbox: params.mailbox.map(|address| MailboxAddress::parse(&address)).transpose()?,
        folder: params.folder.map(|names| folder_path(&names)).transpose()?,
        limit: params.limit,
        after: params.after,
    };
    let visible = app.archive.visible(&caller).await?;
    Ok(Json(app.archive.mails(&visible, query).await?).into_response())
}

fn folder_path(json: &str) -> Result<FolderPath, Error> {
    serde_json::from_str(json).map(FolderPath).map_err(|e| {
        let error = Error::invalid("the folder is not a JSON array of names").caused_by(e);
        error.hint(r#"write it as ["INBOX","Offers"]"#)
    })
}

/// One mail, to be read
#[utoipa::path(get, path = "/api/v1/mails/{id}", tag = "mails", operation_id = "show_mail",
    params(("id" = String, Path, description = "The mail's hash")), responses((status = 200, body = Shown)))]
pub(crate) async fn show(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
) -> Result<Json<Value>, Problem> {
    let hash = MailHash::parse(&id)?;
    let visible = app.archive.visible(&caller).await?;
    Ok(Json(app.archive.show(&visible, &hash).await?))
}

/// One mail, byte for byte
#[utoipa::path(get, path = "/api/v1/mails/{id}/raw", tag = "mails", operation_id = "download_mail",
    params(("id" = String, Path, description = "The mail's hash")),
    responses((status = 200, description = "The original", body = Vec<u8>, content_type = "message/rfc822"),
        (status = 303, description = "The original is too large for an answer here: `Location` is a link to a copy of it, \
            for some minutes; it needs no token")))]
pub(crate) async fn raw(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    let hash = MailHash::parse(&id)?;
    let visible = app.archive.visible(&caller).await?;
    let mail = app.archive.raw(&visible, &hash).await?;
    if app.options.largest_mail_bytes.is_some_and(|most| mail.size_bytes > most) {
        let link = app.archive.lend(&hash, mail).await?;
        let link = HeaderValue::try_from(link).map_err(|e| Error::internal("a link is no address").caused_by(e))?;
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, link)]).into_response());
    }
    // The name is made of the hash, so that nothing of the mail is in a header.
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{hash}.eml\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("message/rfc822")),
        (header::CONTENT_LENGTH, HeaderValue::from(mail.size_bytes)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    Ok((headers, Body::from_stream(mail.blocks)).into_response())
}
