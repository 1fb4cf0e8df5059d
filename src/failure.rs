//! What went wrong, as the command line tells it: a JSON document or two lines, and an exit code.

use archive::{Error, ErrorKind, process};
use serde_json::{Value, json};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// The end of a command that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// For machines: `wrong_password`, or the kind's word.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn exit(&self) -> u8 {
        exit_of(self.kind)
    }

    pub(crate) fn document(&self) -> Value {
        let Self { kind, code, message, hint } = self;
        json!({ "error": { "kind": kind.as_str(), "code": code, "message": message, "hint": hint } })
    }

    pub(crate) fn text(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
        format!("error: {}{}", self.message, hint.unwrap_or_default())
    }

    /// The `code`, `kind`, `hint` and message of a problem document (RFC 9457); what it lacks follows from the status.
    pub(crate) fn of_problem(status: u16, problem: &Value) -> Self {
        let word = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = word("kind").and_then(|word| kind_of(&word)).unwrap_or_else(|| kind_of_status(status));
        Self {
            kind,
            code: word("code").unwrap_or_else(|| kind.as_str().to_owned()),
            message: word("detail").or_else(|| word("title")).unwrap_or_else(|| format!("HTTP status {status}")),
            hint: word("hint"),
        }
    }
}

/// The exit codes by kind.
pub(crate) fn exit_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::Invalid => 2,
        ErrorKind::Denied => 3,
        ErrorKind::NotFound => 4,
        ErrorKind::Conflict => 5,
        ErrorKind::Unavailable => 6,
        ErrorKind::Corrupt => 7,
    }
}

/// The kind that a word names.
pub(crate) fn kind_of(word: &str) -> Option<ErrorKind> {
    use ErrorKind::{Conflict, Corrupt, Denied, Internal, Invalid, NotFound, Unavailable};
    [Invalid, Denied, NotFound, Conflict, Unavailable, Corrupt, Internal].into_iter().find(|kind| kind.as_str() == word)
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        408 | 429 | 502..=504 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        process::Failure::from(&error).into()
    }
}

impl From<process::Failure> for Failure {
    fn from(failure: process::Failure) -> Self {
        let process::Failure { kind, code, message, hint } = failure;
        Self { kind: kind_of(&kind).unwrap_or(ErrorKind::Internal), code, message, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_kind_code_and_hint() {
        let problem =
            json!({ "title": "Denied", "detail": "wrong", "kind": "denied", "code": "wrong_login", "hint": "h" });
        let failure = Failure::of_problem(403, &problem);
        assert_eq!((failure.exit(), failure.code.as_str(), failure.message.as_str()), (3, "wrong_login", "wrong"));
        assert_eq!(failure.text(), "error: wrong\nhint: h");
    }

    #[test]
    fn something_that_is_no_problem_document_is_told_by_its_status() {
        let failure = Failure::of_problem(503, &Value::Null);
        assert_eq!((failure.exit(), failure.document()["error"]["code"].as_str()), (6, Some("unavailable")));
    }
}
