//! The bytes of one mail in an mbox, without the quoting.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lines::is_quoted;
use super::split::{Splitter, Stretch};
use super::window::Window;
use crate::source::content::{Content, Grown, changed};
use crate::source::found::Member;

/// Several mails are read at once, most of them smaller than this.
const WINDOW_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct MboxMail {
    pub(super) content: Arc<dyn Content>,
    pub(super) at: Stretch,
    /// Set when a reader finds that it does not end yet.
    pub(super) is_cut: Arc<AtomicBool>,
}

impl MboxMail {
    /// An error unless the mail ends there still, in a content that has grown: the last one may only have been begun.
    pub(super) fn verify_end(&self, grown_to: u64) -> io::Result<()> {
        let size_bytes = self.content.size_bytes();
        if self.at.next_at < size_bytes || grown_to == size_bytes {
            return Ok(());
        }
        let mut again = Splitter::new(Arc::new(Grown::new(Arc::clone(&self.content), grown_to)));
        again.go_to(self.at.from_at);
        let span = again.next_span()?.filter(|_| again.position().is_some());
        let end = |at: &Stretch| (at.start, at.end, at.quoted);
        if span.is_some_and(|span| end(&span.at) == end(&self.at)) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "was still being written when it was read"))
    }

    /// Whether the bytes are those that were seen when the mail was found.
    pub(super) fn is_same(&self) -> io::Result<bool> {
        let mut window = Window::new(Arc::clone(&self.content), usize::try_from(WINDOW_BYTES).unwrap_or(0));
        window.sum_from(self.at.from_at);
        Ok(window.sum_to(self.at.next_at)? == self.at.sum)
    }
}

impl Member for MboxMail {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let grown_to = self.content.grown_to()?;
        let Stretch { from_at, start, end, quoted, next_at, sum: seen, mark } = self.at;
        let length = end.saturating_sub(start).min(WINDOW_BYTES);
        let mut window = Window::new(Arc::clone(&self.content), usize::try_from(length).unwrap_or(0));
        let mut sum = None;
        if let Some(grown_to) = grown_to {
            self.verify_end(grown_to).inspect_err(|_| self.is_cut.store(true, Ordering::Relaxed))?;
            sum = Some((next_at, seen.ok_or_else(changed)?));
            window.sum_from(from_at);
            window.sum_to(start)?;
        }
        Ok(Box::new(MailReader { window, at: start, end, quoted, begins_line: true, mark, sum }))
    }
}

struct MailReader {
    window: Window,
    at: u64,
    end: u64,
    /// How many lines still lose a `>`.
    quoted: u64,
    begins_line: bool,
    /// What ends a line.
    mark: u8,
    /// Up to where the bytes must have which sum, in a content that has grown.
    sum: Option<(u64, u32)>,
}

impl MailReader {
    /// An error if the bytes that were delivered may be no mail of this content.
    ///
    /// In one that has grown they are those that were seen when the mail was found: all of them were read before any of
    /// them was read again, and were the same, so in between they lay there together.
    fn verify(&mut self) -> io::Result<()> {
        let is_same = match self.sum {
            None => return self.window.content().verify_unchanged(),
            Some((end, sum)) => self.window.sum_to(end)? == Some(sum),
        };
        if is_same { Ok(()) } else { Err(changed()) }
    }
}

impl Read for MailReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            if self.begins_line && self.quoted > 0 && is_quoted(&mut self.window, self.at)? {
                self.quoted = self.quoted.saturating_sub(1);
                self.at = self.at.saturating_add(1);
            }
            let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            if left == 0 {
                break;
            }
            let bytes = self.window.at(self.at, 1)?;
            let bytes = bytes.get(..left.min(room.len())).unwrap_or(bytes);
            let line = memchr::memchr(self.mark, bytes).filter(|_| self.quoted > 0);
            let count = line.map_or(bytes.len(), |at| at.saturating_add(1));
            let piece = bytes.get(..count).unwrap_or(bytes);
            room.get_mut(..count).unwrap_or_default().copy_from_slice(piece);
            self.begins_line = line.is_some();
            self.at = self.at.saturating_add(count as u64);
            filled = filled.saturating_add(count);
        }
        if filled == 0 && !buffer.is_empty() {
            self.verify()?;
            if self.quoted > 0 {
                return Err(changed());
            }
        }
        Ok(filled)
    }
}
