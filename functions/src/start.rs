//! How every function starts, and what surrounds each invocation.

use std::{path::PathBuf, sync::Arc, time::Duration};

use archive::{Archive, Error, Result, Worker, ports::ObjectKey, uploads::Upload};
use async_trait::async_trait;
use aws::{Clients, Markers, QueueName, Queues, Settings, SystemClock};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
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
        let archive = aws::archive(&clients, &settings, PathBuf::from(SCRATCH))?;
        Ok(Self { function: environment.function(), archive, settings, clients })
    }

    /// The archive for one invocation: its leases end with it, and no step is larger than its time. Its catalogue remembers
    /// nothing of earlier invocations: a rebuild may have deleted what they have written.
    pub fn archive_until(&self, deadline: Duration) -> Archive {
        let mut archive = self.archive.clone();
        archive.catalog = Arc::new(aws::catalog(&self.clients, &self.settings));
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
    let markers = aws::markers(&started.clients, &started.settings);
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
