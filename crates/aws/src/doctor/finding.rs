//! What a look found.

use archive::{Error, ErrorKind};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Ok,
    /// Works, and somebody should know.
    Warning,
    Wrong,
    /// Could not be looked at.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `uploads-notification`.
    pub check: &'static str,
    pub state: Health,
    /// What was found.
    pub says: String,
    /// A command or a setting of the template that puts it right.
    pub fix: Option<String>,
}

impl Finding {
    fn new(check: &'static str, state: Health, says: impl Into<String>) -> Self {
        Self { check, state, says: says.into(), fix: None }
    }
    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Health::Ok, says)
    }
    pub(super) fn warning(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Health::Warning, says)
    }
    pub(super) fn wrong(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Health::Wrong, says)
    }
    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
    /// `ok` if it is as it should be, otherwise wrong with the fix.
    pub(super) fn of(check: &'static str, is_right: bool, ok: &str, wrong: &str, fix: impl Into<String>) -> Self {
        if is_right { Self::ok(check, ok) } else { Self::wrong(check, wrong).fix(fix) }
    }
}

pub(super) fn unseen(check: &'static str, error: &Error) -> Finding {
    let finding = Finding::new(check, Health::Unknown, error.to_string());
    match error.kind() {
        ErrorKind::Denied => finding.fix("run it with credentials that may read this"),
        _ => finding.fix("run it again; if it stays so, look at this part by hand"),
    }
}
