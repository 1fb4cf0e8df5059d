//! The SFTP server of one machine.
//!
//! The only crate that knows SSH: key exchange, logins, the `sftp` subsystem and its packets. What a home shows and
//! what may be done in it is decided by [`archive::uploads::Home`]; who may come in by [`archive::Archive::sftp_login`].

mod host_key;
mod options;
mod serve;

pub use host_key::HostKey;
pub use options::Options;
pub use serve::serve;
