//! A running server, reached over HTTP or HTTPS.

use archive::Error;
use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, Uri, header, uri::PathAndQuery},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::failure::{Failure, Result};

/// One server and the token we have there.
pub(crate) struct Remote {
    http: Client<HttpsConnector<HttpConnector>, Body>,
    /// Scheme and authority, and the path below which the interface lies.
    base: Uri,
    token: Option<HeaderValue>,
}

impl Remote {
    /// `Invalid` for an address that is none, or a token that no header holds.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Result<Self> {
        let wrong = || Error::invalid(format!("{url:?} is not the address of a server")).hint("like http://host:8080");
        let base: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.authority().is_none() {
            return Err(wrong().into());
        }
        let token = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let mut token = token.transpose().map_err(|_| Error::invalid("the token is not one of a server"))?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let roots = HttpsConnectorBuilder::new().with_native_roots();
        let roots =
            roots.map_err(|error| Error::unavailable("no trusted certificates on this machine").caused_by(error))?;
        let http = Client::builder(TokioExecutor::new()).build(roots.https_or_http().enable_http1().build());
        Ok(Self { http, base, token })
    }

    /// Sends a request whose address has no host yet.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>> {
        *request.uri_mut() = self.whole(request.uri())?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        let response = self.http.request(request).await.map_err(|error| self.unreachable(error))?;
        Ok(response.map(Body::new))
    }

    /// What lies at a link that the server gave. It is open to whoever has it, so the token is not sent along.
    pub(crate) async fn follow(&self, link: &str) -> Result<Response<Body>> {
        let wrong = || Error::unavailable("the server gave a link that cannot be followed");
        let link: Uri = link.parse().map_err(|_| wrong())?;
        let is_as_safe = link.scheme_str() == Some("https") || link.scheme_str() == self.base.scheme_str();
        if !is_as_safe || link.authority().is_none() {
            return Err(wrong().into());
        }
        let request = Request::get(link).body(Body::empty()).map_err(|error| wrong().caused_by(error))?;
        let response = self.http.request(request).await.map_err(|error| wrong().caused_by(error))?;
        Ok(response.map(Body::new))
    }

    fn whole(&self, path: &Uri) -> Result<Uri> {
        let below = self.base.path().trim_end_matches('/');
        let joined = format!("{below}{}", path.path_and_query().map_or("/", PathAndQuery::as_str));
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(joined.parse().map_err(|_| Error::invalid(format!("{joined:?} is no path")))?);
        Uri::from_parts(parts).map_err(|error| Error::invalid("the address cannot be made").caused_by(error).into())
    }

    fn unreachable(&self, error: hyper_util::client::legacy::Error) -> Failure {
        Error::unavailable(format!("server {} does not answer", self.base))
            .hint("is it running?")
            .caused_by(error)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_lie_below_a_path() {
        let remote = Remote::new("https://mail.example.org/postkahn/", None).unwrap();
        let whole = remote.whole(&Uri::from_static("/api/v1/mails?limit=1")).unwrap();
        assert_eq!(whole, "https://mail.example.org/postkahn/api/v1/mails?limit=1");
        for wrong in ["", "localhost:8080", "ftp://x", "/data"] {
            assert!(Remote::new(wrong, None).is_err(), "{wrong}");
        }
    }
}
