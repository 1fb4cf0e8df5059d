//! The volumes that this process has in hand. A large one has many shards; what was verified for the first of them, 40
//! bytes for each mail, all of them share.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::Mutex;
use volume::{Certificate, Verified};

use super::{Import, open::Located};
use crate::{ImportId, Result};

/// So many are kept, the oldest goes: of one that another process has ended nobody here is told.
const KEPT: usize = 2;

/// By import, which is pinned to one version of its volume.
#[derive(Clone, Default)]
pub struct VolumesInHand(Arc<Mutex<VecDeque<(ImportId, Verified)>>>);

impl VolumesInHand {
    /// The import's volume, verified now or before. Whoever needs it meanwhile waits for the first.
    pub(super) async fn verified(
        &self,
        import: &Import,
        located: &Located,
        certificate: &Certificate,
    ) -> Result<Verified> {
        let mut volumes = self.0.lock().await;
        if let Some((_, verified)) = volumes.iter().find(|(id, _)| *id == import.id) {
            return Ok(verified.clone());
        }
        let verified = located.verify(Some(certificate)).await?;
        volumes.truncate(KEPT - 1);
        volumes.push_front((import.id.clone(), verified.clone()));
        Ok(verified)
    }

    /// The import has ended.
    pub(super) async fn forget(&self, import: &ImportId) {
        self.0.lock().await.retain(|(id, _)| id != import);
    }
}
