//! Who may read which mailbox.

use archive::{Error, MailboxAddress, access::Grantee};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    Problem,
    bodies::{Grant, NewGrant},
    extract::{self, ListParams, Params},
    router::App,
};

/// Every grant, by mailbox
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
/// The key of a grant is `MAILBOX user NAME` or `MAILBOX group NAME`.
#[utoipa::path(get, path = "/api/v1/grants", tag = "users", operation_id = "list_grants", params(ListParams),
    responses((status = 200, body = Vec<Grant>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|after| after.contains(" user ") || after.contains(" group "))?;
    Ok(params.slice::<_, Grant>(app.archive.grants().await?, after, key)?)
}

fn key(grant: &archive::access::Grant) -> String {
    let mailbox = grant.mailbox.folded();
    match &grant.to {
        Grantee::User(name) => format!("{mailbox} user {name}"),
        Grantee::Group(name) => format!("{mailbox} group {name}"),
    }
}

/// Let a user or a group read a mailbox
#[utoipa::path(post, path = "/api/v1/grants", tag = "users", operation_id = "add_grant", request_body = NewGrant,
    responses((status = 201, body = Grant)))]
pub(crate) async fn add(
    State(app): State<App>,
    extract::Json(given): extract::Json<NewGrant>,
) -> Result<Response, Problem> {
    let grant = parse(given)?;
    let grant = app.archive.grant(&grant.mailbox, grant.to).await?;
    Ok((StatusCode::CREATED, Json(Grant::from(grant))).into_response())
}

/// Take a grant back
///
/// Named in the query, since gateways drop the bodies of such requests.
#[utoipa::path(delete, path = "/api/v1/grants", tag = "users", operation_id = "remove_grant", params(NewGrant),
    responses((status = 200, description = "What was taken back", body = Grant)))]
pub(crate) async fn remove(State(app): State<App>, Params(given): Params<NewGrant>) -> Result<Json<Grant>, Problem> {
    let grant = parse(given)?;
    if !app.archive.revoke(&grant).await? {
        return Err(Error::not_found(format!("there is no such grant on mailbox {}", grant.mailbox)).into());
    }
    Ok(Json(grant.into()))
}

fn parse(given: NewGrant) -> Result<archive::access::Grant, Error> {
    let to = match (given.user, given.group) {
        (Some(user), None) => Grantee::User(user),
        (None, Some(group)) => Grantee::Group(group),
        _ => return Err(Error::invalid("a grant is to a user or to a group").hint("give one of `user` and `group`")),
    };
    Ok(archive::access::Grant { mailbox: MailboxAddress::parse(&given.mailbox)?, to, user_created: None })
}

impl From<archive::access::Grant> for Grant {
    fn from(grant: archive::access::Grant) -> Self {
        let mailbox = grant.mailbox.to_string();
        match grant.to {
            Grantee::User(user) => Self { mailbox, user: Some(user), group: None },
            Grantee::Group(group) => Self { mailbox, user: None, group: Some(group) },
        }
    }
}
