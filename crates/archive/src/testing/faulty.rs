//! Ports that fail when told to: at the n-th effect, before it took place or after, as where a process is killed; or now
//! and then, as services do.

mod catalog;
mod landing;
mod objects;
mod services;
mod trouble;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use trouble::{Blow, Trouble};

use super::SeededRandom;
use crate::{
    Archive, Error, FrontDoor, Result,
    ports::{Landing, Random as _},
};

/// Counts the durable effects of an archive and stops it at one of them.
#[derive(Clone, Debug)]
pub struct Faults {
    left: Arc<AtomicI64>,
    /// The effect takes place, and only its acknowledgement is lost.
    after: bool,
    /// Documents with more bytes are refused.
    document_bytes: usize,
    /// How long others come first.
    pauses: Option<Arc<SeededRandom>>,
    trouble: Option<Arc<Trouble>>,
}

impl Faults {
    /// Fails at the effect `at` (from 0) and at every one after it, as a process does that was killed.
    pub fn at(at: i64, after: bool) -> Self {
        let left = Arc::new(AtomicI64::new(at));
        Self { left, after, document_bytes: usize::MAX, pauses: None, trouble: None }
    }

    /// Never fails.
    pub fn none() -> Self {
        Self::at(i64::MAX, false)
    }

    /// Refuses documents with more bytes of JSON, as DynamoDB does from 400 KB on.
    #[must_use]
    pub fn documents_up_to(self, document_bytes: usize) -> Self {
        Self { document_bytes, ..self }
    }

    /// Lets others come first for a while before each effect: work side by side then mixes in a way that follows from the
    /// seed.
    #[must_use]
    pub fn mixed(self, seed: u64) -> Self {
        Self { pauses: Some(Arc::new(SeededRandom::new(seed))), ..self }
    }

    /// So many of a hundred calls go wrong, which ones follows from the seed: they time out, with their effect or
    /// without; they are throttled, and some of those after them; and what is listed or looked up may be a moment old.
    #[must_use]
    pub fn troubled(self, seed: u64, percent: u8) -> Self {
        Self { trouble: Some(Arc::new(Trouble::new(seed, percent))), ..self }
    }

    /// Whether the fault has struck.
    pub fn struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// How many calls went wrong by [`Self::troubled`], in words by kind.
    pub fn suffered(&self) -> String {
        self.trouble.as_ref().map(|trouble| trouble.suffered()).unwrap_or_default()
    }

    /// The same archive with these faults in front of every port.
    pub fn before(&self, archive: &Archive) -> Archive {
        Archive {
            catalog: Arc::new(self.around(&archive.catalog)),
            objects: Arc::new(self.around(&archive.objects)),
            uploads: Arc::new(self.around(&archive.uploads)),
            files: Arc::new(self.around(&archive.files)),
            queue: Arc::new(self.around(&archive.queue)),
            schedules: Arc::new(self.around(&archive.schedules)),
            keys: Arc::new(self.around(&archive.keys)),
            door: FrontDoor { port: Arc::new(self.around(&archive.door.port)), ..archive.door.clone() },
            ..archive.clone()
        }
    }

    /// The same where uploads land.
    pub fn before_landing(&self, landing: &Arc<dyn Landing>) -> Arc<dyn Landing> {
        Arc::new(self.around(landing))
    }

    fn around<P: ?Sized>(&self, port: &Arc<P>) -> Faulty<P> {
        Faulty { port: port.clone(), faults: self.clone() }
    }

    /// A call that changes something for good.
    async fn effect<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        self.pause().await;
        let killed = || Error::unavailable("killed by a test");
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 if self.after => {
                effect.await?;
                Err(killed())
            }
            left if left <= 0 => Err(killed()),
            _ => self.call(effect).await,
        }
    }

    async fn pause(&self) {
        let Some(random) = &self.pauses else { return };
        let mut turns = [0];
        random.fill(&mut turns);
        for _ in 0..turns[0] % 4 {
            tokio::task::yield_now().await;
        }
    }

    /// A call that changes nothing, or nothing that lasts.
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.trouble.as_ref().map(|trouble| trouble.blow()) {
            Some(Blow::Before(error)) => Err(error),
            Some(Blow::After(error)) => call.await.and(Err(error)),
            Some(Blow::None) | None => call.await,
        }
    }

    /// A list that may be as it was when it was last asked for. `asked` says what was asked.
    async fn list<T: Clone + Send + 'static>(
        &self,
        asked: String,
        list: impl Future<Output = Result<Vec<T>>>,
    ) -> Result<Vec<T>> {
        let Some(trouble) = &self.trouble else { return list.await };
        if let Some(old) = trouble.stale(&asked) {
            return Ok(old);
        }
        let listed = self.call(list).await?;
        trouble.remember(asked, &listed);
        Ok(listed)
    }
}

/// A port with faults in front of it.
struct Faulty<P: ?Sized> {
    port: Arc<P>,
    faults: Faults,
}
