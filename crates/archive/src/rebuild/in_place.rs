//! Rebuild where the catalogue stands, for a store that cannot put a new one in its place at once: a table on AWS.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, Result,
    records::{Record, readable},
};

const ID: &str = "catalogue";

/// The catalogue is being made anew and is not whole. Written before the first row goes, removed after the last one came.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Unfinished {
    since: i64,
}

impl Record for Unfinished {
    const KIND: &'static str = "rebuild";
    fn id(&self) -> String {
        ID.into()
    }
}

impl Archive {
    /// Makes the catalogue anew in its place; answers what of the objects cannot be read. `has_rows` says whether there is
    /// any row, `empty` takes out all but the documents of the partition that it is given. One that was cut off begins
    /// again.
    ///
    /// `Conflict` if there are rows and nobody has said that they are to be replaced, or if somebody is at work.
    pub async fn rebuild_in_place(
        &self,
        has_rows: bool,
        replace: bool,
        empty: impl AsyncFnOnce(&str) -> Result<()>,
    ) -> Result<Vec<String>> {
        if has_rows && !replace && !self.is_rebuild_unfinished().await? {
            return Err(Error::conflict("the catalogue is not empty").hint(
                "`--dry-run` counts what it holds; `--replace` deletes that, and makes it anew from the objects",
            ));
        }
        if let Some(work) = self.work_in_hand().await? {
            return Err(Error::conflict(format!("{work} at this moment"))
                .hint("let it end, or stop the functions and wait two minutes: docs/aws.md says how"));
        }
        self.put(Unfinished { since: self.clock.now() }).await?;
        empty(Unfinished::KIND).await?;
        let faults = self.rebuild().await?;
        self.drop_record::<Unfinished>(None, ID).await?;
        Ok(faults)
    }

    /// Whether the catalogue is not whole because it is being made anew, or that was cut off.
    pub(crate) async fn is_rebuild_unfinished(&self) -> Result<bool> {
        Ok(self.catalog.load(Unfinished::KIND, ID).await?.is_some())
    }

    /// What another worker does now, in words. Rows that cannot be read tell of nobody: a catalogue that is damaged must not
    /// be in the way of a new one.
    async fn work_in_hand(&self) -> Result<Option<String>> {
        if let Some(import) = self.import_at_work().await? {
            return Ok(Some(format!("import {import} is under way")));
        }
        if readable(self.is_restructured_now().await)? == Some(true) {
            return Ok(Some("a run of restructure is under way".into()));
        }
        let is_emptied = readable(self.is_emptied_now().await)? == Some(true);
        Ok(is_emptied.then(|| "a mailbox is being emptied".into()))
    }
}
