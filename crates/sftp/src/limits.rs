//! Bounds of the protocol.

/// The largest packet of SFTP taken or sent, after its length; what OpenSSH has. Data in it leaves room for the rest.
pub(crate) const MAX_PACKET_BYTES: u32 = 256 * 1024;
pub(crate) const MAX_DATA_BYTES: u32 = MAX_PACKET_BYTES - 1024;

/// Handles that one session may hold open.
pub(crate) const MAX_HANDLES: usize = 64;

/// Sessions in one connection. Clients use one or two.
pub(crate) const MAX_SESSIONS: usize = 8;
