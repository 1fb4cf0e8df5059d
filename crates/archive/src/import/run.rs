//! One worker's turn at one shard of an import.

use std::time::Duration;

use super::{Import, ImportState, room::ASK_AGAIN, shard::Shard, step};
use crate::{
    Archive, Error, ErrorKind, ImportId, Result,
    job::Job,
    lease::Lease,
    process::{Failure, Severity},
};

/// A shard that another worker holds is looked at again after so long, or once that worker's lease ends.
const RETRY: Duration = Duration::from_secs(30);
/// An import that ends early is closed once its workers have seen that.
const SOON: Duration = Duration::from_secs(2);

impl Archive {
    /// Works on the shard until it is done or the deadline (on the boot clock) nears, then hands it on; whoever finds
    /// the last shard done closes the import. Safe to deliver twice, late, and after the import has ended.
    pub(crate) async fn run_import(&self, id: &ImportId, shard: u32, deadline: Duration) -> Result<()> {
        let stop = self.stop_before(deadline);
        let Some(import) = self.find::<Import>(&id.0).await?.map(|stored| stored.value) else { return Ok(()) };
        if import.finished.is_some() {
            return self.tidy_up(id).await;
        }
        if import.state.ended() {
            return self.close_unless_held(import, shard, stop).await;
        }
        if !self.may_run(&import).await? {
            return self.queue.send(&Job::Import { import: id.clone(), shard }, ASK_AGAIN).await;
        }
        match self.work_on(&import, shard, stop).await {
            Ok(Progress::Held(wait)) => self.queue.send(&Job::Import { import: id.clone(), shard }, wait).await,
            Ok(Progress::More) => self.queue.send(&Job::Import { import: id.clone(), shard }, Duration::ZERO).await,
            Ok(Progress::Done) => self.close_if_whole(id, stop).await,
            Err(error) if passes(&error) => Err(error),
            Err(error) => self.fail_import(id, &error, stop).await,
        }
    }

    async fn work_on(&self, import: &Import, number: u32, stop: Duration) -> Result<Progress> {
        let shard = self.shard(import, number).await?;
        if shard.value.done {
            return self.note_done(import, number).await.map(|()| Progress::Done);
        }
        let held = shard.value.holder.as_ref().map_or(SOON, |holder| holder.left(self));
        let Some(mut lease) = Lease::take(self, shard).await? else {
            return Ok(Progress::Held(held.clamp(SOON, RETRY)));
        };
        match self.work_in(import, &mut lease, stop).await {
            Ok(Progress::Done) if lease.value().next >= lease.value().entries.end => {
                lease.release(self, |shard| shard.done = true).await?;
                self.note_done(import, number).await.map(|()| Progress::Done)
            }
            Ok(progress) => lease.release(self, |_| {}).await.map(|()| progress),
            Err(error) => {
                // Let go for whoever tries next; if that fails too, the lease runs out by itself.
                let _ = lease.release(self, |_| {}).await;
                Err(error)
            }
        }
    }

