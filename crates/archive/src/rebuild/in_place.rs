//! Rebuild where the catalogue stands, for a store that cannot put a new one in its place at once: a table on AWS.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, ErrorKind, Result,
    import::REPORTS,
    inventory::SLICES,
    kept,
    ports::Expect,
    records::{Record, readable},
    store::PACKS,
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
    /// `Conflict` if there are rows and nobody has said that they are to be replaced, if somebody is at work, or if another
    /// rebuild began before this one ended.
    pub async fn rebuild_in_place(
        &self,
        has_rows: bool,
        replace: bool,
        empty: impl AsyncFnOnce(&str) -> Result<()>,
    ) -> Result<Vec<String>> {
        let is_unfinished = self.is_rebuild_unfinished().await?;
        if has_rows && !replace && !is_unfinished {
            return Err(Error::conflict("the catalogue is not empty").hint(
                "`--dry-run` counts what it holds; `--replace` deletes that, and makes it anew from the objects",
            ));
        }
        if let Some(work) = self.work_in_hand().await? {
            return Err(Error::conflict(format!("{work} at this moment"))
                .hint("let it end, or stop the functions and wait six minutes: docs/aws.md says how"));
        }
        if !is_unfinished {
            self.prepare_rebuild().await?;
        }
        let begun = self.put(Unfinished { since: self.clock.now() }).await?.version;
        let faults = self.make_anew(empty).await.map_err(not_whole)?;
        self.note_whole(begun).await?;
        Ok(faults)
    }

    /// Whether the catalogue is not whole because it is being made anew, or that was cut off.
    pub(crate) async fn is_rebuild_unfinished(&self) -> Result<bool> {
        Ok(self.catalog.load(Unfinished::KIND, ID).await?.is_some())
    }

    /// `Unavailable` until the catalogue is whole: what works by its rows would do too much or too little.
    pub(crate) async fn need_whole_catalogue(&self) -> Result<()> {
        if self.is_rebuild_unfinished().await? {
            return Err(Error::unavailable("the catalogue is being made anew, or that was cut off")
                .hint("wait until `postkahn rebuild` has ended; if it was cut off, run it again"));
        }
        Ok(())
    }

    /// Whatever could fail for want of a right, while the rows are still there; and what the rows alone know.
    async fn prepare_rebuild(&self) -> Result<()> {
        for prefix in [PACKS, SLICES, REPORTS, kept::PREFIX] {
            self.probe(prefix).await?;
        }
        if !self.objects.list(REPORTS, None, 1).await?.is_empty() {
            self.create_schedule().await?;
        }
        self.keep_lone_rows().await
    }

    /// Whether objects below the prefix can be read, by the first one. One that is damaged is no reason against.
    async fn probe(&self, prefix: &str) -> Result<()> {
        let Some(first) = self.objects.list(prefix, None, 1).await?.pop() else { return Ok(()) };
        readable(self.objects.get(&first.key, 0..first.size_bytes.min(1), None).await).map(drop).map_err(|cause| {
            Error::new(cause.kind(), "the objects cannot be read, so that nothing was changed").caused_by(cause)
        })
    }

    async fn make_anew(&self, empty: impl AsyncFnOnce(&str) -> Result<()>) -> Result<Vec<String>> {
        empty(Unfinished::KIND).await?;
        self.rebuild().await
    }

    /// Takes back what was said at the beginning, unless another rebuild says it too.
    async fn note_whole(&self, begun: u64) -> Result<()> {
        match self.catalog.remove(Unfinished::KIND, ID, Expect::Version(begun)).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Err(Error::conflict("another rebuild has begun")
                    .hint("wait until it has ended: the catalogue is its now"))
            }
            removed => removed.map(drop).map_err(not_whole),
        }
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

/// The failure of a rebuild that was cut off in the middle.
fn not_whole(cause: Error) -> Error {
    let again = "run the same command again before the functions are turned on";
    let hint = cause.advice().map_or_else(|| again.to_owned(), |advice| format!("{advice}; then {again}"));
    Error::new(cause.kind(), "the catalogue is not whole").code(cause.machine_code()).hint(hint).caused_by(cause)
}
