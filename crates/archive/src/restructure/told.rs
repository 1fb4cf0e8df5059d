//! What a run of restructure does with a report, told by objects: nothing else in the object store says under which
//! addresses the mails of a report were placed.
//!
//! ```text
//! placements/<import>-<first 16 hex digits of the plan's hash>-begun.json   before the first mail is placed
//! placements/<import>-<first 16 hex digits of the plan's hash>-done.json    after the last one
//! {"format": "postkahn placements", "version": 1, "import": …, "plan": …, "stage": …, "addresses": {user archive: address, …}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Archive, Error, ErrorKind, ImportId, MailboxAddress, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
};

pub(crate) const PLACEMENTS: &str = "placements/";
const FORMAT: &str = "postkahn placements";
const VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Some of the mails may have been placed.
    Begun,
    /// All of them were.
    Done,
}

/// Under which addresses the mails of a report are placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    format: String,
    version: u32,
    pub(crate) import: ImportId,
    /// Hex SHA-256 of the addresses.
    pub(crate) plan: String,
    pub(crate) stage: Stage,
    /// By user archive, those that were no conflict.
    pub(crate) addresses: BTreeMap<String, MailboxAddress>,
}

/// Hex SHA-256 of some addresses: names the plan, and shows that none of them has changed.
pub(super) fn plan_of<'a>(addresses: impl IntoIterator<Item = (&'a String, &'a MailboxAddress)>) -> String {
    let mut hasher = Sha256::new();
    for (archive, address) in addresses {
        hasher.update(format!("{archive:?} {address}\n"));
    }
    to_hex(&hasher.finalize())
}

impl Told {
    pub(super) fn new(import: ImportId, plan: &str, addresses: BTreeMap<String, MailboxAddress>) -> Self {
        let (format, plan) = (FORMAT.to_owned(), plan.to_owned());
        Self { format, version: VERSION, import, plan, stage: Stage::Begun, addresses }
    }

    fn key(&self) -> Result<ObjectKey> {
        let stage = match self.stage {
            Stage::Begun => "begun",
            Stage::Done => "done",
        };
        let plan = self.plan.get(..16).unwrap_or_default();
        ObjectKey::parse(format!("{PLACEMENTS}{}-{plan}-{stage}.json", self.import))
    }
}

/// The id of the import of which this object says, by its name alone, that all of its mails were placed.
pub(crate) fn placed_by_name(key: &ObjectKey) -> Option<&str> {
    let name = key.as_str().strip_prefix(PLACEMENTS)?.strip_suffix("-done.json")?;
    name.rsplit_once('-').map(|(import, _)| import)
}

impl Archive {
    /// Writes the object of a stage; one that is there says the same.
    pub(super) async fn tell(&self, told: &Told, stage: Stage) -> Result<()> {
        let told = Told { stage, ..told.clone() };
        let json = serde_json::to_vec_pretty(&told)
            .map_err(|e| Error::internal("what is placed cannot be told").caused_by(e))?;
        match self.objects.put(&told.key()?, json.into(), PutMode::IfAbsent).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
    }

    /// Reads such an object; `Corrupt` unless it is whole and in its place.
    pub(crate) async fn told(&self, key: &ObjectKey) -> Result<Told> {
        let damaged = || Error::corrupt(format!("{key} is damaged"));
        let meta = self.objects.head(key).await?.ok_or_else(damaged)?;
        let json = self.objects.get(key, 0..meta.size_bytes, None).await?;
        let told: Told = serde_json::from_slice(&json).map_err(|e| damaged().caused_by(e))?;
        let is_whole = told.plan == plan_of(&told.addresses);
        if told.format != FORMAT || told.version != VERSION || !is_whole || told.key()? != *key {
            return Err(damaged());
        }
        Ok(told)
    }
}
