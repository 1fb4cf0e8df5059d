//! The loop that does what the queue brings.

use std::{sync::Arc, time::Duration};

use archive::{
    Archive, Error, ErrorKind, ImportId, ProcessId, Result,
    job::{self, Job, Verdict},
    process::{Failure, Part},
};
use local::{Jobs, Received};
use tokio::{sync::watch, task::JoinSet};

use crate::assemble::Place;

/// A step gives up after so long; the job then waits for the next one.
const STEP: Duration = Duration::from_mins(2);
/// Long enough for a step that overstays, because one call cannot be cut short.
const LEASE: Duration = Duration::from_mins(5);
/// What could not be given up comes again after so long.
const GIVE_UP_AGAIN: Duration = Duration::from_mins(1);
/// Whoever waits in front of the terminal is told of a failure after so many attempts.
const PATIENCE: u32 = 3;
/// The queue is asked again after so long if it cannot be read or written.
const PAUSE: Duration = Duration::from_secs(1);

/// Some loops over one queue. Dropping it ends them wherever they are; what they had in hand comes again.
pub(crate) struct Workers {
    loops: JoinSet<()>,
    stop: watch::Sender<bool>,
    jobs: Arc<Jobs>,
    trouble: watch::Receiver<Option<Trouble>>,
}

/// What the last step failed with, or the queue; none once a step is done.
#[derive(Clone, Debug)]
struct Trouble {
    failure: Failure,
    attempts: u32,
    /// What the queue says of its jobs tells no more how far the work is: it fails itself, or the catalogue is damaged where
    /// the end of a job is to be written.
    is_lasting: bool,
}

impl Trouble {
    fn lasting(error: &Error) -> Self {
        Self { failure: error.into(), attempts: PATIENCE, is_lasting: true }
    }
}

impl Workers {
    /// Starts `count` loops side by side.
    pub(crate) fn start(place: &Place, count: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (say, trouble) = watch::channel(None);
        let mut loops = JoinSet::new();
        for number in 0..count {
            let (mut archive, jobs) = (place.archive.clone(), place.local.queue.clone());
            // The archive itself is nobody's loop: what a request does is done beside them all.
            archive.worker.number = number + 1;
            let worker = Worker { archive, jobs, trouble: say.clone() };
            loops.spawn(worker.run(stopped.clone()));
        }
        Self { loops, stop, jobs: place.local.queue.clone(), trouble }
    }

    /// Completes when nothing more can be expected soon: the queue is empty, what waits there has failed again and again,
    /// or the queue itself has. What the last step failed with, or the queue.
    pub(crate) async fn stuck(&self) -> Option<Failure> {
        let mut looks = 0;
        while looks < 3 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let trouble = self.trouble.borrow().clone();
            let is_hopeless = trouble.as_ref().is_some_and(|trouble| trouble.attempts >= PATIENCE);
            let is_over = trouble.is_some_and(|trouble| trouble.is_lasting)
                || self.jobs.counts().await.is_ok_and(|jobs| jobs.leased == 0 && (jobs.waiting == 0 || is_hopeless));
            looks = if is_over { looks + 1 } else { 0 };
        }
        self.trouble.borrow().clone().map(|trouble| trouble.failure)
    }

    /// Takes no further job, and waits at most `grace` for those in hand.
    pub(crate) async fn stop(mut self, grace: Duration) {
        self.stop.send_replace(true);
        let ended = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::info!("a step is cut off; it begins again at the next start");
        }
    }
}

/// The jobs of one process.
pub(crate) struct Wanted {
    process: ProcessId,
    imports: Vec<ImportId>,
}

impl Wanted {
    pub(crate) async fn of(archive: &Archive, process: &str) -> Result<Self> {
        let process = archive.process(&ProcessId(process.into())).await?;
        let import = |part| match part {
            Part::Import(import) => Some(import),
            Part::Refused(_) => None,
        };
        Ok(Self { process: process.id, imports: process.parts.into_iter().filter_map(import).collect() })
    }

