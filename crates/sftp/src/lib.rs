//! The SFTP server of one machine, where exports are uploaded, and the client that uploads them to any server.
//!
//! The only crate that knows SSH: key exchange, logins, the `sftp` subsystem and its packets (version 3,
//! draft-ietf-secsh-filexfer-02, with OpenSSH's extensions). What a home shows and what may be done in it is decided by
//! [`archive::uploads::Home`], who may come in by [`archive::Archive::sftp_login`]. The client is [`remote`].
//!
//! The key of the server is made once and then read again, so that clients know the server by its fingerprint:
//!
//! ```
//! # struct Seven;
//! # impl archive::ports::Random for Seven {
//! #     fn fill(&self, bytes: &mut [u8]) { bytes.fill(7) }
//! # }
//! # fn main() -> archive::Result<()> {
//! # let folder = tempfile::tempdir().map_err(|e| archive::Error::internal(e.to_string()))?;
//! # let (path, random) = (folder.path().join("ssh.key"), Seven);
//! let key = sftp::HostKey::load_or_create(&path, &random)?;
//! assert!(key.fingerprint().starts_with("SHA256:"));
//! assert_eq!(sftp::HostKey::load_or_create(&path, &random)?.fingerprint(), key.fingerprint());
//! # Ok(())
//! # }
//! ```

mod answer;
mod attributes;
mod client;
mod connection;
mod extensions;
mod handles;
mod host_key;
mod limits;
mod options;
mod path;
mod peers;
pub mod remote;
mod serve;
mod session;

pub use host_key::HostKey;
pub use options::Options;
pub use serve::serve;
