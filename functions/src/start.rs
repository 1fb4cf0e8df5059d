//! How every function starts, and what surrounds each invocation.

use std::{path::PathBuf, sync::Arc, time::Duration};

use archive::{
    Archive, Domain, Error, FrontDoor, Result, Sizes, VolumesInHand, Worker,
    hash::to_hex,
    ports::{ObjectKey, Objects, Queue, Random, Schedules},
    uploads::Upload,
};
use async_trait::async_trait;
use aws::{
    Bucket, Clients, Door, DynamoCatalog, KeyArns, KmsKeys, Markers, Nothing, QueueName, Queues, Scheduler, Settings,
    SystemClock, SystemRandom, Uploads,
};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    absent::Absent,
    environment::Environment,
    events::{Answer, Event, Message},
    meter,
    work::{Source, Work},
};

/// The only place of a function's disk that it may write to.
const SCRATCH: &str = "/tmp";
/// A step is cut to so many mails for each second that there is. What a step has read it must write, one row a mail,
/// in the third of the time that is kept for it; one that does not come to its end is done again from its beginning.
const STEP_MAILS_A_SECOND: u64 = 50;
/// Likewise for what is read at once: a copy of a mail costs two requests of its own.
const BATCH_MAILS_A_SECOND: u64 = 5;
/// A lease outlives the invocation that holds it by so much at most.
const GRACE: Duration = Duration::from_secs(2);

/// A function that has started.
#[derive(Clone)]
pub struct Started {
    pub function: &'static str,
    pub archive: Archive,
    pub settings: Settings,
    clients: Clients,
}

impl Started {
    /// Logs, settings, clients and archive; once in the life of a process.
    pub async fn begin(function: &str) -> Result<Self> {
        let environment = Environment::of(function)?;
        log(&environment)?;
        let settings = environment.settings()?;
        let clients = Clients::load(settings.path_style).await;
        let archive = archive(environment.function(), &settings, &clients)?;
        Ok(Self { function: environment.function(), archive, settings, clients })
    }

    /// The archive for one invocation: its leases end with it, and no step is larger than its time.
    pub fn archive_until(&self, deadline: Duration) -> Archive {
        let mut archive = self.archive.clone();
        let left = deadline.saturating_sub(archive.clock.boot());
        let seconds = left.as_secs().max(1);
        archive.worker.lease = (left + GRACE).min(Worker::LEASE);
        archive.sizes.step_mails = archive.sizes.step_mails.min(seconds * STEP_MAILS_A_SECOND);
        let batch = usize::try_from(seconds * BATCH_MAILS_A_SECOND).unwrap_or(usize::MAX);
        archive.sizes.batch_mails = archive.sizes.batch_mails.min(batch);
        archive
    }

    /// What surrounds an invocation: its deadline on the boot clock, and a line that tells what it cost.
    pub async fn metered<T>(&self, context: &Context, records: usize, work: impl AsyncFnOnce(Duration) -> T) -> T {
        let begun = self.archive.clock.boot();
        let done = work(SystemClock.boot_at(context.deadline)).await;
        let took = self.archive.clock.boot().saturating_sub(begun);
        meter::write(self.function, took, records, self.clients.meter().take());
        done
    }
}

/// Does what queues and schedules bring, for ever. `queue` is the one that wakes the function, if one does.
pub async fn work(function: &str, queue: Option<QueueName>) -> Result<(), lambda_runtime::Error> {
    let started = Started::begin(function).await?;
    let queues = Queues::new(&started.clients, started.settings.queues.clone().unwrap_or_default());
    let markers = Markers::new(Arc::new(bucket(&started.settings.uploads_bucket, &started.settings, &started.clients)));
    let source: Arc<dyn Source> = Arc::new(Own { queues, queue, markers });
    let (started, source) = (&started, &source);
    let invoked = |event: LambdaEvent<Value>| async move {
        let (payload, context) = event.into_parts();
        let event = Event::parse(payload)?;
        let records = event.records();
        let handle = async |deadline| {
            let work = Work { archive: started.archive_until(deadline), source: source.clone() };
            work.handle(event, deadline).await
        };
        Ok::<Answer, lambda_runtime::Error>(started.metered(&context, records, handle).await?)
    };
    lambda_runtime::run(service_fn(invoked)).await
}

