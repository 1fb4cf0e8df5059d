//! How far an export is: one line on the terminal, if there is one.

use std::fmt::Write as FmtWrite;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use archive::export::{Progress, Step};
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::text;

/// Often enough to look alive, seldom enough to be read.
const DRAWN_EACH: Duration = Duration::from_millis(250);
/// Before that, a rate says nothing.
const FIRST_GUESS: Duration = Duration::from_secs(2);

/// The line. It is put together only when it is drawn, so a mail costs next to nothing.
pub(super) struct Bar {
    bar: ProgressBar,
    seen: Arc<Mutex<Seen>>,
}

/// What was told last.
#[derive(Default)]
struct Seen {
    /// The finished volume being read back, and how many there are.
    checking: Option<(u64, u64)>,
    /// Mails that were finished when this run began.
    before: Option<u64>,
    mails: u64,
    met_bytes: u64,
    volume: u64,
    location: Vec<String>,
    /// About how many bytes there are.
    total_bytes: Option<u64>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let drawn = Arc::clone(&seen);
        let line = move |state: &ProgressState, out: &mut dyn FmtWrite| {
            // The line of a terminal that cannot be written is nobody's loss.
            let _ = out.write_str(&lock(&drawn).line(state.elapsed()));
        };
        // `wide_msg` cuts what does not fit: a line that wraps would flicker.
        let style = ProgressStyle::with_template("{spinner} {line}  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("line", line));
        bar.enable_steady_tick(DRAWN_EACH);
        Self { bar, seen }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn checking(&self, volume: u64, volumes: u64) {
        lock(&self.seen).checking = Some((volume, volumes));
    }

    fn advance(&self, step: Step<'_>) {
        if self.bar.is_hidden() {
            return;
        }
        let mut seen = lock(&self.seen);
        if seen.checking.take().is_some() {
            // Only the time that follows says how fast mails are exported. The line locks both, the bar first.
            drop(seen);
            self.bar.reset_elapsed();
            seen = lock(&self.seen);
        }
        seen.before.get_or_insert(step.mails.saturating_sub(1));
        (seen.mails, seen.met_bytes, seen.volume) = (step.mails, step.met_bytes, step.volume);
        if seen.location != step.location {
            seen.location = step.location.to_vec();
            let folder = text::shown(&step.location.join("/"));
            drop(seen);
            self.bar.set_message(folder);
        }
    }

    fn asks_for_total(&self) -> bool {
        !self.bar.is_hidden()
    }

    fn total(&self, bytes: u64) {
        lock(&self.seen).total_bytes = Some(bytes);
    }
}

impl Seen {
    fn line(&self, elapsed: Duration) -> String {
        if let Some((volume, volumes)) = self.checking {
            return format!("checking finished volume {volume} of {volumes}");
        }
        let seconds = elapsed.as_secs_f64().max(0.001);
        let rate = |count: u64| rounded(as_float(count) / seconds);
        let new = self.mails.saturating_sub(self.before.unwrap_or_default());
        let mut line = format!(
            "{}, {}/s, {}/s, volume {}",
            text::count(self.mails, "mail"),
            HumanCount(rate(new)),
            HumanBytes(rate(self.met_bytes)),
            self.volume
        );
        if let Some((percent, left)) = self.outlook(elapsed) {
            let _ = write!(line, ", {percent}%, {} left", HumanDuration(left));
        }
        line
    }

    /// How much is done, in percent, and the time that the rest takes at the same pace; none while there is no telling.
    fn outlook(&self, elapsed: Duration) -> Option<(u64, Duration)> {
        let total = self.total_bytes.filter(|total| *total > 0)?;
        let is_telling = elapsed >= FIRST_GUESS && (1..=total).contains(&self.met_bytes);
        let share = is_telling.then(|| as_float(self.met_bytes) / as_float(total))?;
        let left = Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 / share - 1.0)).ok()?;
        Some((rounded((share * 100.0).floor()), left))
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates and shares are never negative")]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rates_and_the_time_left() {
        let mut seen = Seen { before: Some(1_000), mails: 3_000, met_bytes: 10 << 20, volume: 2, ..Seen::default() };
        let ten = Duration::from_secs(10);
        assert_eq!(seen.line(ten), "3,000 mails, 200/s, 1.00 MiB/s, volume 2");
        seen.total_bytes = Some(40 << 20);
        assert_eq!(seen.line(ten), "3,000 mails, 200/s, 1.00 MiB/s, volume 2, 25%, 30 seconds left");
        assert_eq!(seen.outlook(Duration::from_secs(1)), None, "too early to tell");
        seen.total_bytes = Some(1 << 20);
        assert_eq!(seen.outlook(ten), None, "the count was no measure");
        seen.checking = Some((3, 7));
        assert_eq!(seen.line(ten), "checking finished volume 3 of 7");
    }
}
