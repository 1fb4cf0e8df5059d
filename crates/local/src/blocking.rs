//! Work that waits for a disk, off the threads that serve everybody.

use archive::{Error, Result};

/// Runs the work on a thread of its own. It runs to its end even if the caller goes away.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|broken| Err(Error::internal("work on the disk broke off").caused_by(broken)))
}
