//! One file, from an offset to its end.

use std::{cell::Cell, collections::VecDeque, future::Future, io::SeekFrom, pin::Pin, task::Poll};

use archive::{Error, ErrorKind};
use futures::poll;
use russh_sftp::{
    client::rawsession::SftpResult,
    protocol::{OpenFlags, Status},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

use super::{
    plan::LocalFile,
    session::Session,
    trouble::{Tried, Trouble},
};
use crate::extensions::UPLOAD_STATE;

/// Bytes that the server has not answered for: 40 MB a second where an answer takes a tenth of a second. OpenSSH's
/// client has 2 MiB.
const WINDOW_BYTES: usize = 4 << 20;

/// Writes, and what each brings when it is answered.
type Writes<'a> = VecDeque<(usize, Pin<Box<dyn Future<Output = SftpResult<Status>> + 'a>>)>;

/// Writes the file from `from` on, in order, and closes it. `sent` is called for all that the server has taken.
///
/// On failure the file stays open: closing it would say that it is whole. It ends with the session, at what is durable.
pub(crate) async fn send(
    session: &Session,
    path: &str,
    file: &LocalFile,
    from: u64,
    moved: &Cell<u64>,
    sent: &dyn Fn(u64),
) -> Tried<()> {
    let handle = match open(session, path, from).await {
        // A connection that was lost a moment ago may still hold the file: the server has not noticed yet.
        Err(Trouble::Refused(error)) if error.kind() == ErrorKind::Unavailable && session.knows(UPLOAD_STATE) => {
            return Err(Trouble::Lost(error.to_string()));
        }
        opened => opened?,
    };
    write(session, &handle, file, from, &|bytes| {
        moved.set(moved.get().saturating_add(bytes));
        sent(bytes);
    })
    .await?;
    file.still()?;
    if session.knows(russh_sftp::extensions::FSYNC) {
        session.raw.fsync(&handle).await?;
    }
    session.raw.close(handle).await?;
    Ok(())
}

async fn open(session: &Session, path: &str, from: u64) -> Tried<String> {
    if from == 0 {
        return session.open(path, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE).await;
    }
    let handle = session.open(path, OpenFlags::WRITE).await?;
    match session.raw.fstat(&handle).await?.attrs.size {
        Some(size) if size == from => Ok(handle),
        // It was compared a moment ago, and is another one now.
        _ => Err(Trouble::Lost("the file at the server changes".to_owned())),
    }
}

async fn write(session: &Session, handle: &str, file: &LocalFile, from: u64, sent: &dyn Fn(u64)) -> Tried<()> {
    let failed = |error| file.unreadable(error);
    let mut source = File::open(&file.path).await.map_err(failed)?;
    source.seek(SeekFrom::Start(from)).await.map_err(failed)?;
    let (mut offset, mut in_flight, mut writes) = (from, 0, Writes::new());
    while offset < file.size_bytes || !writes.is_empty() {
        while offset < file.size_bytes && in_flight < WINDOW_BYTES {
            let block = read_block(&mut source, file, offset, session.block_bytes).await?;
            let len = block.len();
            let mut write: Pin<Box<dyn Future<Output = _>>> = Box::pin(session.raw.write(handle, offset, block));
            // The first look sends it: the blocks go out in their order, so that what is cut off has no holes.
            if let Poll::Ready(answer) = poll!(write.as_mut()) {
                answer?;
                sent(len as u64);
            } else {
                in_flight += len;
                writes.push_back((len, write));
            }
            offset += len as u64;
        }
        if let Some((len, write)) = writes.pop_front() {
            write.await?;
            in_flight -= len;
            sent(len as u64);
        }
    }
    Ok(())
}

/// The next block; never beyond the size that the file had when it was found.
async fn read_block(source: &mut File, file: &LocalFile, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
    let left = usize::try_from(file.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut block = vec![0; left.min(most)];
    source.read_exact(&mut block).await.map_err(|error| file.unreadable(error))?;
    Ok(block)
}
