//! Events come twice, late, in another order, or never.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    arrival::Half as _,
    steps::{Office, exported},
    support::{Manner, Outcome, Plan, Stack},
};

#[test]
fn twice_late_and_in_another_order() {
    let story = exported(60, 60_000, &["--volume-size", "1MiB"]);
    assert!(story.volumes().len() > 1);
    let manner = Manner { twice: true, shuffled: true, late: Duration::from_secs(1), lost: 0 };
    let stack = Stack::start(&Plan { uploads: manner, imports: manner, tasks: manner, ..Plan::default() });
    let office = Office::open(&stack);
    let imports = office.import(&story);
    office.assert_whole(&story, &imports);
    office.assert_nothing_left();
}

#[test]
fn an_event_that_got_lost_is_found_by_the_sweep() {
    let story = exported(5, 500, &[]);
    let lost = Manner { lost: 1, ..Manner::default() };
    let stack = Stack::start(&Plan { uploads: lost, ..Plan::default() });
    let office = Office::open(&stack);
    office.upload(&story);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stack.ask("GET", "/uploads", &office.admin, &Value::Null).1, json!([]));
    assert_eq!(stack.invoke("sweep", &json!({ "job": "sweep" })), Outcome::Answer(json!({ "batchItemFailures": [] })));
    let imports = office.finished(&office.start(&story));
    office.assert_whole(&story, &imports);
}

#[test]
fn what_is_no_job_ends_in_the_dead_letters() {
    let stack = Stack::start(&Plan::default());
    let queues = stack.made.queues().unwrap();
    for url in [&queues.uploads, &queues.imports, &queues.tasks] {
        stack.block(stack.made.send(url, "{\"job\":\"sail\"}")).unwrap();
    }
    let mut found = 0;
    for _ in 0..30 {
        let letters = stack.block(stack.made.receive(&queues.dead_letters, 10, Duration::from_mins(1))).unwrap();
        assert!(letters.iter().all(|letter| letter.body == "{\"job\":\"sail\"}"), "{letters:?}");
        found += letters.len();
        if found == 3 {
            return;
        }
    }
    panic!("only {found} letters");
}
