//! What is to be done with a file, by what lies at the server.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use archive::{Error, Result};

use super::{
    compare::Agreement,
    folder::{Found, Shown},
};

/// A file here that is to lie at the server.
#[derive(Clone, Debug)]
pub struct LocalFile {
    pub path: PathBuf,
    /// The name that it gets.
    pub name: String,
    pub size_bytes: u64,
    modified: Option<SystemTime>,
}

impl LocalFile {
    /// Takes the size as it is now. `NotFound` if it cannot be read, `Invalid` if it is no regular file.
    pub fn find(path: &Path, name: &str) -> Result<Self> {
        let failed = |error: io::Error| Error::not_found(format!("file {}", path.display())).caused_by(error);
        let facts = path.metadata().map_err(failed)?;
        if !facts.is_file() {
            return Err(Error::invalid(format!("{} is no regular file", path.display())));
        }
        let (name, modified) = (name.to_owned(), facts.modified().ok());
        Ok(Self { path: path.to_owned(), name, size_bytes: facts.len(), modified })
    }

    /// `Conflict` if the file is another one by now.
    pub(crate) fn still(&self) -> Result<()> {
        let now = Self::find(&self.path, &self.name)?;
        if (now.size_bytes, now.modified) == (self.size_bytes, self.modified) {
            return Ok(());
        }
        Err(Error::conflict(format!("file {} was changed while it was being sent", self.path.display()))
            .hint("give the same command again once nothing writes it any more"))
    }

    pub(crate) fn unreadable(&self, error: io::Error) -> Error {
        Error::unavailable(format!("file {}", self.path.display())).caused_by(error)
    }
}

/// What became of a file.
#[derive(Clone, Debug)]
pub struct Sent {
    pub file: String,
    pub bytes: u64,
    /// Bytes that the server took now, those that had to be sent again included.
    pub sent_bytes: u64,
    /// Where a file that was cut off went on.
    pub resumed_from: Option<u64>,
    /// It lay there whole before.
    pub already_there: bool,
    /// A file of that name and other content was written over.
    pub replaced: bool,
    pub state: SentState,
    pub reason: Option<String>,
    pub(crate) watch: Watch,
}

/// What was seen of a file since it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing that tells whether the server looks at files.
    Begun,
    /// The server looks at files, and not yet at this one.
    Pending,
    /// The last word.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    /// Not begun: a file before it failed, or nothing was to be sent.
    NotSent,
    /// The server, or the file here, said no in mid-file.
    Failed,
    /// It lies there, and the server has said nothing about it.
    Sent,
    /// Not looked at yet.
    Pending,
    Ready,
    Rejected,
    /// It was whole, and went again: imported, most likely.
    Gone,
}

impl SentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Gone => "gone",
        }
    }

    /// Whether all bytes lie, or lay, at the server, and it did not say that they are wrong.
    pub fn is_delivered(self) -> bool {
        matches!(self, Self::Sent | Self::Pending | Self::Ready | Self::Gone)
    }
}

/// What is to be done with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing lies there.
    Begin,
    /// What lies there is worth nothing and is written over.
    BeginAnew,
    /// From this offset on; at the file's end nothing is missing but the close that makes it whole.
    GoOn(u64),
    Keep,
    /// A whole file of that name and another content, or one that cannot be compared.
    Conflict,
}

/// Equal sizes prove nothing: what lies there counts only if it agrees with the file here.
pub(crate) fn plan(found: Option<&Found>, agreement: Agreement, size_bytes: u64, replace: bool) -> Plan {
    let Some(found) = found else { return Plan::Begin };
    let worthless = found.size_bytes == 0 || matches!(found.state, Shown::Partial | Shown::Rejected(_));
    let is_all = found.size_bytes == size_bytes;
    match (agreement, &found.state) {
        (Agreement::Same, Shown::Rejected(_)) if is_all => Plan::BeginAnew,
        (Agreement::Same, Shown::Pending | Shown::Ready | Shown::Unsaid) if is_all => Plan::Keep,
        // A client that is broken off may close its file, so that it is taken for whole.
        (Agreement::Same, Shown::Partial | Shown::Rejected(_) | Shown::Pending | Shown::Unsaid)
            if found.size_bytes > 0 =>
        {
            Plan::GoOn(found.size_bytes)
        }
        _ if worthless || replace => Plan::BeginAnew,
        _ => Plan::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(size_bytes: u64, state: Shown, agreement: Agreement, replace: bool) -> Plan {
        plan(Some(&Found { size_bytes, state, is_marked: false }), agreement, 100, replace)
    }

    #[test]
    fn what_was_cut_off_goes_on_only_if_it_agrees() {
        use Agreement::{Differs, Same, Unreadable};
        assert_eq!(plan(None, Differs, 100, false), Plan::Begin);
        for state in [Shown::Partial, Shown::Rejected(String::new())] {
            assert_eq!(planned(40, state.clone(), Same, false), Plan::GoOn(40));
            for agreement in [Differs, Unreadable] {
                assert_eq!(planned(40, state.clone(), agreement, false), Plan::BeginAnew);
                assert_eq!(planned(100, state.clone(), agreement, false), Plan::BeginAnew);
            }
        }
        assert_eq!(planned(40, Shown::Unsaid, Same, false), Plan::GoOn(40));
        assert_eq!(planned(0, Shown::Unsaid, Same, false), Plan::BeginAnew);
    }

    #[test]
    fn a_whole_file_is_kept_and_never_lost_to_another() {
        use Agreement::{Differs, Same, Unreadable};
        assert_eq!(planned(100, Shown::Partial, Same, false), Plan::GoOn(100));
        assert_eq!(planned(100, Shown::Rejected(String::new()), Same, false), Plan::BeginAnew);
        for state in [Shown::Pending, Shown::Ready, Shown::Unsaid] {
            assert_eq!(planned(100, state.clone(), Same, true), Plan::Keep);
            for (size_bytes, agreement) in [(100, Differs), (100, Unreadable), (40, Differs), (200, Differs)] {
                assert_eq!(planned(size_bytes, state.clone(), agreement, false), Plan::Conflict);
                assert_eq!(planned(size_bytes, state.clone(), agreement, true), Plan::BeginAnew);
            }
        }
        assert_eq!(planned(40, Shown::Ready, Same, false), Plan::Conflict);
    }
}
