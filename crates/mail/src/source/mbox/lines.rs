//! Lines of a container, found without holding them: a line may be as long as the file.

use std::io;

use super::window::Window;

const QUOTED: &[u8] = b"From ";

/// Where the line that holds `at` ends: behind `mark`, a LF or a CR, or at the end of the content.
pub(super) fn line_end(window: &mut Window, at: u64, mark: u8) -> io::Result<u64> {
    let mut at = at;
    loop {
        let bytes = window.at(at, 1)?;
        if let Some(found) = memchr::memchr(mark, bytes) {
            return Ok(at.saturating_add(found as u64).saturating_add(1));
        }
        if bytes.is_empty() {
            return Ok(at);
        }
        at = at.saturating_add(bytes.len() as u64);
    }
}

/// True if the line that begins at `at` matches `^>+From `.
pub(super) fn is_quoted(window: &mut Window, at: u64) -> io::Result<bool> {
    let mut at = at;
    if window.at(at, 1)?.first() != Some(&b'>') {
        return Ok(false);
    }
    loop {
        let bytes = window.at(at, 1)?;
        let run = bytes.iter().take_while(|byte| **byte == b'>').count();
        let ended = run < bytes.len() || run == 0;
        at = at.saturating_add(run as u64);
        if ended {
            return Ok(window.at(at, QUOTED.len())?.starts_with(QUOTED));
        }
    }
}
