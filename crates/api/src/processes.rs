//! The process log, and the work that shows in it.

use std::{convert::Infallible, time::Duration};

use archive::{Depth, Error, ProcessId, process, time::rfc3339};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    Problem,
    bodies::{Failure, Line, Process, ProcessStarted, ProcessState, Severity, StartCheck, StartRestructure},
    extract::{self, PageParams, Params, PathText, page},
    guard::Caller,
    router::App,
};

/// How often a watched process is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A watcher asks again after so long, and shows its session again.
const WATCH: Duration = Duration::from_mins(30);
const LINES: usize = 500;
/// Digits of the id of a process or an import: seconds and a random number.
pub(crate) const ID_DIGITS: usize = 26;
/// Digits of the `seq` of a line.
const SEQ_DIGITS: usize = 34;

/// Processes, by time of start
///
/// A full page has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/processes", tag = "processes", operation_id = "list_processes", params(PageParams),
    responses((status = 200, body = Vec<Process>)))]
pub(crate) async fn list(State(app): State<App>, Params(params): Params<PageParams>) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let processes = app.archive.processes(params.after(ID_DIGITS)?, limit).await?;
    let processes: Vec<_> = processes.into_iter().map(Process::from).collect();
    Ok(page(&processes, limit, |process| &process.id))
}

/// One process
#[utoipa::path(get, path = "/api/v1/processes/{id}", tag = "processes", operation_id = "get_process",
    params(("id" = String, Path)), responses((status = 200, body = Process)))]
pub(crate) async fn get(State(app): State<App>, PathText(id): PathText) -> Result<Json<Process>, Problem> {
    Ok(Json(app.archive.process(&ProcessId(id)).await?.into()))
}

/// The lines of a process, in order
///
/// `after` is the `seq` of the last line seen: poll with it for what is new.
#[utoipa::path(get, path = "/api/v1/processes/{id}/lines", tag = "processes", operation_id = "list_lines",
    params(("id" = String, Path), PageParams), responses((status = 200, body = Vec<Line>)))]
pub(crate) async fn lines(
    State(app): State<App>,
    PathText(id): PathText,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let (after, limit) = (params.after(SEQ_DIGITS)?, params.limit()?);
    let process = app.archive.process(&ProcessId(id)).await?;
    let lines = app.archive.process_lines(&process.id, after, limit).await?;
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    Ok(page(&lines, limit, |line| &line.seq))
}

/// Watch a process
///
/// Server-sent events: `line` with a Line for each line, from the one after `Last-Event-ID` on; `end` with the Process
/// when it has ended. 501 where connections do not last: poll `lines` there.
#[utoipa::path(get, path = "/api/v1/processes/{id}/events", tag = "processes", operation_id = "watch_process",
    params(("id" = String, Path), ("Last-Event-ID" = Option<String>, Header, description = "`seq` of the last line seen")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn events(
    State(app): State<App>,
    PathText(id): PathText,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !app.options.events {
        return Err(Problem::not_offered("a stream of events", "poll the process and its lines"));
    }
    let id = app.archive.process(&ProcessId(id)).await?.id;
    let seen = headers.get("last-event-id").and_then(|seq| seq.to_str().ok()).map(str::to_owned);
    let full = |_| Error::unavailable("too many processes are being watched").hint("poll its lines");
    let place = app.watchers.clone().try_acquire_owned().map_err(full)?;
    Ok(Sse::new(watch(app, id, seen, place)).keep_alive(KeepAlive::default()).into_response())
}

/// Lines as they come, then the end. An error ends the stream; the watcher comes again by itself.
fn watch(
    app: App,
    id: ProcessId,
    mut seen: Option<String>,
    place: OwnedSemaphorePermit,
) -> impl futures::Stream<Item = Result<Event, Infallible>> + Send {
    async_stream::stream! {
        let _place = place;
        let until = app.archive.clock.boot().saturating_add(WATCH);
        while app.archive.clock.boot() < until {
            // The state first: whatever a process says, it says before it ends.
            let Ok(process) = app.archive.process(&id).await else { return };
            let Ok(lines) = app.archive.process_lines(&id, seen.as_deref(), LINES).await else { return };
            let more = lines.len() == LINES;
            for line in lines {
                seen = Some(line.seq.clone());
                yield Ok(event("line", &Line::from(line)).id(seen.clone().unwrap_or_default()));
            }
            if process.state.ended() && !more {
                yield Ok(event("end", &Process::from(process)));
                return;
            }
            if !more {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// JSON has no raw line feeds, so it is one `data` line.
fn event(name: &str, body: &impl serde::Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default())
}

/// Recreate the structure
///
/// Works through the reports of ended imports: mailboxes, folders, placements. With `dry_run` nothing is created, and the
/// process ends with the figures of the run that would come, and with each mailbox that it would fill.
#[utoipa::path(post, path = "/api/v1/restructure", tag = "processes", operation_id = "start_restructure",
    request_body = Option<StartRestructure>,
    responses((status = 202, description = "Queued", body = ProcessStarted)))]
pub(crate) async fn restructure(
    State(app): State<App>,
    Caller(caller): Caller,
    extract::Json(given): extract::Json<StartRestructure>,
) -> Result<Response, Problem> {
    let process = if given.dry_run {
        app.archive.start_preview(&caller.name).await?
    } else {
        app.archive.start_restructure(&caller.name).await?
    };
    Ok(accepted(process))
}

/// Check the archive
#[utoipa::path(post, path = "/api/v1/check", tag = "processes", operation_id = "start_check", request_body = Option<StartCheck>,
    responses((status = 202, description = "Queued", body = ProcessStarted)))]
pub(crate) async fn check(
    State(app): State<App>,
    Caller(caller): Caller,
    extract::Json(given): extract::Json<StartCheck>,
) -> Result<Response, Problem> {
    Ok(accepted(
        app.archive.start_check(Depth { read_data: given.read_data, repair: given.repair }, &caller.name).await?,
    ))
}

/// 202 with the process to watch.
pub(crate) fn accepted(process: ProcessId) -> Response {
    (StatusCode::ACCEPTED, Json(ProcessStarted { process: process.0 })).into_response()
}

impl From<process::Process> for Process {
    fn from(process: process::Process) -> Self {
        Self {
            id: process.id.0,
            kind: process.kind,
            title: process.title,
            state: match process.state {
                process::ProcessState::Waiting => ProcessState::Waiting,
                process::ProcessState::Running => ProcessState::Running,
                process::ProcessState::Finished => ProcessState::Finished,
                process::ProcessState::Failed => ProcessState::Failed,
                process::ProcessState::Cancelled => ProcessState::Cancelled,
            },
            severity: process.severity.into(),
            started: rfc3339(process.started),
            finished: process.finished.and_then(rfc3339),
            by: process.by,
            result: process.result,
            error: process.error.map(|e| Failure { kind: e.kind, code: e.code, message: e.message, hint: e.hint }),
        }
    }
}

impl From<process::Line> for Line {
    fn from(line: process::Line) -> Self {
        Self { seq: line.seq, at: rfc3339(line.at), severity: line.severity.into(), text: line.text }
    }
}

impl From<process::Severity> for Severity {
    fn from(severity: process::Severity) -> Self {
        match severity {
            process::Severity::Info => Self::Info,
            process::Severity::Warning => Self::Warning,
            process::Severity::Error => Self::Error,
        }
    }
}
