//! Which mailbox a user archive becomes.

use archive::{MailboxAddress, MappingSource};
use axum::{Json, extract::State, response::Response};

use crate::{
    Problem,
    bodies::{EditMapping, MappingRow},
    extract::{self, ListParams, Params, PathText},
    router::App,
};

/// Every user archive known so far, by name
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/mapping", tag = "mapping", operation_id = "list_mapping", params(ListParams),
    responses((status = 200, body = Vec<MappingRow>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|_| true)?;
    Ok(params.slice::<_, MappingRow>(app.archive.mapping().await?, after, |row| row.archive.clone())?)
}

/// Set the address of a user archive
///
/// What was placed already stays where it is: `elsewhere` names it.
#[utoipa::path(put, path = "/api/v1/mapping/{archive}", tag = "mapping", operation_id = "set_mapping",
    params(("archive" = String, Path, description = "The user archive's name; slashes percent-encoded or not")),
    request_body = EditMapping, responses((status = 200, body = MappingRow)))]
pub(crate) async fn set(
    State(app): State<App>,
    PathText(archive): PathText,
    extract::Json(given): extract::Json<EditMapping>,
) -> Result<Json<MappingRow>, Problem> {
    Ok(Json(app.archive.set_mapping(&archive, &MailboxAddress::parse(&given.address)?).await?.into()))
}

/// Take back an address that was set
///
/// The default holds again. What was placed already stays where it is.
#[utoipa::path(delete, path = "/api/v1/mapping/{archive}", tag = "mapping", operation_id = "reset_mapping",
    params(("archive" = String, Path, description = "The user archive's name; slashes percent-encoded or not")),
    responses((status = 200, body = MappingRow)))]
pub(crate) async fn reset(State(app): State<App>, PathText(archive): PathText) -> Result<Json<MappingRow>, Problem> {
    Ok(Json(app.archive.reset_mapping(&archive).await?.into()))
}

impl From<archive::MappingRow> for MappingRow {
    fn from(row: archive::MappingRow) -> Self {
        let source = match row.source {
            MappingSource::Mapping => "mapping",
            MappingSource::Address => "address",
            MappingSource::Default => "default",
        };
        let address = row.address.map(|address| address.to_string());
        Self {
            archive: row.archive,
            address,
            source: source.into(),
            conflict: row.conflict,
            conflict_with: row.conflict_with,
            mailbox: row.mailbox.map(Into::into),
            elsewhere: row.elsewhere.into_iter().map(Into::into).collect(),
            mails_waiting: row.mails_waiting,
        }
    }
}
