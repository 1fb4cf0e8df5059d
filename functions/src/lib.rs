//! The functions: what wakes each, and the archive that it works on.
//!
//! A function translates and decides nothing: an invocation's payload becomes jobs for `archive::job::run`, or a request
//! for the router of `api`. Its binary chooses what it needs and is short; what all share is here.

pub mod environment;
pub mod events;
pub mod first_password;
pub mod gateway;
pub mod login;
mod meter;
mod notification;
pub mod start;
pub mod work;
