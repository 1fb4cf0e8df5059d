//! Files in the upload store.

use std::time::Duration;

use archive::{
    Error,
    access::Principal,
    ports::{Landing, OpenMode},
    time::rfc3339,
    uploads::{Home, Kind, UploadState},
};
use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::{
    Problem,
    bodies::{self, Upload},
    extract::{ListParams, Params, PathText},
    guard::Caller,
    router::App,
};

/// An upload whose sender says nothing for so long has been cut off.
const IDLE: Duration = Duration::from_mins(1);

/// Every upload, by id
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads", operation_id = "list_uploads", params(ListParams),
    responses((status = 200, body = Vec<Upload>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|after| after.contains('/'))?;
    Ok(params.slice::<_, Upload>(app.archive.uploads().await?, after, |upload| upload.key.to_string())?)
}

/// One upload
#[utoipa::path(get, path = "/api/v1/uploads/{id}", tag = "uploads", operation_id = "get_upload",
    params(("id" = String, Path, description = "`USER/NAME`; its slash percent-encoded or not")),
    responses((status = 200, body = Upload)))]
pub(crate) async fn get(State(app): State<App>, PathText(id): PathText) -> Result<Json<Upload>, Problem> {
    Ok(Json(app.archive.upload(&id).await?.into()))
}

/// Delete an upload
///
/// Refused while an import reads it.
#[utoipa::path(delete, path = "/api/v1/uploads/{id}", tag = "uploads", operation_id = "delete_upload",
    params(("id" = String, Path, description = "`USER/NAME`; its slash percent-encoded or not")),
    responses((status = 200, description = "What was deleted", body = Upload)))]
pub(crate) async fn delete(State(app): State<App>, PathText(id): PathText) -> Result<Json<Upload>, Problem> {
    Ok(Json(app.archive.delete_upload(&id).await?.into()))
}

/// Upload a file
///
/// Into the caller's own upload home, under a plain name; the prefix of a state, as in `(Pending) NAME`, is not part of
/// it. For the roles Admin and Compliance, whereas SFTP is for Compliance alone. A file of that name is replaced. One
/// that is cut off stays as it is, for a resume over SFTP. 501 where uploads come in another way.
#[utoipa::path(put, path = "/api/v1/uploads/{id}", tag = "uploads", operation_id = "put_upload",
    params(("id" = String, Path, description = "The file's name, without the user")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Received whole; it is looked at next", body = Upload)))]
pub(crate) async fn put(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(name): PathText,
    body: Body,
) -> Result<Response, Problem> {
    let Some(landing) = app.options.landing.clone() else {
        return Err(Problem::not_offered("upload over HTTP", "upload with SFTP"));
    };
    if name.contains('/') || Home::is_temporary(&name) {
        return Err(no_upload(&name).into());
    }
    let name = receive(&app, landing, &caller, &name, body.into_data_stream()).await?;
    let upload = app.archive.upload(&format!("{}/{name}", caller.name)).await?;
    Ok((StatusCode::CREATED, Json(Upload::from(upload))).into_response())
}

fn no_upload(name: &str) -> Error {
    let error = Error::invalid(format!("{name:?} is not the name of an upload"));
    error.hint("give a lasting file name, without a folder")
}

/// Writes the file and gives the name that it has, which is without the prefix of a state.
async fn receive(
    app: &App,
    landing: std::sync::Arc<dyn Landing>,
    caller: &Principal,
    name: &str,
    mut body: BodyDataStream,
) -> Result<String, Problem> {
    let home = Home::new(app.archive.clone(), landing, &caller.name, app.options.quota_bytes)?;
    let mut file = home.write(name, OpenMode { create: true, exclusive: false, truncate: true }).await?;
    let real = file.name().to_owned();
    // Only the home knows what is prefix and what is name, so a temporary name behind a prefix shows here.
    if Home::is_temporary(&real) {
        drop(file);
        home.remove(&real).await?;
        return Err(no_upload(name).into());
    }
    let mut offset = 0u64;
    while let Some(block) = next_block(&mut body).await? {
        let end = offset.saturating_add(block.len() as u64);
        file.write_at(offset, block).await?;
        offset = end;
    }
    file.close().await?;
    Ok(real)
}

async fn next_block(body: &mut BodyDataStream) -> Result<Option<Bytes>, Error> {
    let cut_off = || Error::invalid("the upload was cut off").code("cut_off").hint("send it again");
    let block = tokio::time::timeout(IDLE, body.next()).await.map_err(|_| cut_off())?;
    block.transpose().map_err(|e| cut_off().caused_by(e))
}

impl From<archive::uploads::Upload> for Upload {
    fn from(upload: archive::uploads::Upload) -> Self {
        Self {
            id: upload.key.to_string(),
            name: upload.name().to_owned(),
            user: upload.user().to_owned(),
            state: match upload.state {
                UploadState::Pending => bodies::UploadState::Pending,
                UploadState::Ready => bodies::UploadState::Ready,
                UploadState::Rejected => bodies::UploadState::Rejected,
            },
            kind: upload.kind.into(),
            size_bytes: upload.size_bytes,
            arrived: rfc3339(upload.arrived),
            export_id: upload.export_id,
            export_name: upload.export_name,
            volume: upload.volume,
            mails: upload.mails,
            encrypted: upload.encrypted,
            code: upload.code,
            reason: upload.reason,
            import: upload.import.map(|import| import.0),
        }
    }
}

impl From<Kind> for bodies::UploadKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Volume => Self::Volume,
            Kind::Zip => Self::Zip,
            Kind::Mbox => Self::Mbox,
            Kind::Eml => Self::Eml,
            Kind::Unknown => Self::Unknown,
        }
    }
}
