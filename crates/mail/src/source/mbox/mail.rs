//! The bytes of one mail in an mbox, without the quoting.

use std::io::{self, Read};
use std::sync::Arc;

use super::lines::is_quoted;
use super::window::Window;
use crate::source::content::{Content, changed};
use crate::source::found::Member;

/// Several mails are read at once, most of them smaller than this.
const WINDOW_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct MboxMail {
    pub(super) content: Arc<dyn Content>,
    pub(super) start: u64,
    pub(super) end: u64,
    /// How many lines lose a `>`.
    pub(super) quoted: u64,
}

impl MboxMail {
    pub(super) fn size_bytes(&self) -> u64 {
        self.end.saturating_sub(self.start).saturating_sub(self.quoted)
    }
}

impl Member for MboxMail {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.content.verify_unchanged()?;
        let length = self.end.saturating_sub(self.start).min(WINDOW_BYTES);
        let window = Window::new(Arc::clone(&self.content), usize::try_from(length).unwrap_or(0));
        let (at, end) = (self.start, self.end);
        Ok(Box::new(MailReader { window, at, end, quoted: self.quoted, begins_line: true }))
    }
}

struct MailReader {
    window: Window,
    at: u64,
    end: u64,
    /// How many lines still lose a `>`.
    quoted: u64,
    begins_line: bool,
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
            let line = memchr::memchr(b'\n', bytes).filter(|_| self.quoted > 0);
            let count = line.map_or(bytes.len(), |at| at.saturating_add(1));
            let piece = bytes.get(..count).unwrap_or(bytes);
            room.get_mut(..count).unwrap_or_default().copy_from_slice(piece);
            self.begins_line = line.is_some();
            self.at = self.at.saturating_add(count as u64);
            filled = filled.saturating_add(count);
        }
        if filled == 0 && !buffer.is_empty() {
            self.window.content().verify_unchanged()?;
            if self.quoted > 0 {
                return Err(changed());
            }
        }
        Ok(filled)
    }
}
