//! Errors as RFC 9457 problem documents.

use std::any::Any;

use archive::{Error, ErrorKind};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is an error, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `kind` and `code` say more than an address would (RFC 9457, 4.2.1).
    #[serde(rename = "type")]
    pub type_: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What went wrong, naming the thing.
    pub detail: String,
    /// What to do: `invalid`, `denied`, `not_found`, `conflict`, `unavailable`, `corrupt`, `internal`.
    pub kind: String,
    /// For machines: a code of the interface or of the volume format, else the kind.
    pub code: String,
    /// Advice, where there is some.
    pub hint: Option<String>,
}

/// The one table from kinds to statuses.
fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// An error with a status that only HTTP knows (405, 413 …).
    pub(crate) fn with_status(status: StatusCode, error: &Error) -> Self {
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            tracing::error!(kind = error.kind().as_str(), "{error}");
        }
        Self {
            type_: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            // The causes of an internal error are for the log alone.
            detail: if error.kind() == ErrorKind::Internal { error.message().into() } else { error.to_string() },
            kind: error.kind().as_str().into(),
            code: error.machine_code().into(),
            hint: error.advice().map(str::to_owned),
        }
    }

    /// Something that this place of running does not offer.
    pub(crate) fn not_offered(what: &str, hint: &str) -> Self {
        let error = Error::invalid(format!("{what} is not offered here")).code("not_offered").hint(hint);
        Self::with_status(StatusCode::NOT_IMPLEMENTED, &error)
    }

    /// No session, or one that has ended.
    pub(crate) fn no_session() -> Self {
        let error = Error::denied("a session is needed").code("no_session");
        error.hint("POST /api/v1/session, then send the token as Authorization: Bearer TOKEN").into()
    }

    /// What is left of a panic; its text is for the log alone.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let error = Error::internal("the request could not be completed").hint("the server's log has the reason");
        tracing::error!("a handler panicked: {}", text.unwrap_or("no text"));
        error.into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // Who one is has not been shown: that is not the 403 of somebody known who may not (RFC 9110, 15.5.2).
        let status = match error.machine_code() {
            "no_session" | "wrong_login" => StatusCode::UNAUTHORIZED,
            _ => status_of(error.kind()),
        };
        Self::with_status(status, &error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of strings and a number always serializes.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
