//! What the archive says of itself.

use std::collections::BTreeMap;

use archive::{DoorStatus, ports::DoorState};
use axum::{Json, extract::State};
use serde::Serialize;

use crate::{
    Problem,
    bodies::{Certificate, Health, Sftp, Space, Status},
    router::App,
};

/// The archive about itself
#[utoipa::path(get, path = "/api/v1/status", tag = "status", operation_id = "get_status", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(app): State<App>) -> Result<Json<Status>, Problem> {
    let certificate = app.archive.recipient_certificate().await?;
    let upload_space = match &app.options.landing {
        Some(landing) => Some(landing.space().await?),
        None => None,
    };
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        recipient_certificate: certificate.pem,
        recipient_certificate_sha256: certificate.sha256,
        sftp: sftp(app.archive.door().await?),
        upload_space: upload_space.map(|s| Space { total_bytes: s.total_bytes, free_bytes: s.free_bytes }),
        uploads: by_state(app.archive.uploads().await?.iter().map(|upload| upload.state)),
        reports_waiting: app.archive.reports_waiting().await?,
    }))
}

fn sftp(door: DoorStatus) -> Option<Sftp> {
    let (host, fingerprint) = (door.host?, door.fingerprint?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    (door.state == DoorState::Open).then(|| Sftp { address: format!("{host}:{}", door.port), fingerprint })
}

/// The archive's own certificate
///
/// For `export --recipient`.
#[utoipa::path(get, path = "/api/v1/certificate", tag = "status", operation_id = "get_certificate",
    responses((status = 200, body = Certificate)))]
pub(crate) async fn certificate(State(app): State<App>) -> Result<Json<Certificate>, Problem> {
    let certificate = app.archive.recipient_certificate().await?;
    Ok(Json(Certificate { pem: certificate.pem, sha256: certificate.sha256 }))
}

/// Whether the server answers
#[utoipa::path(get, path = "/healthz", tag = "status", operation_id = "get_health", responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok".into() })
}

/// How many there are of each state, by its word.
pub(crate) fn by_state<S: Serialize>(states: impl Iterator<Item = S>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for state in states {
        let word = serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned));
        *counts.entry(word.unwrap_or_default()).or_default() += 1;
    }
    counts
}
