//! Beginning and ending sessions.

use std::net::SocketAddr;

use archive::{Error, access::Login, time::rfc3339};
use axum::{
    extract::{ConnectInfo, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    Problem,
    bodies::{BeginSession, Session, Who},
    extract::Json,
    guard::{Caller, bearer},
    limiter::Wait,
    router::App,
    users::roles,
};

/// Begin a session
///
/// Wrong passwords and unknown users are refused alike, with code `wrong_login`. After ten of them for a name, or
/// fifty from one address but the server's own, within five minutes even the right one is refused by 429 with a
/// `Retry-After` (`too_many_logins`) until these are over. After ten in a row for a name, over SFTP and HTTP together,
/// each further try waits, at most a minute (`too_many_attempts`). Code `password_change_needed` asks for
/// `new_password`.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", operation_id = "begin_session", request_body = BeginSession,
    responses((status = 201, description = "Begun", body = Session)))]
pub(crate) async fn begin(
    State(app): State<App>,
    extensions: Extensions,
    Json(given): Json<BeginSession>,
) -> Result<Response, Problem> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let attempt = match app.limiter.begin(&given.user, peer, app.archive.clock.boot()) {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(too_many(&wait)),
    };
    let busy = |_| Error::unavailable("no login can be checked now");
    let turn = app.logins.acquire().await.map_err(busy)?;
    let answer = app.archive.login(&given.user, &given.password, given.new_password.as_deref()).await;
    drop(turn);
    if answer.as_ref().map_or_else(|e| e.machine_code() != "wrong_login", |_| true) {
        attempt.forgive();
    }
    let session = session(&app, answer?).await?;
    Ok((StatusCode::CREATED, axum::Json(session)).into_response())
}

async fn session(app: &App, login: Login) -> Result<Session, Problem> {
    let principal = app.archive.authenticate(&login.token).await?;
    Ok(Session {
        roles: roles(&principal.roles),
        token: login.token,
        user: login.user,
        expires: rfc3339(login.expires),
    })
}

fn too_many(wait: &Wait) -> Response {
    let mut response = Problem::with_status(StatusCode::TOO_MANY_REQUESTS, &wait.error()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.seconds));
    response
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/session", tag = "session", operation_id = "get_session",
    responses((status = 200, body = Who)))]
pub(crate) async fn who(Caller(caller): Caller) -> axum::Json<Who> {
    axum::Json(Who { user: caller.name, roles: roles(&caller.roles), operator: caller.operator })
}

/// End the session
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", operation_id = "end_session",
    responses((status = 204, description = "Ended")))]
pub(crate) async fn end(State(app): State<App>, headers: HeaderMap, _: Caller) -> Result<StatusCode, Problem> {
    let token = bearer(&headers).ok_or_else(|| Error::invalid("the operator has no session to end"))?;
    app.archive.logout(token).await?;
    Ok(StatusCode::NO_CONTENT)
}
