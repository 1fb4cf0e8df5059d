//! Locations: each path once, under an id that its mails name.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use archive::{Error, Location, Result, hash::to_hex};
use sha2::{Digest as _, Sha256};

use super::{
    item::{Key, damaged, need_text, text},
    table::Table,
};

/// The first 16 bytes of the SHA-256 of the path's JSON.
pub(super) type LocationId = [u8; 16];

const PATH: &str = "p";
/// So many ids are remembered as written; then all are forgotten.
const REMEMBERED: usize = 100_000;

/// Which locations this process has written.
#[derive(Default)]
pub(super) struct Locations {
    written: Mutex<HashSet<LocationId>>,
}

impl Locations {
    /// The ids of these paths, after each has its item.
    pub(super) async fn write<'a>(
        &self,
        table: &Table,
        paths: impl IntoIterator<Item = &'a Location>,
    ) -> Result<HashMap<&'a Location, LocationId>> {
        let mut ids = HashMap::new();
        for path in paths {
            if !ids.contains_key(path) {
                ids.insert(path, id(path)?);
            }
        }
        let fresh: Vec<_> = {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            ids.iter().filter(|(_, id)| !written.contains(*id)).collect()
        };
        let items = fresh.iter().map(|(path, id)| {
            let mut item = key(id).item();
            item.insert(PATH.into(), text(json(path)?));
            Ok(item)
        });
        table.batch_put(items.collect::<Result<_>>()?).await?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() + ids.len() > REMEMBERED {
            written.clear();
        }
        written.extend(ids.values().copied());
        Ok(ids)
    }

    /// Whatever was written may be gone.
    pub(super) fn forget(&self) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The paths of these ids.
pub(super) async fn read(table: &Table, ids: &BTreeSet<LocationId>) -> Result<HashMap<LocationId, Location>> {
    let keys: Vec<_> = ids.iter().map(key).collect();
    let items = table.batch_get(&keys, true).await?;
    let path = |id: &LocationId| {
        let missing = || Error::corrupt(format!("catalogue item L#{} is missing", to_hex(id)));
        let item = items.get(&key(id)).ok_or_else(missing)?;
        let path = serde_json::from_str(need_text(item, PATH)?).map_err(|e| damaged(item, PATH).caused_by(e))?;
        Ok((*id, path))
    };
    ids.iter().map(path).collect()
}

fn key(id: &LocationId) -> Key {
    Key::new(format!("L#{}", to_hex(id)), "-")
}

fn id(path: &Location) -> Result<LocationId> {
    let digest: [u8; 32] = Sha256::digest(json(path)?).into();
    digest.first_chunk().copied().ok_or_else(|| Error::internal("a digest is too short"))
}

fn json(path: &Location) -> Result<String> {
    serde_json::to_string(path).map_err(|e| Error::internal("a location cannot be written").caused_by(e))
}
