//! What the surroundings of the router offer.

use std::{sync::Arc, time::Duration};

use archive::ports::Landing;
use futures::future::BoxFuture;

/// Answers how many jobs wait in the queue.
pub type JobsWaiting = Arc<dyn Fn() -> BoxFuture<'static, archive::Result<u64>> + Send + Sync>;

/// What this place of running can do beyond the archive itself. By default nothing: that is how it runs as a function.
#[derive(Clone)]
pub struct Options {
    /// Takes upload bodies; without it `PUT /uploads/{name}` answers 501.
    pub landing: Option<Arc<dyn Landing>>,
    /// The most that one user's uploads may take.
    pub quota_bytes: Option<u64>,
    /// Processes stream their lines as server-sent events; otherwise that route answers 501.
    pub events: bool,
    /// `/metrics` needs no session. Only for a server that is bound to a loopback address; otherwise an Admin's token is
    /// needed, because the figures tell how much mail there is.
    pub metrics_open: bool,
    pub jobs_waiting: Option<JobsWaiting>,
    /// The answer to a network request begins within this time, or ten times as long where imports are started; not
    /// counted for the body of an upload.
    pub timeout: Duration,
    /// A mail beyond this many bytes is not sent as an answer, which could not carry it: the answer is a link to a copy
    /// that goes by itself.
    pub largest_mail_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            landing: None,
            quota_bytes: None,
            events: false,
            metrics_open: false,
            jobs_waiting: None,
            timeout: Duration::from_mins(1),
            largest_mail_bytes: None,
        }
    }
}
