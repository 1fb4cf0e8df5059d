//! One line for each invocation: what it took, and what its calls cost.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use aws::Usage;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    meter: Figures<'a>,
}

#[derive(Serialize)]
struct Figures<'a> {
    function: &'a str,
    milliseconds: u64,
    /// Messages of the batch; 1 where there is none.
    records: usize,
    #[serde(flatten)]
    usage: Usage,
}

/// Writes the line beside those of the log, whatever that is set to: sums are made of it.
pub(crate) fn write(function: &str, took: Duration, records: usize, usage: Usage) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let line = Line { meter: Figures { function, milliseconds, records, usage } };
    let written = serde_json::to_string(&line).map_err(io::Error::from);
    // In one piece, so that no other line comes between.
    let written = written.and_then(|line| io::stdout().write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        tracing::warn!("what an invocation took cannot be told: {error}");
    }
}
