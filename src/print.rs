//! What goes to stdout, what to stderr, and the exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use archive::{Error, ErrorKind};
use serde_json::Value;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    commands::{Document, Outcome},
    config::Config,
    failure::{Failure, Result},
};

/// Prints the end of a command: with `json` one document on stdout, otherwise its text, or the failure on stderr.
pub(crate) fn ended(outcome: Result<Outcome>, json: bool) -> ExitCode {
    let (exit, written) = match outcome {
        Ok(outcome) if json && !matches!(outcome.document, Document::Json(Value::Null)) => {
            (outcome.exit, document_to_stdout(&outcome.document))
        }
        Ok(outcome) => (outcome.exit, to_stdout(&outcome.text)),
        Err(failure) => (failure.exit(), tell(&failure, json)),
    };
    match written {
        Ok(()) => ExitCode::from(exit),
        // Whoever reads us has gone; the work is done, but nobody was told.
        Err(_) => ExitCode::from(if exit == 0 { 1 } else { exit }),
    }
}

/// Prints what is wrong with the arguments, or the help that was asked for.
pub(crate) fn usage(usage: &clap::Error) -> ExitCode {
    // The arguments were not understood, so the flag is looked for by hand.
    let json = std::env::args_os().any(|argument| argument == "--json");
    if !usage.use_stderr() || !json {
        let printed = usage.print();
        return ExitCode::from(if usage.use_stderr() { 2 } else { u8::from(printed.is_err()) });
    }
    let message = usage.render().to_string();
    let (message, hint) = message.split_once("\n\n").unwrap_or((&message, ""));
    let failure = Failure {
        kind: ErrorKind::Invalid,
        code: "usage".into(),
        message: message.trim_start_matches("error: ").trim().to_owned(),
        hint: Some(hint.trim().to_owned()).filter(|hint| !hint.is_empty()),
    };
    ended(Err(failure), json)
}

fn tell(failure: &Failure, json: bool) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{}", failure.text())?;
    if json { to_stdout(&format!("{:#}\n", failure.document())) } else { Ok(()) }
}

fn document_to_stdout(document: &Document) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut stdout, document)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Writes to stdout at once.
pub(crate) fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

pub(crate) fn to_stderr(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

/// Says how long work goes on, on stderr: progress is for people, and stdout is for the document. Nobody need listen.
pub(crate) fn progress(line: &str) {
    let _ = to_stderr(&format!("{line}\n"));
}

/// Sends the log to stderr: `info` where somebody watches it, otherwise warnings alone.
pub(crate) fn log_to_stderr(config: &Config, is_watched: bool) -> Result<()> {
    let wanted = config.log.as_deref().unwrap_or(if is_watched { "info" } else { "warn" });
    let filter: Targets = wanted
        .parse()
        .map_err(|error| Error::invalid(format!("{wanted:?} does not say what to log")).caused_by(error))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
    Ok(())
}
