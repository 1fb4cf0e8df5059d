//! Users and groups.

use std::collections::BTreeSet;

use archive::access::{self, UserView};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    Problem,
    bodies::{EditGroup, EditUser, Group, NewGroup, NewKey, NewUser, Role, User},
    extract::{self, ListParams, Params, PathText},
    router::App,
};

/// Every user, by name
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", operation_id = "list_users", params(ListParams),
    responses((status = 200, body = Vec<User>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|_| true)?;
    Ok(params.slice::<_, User>(app.archive.users().await?, after, |user| user.name.clone())?)
}

/// Add a user
///
/// Without password and key, a random password is made and shown this once.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", operation_id = "add_user", request_body = NewUser,
    responses((status = 201, body = User)))]
pub(crate) async fn add(
    State(app): State<App>,
    extract::Json(given): extract::Json<NewUser>,
) -> Result<Response, Problem> {
    let new = access::NewUser {
        name: given.name,
        groups: given.groups,
        password: given.password,
        keys: given.keys,
        mfa: given.mfa,
    };
    Ok((StatusCode::CREATED, Json(User::from(app.archive.add_user(new).await?))).into_response())
}

/// One user
#[utoipa::path(get, path = "/api/v1/users/{name}", tag = "users", operation_id = "get_user",
    params(("name" = String, Path)), responses((status = 200, body = User)))]
pub(crate) async fn get(State(app): State<App>, PathText(name): PathText) -> Result<Json<User>, Problem> {
    Ok(Json(app.archive.user(&name).await?.into()))
}

/// Put a user into groups
///
/// Exactly these; the last Admin stays one.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", operation_id = "edit_user",
    params(("name" = String, Path)), request_body = EditUser, responses((status = 200, body = User)))]
pub(crate) async fn edit(
    State(app): State<App>,
    PathText(name): PathText,
    extract::Json(given): extract::Json<EditUser>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app.archive.set_groups(&name, given.groups.into_iter().collect()).await?.into()))
}

/// Remove a user
///
/// With keys, grants and sessions; the last Admin cannot be removed.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "users", operation_id = "remove_user",
    params(("name" = String, Path)), responses((status = 200, description = "Who was removed", body = User)))]
pub(crate) async fn remove(State(app): State<App>, PathText(name): PathText) -> Result<Json<User>, Problem> {
    Ok(Json(app.archive.remove_user(&name).await?.into()))
}

/// Give a user a new random password
///
/// Shown this once; the next login must change it. The user's sessions end.
#[utoipa::path(post, path = "/api/v1/users/{name}/reset", tag = "users", operation_id = "reset_user",
    params(("name" = String, Path)), responses((status = 200, body = User)))]
pub(crate) async fn reset(State(app): State<App>, PathText(name): PathText) -> Result<Json<User>, Problem> {
    Ok(Json(app.archive.reset_password(&name).await?.into()))
}

/// Add a public key for SFTP
#[utoipa::path(post, path = "/api/v1/users/{name}/keys", tag = "users", operation_id = "add_key",
    params(("name" = String, Path)), request_body = NewKey, responses((status = 201, body = User)))]
pub(crate) async fn add_key(
    State(app): State<App>,
    PathText(name): PathText,
    extract::Json(given): extract::Json<NewKey>,
) -> Result<Response, Problem> {
    Ok((StatusCode::CREATED, Json(User::from(app.archive.add_key(&name, &given.key).await?))).into_response())
}

/// Every group, by name
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/groups", tag = "users", operation_id = "list_groups", params(ListParams),
    responses((status = 200, body = Vec<Group>)))]
pub(crate) async fn groups(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|_| true)?;
    Ok(params.slice::<_, Group>(app.archive.groups().await?, after, |group| group.name.clone())?)
}

/// Add a group
#[utoipa::path(post, path = "/api/v1/groups", tag = "users", operation_id = "add_group", request_body = NewGroup,
    responses((status = 201, body = Group)))]
pub(crate) async fn add_group(
    State(app): State<App>,
    extract::Json(given): extract::Json<NewGroup>,
) -> Result<Response, Problem> {
    let group = app.archive.add_group(&given.name, parse_roles(&given.roles)?).await?;
    Ok((StatusCode::CREATED, Json(Group::from(group))).into_response())
}

/// Give a group roles
///
/// Exactly these; the last Admin stays one.
#[utoipa::path(patch, path = "/api/v1/groups/{name}", tag = "users", operation_id = "edit_group",
    params(("name" = String, Path)), request_body = EditGroup, responses((status = 200, body = Group)))]
pub(crate) async fn edit_group(
    State(app): State<App>,
    PathText(name): PathText,
    extract::Json(given): extract::Json<EditGroup>,
) -> Result<Json<Group>, Problem> {
    Ok(Json(app.archive.set_roles(&name, parse_roles(&given.roles)?).await?.into()))
}

fn parse_roles(names: &[String]) -> archive::Result<BTreeSet<access::Role>> {
    names.iter().map(|name| access::Role::parse(name)).collect()
}

/// Roles as a body has them.
pub(crate) fn roles(roles: &BTreeSet<access::Role>) -> Vec<Role> {
    let role = |role: &access::Role| match role {
        access::Role::Admin => Role::Admin,
        access::Role::Compliance => Role::Compliance,
        access::Role::Reader => Role::Reader,
        access::Role::Auditor => Role::Auditor,
    };
    roles.iter().map(role).collect()
}

impl From<UserView> for User {
    fn from(view: UserView) -> Self {
        Self {
            name: view.name,
            groups: view.groups.into_iter().collect(),
            roles: roles(&view.roles),
            mfa: view.mfa,
            must_change_password: view.must_change_password,
            keys: view.keys,
            password: view.password,
        }
    }
}

impl From<access::Group> for Group {
    fn from(group: access::Group) -> Self {
        Self { roles: roles(&group.roles), name: group.name }
    }
}
