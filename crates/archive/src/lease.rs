//! Leases: who works on a shard, or on the report queue, and until when.

use std::time::Duration;

use crate::{Archive, ErrorKind, Result, records::Record, records::Stored};

/// Who works here: one loop of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The process; never used before.
    pub process: String,
    /// Which of its loops.
    pub number: u32,
    /// No other process works on this archive, so that whatever an earlier one held is free.
    pub alone: bool,
    /// When it is not heard of for so long, it has lost its work to the next one. [`Self::LEASE`], or shorter for one
    /// that is ended earlier in any case.
    pub lease: Duration,
}

impl Worker {
    pub const LEASE: Duration = Duration::from_mins(2);
}

/// A record that one worker holds at a time. Its version is the fence: every write of the holder is a compare-and-set,
/// so that a holder who was overtaken cannot write any more.
pub(crate) trait Leased: Record + Clone {
    fn holder(&mut self) -> &mut Option<Holder>;
}

/// As kept in the record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Holder {
    process: String,
    number: u32,
    /// Unix seconds.
    until: i64,
}

impl Holder {
    /// How long it holds on, if it is not heard of again.
    pub(crate) fn left(&self, archive: &Archive) -> Duration {
        Duration::from_secs(u64::try_from(self.until - archive.clock.now()).unwrap_or(0) + 1)
    }

    /// Whether somebody else works on the record now.
    pub(crate) fn is_other(&self, archive: &Archive) -> bool {
        let me = &archive.worker;
        let is_me = self.process == me.process && self.number == me.number;
        let is_gone = me.alone && self.process != me.process;
        !is_me && !is_gone && self.until > archive.clock.now()
    }
}

impl Archive {
    /// Whether another worker holds the record now.
    pub(crate) async fn is_held<T: Leased>(&self, parent: Option<&str>, id: &str) -> Result<bool> {
        let record = match parent {
            Some(parent) => self.find_in::<T>(parent, id).await?,
            None => self.find::<T>(id).await?,
        };
        Ok(record.is_some_and(|mut record| record.value.holder().as_ref().is_some_and(|holder| holder.is_other(self))))
    }
}

/// A record held by this worker.
pub(crate) struct Lease<T> {
    record: Stored<T>,
    /// On the boot clock of this worker: wall clocks jump.
    ends: Duration,
}

impl<T: Leased> Lease<T> {
    /// Takes the record, unless another worker holds it.
    pub(crate) async fn take(archive: &Archive, record: Stored<T>) -> Result<Option<Self>> {
        let mut record = record;
        if record.value.holder().as_ref().is_some_and(|holder| holder.is_other(archive)) {
            return Ok(None);
        }
        let mut lease = Self { record, ends: Duration::ZERO };
        match lease.write(archive).await {
            Ok(()) => Ok(Some(lease)),
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn value(&self) -> &T {
        &self.record.value
    }

    /// Grows with each write; later holders have higher ones.
    pub(crate) fn fence(&self) -> u64 {
        self.record.version
    }

    /// Renews the lease; `Conflict` if somebody else took the record meanwhile, so that nothing may be written any more.
    pub(crate) async fn confirm(&mut self, archive: &Archive) -> Result<()> {
        self.write(archive).await
    }

    /// Writes the changed record and renews the lease.
    pub(crate) async fn save(&mut self, archive: &Archive, change: impl FnOnce(&mut T)) -> Result<()> {
        change(&mut self.record.value);
        self.write(archive).await
    }

    /// Renews the lease if half of it is gone.
    pub(crate) async fn renew(&mut self, archive: &Archive) -> Result<()> {
        if archive.clock.boot() + archive.worker.lease / 2 < self.ends {
            return Ok(());
        }
        self.write(archive).await
    }

    /// Writes the changed record and lets it go.
    pub(crate) async fn release(mut self, archive: &Archive, change: impl FnOnce(&mut T)) -> Result<()> {
        change(&mut self.record.value);
        *self.record.value.holder() = None;
        archive.save(self.record).await.map(drop)
    }

    async fn write(&mut self, archive: &Archive) -> Result<()> {
        let until = archive.clock.now() + archive.worker.lease.as_secs().cast_signed();
        *self.record.value.holder() =
            Some(Holder { process: archive.worker.process.clone(), number: archive.worker.number, until });
        let begun = archive.clock.boot();
        self.record = archive.save(self.record.clone()).await?;
        self.ends = begun + archive.worker.lease;
        Ok(())
    }
}
