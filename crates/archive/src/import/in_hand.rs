//! The volumes that this process has in hand. Shards of one volume are worked on side by side; what was verified for the
//! first of them, 40 bytes for each mail, all of them share.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use tokio::sync::Mutex;
use volume::{Certificate, Verified};

use super::{Import, open::Located};
use crate::{ImportId, Result};

/// By import, which is pinned to one version of its volume; dropped with the last shard that needs it.
#[derive(Clone, Default)]
pub struct VolumesInHand(Arc<Mutex<HashMap<ImportId, Weak<Verified>>>>);

impl VolumesInHand {
    /// The import's volume, verified now or before. Whoever needs it meanwhile waits for the first.
    pub(super) async fn verified(
        &self,
        import: &Import,
        located: &Located,
        certificate: &Certificate,
    ) -> Result<Arc<Verified>> {
        let mut volumes = self.0.lock().await;
        if let Some(verified) = volumes.get(&import.id).and_then(Weak::upgrade) {
            return Ok(verified);
        }
        let verified = Arc::new(located.verify(Some(certificate)).await?);
        volumes.retain(|_, volume| volume.strong_count() > 0);
        volumes.insert(import.id.clone(), Arc::downgrade(&verified));
        Ok(verified)
    }
}
