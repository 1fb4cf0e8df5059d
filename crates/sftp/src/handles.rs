//! What a session holds open.

use std::{collections::HashMap, vec};

use archive::uploads::{HomeEntry, HomeFile};
use russh_sftp::protocol::StatusCode;
use russh_sftp::server::StatusReply;

use crate::limits::MAX_HANDLES;

/// A listing is kept in memory while it is read.
const MAX_LISTINGS: usize = 4;

pub(crate) enum Open {
    Listing(Listing),
    /// Open for reading, by name.
    Reader(String),
    Writer(Box<Writer>),
}

pub(crate) struct Listing {
    /// `.` and `..` have been sent.
    pub(crate) begun: bool,
    pub(crate) entries: vec::IntoIter<HomeEntry>,
}

pub(crate) struct Writer {
    pub(crate) file: HomeFile,
    /// Blocks go behind all others, whatever their offset says.
    pub(crate) append: bool,
}

/// Open files and listings by handle. Dropped, files that were being written stay partial.
#[derive(Default)]
pub(crate) struct Handles {
    open: HashMap<String, Open>,
    made: u64,
}

impl Handles {
    /// Fails before anything is opened if there is no room for one more.
    pub(crate) fn reserve(&self, listing: bool) -> Result<(), StatusReply> {
        let listings = self.open.values().filter(|open| matches!(open, Open::Listing(_))).count();
        if self.open.len() >= MAX_HANDLES || (listing && listings >= MAX_LISTINGS) {
            return Err(StatusCode::Failure.with_message("too many open handles: close some first"));
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, open: Open) -> String {
        self.made += 1;
        let handle = format!("{:x}", self.made);
        self.open.insert(handle.clone(), open);
        handle
    }

    pub(crate) fn get(&mut self, handle: &str) -> Result<&mut Open, StatusReply> {
        self.open.get_mut(handle).ok_or_else(unknown)
    }

    pub(crate) fn writer(&mut self, handle: &str) -> Result<&mut Writer, StatusReply> {
        match self.get(handle)? {
            Open::Writer(writer) => Ok(writer),
            _ => Err(StatusCode::Failure.with_message("the handle is not open for writing")),
        }
    }

    pub(crate) fn take(&mut self, handle: &str) -> Result<Open, StatusReply> {
        self.open.remove(handle).ok_or_else(unknown)
    }
}

fn unknown() -> StatusReply {
    StatusCode::Failure.with_message("no such handle")
}
