//! Until the server has looked at what was sent.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    courier::Courier,
    folder::{Found, Shown, look},
    plan::{Sent, SentState, Watch},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A server that shows states by markers beside the files shows the first within some seconds; one that has shown none
/// by then shows none at all.
const MARKERS_COME_WITHIN: Duration = Duration::from_secs(10);

impl Courier<'_> {
    /// Notes how far each delivered file is, until all were looked at, or the time is over.
    pub async fn wait(&mut self, at_most: Duration) -> archive::Result<()> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let names: Vec<String> = self.open().map(|sent| sent.file.clone()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if names.is_empty() {
                return Ok(());
            }
            let address = self.line.address().clone();
            let on_loss = |why: &str, pause| self.progress.lost(why, pause);
            let found = self.line.insist(&on_loss, async |session, _| look(session, &address, &names).await).await?;
            for (sent, found) in self.sent.iter_mut().filter(|sent| is_open(sent)).zip(found) {
                note(sent, found, began.elapsed());
            }
            if self.open().next().is_none() || began.elapsed() >= at_most {
                return Ok(());
            }
            self.progress.waiting(self.open().count());
            sleep(pause.min(at_most.saturating_sub(began.elapsed()))).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Files whose state may still change.
    fn open(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| is_open(sent))
    }
}

fn is_open(sent: &Sent) -> bool {
    sent.watch != Watch::Ended && sent.state.is_delivered()
}

/// Notes what was found of a delivered file.
fn note(sent: &mut Sent, found: Option<Found>, waited: Duration) {
    let nothing_comes = sent.already_there || waited >= MARKERS_COME_WITHIN;
    (sent.state, sent.watch) = match found.map(|found| found.state) {
        None => (SentState::Gone, Watch::Ended),
        Some(Shown::Ready) => (SentState::Ready, Watch::Ended),
        Some(Shown::Rejected(reason)) => {
            sent.reason = Some(reason).filter(|reason| !reason.is_empty());
            (SentState::Rejected, Watch::Ended)
        }
        Some(Shown::Unsaid) if sent.watch == Watch::Pending => (SentState::Ready, Watch::Ended),
        Some(Shown::Unsaid) if nothing_comes => (SentState::Sent, Watch::Ended),
        Some(Shown::Unsaid) => (SentState::Sent, Watch::Begun),
        Some(Shown::Pending | Shown::Partial) => (SentState::Pending, Watch::Pending),
    };
}
