//! What a command has to say, and the exit code that goes with it.

use archive::export::ExportReport;
use serde::Serialize;
use serde_json::Value;

/// The end of a command that did its work. With `--json` the document is printed, otherwise the text.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) document: Document,
    /// For people; ends with a line end unless it is empty.
    pub(crate) text: String,
    /// 0: done and whole.
    pub(crate) exit: u8,
}

impl Outcome {
    /// A command that did all of its work.
    pub(crate) fn done(document: Value, text: String) -> Self {
        Self { document: document.into(), text, exit: 0 }
    }
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Document {
    /// Null if the command has none.
    Json(Value),
    /// May name millions of files, which as a value would take gigabytes.
    Export(Box<ExportReport>),
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}
