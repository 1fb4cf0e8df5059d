//! OpenSSH's extensions of SFTP (PROTOCOL, section 4, in its source), and one of our own.

use archive::uploads::FileState;
use russh_sftp::{
    de,
    extensions::{FsyncExtension, HardlinkExtension, LimitsExtension, Statvfs, StatvfsExtension},
    protocol::{Extended, ExtendedReply, Packet, StatusCode},
    ser,
    server::StatusReply,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    answer::{Answer, done, file_name, refused, rename},
    limits::{MAX_DATA_BYTES, MAX_HANDLES, MAX_PACKET_BYTES},
    session::Session,
};

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const FSTATVFS: &str = "fstatvfs@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
const LIMITS: &str = "limits@openssh.com";
/// How far a file is: a path, answered by [`UploadState`]. A name in a listing does not tell a partial file from a ready
/// one, and has no room for a reason.
pub(crate) const UPLOAD_STATE: &str = "upload-state@postkahn";

/// Names with their versions, those of OpenSSH for its own.
pub(crate) const OFFERED: [(&str, &str); 6] =
    [(POSIX_RENAME, "1"), (STATVFS, "2"), (FSTATVFS, "2"), (FSYNC, "1"), (LIMITS, "1"), (UPLOAD_STATE, "1")];

/// The answer to [`UPLOAD_STATE`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UploadState {
    /// `partial`, `pending`, `ready` or `rejected`.
    pub(crate) state: String,
    /// Why it is rejected; otherwise empty.
    pub(crate) reason: String,
}

const BLOCK_BYTES: u64 = 4096;
/// No file system stands behind a home, so nothing bounds the number of files.
const FILES: u64 = 1 << 32;
/// `SSH2_FXE_STATVFS_ST_NOSUID`
const NO_SUID: u64 = 2;
const NAME_MAX: u64 = 200;

pub(crate) async fn answer(session: &mut Session, request: Extended) -> Answer {
    let Extended { id, request, data } = request;
    match request.as_str() {
        POSIX_RENAME => {
            // Two strings, like those of a hard link.
            let HardlinkExtension { oldpath, newpath } = parse(data)?;
            rename(session, id, &oldpath, &newpath, true).await
        }
        FSYNC => {
            let FsyncExtension { handle } = parse(data)?;
            session.handles.writer(&handle)?.file.sync().await.map_err(refused)?;
            Ok(done(id))
        }
        STATVFS => {
            parse::<StatvfsExtension>(data)?;
            reply(id, &room(session).await?)
        }
        FSTATVFS => {
            let FsyncExtension { handle } = parse(data)?;
            session.handles.get(&handle)?;
            reply(id, &room(session).await?)
        }
        LIMITS => reply(id, &limits()),
        UPLOAD_STATE => {
            // One string, like the path of a file system.
            let StatvfsExtension { path } = parse(data)?;
            let state = session.home.state(&file_name(&path)?).await.map_err(refused)?;
            reply(id, &upload_state(state))
        }
        _ => Err(StatusCode::OpUnsupported.with_message("unknown extension")),
    }
}

fn parse<T: DeserializeOwned>(data: Vec<u8>) -> Result<T, StatusReply> {
    de::from_bytes(&mut data.into()).map_err(|e| StatusCode::BadMessage.with_message(e.to_string()))
}

fn reply<T: Serialize>(id: u32, body: &T) -> Answer {
    let data = ser::to_bytes(body).map_err(|e| StatusCode::Failure.with_message(e.to_string()))?;
    Ok(Packet::ExtendedReply(ExtendedReply { id, data: data.into() }))
}

fn limits() -> LimitsExtension {
    LimitsExtension {
        max_packet_len: MAX_PACKET_BYTES.into(),
        max_read_len: MAX_DATA_BYTES.into(),
        max_write_len: MAX_DATA_BYTES.into(),
        max_open_handles: MAX_HANDLES as u64,
    }
}

fn upload_state(state: FileState) -> UploadState {
    let (state, reason) = match state {
        FileState::Partial => ("partial", String::new()),
        FileState::Pending => ("pending", String::new()),
        FileState::Ready => ("ready", String::new()),
        FileState::Rejected(reason) => ("rejected", reason),
    };
    UploadState { state: state.to_owned(), reason }
}

async fn room(session: &Session) -> Result<Statvfs, StatusReply> {
    let space = session.home.space().await.map_err(refused)?;
    let free = space.free_bytes / BLOCK_BYTES;
    Ok(Statvfs {
        block_size: BLOCK_BYTES,
        fragment_size: BLOCK_BYTES,
        blocks: space.total_bytes / BLOCK_BYTES,
        blocks_free: free,
        blocks_avail: free,
        inodes: FILES,
        inodes_free: FILES,
        inodes_avail: FILES,
        fs_id: 0,
        flags: NO_SUID,
        name_max: NAME_MAX,
    })
}
