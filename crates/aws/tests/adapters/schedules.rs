//! EventBridge Scheduler: the contract of the port, and what reaches the service. No stand-in fires a schedule.

use std::sync::{Arc, Mutex};

use archive::{
    ErrorKind, ImportId,
    job::Job,
    ports::{Clock, Schedules as _},
    testing::{SteppedClock, suites},
};
use aws::{ScheduleSettings, Scheduler};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clients, emulators, name,
    proxy::{self, Fate},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/scheduler";
const RESTRUCTURE: &str = "arn:aws:lambda:eu-central-1:123456789012:function:restructure";
const SWEEP: &str = "arn:aws:lambda:eu-central-1:123456789012:function:sweep";

async fn group(endpoint: &str) -> String {
    let group = name("group");
    clients(endpoint).scheduler().create_schedule_group().name(&group).send().await.unwrap();
    group
}

fn open(endpoint: &str, group: &str, clock: Arc<dyn Clock>) -> Scheduler {
    let settings = ScheduleSettings {
        group: group.to_owned(),
        role: ROLE.into(),
        restructure_function: RESTRUCTURE.into(),
        sweep_function: SWEEP.into(),
    };
    Scheduler::new(&clients(endpoint), settings, clock)
}

fn clock() -> Arc<SteppedClock> {
    Arc::new(SteppedClock::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_keeps_the_contract() {
    for endpoint in emulators() {
        suites::schedules(&open(&endpoint, &group(&endpoint).await, clock())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_creators_one_creates() {
    for endpoint in emulators() {
        let group = group(&endpoint).await;
        let schedulers: Vec<_> = (0..10).map(|_| open(&endpoint, &group, clock())).collect();
        let job = Job::Restructure { process: None };
        let created = join_all(schedulers.iter().map(|scheduler| scheduler.create("restructure", 15, &job))).await;
        let created: Vec<bool> = created.into_iter().map(|created| created.unwrap()).collect();
        assert_eq!(created.iter().filter(|created| **created).count(), 1, "{created:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_told_everything() {
    for endpoint in emulators() {
        let (group, clock) = (group(&endpoint).await, clock());
        let scheduler = open(&endpoint, &group, clock.clone());
        scheduler.create("restructure", 15, &Job::Restructure { process: None }).await.unwrap();
        scheduler.set_enabled("restructure", false).await.unwrap();
        let get = clients(&endpoint).scheduler().get_schedule().group_name(&group).name("restructure");
        let found = get.send().await.unwrap();
        assert_eq!(found.schedule_expression(), Some("rate(15 minutes)"));
        assert_eq!(found.flexible_time_window().unwrap().mode().as_str(), "OFF");
        let target = found.target().unwrap();
        assert_eq!((target.arn(), target.role_arn()), (RESTRUCTURE, ROLE));
        let input: Value = serde_json::from_str(target.input().unwrap()).unwrap();
        assert_eq!(input, json!({"job": "restructure", "process": null}));
        assert_eq!(target.retry_policy().unwrap().maximum_retry_attempts(), Some(3));

        scheduler.create("sweep", 60, &Job::Sweep).await.unwrap();
        let listed = scheduler.list().await.unwrap();
        let sweep = listed.iter().find(|schedule| schedule.id == "sweep").unwrap();
        assert_eq!((&sweep.job, sweep.next_run), (&Job::Sweep, Some(clock.now() + 3600)));
        let restructure = listed.iter().find(|schedule| schedule.id == "restructure").unwrap();
        assert_eq!((restructure.enabled, restructure.next_run), (false, None));

        // Enabled again, it begins anew: the service refuses a start that has passed.
        clock.advance(std::time::Duration::from_hours(5));
        scheduler.set_enabled("restructure", true).await.unwrap();
        let listed = scheduler.list().await.unwrap();
        let restructure = listed.iter().find(|schedule| schedule.id == "restructure").unwrap();
        assert_eq!(restructure.next_run, Some(clock.now() + 900));
    }
}

/// The stand-ins do not know client tokens: they answer a repeated call with a conflict. So it is the token that is
/// looked at, by which the service knows that it has made the schedule for this very call.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_repeated_under_its_token() {
    for endpoint in emulators() {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&bodies);
        let lossy = proxy::before(&endpoint, move |request| {
            if !request.start.starts_with("POST /schedules/") {
                return None;
            }
            let mut bodies = seen.lock().unwrap();
            bodies.push(serde_json::from_slice::<Value>(&request.body).unwrap());
            (bodies.len() == 1).then_some(Fate::AnswerLost)
        });
        let group = group(&endpoint).await;
        let scheduler = open(&lossy.await, &group, clock());
        scheduler.create("sweep", 60, &Job::Sweep).await.unwrap();
        scheduler.create("sweep", 60, &Job::Sweep).await.unwrap();
        let bodies = bodies.lock().unwrap();
        let tokens: Vec<_> = bodies.iter().map(|body| body["ClientToken"].as_str().unwrap()).collect();
        let [first, repeated, other] = tokens.as_slice() else { panic!("{tokens:?}") };
        assert!(!first.is_empty() && first == repeated && first != other, "{tokens:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_two_jobs_have_a_function_to_run_them() {
    for endpoint in emulators() {
        let scheduler = open(&endpoint, &group(&endpoint).await, clock());
        let import = Job::Import { import: ImportId("i1".into()), shard: 0 };
        assert_eq!(scheduler.create("import", 15, &import).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(scheduler.list().await.unwrap(), []);
    }
}
