//! Imports that have lost their jobs: a queue may lose what a worker was about to send on, and dead letters are final.

use super::{Import, claim::Live, shard::Shard, target::Closing};
use crate::{Archive, ImportId, Result, process::Severity, records::readable};

/// Work of which nothing was heard for so long has no job any more: no queue delays one longer.
pub(crate) const LOST_SECONDS: i64 = 15 * 60;

impl Archive {
    /// Sends the jobs of such imports again. One that was not lost after all does no harm.
    pub(crate) async fn wake_imports(&self) -> Result<()> {
        for live in self.all::<Live>(None).await? {
            // Without its import the row belongs to a start that was cut off; the next start takes it.
            let Some(import) = self.find::<Import>(&live.import.0).await?.map(|stored| stored.value) else { continue };
            if import.finished.is_some() {
                self.tidy_up(&import.id).await?;
                // Another file of it had the row before, or it is of old.
                self.forget_row(&live).await?;
            } else if self.last_news(&import).await? + LOST_SECONDS <= self.clock.now() {
                self.wake(&import).await?;
            }
        }
        Ok(())
    }

    /// When somebody last did something to the import. A lease that has not ended counts as now.
    async fn last_news(&self, import: &Import) -> Result<i64> {
        let closing =
            self.find::<Closing>(&import.id.0).await?.map(|stored| (stored.value.touched, stored.value.holder));
        let shards = self.shards(import).await?.into_iter().map(|shard| (shard.touched, shard.holder));
        let news = shards.chain(closing).map(|(touched, holder)| match holder {
            Some(holder) if holder.is_other(self) => self.clock.now(),
            _ => touched,
        });
        Ok(news.fold(import.touched.max(import.started), i64::max))
    }

    /// An import that another worker works on now, if there is one; rows that cannot be read tell of none.
    pub(crate) async fn import_at_work(&self) -> Result<Option<ImportId>> {
        let imports = self.all_readable::<Import>(None).await?;
        for import in imports.into_iter().filter(|import| import.finished.is_none()) {
            let shards = self.all_readable::<Shard>(Some(&import.id.0)).await?;
            let is_closing = readable(self.is_held::<Closing>(None, &import.id.0).await)? == Some(true);
            if is_closing || shards.into_iter().filter_map(|shard| shard.holder).any(|holder| holder.is_other(self)) {
                return Ok(Some(import.id));
            }
        }
        Ok(None)
    }

    async fn wake(&self, import: &Import) -> Result<()> {
        let now = self.clock.now();
        let touch = |import: &mut Import| {
            import.touched = now;
            Ok(())
        };
        let import = self.update::<Import>(&import.id.0, touch).await?.value;
        let text = format!("{}: nothing was heard of it for {} minutes, it is woken", import.file, LOST_SECONDS / 60);
        self.say(&import.process, Severity::Info, text).await?;
        self.send_shards(&import).await
    }
}
