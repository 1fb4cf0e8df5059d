//! The other side: a client that sends the volumes of an export to any SFTP server.
//!
//! The server is met first, and its key judged ([`Trust`]); only then somebody logs in ([`Login`]). Every file is compared
//! with what lies there before anything is written, goes on where it was cut off, and is watched until the server has
//! looked at it ([`Courier`]).

mod address;
mod compare;
mod courier;
mod folder;
mod known_hosts;
mod line;
mod login;
mod plan;
mod send;
mod session;
mod trouble;
mod trust;
mod wait;

pub use address::Address;
pub use courier::{Courier, Progress};
pub use known_hosts::KnownHosts;
pub use line::{Line, Meeting, ServerKey, Trusted};
pub use login::{Login, UserKey};
pub use plan::{LocalFile, Sent, SentState};
pub use trust::{Fingerprint, Trust};
