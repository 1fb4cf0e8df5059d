//! A check as a job.

use std::time::Duration;

use crate::{
    Depth,
    import::tests::world,
    job,
    process::{Failure, ProcessState},
};

#[tokio::test]
async fn one_that_does_not_end_in_time_fails_once_and_says_what_does() {
    let world = world(None);
    world.import(None).await;
    for (depth, flag) in [
        (Depth::default(), "check --aws STACK`"),
        (Depth { read_data: true, repair: false }, "check --aws STACK --read-data`"),
        (Depth { read_data: true, repair: true }, "check --aws STACK --repair`"),
    ] {
        let id = world.archive.start_check(depth, "test").await.unwrap();
        let job = world.memory.queue.take().unwrap();
        // Done, so that no queue delivers it again.
        job::run(&world.archive, &job, world.archive.clock.boot()).await.unwrap();
        let process = world.archive.process(&id).await.unwrap();
        let Some(Failure { code, hint: Some(hint), .. }) = process.error else { panic!("{process:?}") };
        assert_eq!((process.state, code.as_str()), (ProcessState::Failed, "check_too_long"));
        assert!(hint.contains(flag), "{hint}");
        // Delivered once more all the same, it stays as it is.
        job::run(&world.archive, &job, Duration::MAX).await.unwrap();
        assert_eq!(world.archive.process(&id).await.unwrap().state, ProcessState::Failed);
    }
}
