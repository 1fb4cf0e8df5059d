//! A kill before and after each durable effect of everything that the product does. Whoever got no answer asks again: the
//! end is that of an undisturbed run.
//!
//! What may be killed is one table, [`Deed`]; how it is killed is the same for all of it.

mod deeds;
mod end;

use std::{sync::Arc, time::Duration};

use deeds::Deed;
use end::End;

use super::{faulty::Faults, landing::MemoryLanding};
use crate::{
    Archive, ErrorKind, Result, Sizes,
    import::tests::{World, world},
    job,
    ports::{Landing, Queue as _},
    uploads::Home,
};

/// So small that everything takes several batches.
const SMALL: Sizes = Sizes { shard_mails: 6, step_mails: 4, batch_mails: 3, imports: None, placements: 4 };
/// No deed has so many effects.
const MANY: i64 = 500;

/// An archive, and a place where uploads land.
struct Scene {
    world: World,
    landing: Arc<dyn Landing>,
}

impl Scene {
    fn new() -> Self {
        let mut world = world(None);
        world.archive.sizes = SMALL;
        let landing = MemoryLanding::new(world.memory.uploads.clone(), world.memory.clock.clone());
        Self { world, landing: Arc::new(landing) }
    }

    /// The home of `anna`, over ports with these faults.
    fn home(&self, faults: &Faults) -> Result<Home> {
        Home::new(faults.before(&self.world.archive), faults.before_landing(&self.landing), "anna", None)
    }

    /// The same objects under an empty catalogue.
    fn lose_catalogue(&mut self) {
        let memory = self.world.memory.without_catalogue();
        self.world.archive = Archive { domain: self.world.archive.domain.clone(), sizes: SMALL, ..memory.archive() };
        self.world.memory = memory;
    }

    /// Does every job that is due; one that fails comes again, until nothing but failures does.
    async fn work(&self, archive: &Archive, turn: Duration) {
        let (queue, mut failures) = (&self.world.memory.queue, 0);
        while failures < 10
            && let Some(job) = queue.take()
        {
            if job::run(archive, &job, turn).await.is_ok() {
                failures = 0;
            } else {
                queue.send(&job, Duration::ZERO).await.unwrap();
                failures += 1;
            }
        }
    }

    /// What time, the sweeps and the schedule do.
    async fn settle(&self) {
        let World { memory, archive, .. } = &self.world;
        for _ in 0..3 {
            self.work(archive, Duration::MAX).await;
            memory.clock.advance(Duration::from_mins(20));
            archive.sweep().await.unwrap();
            self.work(archive, Duration::MAX).await;
            for job in memory.schedules.due() {
                job::run(archive, &job, Duration::MAX).await.unwrap();
            }
        }
    }
}

/// The deed, killed by these faults, and done again.
async fn killed(deed: Deed, faults: &Faults) -> End {
    let mut scene = Scene::new();
    deed.prepare(&mut scene).await;
    let first = deed.act(&mut scene, faults).await;
    if faults.struck() {
        assert_eq!(first.err().map(|error| error.kind()).filter(|kind| *kind != ErrorKind::Unavailable), None);
        // Whoever finds it done has nothing left to do.
        let done = |kind| matches!(kind, ErrorKind::Conflict | ErrorKind::NotFound);
        match deed.act(&mut scene, &Faults::none()).await {
            Err(error) if !done(error.kind()) => panic!("{deed:?} again: {error}"),
            _ => {}
        }
    } else {
        first.unwrap_or_else(|error| panic!("{deed:?}: {error}"));
    }
    scene.settle().await;
    End::of(&scene).await
}

async fn kill_at_each_effect(deed: Deed) {
    let expected = killed(deed, &Faults::none()).await;
    for after in [false, true] {
        for at in 0.. {
            let faults = Faults::at(at, after);
            let end = killed(deed, &faults).await;
            if !faults.struck() {
                assert!(at > 0, "{deed:?} has no effect");
                break;
            }
            assert_eq!(end, expected, "{deed:?}, killed at effect {at}, after it: {after}");
            assert!(at < MANY);
        }
    }
}

async fn kill_all(deeds: impl IntoIterator<Item = Deed>) {
    for deed in deeds {
        kill_at_each_effect(deed).await;
    }
}

#[tokio::test]
async fn users_groups_and_grants() {
    kill_all(deeds::ACCESS).await;
}

#[tokio::test]
async fn mailboxes_and_mapping() {
    kill_all(deeds::MAILBOXES).await;
}

#[tokio::test]
async fn uploads() {
    kill_all(deeds::UPLOADS).await;
}

#[tokio::test]
async fn imports_that_are_cancelled_given_up_or_follow() {
    kill_all(deeds::IMPORTS).await;
}

#[tokio::test]
async fn restructure() {
    kill_all(deeds::RESTRUCTURE).await;
}

#[tokio::test]
async fn sweeps() {
    kill_all([Deed::Sweep]).await;
}

#[tokio::test]
async fn repair() {
    kill_all(deeds::repairs()).await;
}

#[tokio::test]
async fn rebuild() {
    kill_all([Deed::Rebuild]).await;
}
