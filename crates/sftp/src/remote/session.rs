//! A session of SFTP with a server.

use std::{collections::HashMap, fmt::Display};

use futures::future::try_join_all;
use russh::{Disconnect, client::Handle};
use russh_sftp::{
    client::{Config, RawSftpSession, error::Error as SftpError, rawsession::Limits},
    protocol::{FileAttributes, OpenFlags, StatusCode},
};

use super::{
    line::Doorman,
    trouble::{Tried, Trouble},
};
use crate::limits::MAX_DATA_BYTES;

/// What every server takes in one write (draft-ietf-secsh-filexfer-02, section 3: packets of 34,000 bytes).
const SURE_BYTES: u64 = 32 << 10;
/// The largest answer that is read.
const MAX_ANSWER_BYTES: u32 = 1 << 20;
/// A request waits behind all that is in flight; over a slow line that takes minutes.
const REQUEST_TIMEOUT_SECS: u64 = 300;

pub(crate) struct Session {
    pub(crate) raw: RawSftpSession,
    ssh: Handle<Doorman>,
    extensions: HashMap<String, String>,
    /// Bytes in one write.
    pub(crate) block_bytes: usize,
}

impl Session {
    /// Begins SFTP on a connection where somebody has logged in.
    pub(crate) async fn begin(ssh: Handle<Doorman>) -> Tried<Self> {
        let channel = ssh.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        let config = Config {
            max_packet_len: MAX_ANSWER_BYTES,
            request_timeout_secs: REQUEST_TIMEOUT_SECS,
            ..Config::default()
        };
        let mut raw = RawSftpSession::new_with_config(channel.into_stream(), config);
        let extensions = raw.init().await?.extensions;
        let mut block_bytes = SURE_BYTES;
        if extensions.contains_key(russh_sftp::extensions::LIMITS) {
            let limits = Limits::from(raw.limits().await?);
            block_bytes = limits.write_len.unwrap_or(SURE_BYTES).clamp(1, MAX_DATA_BYTES.into());
            raw.set_limits(limits);
        }
        let block_bytes = usize::try_from(block_bytes).unwrap_or_default();
        Ok(Self { raw, ssh, extensions: extensions.into_iter().collect(), block_bytes })
    }

    pub(crate) fn knows(&self, extension: &str) -> bool {
        self.extensions.contains_key(extension)
    }

    /// The size of a file, none if there is no file.
    pub(crate) async fn size_of(&self, path: &str) -> Tried<Option<u64>> {
        match self.raw.stat(path).await {
            Ok(answer) => Ok(Some(answer.attrs.size.unwrap_or_default())),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a folder.
    pub(crate) async fn has_folder(&self, path: &str) -> Tried<bool> {
        match self.raw.stat(path).await {
            Ok(answer) => Ok(answer.attrs.is_dir()),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn open(&self, path: &str, flags: OpenFlags) -> Tried<String> {
        Ok(self.raw.open(path, flags, FileAttributes::empty()).await?.handle)
    }

    /// Several pieces of a file, each an offset and a length, asked for at once. A piece ends where the file does.
    pub(crate) async fn pieces(&self, path: &str, pieces: &[(u64, u32)]) -> Tried<Vec<Vec<u8>>> {
        let handle = self.open(path, OpenFlags::READ).await?;
        let read = try_join_all(pieces.iter().map(|(offset, len)| self.piece(&handle, *offset, *len))).await;
        self.raw.close(handle).await?;
        read
    }

    async fn piece(&self, handle: &str, offset: u64, len: u32) -> Tried<Vec<u8>> {
        let mut piece: Vec<u8> = Vec::new();
        while let Some(missing) = len.checked_sub(u32::try_from(piece.len()).unwrap_or(u32::MAX)).filter(|n| *n > 0) {
            match self.raw.read(handle, offset.saturating_add(piece.len() as u64), missing).await {
                Ok(answer) if answer.data.is_empty() => break,
                Ok(answer) => piece.extend(answer.data),
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(piece)
    }

    pub(crate) async fn end(self) {
        let _ = self.ssh.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

pub(crate) fn is_missing(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile)
}

/// An answer that cannot be made sense of.
pub(crate) fn senseless(what: impl Display) -> Trouble {
    Trouble::Lost(format!("the server answers nonsense: {what}"))
}