    pub(crate) fn includes(&self, job: &Job) -> bool {
        match job {
            Job::Import { import, .. } => self.imports.contains(import),
            Job::Restructure { process: Some(process) }
            | Job::Preview { process }
            | Job::Empty { process }
            | Job::Check { process, .. } => *process == self.process,
            Job::Restructure { process: None } | Job::Intake { .. } | Job::Sweep => false,
        }
    }
}

struct Worker {
    archive: Archive,
    jobs: Arc<Jobs>,
    trouble: watch::Sender<Option<Trouble>>,
}

impl Worker {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        while !*stop.borrow() {
            let Err(error) = self.turn(&mut stop).await else {
                failures = 0;
                continue;
            };
            tracing::error!("the queue cannot be read: {error}");
            failures += 1;
            if failures >= PATIENCE {
                self.trouble.send_replace(Some(Trouble::lasting(&error)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Does what is due, or waits until something is.
    async fn turn(&self, stop: &mut watch::Receiver<bool>) -> Result<()> {
        if let Some(received) = self.jobs.receive(LEASE).await? {
            self.work(received).await;
            return Ok(());
        }
        tokio::select! {
            _ = stop.changed() => Ok(()),
            waited = self.jobs.wait() => waited,
        }
    }

    /// Does one step of the job in a task of its own: a panic ends that step, not the loop.
    async fn work(&self, received: Received) {
        let Received { job, id, attempts } = received;
        // Nobody ends this process when a step is over: what cannot be parted takes its time.
        let deadline = if job.keeps_its_place() { self.archive.clock.boot() + STEP } else { Duration::MAX };
        let archive = self.archive.clone();
        let step = tokio::spawn({
            let job = job.clone();
            async move { job::run(&archive, &job, deadline).await }
        });
        let outcome = self.joined(AbortOnDrop(step), id).await;
        let failure = outcome.as_ref().err().map(Failure::from);
        self.trouble.send_replace(failure.map(|failure| Trouble { failure, attempts, is_lasting: false }));
        if let Err(error) = &outcome {
            tracing::warn!(?job, attempts, kind = error.kind().as_str(), "a step failed: {error}");
        }
        let verdict = match job::verdict(&outcome, attempts) {
            Verdict::Bury(reason) => match self.give_up(&job, outcome).await {
                Ok(()) => Verdict::Bury(reason),
                Err(error) => {
                    tracing::error!(?job, "a job cannot be given up: {error}");
                    if error.kind() == ErrorKind::Corrupt {
                        self.trouble.send_replace(Some(Trouble::lasting(&error)));
                    }
                    Verdict::Retry(GIVE_UP_AGAIN)
                }
            },
            verdict => verdict,
        };
        self.settle(&job, id, &verdict).await;
    }

    /// Tells the queue what becomes of a job: more than once if need be, as until then it takes the job to be in hand.
    async fn settle(&self, job: &Job, id: i64, verdict: &Verdict) {
        for attempt in 1..=PATIENCE {
            let told = match verdict {
                Verdict::Done => self.jobs.done(id).await,
                Verdict::Retry(delay) => self.jobs.retry(id, *delay).await,
                Verdict::Bury(reason) => self.jobs.bury(id, reason).await,
            };
            let Err(error) = told else { return };
            tracing::error!(?job, "the queue cannot be written: {error}");
            if attempt < PATIENCE {
                tokio::time::sleep(PAUSE).await;
            } else {
                self.trouble.send_replace(Some(Trouble::lasting(&error)));
            }
        }
    }
}

impl Worker {
    /// Waits for the step; one that takes long keeps its job.
    async fn joined(&self, mut step: AbortOnDrop, id: i64) -> Result<()> {
        loop {
            match tokio::time::timeout(LEASE / 3, step.join()).await {
                Ok(outcome) => return outcome,
                Err(_) => {
                    if let Err(error) = self.jobs.renew(id, LEASE).await {
                        tracing::error!("the queue cannot be written: {error}");
                    }
                }
            }
        }
    }

    async fn give_up(&self, job: &Job, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) => job::give_up(&self.archive, job, error).await,
            Ok(()) => Ok(()),
        }
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<Result<()>>);

impl AbortOnDrop {
    async fn join(&mut self) -> Result<()> {
        let broken = |error| Err(Error::internal("a step broke off").caused_by(error));
        (&mut self.0).await.unwrap_or_else(broken)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
