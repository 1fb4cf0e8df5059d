//! What a command has to say, and the exit code that goes with it.

use serde_json::Value;

/// The end of a command that did its work. With `--json` the document is printed, otherwise the text.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) document: Value,
    /// For people; ends with a line end unless it is empty.
    pub(crate) text: String,
    /// 0: done and whole.
    pub(crate) exit: u8,
}

impl Outcome {
    /// A command that did all of its work.
    pub(crate) fn done(document: Value, text: String) -> Self {
        Self { document, text, exit: 0 }
    }
}