/// JSON lines on stdout, which Lambda keeps.
fn log(environment: &Environment) -> Result<()> {
    let filter: Targets = environment.log().parse().map_err(|error| {
        let text = format!("POSTKAHN_LOG {:?} is no filter", environment.log());
        Error::invalid(text).hint("like `info`, or by part: `warn,archive=debug`").caused_by(error)
    })?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    let set = tracing_subscriber::registry().with(lines).with(filter).try_init();
    set.map_err(|error| Error::internal("the log cannot be set up").caused_by(error))
}

fn archive(function: &'static str, settings: &Settings, clients: &Clients) -> Result<Archive> {
    let absent = Absent { function };
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let objects: Arc<dyn Objects> = match &settings.archive_bucket {
        Some(name) => Arc::new(bucket(name, settings, clients)),
        None => Arc::new(Nothing),
    };
    let queue: Arc<dyn Queue> = match &settings.queues {
        Some(urls) => Arc::new(Queues::new(clients, urls.clone())),
        None => Arc::new(absent),
    };
    let schedules: Arc<dyn Schedules> = match &settings.schedules {
        Some(schedules) => Arc::new(Scheduler::new(clients, schedules.clone(), Arc::new(SystemClock))),
        None => Arc::new(absent),
    };
    let keys = KeyArns {
        wrap: settings.wrap_key.clone(),
        agreement: settings.agreement_key.clone(),
        signing: settings.signing_key.clone(),
    };
    Ok(Archive {
        objects,
        uploads: Arc::new(Uploads::new(Arc::new(bucket(&settings.uploads_bucket, settings, clients)))),
        files: Arc::new(Nothing),
        catalog: Arc::new(DynamoCatalog::new(clients, &settings.table, Arc::new(SystemClock), &*random)),
        queue,
        schedules,
        keys: Arc::new(KmsKeys::new(clients, keys)),
        clock: Arc::new(SystemClock),
        door: door(settings, clients, &random)?,
        scratch: PathBuf::from(SCRATCH),
        worker: Worker { process: process_id(&*random), number: 0, alone: false, lease: Worker::LEASE },
        domain: settings.domain.as_deref().map(Domain::parse).transpose()?,
        sizes: Sizes::default(),
        in_hand: VolumesInHand::default(),
        random,
    })
}

fn bucket(name: &str, settings: &Settings, clients: &Clients) -> Bucket {
    Bucket::new(clients, name, settings.wrap_key.as_deref(), Arc::new(SystemRandom))
}

fn door(settings: &Settings, clients: &Clients, random: &Arc<dyn Random>) -> Result<FrontDoor> {
    // Without a door too: a server that stands from an earlier setting must be found and closed.
    match &settings.door {
        Some(door) if door.login_function.is_some() => {
            let port = Arc::new(Door::new(clients, door.clone(), random.clone())?);
            Ok(FrontDoor { mode: door.mode, port })
        }
        Some(door) if door.mode != archive::DoorMode::None => {
            Err(Error::invalid("the SFTP door cannot be made: the login function is not set"))
        }
        _ => Ok(FrontDoor::none()),
    }
}

/// Of this instance, never used before.
fn process_id(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    to_hex(&bytes)
}

/// The queue that woke us, and the markers beside the uploads.
struct Own {
    queues: Queues,
    queue: Option<QueueName>,
    markers: Markers,
}

#[async_trait]
impl Source for Own {
    async fn hide(&self, message: &Message, delay: Duration) -> Result<()> {
        let Some(queue) = self.queue else { return Ok(()) };
        self.queues.hide(queue, &message.receipt_handle, delay).await
    }

    async fn bury(&self, body: &str, reason: &str) -> Result<()> {
        self.queues.bury(body, reason).await
    }

    fn is_marker(&self, key: &ObjectKey) -> bool {
        Markers::is_marker(key)
    }

    async fn show(&self, upload: &Upload) -> Result<()> {
        self.markers.show(upload).await
    }
}
