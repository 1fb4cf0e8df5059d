//! Work that comes again and again.

use archive::{Error, time::rfc3339};
use axum::{Json, extract::State, response::Response};

use crate::{
    Problem,
    bodies::{EditSchedule, Schedule},
    extract::{self, ListParams, Params, PathText},
    guard::Caller,
    processes::accepted,
    router::App,
};

/// Every schedule, by id
///
/// All at once unless `limit` is given; a page with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/schedules", tag = "schedules", operation_id = "list_schedules", params(ListParams),
    responses((status = 200, body = Vec<Schedule>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<ListParams>) -> Result<Response, Problem> {
    let after = params.after(|_| true)?;
    Ok(params.slice::<_, Schedule>(app.archive.schedules.list().await?, after, |schedule| schedule.id.clone())?)
}

/// Enable or disable a schedule
#[utoipa::path(patch, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "edit_schedule",
    params(("id" = String, Path)), request_body = EditSchedule, responses((status = 200, body = Schedule)))]
pub(crate) async fn edit(
    State(app): State<App>,
    PathText(id): PathText,
    extract::Json(given): extract::Json<EditSchedule>,
) -> Result<Json<Schedule>, Problem> {
    app.archive.schedules.set_enabled(&id, given.enabled).await?;
    Ok(Json(find(&app, &id).await?))
}

/// Delete a schedule
///
/// The end of the next import makes the one for `restructure` again.
#[utoipa::path(delete, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "delete_schedule",
    params(("id" = String, Path)), responses((status = 200, description = "What was deleted", body = Schedule)))]
pub(crate) async fn delete(State(app): State<App>, PathText(id): PathText) -> Result<Json<Schedule>, Problem> {
    let schedule = find(&app, &id).await?;
    app.archive.schedules.delete(&id).await?;
    Ok(Json(schedule))
}

/// Run a schedule now
#[utoipa::path(post, path = "/api/v1/schedules/{id}/run", tag = "schedules", operation_id = "run_schedule",
    params(("id" = String, Path)), responses((status = 202, description = "Queued", body = crate::bodies::ProcessStarted)))]
pub(crate) async fn run(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(id): PathText,
) -> Result<Response, Problem> {
    Ok(accepted(app.archive.run_schedule(&id, &caller.name).await?))
}

async fn find(app: &App, id: &str) -> Result<Schedule, Error> {
    let schedule = app.archive.schedules.list().await?.into_iter().find(|schedule| schedule.id == id);
    schedule.map(Schedule::from).ok_or_else(|| Error::not_found(format!("schedule {id:?} does not exist")))
}

impl From<archive::ports::Schedule> for Schedule {
    fn from(schedule: archive::ports::Schedule) -> Self {
        let job = serde_json::to_value(&schedule.job).unwrap_or_default();
        let kind = job.get("job").and_then(|word| word.as_str()).unwrap_or(&schedule.id).to_owned();
        let next_run = schedule.next_run.filter(|_| schedule.enabled).and_then(rfc3339);
        Self { kind, every_minutes: schedule.every_minutes, enabled: schedule.enabled, next_run, id: schedule.id }
    }
}
