//! Reading, hashing and compressing side by side, delivered in the order of the source.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use mail::source::{Found, Item};

use super::budget::{Budget, Share};
use super::guarded::Guarded;
use super::known::{Half, Sight};
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
    Mail(Box<Prepared>, Box<Found>, About),
    /// A mail of this mark is in a finished volume.
    Known(Box<Found>, Half),
    /// Left out by the filter.
    Filtered(About),
    Skipped(Named, About),
    NotMail(Named),
    /// Said of a file beside the outcomes of its mails.
    Noted(Named),
    /// The target has no room for what the source must lay out there.
    ScratchFailed(io::Error),
}

/// What is known of a mail before it is read.
pub(super) struct About {
    pub(super) key: String,
    /// The first one: there the mail is counted.
    pub(super) location: Vec<String>,
    pub(super) size_bytes: u64,
    /// The length of the mail that was exported under its key.
    exported_bytes: Option<u64>,
}

impl About {
    pub(super) fn of(found: &Found) -> Self {
        let location = found.locations.first().cloned().unwrap_or_default();
        Self { key: found.key.clone(), location, size_bytes: found.size_bytes, exported_bytes: None }
    }

    /// What is to be said of a mail that is another one than was exported under its key.
    pub(super) fn change(&self) -> Option<Named> {
        let (before, now) = (self.exported_bytes?, self.size_bytes);
        let reason =
            format!("another mail lies there now: the one that was exported had {before} bytes, this one has {now}");
        Some(Named { source: self.key.clone(), reason })
    }
}

/// What one read of a mail gives.
enum Answer {
    Mail(Box<Prepared>, Box<Found>),
    LeftOut,
    Known(Box<Found>, Half),
}

type Outcome = Result<Answer, Failure>;

/// Reads, filters, hashes and compresses; none if the mail is left out.
pub(super) type Prepare<'a> = &'a (dyn Fn(&Found) -> Result<Option<Prepared>, Failure> + Sync);

/// How items are looked at, from any thread.
pub(super) struct Stages<'a> {
    /// Whether the filter leaves out what could not be read.
    pub(super) leaves_out: &'a (dyn Fn(&Item) -> bool + Sync),
    /// What the finished volumes say of a mail that was not read.
    pub(super) sight: &'a (dyn Fn(&Found) -> Result<Sight> + Sync),
    /// Reads a mail that may be in a finished volume, and gives its mark if it is.
    pub(super) recognise: &'a (dyn Fn(&Found) -> Result<Option<Half>> + Sync),
    pub(super) prepare: Prepare<'a>,
}

/// Walks the source and delivers each item to `consume` in the order of the source; ends at the first error.
pub(super) fn run(
    source: impl Iterator<Item = Item> + Send,
    stages: &Stages<'_>,
    consume: &mut dyn FnMut(Arrival) -> Result<()>,
) -> Result<()> {
    let budget = Budget::new(IN_FLIGHT_BYTES);
    let (jobs, inbox) = sync_channel::<Job>(QUEUE);
    let (tickets, line) = sync_channel::<Ticket<'_>>(QUEUE);
    let inbox = Mutex::new(inbox);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS)) {
            scope.spawn(|| work(&inbox, stages));
        }
        let walk = Walk { stages, budget: &budget, jobs };
        scope.spawn(move || walk.run(Guarded::new(source), &tickets));
        let result = drain(&line, consume);
        // Whoever waits for room must learn that nobody takes anything any more.
        budget.close();
        drop(line);
        result
    })
}

/// Reads a mail at once, on the thread of whoever calls.
pub(super) fn prepare_now(found: Box<Found>, prepare: Prepare<'_>) -> Result<Arrival> {
    arrival(About::of(&found), guarded(|| answer(found, prepare)))
}

/// A mail to be read, and who waits for it.
struct Job {
    found: Box<Found>,
    may_be_known: bool,
    reply: Sender<Outcome>,
}

/// One item's place in the line.
enum Ticket<'a> {
    Ready(Arrival),
    Pending {
        about: About,
        answer: Receiver<Outcome>,
        _share: Share<'a>,
    },
    /// Nothing comes behind it.
    Failed(Error),
}

/// The stage that goes through the source.
struct Walk<'a> {
    stages: &'a Stages<'a>,
    budget: &'a Budget,
    jobs: SyncSender<Job>,
}

impl<'a> Walk<'a> {
    fn run(&self, mut source: Guarded<impl Iterator<Item = Item>>, tickets: &SyncSender<Ticket<'a>>) {
        loop {
            let ticket = match source.next() {
                Ok(None) => return,
                Ok(Some(item)) => self.ticket(item),
                Err(error) => Some(Ticket::Failed(error)),
            };
            let Some(ticket) = ticket else { return };
            let is_last = matches!(ticket, Ticket::Failed(_));
            if tickets.send(ticket).is_err() || is_last {
                return;
            }
        }
    }

