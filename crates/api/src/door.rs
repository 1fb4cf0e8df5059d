//! The SFTP door.

use archive::{DoorStatus, time::rfc3339};
use axum::{Json, extract::State, http::StatusCode};

use crate::{
    Problem,
    bodies::{Door, DoorMode, DoorState, OpenDoor},
    extract,
    guard::Caller,
    router::App,
};

/// Where SFTP clients connect
#[utoipa::path(get, path = "/api/v1/door", tag = "door", operation_id = "get_door", responses((status = 200, body = Door)))]
pub(crate) async fn status(State(app): State<App>) -> Result<Json<Door>, Problem> {
    Ok(Json(app.archive.door().await?.into()))
}

/// Open the SFTP door for some days
///
/// Answers while the server starts up, which takes some minutes; poll it. A door that is open stays open at least so
/// long. On AWS an open door costs some $220 a month, used or not. Refused where the door is always open, or where there
/// is none.
#[utoipa::path(post, path = "/api/v1/door", tag = "door", operation_id = "open_door", request_body = OpenDoor,
    responses((status = 202, description = "Opens", body = Door)))]
pub(crate) async fn open(
    State(app): State<App>,
    Caller(caller): Caller,
    extract::Json(given): extract::Json<OpenDoor>,
) -> Result<(StatusCode, Json<Door>), Problem> {
    let status = app.archive.open_door(given.days, &caller.name).await?;
    Ok((StatusCode::ACCEPTED, Json(status.into())))
}

/// Close the SFTP door
///
/// At once: an upload that is under way is cut off.
#[utoipa::path(delete, path = "/api/v1/door", tag = "door", operation_id = "close_door",
    responses((status = 200, description = "Closed, or about to be", body = Door)))]
pub(crate) async fn close(State(app): State<App>, Caller(caller): Caller) -> Result<Json<Door>, Problem> {
    Ok(Json(app.archive.close_door(&caller.name).await?.into()))
}

impl From<DoorStatus> for Door {
    fn from(status: DoorStatus) -> Self {
        Self {
            mode: match status.mode {
                archive::DoorMode::None => DoorMode::None,
                archive::DoorMode::OnDemand => DoorMode::OnDemand,
                archive::DoorMode::Always => DoorMode::Always,
            },
            state: match status.state {
                archive::ports::DoorState::Closed => DoorState::Closed,
                archive::ports::DoorState::Opening => DoorState::Opening,
                archive::ports::DoorState::Open => DoorState::Open,
                archive::ports::DoorState::Closing => DoorState::Closing,
                archive::ports::DoorState::Failed => DoorState::Failed,
            },
            host: status.host,
            port: status.port,
            fingerprint: status.fingerprint,
            closes: status.closes.and_then(rfc3339),
            opened_by: status.by,
            hint: status.price.map(|price| format!("an open door costs {price}, used or not")),
        }
    }
}
