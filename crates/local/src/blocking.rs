//! Work that waits for a disk, off the threads that serve everybody.

use archive::{Error, Result};

/// Starts the work at once on a thread of its own, and answers with its end. It runs to that end even if the caller
/// goes away.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send {
    let work = tokio::task::spawn_blocking(work);
    async { work.await.unwrap_or_else(|broken| Err(Error::internal("work on the disk broke off").caused_by(broken))) }
}
