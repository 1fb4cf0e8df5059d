//! A volume of many small mails, which several workers share.

use futures::future::join_all;

use super::*;
use crate::{Worker, job};

const MAILS: u64 = 200_000;
const WORKERS: u32 = 4;

/// Works like one function among several: takes what is due, with short turns, until nothing is.
async fn work_beside_others(world: &World, number: u32) {
    let mut archive = world.archive.clone();
    archive.worker = Worker { process: format!("function {number}"), number: 0, alone: false, lease: Worker::LEASE };
    while let Some(job) = world.memory.queue.take() {
        let deadline = archive.clock.boot() + Duration::from_mins(5);
        job::run(&archive, &job, deadline).await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_thousand_mails_are_shared_by_shards() {
    let mails: Vec<_> = (1..=MAILS).map(|n| Sample::new(n, &format!("anna/{}", n % 20))).collect();
    let mut world = world(None);
    world.exported = export("many", &mails, mails.len(), None);
    let (_, id) = world.begin().await;
    while world.archive.import(&id).await.unwrap().state != ImportState::Finished {
        join_all((0..WORKERS).map(|number| work_beside_others(&world, number))).await;
        // Whoever found a shard held looks again later.
        world.memory.clock.advance(Duration::from_secs(30));
    }
    let view = world.archive.import(&id).await.unwrap();
    assert_eq!((view.imported, view.already_there, view.failed.len()), (200_000, 0, 0));
    assert_eq!(world.archive.shards(&world.archive.need(&id.0).await.unwrap().value).await.unwrap().len(), 4);
    let restructured = world.restructure().await;
    assert_eq!((restructured.placements_created, restructured.folders_created), (MAILS, 20));
    let target = MailboxAddress::parse("target@firma.example").unwrap();
    assert_eq!(world.archive.mailbox(&target).await.unwrap().mails, MAILS);
}
