//! Reading, hashing and compressing side by side, delivered in the order of the source.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use mail::source::{Found, Item, Source};

use super::budget::{Budget, Share};
use super::named::Named;
use super::prepare::{Failure, Prepared, WHOLE_BYTES};
use crate::{Error, Result};

/// Raw bytes and frames in flight: with what eight threads hold to compress, a run stays below 128 MiB.
const IN_FLIGHT_BYTES: u64 = 24 << 20;
/// What a mail costs beside its bytes, and what one costs that is spooled.
const PER_MAIL_BYTES: u64 = 64 << 10;
const PER_SPOOLED_BYTES: u64 = 4 << 20;
/// Mails in flight: enough to keep all threads at work while one of them reads a large mail.
const QUEUE: usize = 256;
/// More threads than this only wait for the one that seals.
const MAX_THREADS: usize = 8;

/// What became of one item of the source.
pub(super) enum Arrival {
    Mail(Box<Prepared>),
    /// In a finished volume already.
    Known(Box<Found>),
    /// Left out by the filter.
    Filtered(About),
    Skipped(Named, About),
    NotMail(Named),
}

/// What is known of a mail before it is read.
pub(super) struct About {
    key: String,
    /// The first one: there the mail is counted.
    pub(super) location: Vec<String>,
    pub(super) size_bytes: u64,
}

impl About {
    pub(super) fn of(found: &Found) -> Self {
        let location = found.locations.first().cloned().unwrap_or_default();
        Self { key: found.key.clone(), location, size_bytes: found.size_bytes }
    }
}

/// A mail that is ready; none if it is left out.
type Outcome = Result<Option<Prepared>, Failure>;

/// How items are looked at, from any thread.
pub(super) struct Stages<'a> {
    /// Whether a mail is in a finished volume.
    pub(super) is_known: &'a (dyn Fn(&Found) -> bool + Sync),
    /// Reads, filters, hashes and compresses.
    pub(super) prepare: &'a (dyn Fn(&Found) -> Outcome + Sync),
}

/// Walks the source and delivers each item to `consume` in the order of the source; ends at the first error.
pub(super) fn run(source: Source, stages: &Stages<'_>, consume: &mut dyn FnMut(Arrival) -> Result<()>) -> Result<()> {
    let budget = Budget::new(IN_FLIGHT_BYTES);
    let (jobs, inbox) = sync_channel::<Job>(QUEUE);
    let (tickets, line) = sync_channel::<Ticket<'_>>(QUEUE);
    let inbox = Mutex::new(inbox);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS)) {
            scope.spawn(|| work(&inbox, stages.prepare));
        }
        let budget = &budget;
        scope.spawn(move || walk(source, stages.is_known, budget, &jobs, &tickets));
        let result = drain(&line, consume);
        // Whoever waits for room must learn that nobody takes anything any more.
        budget.close();
        drop(line);
        result
    })
}

/// A mail to be read, and who waits for it.
struct Job {
    found: Box<Found>,
    reply: Sender<Outcome>,
}

/// One item's place in the line.
enum Ticket<'a> {
    Ready(Arrival),
    Pending { about: About, answer: Receiver<Outcome>, _share: Share<'a> },
}

fn walk<'a>(
    source: Source,
    is_known: &(dyn Fn(&Found) -> bool + Sync),
    budget: &'a Budget,
    jobs: &SyncSender<Job>,
    tickets: &SyncSender<Ticket<'a>>,
) {
    for item in source {
        let ticket = match item {
            Item::NotMail { source, reason } => Ticket::Ready(Arrival::NotMail(Named { source, reason })),
            Item::Skipped { source, location, reason } => {
                let about = About { key: source.clone(), location, size_bytes: 0 };
                Ticket::Ready(Arrival::Skipped(Named { source, reason }, about))
            }
            Item::Mail(found) if is_known(&found) => Ticket::Ready(Arrival::Known(Box::new(found))),
            Item::Mail(found) => {
                let Some(share) = budget.take(cost(found.size_bytes)) else { return };
                let (reply, answer) = channel();
                let about = About::of(&found);
                if jobs.send(Job { found: Box::new(found), reply }).is_err() {
                    return;
                }
                Ticket::Pending { about, answer, _share: share }
            }
        };
        if tickets.send(ticket).is_err() {
            return;
        }
    }
}

/// A mail that is held whole, and its frame, which may be as large.
fn cost(size_bytes: u64) -> u64 {
    if size_bytes <= WHOLE_BYTES { 2 * size_bytes + PER_MAIL_BYTES } else { PER_SPOOLED_BYTES }
}

fn work(inbox: &Mutex<Receiver<Job>>, prepare: &(dyn Fn(&Found) -> Outcome + Sync)) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A panic in a parser is this mail's outcome, never the end of the export.
        let outcome = catch_unwind(AssertUnwindSafe(|| prepare(&job.found)))
            .unwrap_or_else(|_| Err(Failure::Skip("the reader failed on it".to_owned())));
        // Nobody waits any more after an error further on.
        let _ = job.reply.send(outcome);
    }
}

fn drain(line: &Receiver<Ticket<'_>>, consume: &mut dyn FnMut(Arrival) -> Result<()>) -> Result<()> {
    while let Ok(ticket) = line.recv() {
        match ticket {
            Ticket::Ready(arrival) => consume(arrival)?,
            Ticket::Pending { about, answer, _share } => {
                let lost = || Err(Failure::Fatal(Error::internal(format!("{}: its reader is gone", about.key))));
                consume(match answer.recv().unwrap_or_else(|_| lost()) {
                    Ok(Some(prepared)) => Arrival::Mail(Box::new(prepared)),
                    Ok(None) => Arrival::Filtered(about),
                    Err(Failure::Skip(reason)) => Arrival::Skipped(Named { source: about.key.clone(), reason }, about),
                    Err(Failure::Fatal(error)) => return Err(error),
                })?;
            }
        }
    }
    Ok(())
}