    /// None once nobody takes anything any more.
    fn ticket(&self, item: Item) -> Option<Ticket<'a>> {
        let is_left_out = (self.stages.leaves_out)(&item);
        let found = match item {
            Item::NotMail { source, reason } => {
                return Some(Ticket::Ready(Arrival::NotMail(Named { source, reason })));
            }
            Item::Noted { source, reason } => {
                return Some(Ticket::Ready(Arrival::Noted(Named { source, reason })));
            }
            Item::Skipped { source, location, reason, .. } => {
                let about = About { key: source.clone(), location, size_bytes: 0, exported_bytes: None };
                let skipped = |about| Arrival::Skipped(Named { source, reason }, about);
                return Some(Ticket::Ready(if is_left_out { Arrival::Filtered(about) } else { skipped(about) }));
            }
            Item::ScratchFailed(error) => return Some(Ticket::Ready(Arrival::ScratchFailed(error))),
            Item::Mail(found) => Box::new(found),
        };
        let exported_bytes = match (self.stages.sight)(&found) {
            Err(error) => return Some(Ticket::Failed(error)),
            Ok(Sight::Same(mark)) => return Some(Ticket::Ready(Arrival::Known(found, mark))),
            Ok(Sight::Perhaps(size_bytes)) => Some(size_bytes),
            Ok(Sight::New) => None,
        };
        let share = self.budget.take(cost(found.size_bytes))?;
        let about = About { exported_bytes, ..About::of(&found) };
        let (reply, answer) = channel();
        self.jobs.send(Job { found, may_be_known: exported_bytes.is_some(), reply }).ok()?;
        Some(Ticket::Pending { about, answer, _share: share })
    }
}

/// A mail that is held whole, and its frame, which may be as large.
fn cost(size_bytes: u64) -> u64 {
    if size_bytes <= WHOLE_BYTES { 2 * size_bytes + PER_MAIL_BYTES } else { PER_SPOOLED_BYTES }
}

fn work(inbox: &Mutex<Receiver<Job>>, stages: &Stages<'_>) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { found, may_be_known, reply }) = next else { return };
        let outcome = guarded(|| {
            let mark = if may_be_known { (stages.recognise)(&found).map_err(Failure::Fatal)? } else { None };
            match mark {
                Some(mark) => Ok(Answer::Known(found, mark)),
                None => answer(found, stages.prepare),
            }
        });
        // Nobody waits any more after an error further on.
        let _ = reply.send(outcome);
    }
}

/// A panic in a parser is this mail's outcome, never the end of the export.
fn guarded(read: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Failure::Skip("the reader failed on it".to_owned())))
}

fn answer(found: Box<Found>, prepare: Prepare<'_>) -> Outcome {
    Ok(prepare(&found)?.map_or(Answer::LeftOut, |prepared| Answer::Mail(Box::new(prepared), found)))
}

fn drain(line: &Receiver<Ticket<'_>>, consume: &mut dyn FnMut(Arrival) -> Result<()>) -> Result<()> {
    while let Ok(ticket) = line.recv() {
        match ticket {
            Ticket::Ready(arrival) => consume(arrival)?,
            Ticket::Pending { about, answer, _share } => {
                let lost = |_| Error::internal(format!("{}: its reader is gone", about.key));
                let outcome = answer.recv().map_err(lost)?;
                consume(arrival(about, outcome)?)?;
            }
            Ticket::Failed(error) => return Err(error),
        }
    }
    Ok(())
}

fn arrival(about: About, outcome: Outcome) -> Result<Arrival> {
    Ok(match outcome {
        Ok(Answer::Mail(prepared, found)) => Arrival::Mail(prepared, found, about),
        Ok(Answer::LeftOut) => Arrival::Filtered(about),
        Ok(Answer::Known(found, mark)) => Arrival::Known(found, mark),
        Err(Failure::Skip(reason)) => Arrival::Skipped(Named { source: about.key.clone(), reason }, about),
        Err(Failure::Fatal(error)) => return Err(error),
    })
}

#[cfg(test)]
mod tests {
    use mail::source::Item;

    use super::{Arrival, Sight, Stages, run};
    use crate::ErrorKind;

    #[test]
    fn a_source_that_panics_ends_the_export_with_an_error_that_says_where() {
        let stages = Stages {
            leaves_out: &|_| false,
            sight: &|_| Ok(Sight::New),
            recognise: &|_| Ok(None),
            prepare: &|_| Ok(None),
        };
        for count in [0_usize, 3] {
            let item = |number: usize| {
                assert!(number < count, "a source that fails");
                Item::NotMail { source: format!("a/{number}.eml"), reason: "x".to_owned() }
            };
            let mut named = Vec::new();
            let result = run((0..9).map(item), &stages, &mut |arrival| {
                if let Arrival::NotMail(one) = arrival {
                    named.push(one.source);
                }
                Ok(())
            });
            let error = result.unwrap_err();
            assert_eq!((error.kind(), named.len()), (ErrorKind::Internal, count));
            let place = if count == 0 { "at its beginning" } else { "behind a/2.eml" };
            assert!(error.message().ends_with(place), "{}", error.message());
        }
    }
}
