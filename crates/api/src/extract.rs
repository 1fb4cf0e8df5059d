//! What handlers take from a request; each refusal is a problem document.

use archive::Error;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::Problem;

/// No request but an upload has a larger body.
const MAX_JSON_BYTES: usize = 1 << 20;

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 1000;

/// A JSON body. Members that the type does not have are refused by name; an empty body stands for `{}`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let sent_as_json = is_json(request.headers());
        let bytes =
            Limited::new(request.into_body(), MAX_JSON_BYTES).collect().await.map_err(|e| unreadable(&*e))?.to_bytes();
        if !bytes.is_empty() && !sent_as_json {
            let error = Error::invalid("the body is not sent as JSON").hint("set Content-Type: application/json");
            return Err(Problem::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error));
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // A list would fill the members in the order of the type, which is nobody's interface.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::invalid("the body does not fit: it is no JSON object").into());
        }
        serde_json::from_slice(text).map(Self).map_err(|e| Error::invalid(format!("the body does not fit: {e}")).into())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Problem {
    if error.is::<LengthLimitError>() {
        return too_large();
    }
    Error::invalid("the body ended early").into()
}

fn too_large() -> Problem {
    let error = Error::invalid(format!("the body is larger than {MAX_JSON_BYTES} bytes")).code("too_large");
    Problem::with_status(StatusCode::PAYLOAD_TOO_LARGE, &error)
}

/// Query parameters; unknown ones are refused by name.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refuse = |e: QueryRejection| Error::invalid(format!("the query does not fit: {}", e.body_text()));
        Ok(Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(refuse)?)
    }
}

/// The one parameter of a path, decoded once.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refuse = |_| Error::invalid("the path is not UTF-8, percent-encoded");
        Ok(Path::from_request_parts(parts, state).await.map(|Path(text)| Self(text)).map_err(refuse)?)
    }
}

/// Where a page begins, and how long it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// The id of the last item of the page before.
    #[serde(default)]
    after: Option<String>,
    /// 50 if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl PageParams {
    /// The cursor, which must be an id of so many hexadecimal digits: beyond any other text lies a page, but not the next.
    pub(crate) fn after(&self, digits: usize) -> Result<Option<&str>, Error> {
        let Some(after) = self.after.as_deref() else { return Ok(None) };
        let hex = after.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || after.len() != digits {
            return Err(no_cursor());
        }
        Ok(Some(after))
    }

    pub(crate) fn limit(&self) -> Result<usize, Error> {
        checked(self.limit.unwrap_or(DEFAULT_PAGE))
    }
}

/// Where a page of a list begins that most clients want whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// The key of the last item of the page before, as its `Link` has it.
    #[serde(default)]
    after: Option<String>,
    /// Everything if not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl ListParams {
    /// The cursor, which must have the form of the list's keys; an empty one has none.
    pub(crate) fn after(&self, has_form: impl Fn(&str) -> bool) -> Result<Option<&str>, Error> {
        match self.after.as_deref() {
            Some(after) if after.is_empty() || !has_form(after) => Err(no_cursor()),
            after => Ok(after),
        }
    }

    /// The items behind `after` in the order of their keys, as many as were asked for. If there are more, the answer
    /// names the page after it in a `Link` header (RFC 8288).
    pub(crate) fn slice<T, B>(
        &self,
        mut items: Vec<T>,
        after: Option<&str>,
        key: impl Fn(&T) -> String,
    ) -> Result<Response, Error>
    where
        B: Serialize + From<T>,
    {
        let limit = self.limit.map(checked).transpose()?;
        items.sort_by_cached_key(&key);
        items.retain(|item| after.is_none_or(|after| key(item).as_str() > after));
        let next = limit.filter(|limit| items.len() > *limit).and_then(|limit| {
            items.truncate(limit);
            items.last().map(|last| link(&key(last), limit))
        });
        let bodies: Vec<B> = items.into_iter().map(B::from).collect();
        Ok(linked(axum::Json(bodies), next))
    }
}

fn checked(limit: usize) -> Result<usize, Error> {
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::invalid(format!("limit {limit} is not between 1 and {MAX_PAGE}")));
    }
    Ok(limit)
}

fn no_cursor() -> Error {
    Error::invalid("`after` is no cursor of this list").hint("take it from the page before")
}

/// A page as a JSON array. A full one names the page after it in a `Link` header (RFC 8288), `next` being the cursor.
pub(crate) fn page<T: Serialize>(items: &[T], limit: usize, cursor: impl Fn(&T) -> &str) -> Response {
    let next = items.last().filter(|_| items.len() >= limit).map(|last| link(cursor(last), limit));
    linked(axum::Json(items), next)
}

fn link(cursor: &str, limit: usize) -> String {
    let cursor: String = cursor.bytes().map(percent).collect();
    format!("<?after={cursor}&limit={limit}>; rel=\"next\"")
}

fn linked(body: impl IntoResponse, next: Option<String>) -> Response {
    let mut response = body.into_response();
    if let Some(link) = next.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// Bytes that are text of a kind.
pub(crate) fn text(content_type: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body.into()).into_response()
}
