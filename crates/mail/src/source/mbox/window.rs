use std::io;
use std::sync::Arc;

use flate2::Crc;

use crate::source::content::{Content, changed, read_full_at};

/// A stretch of a content, held so that it is read in large pieces and each piece once, as long as one goes forward.
#[derive(Debug)]
pub(super) struct Window {
    content: Arc<dyn Content>,
    buffer: Vec<u8>,
    /// Where in the content the buffer begins.
    start: u64,
    size_bytes: usize,
    passed: Option<Passed>,
}

/// The sum over all bytes from some place up to another one.
#[derive(Debug)]
struct Passed {
    crc: Crc,
    up_to: u64,
}

impl Window {
    pub(super) fn new(content: Arc<dyn Content>, size_bytes: usize) -> Self {
        Self { content, buffer: Vec::new(), start: 0, size_bytes, passed: None }
    }

    /// Sums up the bytes from `at` on, each as it is held here when it is passed.
    pub(super) fn sum_from(&mut self, at: u64) {
        self.passed = Some(Passed { crc: Crc::new(), up_to: at });
    }

    /// CRC-32 of the bytes from where summing began up to `end`, of which those are read that were not yet; none where it
    /// did not begin.
    pub(super) fn sum_to(&mut self, end: u64) -> io::Result<Option<u32>> {
        // Taken out, so that what it reads is not summed twice.
        let Some(mut passed) = self.passed.take() else { return Ok(None) };
        while passed.up_to < end {
            let bytes = self.at(passed.up_to, 1)?;
            if bytes.is_empty() {
                return Err(changed());
            }
            passed.add(bytes, end);
        }
        let sum = passed.crc.sum();
        self.passed = Some(passed);
        Ok(Some(sum))
    }

    pub(super) fn content(&self) -> &Arc<dyn Content> {
        &self.content
    }

    /// Where the content ends.
    pub(super) fn end(&self) -> u64 {
        self.content.size_bytes()
    }

    /// The bytes from `at` on: `least` of them, or all until the content ends.
    pub(super) fn at(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        let have = self.start.saturating_add(self.buffer.len() as u64);
        let wanted = at.saturating_add(least as u64).min(self.end());
        if at < self.start || have < wanted {
            self.read(at, least)?;
        }
        let offset = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.buffer.get(offset..).unwrap_or_default())
    }

    /// A few bytes somewhere else, without leaving this place.
    pub(super) fn peek(&self, at: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let filled = read_full_at(self.content.as_ref(), &mut bytes, at)?;
        // A content that grows must look the same in the end.
        bytes.truncate(filled.min(usize::try_from(self.end().saturating_sub(at)).unwrap_or(usize::MAX)));
        Ok(bytes)
    }

    fn read(&mut self, at: u64, least: usize) -> io::Result<()> {
        if let Some(passed) = &mut self.passed {
            let from = passed.up_to.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
            passed.add(from.and_then(|from| self.buffer.get(from..)).unwrap_or_default(), at);
        }
        let kept = at.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
        match kept.filter(|offset| *offset < self.buffer.len()) {
            Some(offset) => drop(self.buffer.drain(..offset)),
            None => self.buffer.clear(),
        }
        self.start = at;
        let have = self.buffer.len();
        let left = usize::try_from(self.end().saturating_sub(at)).unwrap_or(usize::MAX);
        let length = self.size_bytes.max(least).min(left);
        self.buffer.resize(length.max(have), 0);
        let rest = self.buffer.get_mut(have..).unwrap_or_default();
        let filled = read_full_at(self.content.as_ref(), rest, at.saturating_add(have as u64))?;
        if filled < rest.len() { Err(changed()) } else { Ok(()) }
    }
}

impl Passed {
    /// Adds the bytes that come next, up to the place `end`.
    fn add(&mut self, bytes: &[u8], end: u64) {
        let room = usize::try_from(end.saturating_sub(self.up_to)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.crc.update(bytes);
        self.up_to = self.up_to.saturating_add(bytes.len() as u64);
    }
}
