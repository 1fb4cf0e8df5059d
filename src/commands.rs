//! The verbs of the command line, one a file: each asks the archive and says what it answered.

pub(crate) mod certificate;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod exports;
pub(crate) mod folders;
pub(crate) mod grant;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod imports;
pub(crate) mod inspect;
pub(crate) mod mailbox;
pub(crate) mod mailboxes;
pub(crate) mod mails;
pub(crate) mod mapping;
mod outcome;
pub(crate) mod query;
pub(crate) mod rebuild;
pub(crate) mod redrive;
pub(crate) mod report;
pub(crate) mod restructure;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod upload;
pub(crate) mod uploads;
pub(crate) mod user;
pub(crate) mod verify;

pub(crate) use outcome::{Document, Outcome};
