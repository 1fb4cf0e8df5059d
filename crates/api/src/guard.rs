//! Who is calling, and whether they may.

use std::net::SocketAddr;

use archive::access::{Principal, Role};
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Needs, Problem, router::App};

/// Longer than any token that was ever given out.
const MAX_TOKEN_BYTES: usize = 256;

/// The caller, as the guard found them. Handlers know no other way to learn who is calling.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::no_session)
    }
}

/// Lets a request through to its handler if the caller has what the route needs.
pub(crate) async fn guard(State((app, needs)): State<(App, Needs)>, mut request: Request, next: Next) -> Response {
    let needs = match needs {
        Needs::MetricsAccess if app.options.metrics_open => Needs::Nothing,
        Needs::MetricsAccess => Needs::Any(&[Role::Admin]),
        other => other,
    };
    if needs == Needs::Nothing {
        return next.run(request).await;
    }
    let insider = in_process(request.extensions());
    let token = bearer(request.headers()).map(str::to_owned);
    match admit(&app, needs, insider, token).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(app: &App, needs: Needs, insider: Option<Principal>, token: Option<String>) -> Result<Caller, Problem> {
    let principal = match (insider, token) {
        (Some(operator), _) => operator,
        (None, Some(token)) => app.archive.authenticate(&token).await?,
        (None, None) => return Err(Problem::no_session()),
    };
    if let Needs::Any(roles) = needs {
        principal.require(roles)?;
    }
    Ok(Caller(principal))
}

/// The operator, if code of this process says so. A connection's peer address rules that out, so that no mistake in a
/// layer can lift a network request.
pub(crate) fn in_process(extensions: &Extensions) -> Option<Principal> {
    if extensions.get::<ConnectInfo<SocketAddr>>().is_some() {
        return None;
    }
    extensions.get::<Principal>().filter(|principal| principal.operator).cloned()
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1), the one place where a token may be.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let sound = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN_BYTES;
    sound.then_some(token)
}