    /// Step after step until the shard ends, the time is up, or somebody ends the import.
    async fn work_in(&self, import: &Import, lease: &mut Lease<Shard>, stop: Duration) -> Result<Progress> {
        self.note_running(import).await?;
        let mut entries = self.entries_of(import, lease.value()).await?;
        while lease.value().next < lease.value().entries.end {
            if self.cancelled(import).await? {
                return Ok(Progress::Done);
            }
            step::run(self, import, &mut entries, lease, stop).await?;
            self.say_progress(import).await?;
            if self.clock.boot() >= stop && lease.value().next < lease.value().entries.end {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    async fn cancelled(&self, import: &Import) -> Result<bool> {
        Ok(self.need::<Import>(&import.id.0).await?.value.state.ended())
    }

    async fn note_running(&self, import: &Import) -> Result<()> {
        self.note_process_running(&import.process).await?;
        if import.state != ImportState::Waiting {
            return Ok(());
        }
        let now = self.clock.now();
        let run = |import: &mut Import| {
            import.touched = now;
            if import.state == ImportState::Waiting {
                import.state = ImportState::Running;
            }
            Ok(())
        };
        self.update::<Import>(&import.id.0, run).await?;
        let text = if import.is_foreign() {
            format!("{}: its mails into {}", import.file, import.mailbox)
        } else {
            format!("{}: {} mails of volume {} into {}", import.file, import.mails, import.volume, import.mailbox)
        };
        self.say(&import.process, Severity::Info, text).await
    }

    async fn note_done(&self, import: &Import, number: u32) -> Result<()> {
        let now = self.clock.now();
        let done = |import: &mut Import| {
            import.touched = now;
            import.shards_done.insert(number);
            Ok(())
        };
        self.update::<Import>(&import.id.0, done).await.map(drop)
    }

    /// How far the import is, all its shards together.
    async fn say_progress(&self, import: &Import) -> Result<()> {
        let Import { file, mails, tally, .. } = self.counted(import.clone()).await?;
        let of = if import.is_foreign() { String::new() } else { format!(" of {mails}") };
        let text = format!(
            "{file}: {}{of} mails: {} imported, {} already there, {} failed",
            tally.total(),
            tally.imported,
            tally.already_there,
            tally.failed
        );
        self.say(&import.process, Severity::Info, text).await
    }

    async fn close_if_whole(&self, id: &ImportId, stop: Duration) -> Result<()> {
        let import = self.need::<Import>(&id.0).await?.value;
        let whole = import.shards_done.len() as u64 == u64::from(import.shard_count());
        if (whole || import.state.ended()) && import.finished.is_none() {
            return self.close_unless_held(import, 0, stop).await;
        }
        Ok(())
    }

    /// Closes the import, once nobody writes to it any more: what a worker has in hand would be in no report otherwise.
    pub(super) async fn close_unless_held(&self, import: Import, shard: u32, stop: Duration) -> Result<()> {
        if self.fence_off(&import).await? {
            return self.close_import(&import.id, stop).await;
        }
        self.queue.send(&Job::Import { import: import.id, shard }, SOON).await
    }

    /// Takes each open shard and lets it go again, so that a worker that stood still beyond its lease finds it gone. False
    /// if one is held.
    async fn fence_off(&self, import: &Import) -> Result<bool> {
        for open in self.shards(import).await?.into_iter().filter(|shard| !shard.done) {
            let shard = self.shard(import, open.number).await?;
            let Some(lease) = Lease::take(self, shard).await? else { return Ok(false) };
            lease.release(self, |_| {}).await?;
        }
        Ok(true)
    }

    /// Ends the import early for a reason that lies in no single mail; what was imported so far stays and is placed.
    pub(super) async fn fail_import(&self, id: &ImportId, error: &Error, stop: Duration) -> Result<()> {
        let now = self.clock.now();
        let fail = |import: &mut Import| {
            import.touched = now;
            if !import.state.ended() {
                import.state = ImportState::Failed;
                import.error = Some(Failure::from(error));
            }
            Ok(())
        };
        let import = self.update::<Import>(&id.0, fail).await?.value;
        self.say(&import.process, Severity::Error, format!("{}: {error}", import.file)).await?;
        self.close_unless_held(import, 0, stop).await
    }
}

enum Progress {
    /// Another worker holds the shard, for so long at least.
    Held(Duration),
    /// The time is up, entries are left.
    More,
    Done,
}

/// Errors that a retry may mend; the rest ends the import, and says why. A conflict is either a lost lease, which the
/// next holder mends, or a source that was changed, which shows itself again and as such.
pub(super) fn passes(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Internal => true,
        ErrorKind::Conflict => error.machine_code() != super::SOURCE_CHANGED,
        ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Corrupt => false,
    }
}
