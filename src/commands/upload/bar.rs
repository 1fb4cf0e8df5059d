//! How far an upload is, on the terminal.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use sftp::remote::{LocalFile, Progress};

use crate::text;

/// A line on the terminal, if there is one.
pub(super) struct Bar {
    bar: ProgressBar,
    /// Bytes of all files before each.
    before: Vec<u64>,
}

impl Bar {
    pub(super) fn new(files: &[LocalFile]) -> Self {
        let sums = files.iter().scan(0_u64, |sum, file| {
            let before = *sum;
            *sum = sum.saturating_add(file.size_bytes);
            Some(before)
        });
        let before = sums.collect();
        let bytes = files.iter().map(|file| file.size_bytes).sum();
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("{bar:20} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, before }
    }

    pub(super) fn warn(&self, what: &str) {
        self.bar.suspend(|| tracing::warn!("{what}"));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn file(&self, number: usize, file: &LocalFile, from: u64) {
        let before = self.before.get(number).copied().unwrap_or_default();
        // What lies there already took no time, so it says nothing about the rest.
        self.bar.set_position(before.saturating_add(from));
        self.bar.reset_eta();
        self.bar.set_message(format!("{}, file {} of {}", text::shown(&file.name), number + 1, self.before.len()));
    }

    fn sent(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn lost(&self, why: &str, pause: Duration) {
        self.warn(&format!("the connection is lost, another try in {pause:?}: {}", text::shown(why)));
    }

    fn waiting(&self, files: usize) {
        self.bar.set_message(format!("waiting for the server to look at {}", text::count(files as u64, "file")));
    }
}
