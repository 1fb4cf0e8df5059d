//! Imports whose jobs are given up: they leave what an import leaves that failed.

use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::{
    Error, Result,
    inventory::SLICES,
    job::{self, Job},
    ports::{Schedule, Schedules},
};

/// Twelve mails in steps of four, of which two are done.
async fn half_imported() -> (World, Started, ImportId, Job) {
    let mut world = world(None);
    world.archive.sizes = Sizes { step_mails: 4, batch_mails: 4, ..Sizes::default() };
    let (started, id) = world.begin().await;
    for _ in 0..2 {
        let job = world.memory.queue.take().unwrap();
        job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    }
    let job = world.memory.queue.take().unwrap();
    assert_eq!(world.archive.import(&id).await.unwrap().imported, 8);
    (world, started, id, job)
}

/// Gives up the job, and each one after it that fails.
async fn give_up(world: &World, job: &Job) {
    job::give_up(&world.archive, job, Error::internal("no luck")).await.unwrap();
    while let Some(job) = world.memory.queue.take() {
        if let Err(error) = job::run(&world.archive, &job, Duration::ZERO).await {
            job::give_up(&world.archive, &job, error).await.unwrap();
        }
    }
}

async fn ended(world: &World, started: &Started, id: &ImportId) -> ImportView {
    assert!(world.archive.process(&started.process).await.unwrap().state.ended());
    assert_eq!(world.archive.uploads().await.unwrap()[0].import, None);
    let view = world.archive.import(id).await.unwrap();
    assert_eq!((view.state, view.reason.as_deref(), view.balanced), (ImportState::Failed, Some("no luck"), false));
    view
}

#[tokio::test]
async fn its_report_says_why_and_a_rebuild_brings_it_back() {
    let (world, started, id, job) = half_imported().await;
    give_up(&world, &job).await;
    give_up(&world, &job).await;
    let view = ended(&world, &started, &id).await;
    assert_eq!((view.imported, world.archive.reports_waiting().await.unwrap()), (8, 1));
    let done = world.restructure().await;
    assert_eq!((done.reports_processed, done.placements_created), (1, 8));
    let checked = world.archive.check(true).await.unwrap();
    assert_eq!((checked.errors.as_slice(), checked.messages), (&[][..], 8));

    let memory = world.memory.without_catalogue();
    let archive = Archive { domain: world.archive.domain.clone(), ..memory.archive() };
    assert_eq!(archive.rebuild().await.unwrap(), [""; 0]);
    assert_eq!(archive.import(&id).await.unwrap(), view);
    assert_eq!(visible_state(&archive).await, visible_state(&world.archive).await);
    assert_eq!(world.import(None).await.already_there, 10, "it can be started again");
}

#[tokio::test]
async fn a_damaged_slice_costs_what_is_in_it() {
    let (world, started, id, job) = half_imported().await;
    let slice = world.archive.keys_below(SLICES).await.unwrap().remove(0);
    world.memory.objects.tamper(&slice, |bytes| bytes[20] ^= 1);
    give_up(&world, &job).await;
    ended(&world, &started, &id).await;
    assert_eq!(world.restructure().await.placements_created, 4);
    assert_eq!(world.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails.len(), 4);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.errors.iter().any(|error| error.contains(slice.as_str())), "{checked:?}");
}

/// A scheduler that grants nothing.
struct Denied;

#[async_trait]
impl Schedules for Denied {
    async fn create(&self, _: &str, _: u32, _: &Job) -> Result<bool> {
        Err(Error::denied("no schedules"))
    }
    async fn set_enabled(&self, _: &str, _: bool) -> Result<()> {
        Err(Error::denied("no schedules"))
    }
    async fn delete(&self, _: &str) -> Result<bool> {
        Err(Error::denied("no schedules"))
    }
    async fn list(&self) -> Result<Vec<Schedule>> {
        Err(Error::denied("no schedules"))
    }
}

#[tokio::test]
async fn it_ends_even_if_it_cannot_be_closed() {
    let (mut world, started, id, job) = half_imported().await;
    let schedules = std::mem::replace(&mut world.archive.schedules, Arc::new(Denied));
    give_up(&world, &job).await;
    world.archive.schedules = schedules;
    assert_eq!(ended(&world, &started, &id).await.imported, 8);
    let lines = world.archive.process_lines(&started.process, None, 100).await.unwrap();
    assert!(lines.iter().any(|line| line.text.contains("not closed: no schedules")), "{lines:?}");
    assert_eq!(world.restructure().await.reports_processed, 1);
}
