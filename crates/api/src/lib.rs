//! The HTTP interface: `/api/v1/…`, `/api/openapi.json`, `/healthz` and `/metrics` as one router.
//!
//! The only crate that knows HTTP: paths, status codes, bearer tokens, problem documents (RFC 9457), OpenAPI. It
//! translates and decides nothing: whatever a route answers, `archive` has decided. The same router serves the network,
//! answers the command line inside its own process, and stands behind a gateway. So nothing here needs a long-lived
//! connection: long work answers 202 with a process, and whoever asked polls it.
//!
//! Who may call what is one table, [`access`]. A caller is somebody with a session, or the operator: the command line
//! puts [`archive::access::Principal::operator`] into the extensions of a request. Nothing that comes over a network can
//! put anything there, and a request that has a peer address is never the operator's.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use archive::access::Principal;
//! use axum::{body::Body, http::Request};
//! use tower::ServiceExt as _;
//!
//! let archive = archive::testing::Memory::new(1).archive();
//! let router = api::router(archive, api::Options::default());
//!
//! let mut request = Request::get("/api/v1/mailboxes").body(Body::empty())?;
//! let stranger = router.clone().oneshot(Request::get("/api/v1/mailboxes").body(Body::empty())?).await?;
//! assert_eq!(stranger.status(), 401);
//!
//! request.extensions_mut().insert(Principal::operator());
//! let answer = router.oneshot(request).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```

pub mod bodies;
mod door;
mod extract;
mod grants;
mod guard;
mod imports;
mod limiter;
mod mailboxes;
mod mails;
mod mapping;
mod metrics;
mod openapi;
mod options;
mod peers;
mod problem;
mod processes;
mod reports;
mod router;
mod schedules;
mod serve;
mod session;
mod status;
mod table;
mod uploads;
mod users;

pub use openapi::{openapi, openapi_text};
pub use options::{JobsWaiting, Options};
pub use problem::Problem;
pub use router::router;
pub use serve::serve;
pub use table::{Access, Needs, access};
