//! One SFTP session: packets in, packets out.

use std::{io, time::Duration};

use archive::{Archive, uploads::Home};
use bytes::{Buf as _, Bytes};
use russh_sftp::{
    protocol::{Packet, StatusCode, Version},
    server::StatusReply,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use crate::{answer, extensions, handles::Handles, limits::MAX_PACKET_BYTES};

/// Message types that a client may send: `SSH_FXP_INIT`, `SSH_FXP_OPEN` to `SSH_FXP_SYMLINK`, `SSH_FXP_EXTENDED`.
fn is_request(kind: u8) -> bool {
    matches!(kind, 1 | 3..=20 | 200)
}

/// A client's home with what it holds open there.
pub(crate) struct Session {
    pub(crate) archive: Archive,
    pub(crate) home: Home,
    pub(crate) handles: Handles,
    /// The user has lost the right to be here: the answer to this request is the last.
    pub(crate) revoked: bool,
}

impl Session {
    pub(crate) fn new(archive: Archive, home: Home) -> Self {
        Self { archive, home, handles: Handles::default(), revoked: false }
    }

    /// Answers requests, one after the other, until the client closes the stream, falls silent or takes no answers for
    /// `idle`, breaks the framing, or may upload no longer. A request that has begun is carried out. What is still
    /// open then stays partial.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        mut stream: S,
        idle: Duration,
    ) -> io::Result<()> {
        let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
        while let Some(packet) = timeout(idle, read_packet(&mut stream)).await.map_err(silent)?? {
            let answer = self.answer(packet).await;
            let answer = Bytes::try_from(answer).map_err(io::Error::other)?;
            timeout(idle, stream.write_all(&answer)).await.map_err(silent)??;
            if self.revoked {
                let text = format!("user {:?} may upload no longer", self.home.user());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
        }
        Ok(())
    }

    /// Every request gets one answer under its id, one that cannot be read too.
    async fn answer(&mut self, mut packet: Bytes) -> Packet {
        let (kind, id) = (packet.first().copied().unwrap_or_default(), id_of(&packet));
        let answered = if is_request(kind) {
            match Packet::try_from(&mut packet) {
                Ok(Packet::Init(_)) => return version(),
                Ok(request) => answer::to(self, request).await,
                Err(error) => Err(StatusCode::BadMessage.with_message(error.to_string())),
            }
        } else {
            Err(StatusCode::OpUnsupported.with_message("unknown request"))
        };
        answered.unwrap_or_else(|reply| status(id, reply))
    }
}

fn version() -> Packet {
    let extensions = extensions::OFFERED.map(|(name, version)| (name.to_owned(), version.to_owned()));
    Packet::Version(Version { extensions: extensions.into(), ..Version::new() })
}

fn status(id: u32, reply: StatusReply) -> Packet {
    let text = reply.error_message.unwrap_or_else(|| reply.status_code.to_string());
    Packet::status(id, reply.status_code, &text, "en-US")
}

/// Bytes 1 to 4 of every request but the first.
fn id_of(packet: &Bytes) -> u32 {
    packet.get(1..5).map(|mut id| id.get_u32()).unwrap_or_default()
}

/// The next packet without its length; none at the end of the stream.
async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Bytes>> {
    let length = match stream.read_u32().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        length => length?,
    };
    if length == 0 || length > MAX_PACKET_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a packet of {length} bytes")));
    }
    let mut packet = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    match stream.read_exact(&mut packet).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|_| Some(packet.into())),
    }
}

#[cfg(test)]
mod tests;
