//! What lies at the server, and how far it is.
//!
//! Three kinds of servers show it in three ways: ours answers when asked, and puts the state before the name; a bucket
//! behind Transfer Family has an object beside the file that is named after the state (`(Rejected) NAME` holds the
//! reason); any other shows files, and nothing more.

use std::collections::HashMap;

use archive::uploads::{PENDING, REJECTED};
use russh_sftp::{
    de,
    extensions::StatvfsExtension,
    protocol::{Packet, StatusCode},
};

use super::{
    Address,
    session::{Session, senseless},
    trouble::{Tried, Trouble},
};
use crate::extensions::{UPLOAD_STATE, UploadState};

/// A larger folder is not listed.
const MAX_ENTRIES: usize = 100_000;
/// How much of a reason is read.
const MAX_REASON_BYTES: u32 = 4096;

/// A file at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) size_bytes: u64,
    pub(crate) state: Shown,
    /// Its rejection stands in an object beside it, which a new file does not replace.
    pub(crate) is_marked: bool,
}

/// What the server says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Cut off, or being written.
    Partial,
    Pending,
    Ready,
    Rejected(String),
    /// Nothing: it may be whole or not.
    Unsaid,
}

/// `NotFound` if our server has no such folder: asked for a file in it, it would say no more than that there is none.
/// Others are asked for the folder itself.
pub(crate) async fn enter(session: &Session, address: &Address) -> Tried<()> {
    let folder = address.folder();
    if !session.knows(UPLOAD_STATE) || session.has_folder(folder).await? {
        return Ok(());
    }
    let text = format!("{} has no folder {folder}", address.known_as());
    Err(archive::Error::not_found(text).hint("its users have no folders: leave what follows the host out").into())
}

/// Each of the files, in the order of the names; none where there is no such file.
pub(crate) async fn look(session: &Session, address: &Address, names: &[&str]) -> Tried<Vec<Option<Found>>> {
    let mut found = Vec::with_capacity(names.len());
    if session.knows(UPLOAD_STATE) {
        for name in names {
            found.push(ask(session, &address.path_of(name)).await?);
        }
        return Ok(found);
    }
    let sizes = list(session, address.folder()).await?;
    for name in names {
        found.push(read_off(session, address, &sizes, name).await?);
    }
    Ok(found)
}

async fn ask(session: &Session, path: &str) -> Tried<Option<Found>> {
    let Some(size_bytes) = session.size_of(path).await? else { return Ok(None) };
    let question = StatvfsExtension { path: path.to_owned() }.try_into().map_err(senseless)?;
    let answer = match session.raw.extended(UPLOAD_STATE, question).await? {
        Packet::ExtendedReply(reply) => de::from_bytes::<UploadState>(&mut reply.data.into()).map_err(senseless)?,
        // It went between the two questions.
        Packet::Status(status) if status.status_code == StatusCode::NoSuchFile => return Ok(None),
        Packet::Status(status) => return Err(russh_sftp::client::error::Error::Status(status).into()),
        _ => return Err(senseless("no state of an upload")),
    };
    let state = match answer.state.as_str() {
        "partial" => Shown::Partial,
        "pending" => Shown::Pending,
        "ready" => Shown::Ready,
        "rejected" => Shown::Rejected(answer.reason),
        other => return Err(senseless(format!("state {other:?}"))),
    };
    Ok(Some(Found { size_bytes, state, is_marked: false }))
}

/// The files of the folder and their sizes.
async fn list(session: &Session, folder: &str) -> Tried<HashMap<String, u64>> {
    let handle = session.raw.opendir(folder).await?.handle;
    let mut sizes = HashMap::new();
    loop {
        match session.raw.readdir(&handle).await {
            Ok(page) => sizes.extend(page.files.into_iter().map(|f| (f.filename, f.attrs.size.unwrap_or_default()))),
            Err(russh_sftp::client::error::Error::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error.into()),
        }
        if sizes.len() > MAX_ENTRIES {
            let text = format!("the folder at the server has more than {MAX_ENTRIES} entries");
            return Err(archive::Error::invalid(text).hint("name a folder of its own behind the host").into());
        }
    }
    session.raw.close(handle).await?;
    Ok(sizes)
}

async fn read_off(
    session: &Session,
    address: &Address,
    sizes: &HashMap<String, u64>,
    name: &str,
) -> Tried<Option<Found>> {
    let plain = sizes.get(name).copied();
    let [pending, rejected] = [PENDING, REJECTED].map(|prefix| sizes.get(&format!("{prefix}{name}")).copied());
    let state = match (pending, rejected) {
        (_, Some(_)) if plain.is_some() => Shown::Rejected(reason(session, address, name).await),
        (_, Some(_)) => Shown::Rejected(String::new()),
        (Some(_), None) => Shown::Pending,
        (None, None) => Shown::Unsaid,
    };
    let is_marked = plain.is_some() && rejected.is_some();
    Ok(plain.or(rejected).or(pending).map(|size_bytes| Found { size_bytes, state, is_marked }))
}

/// Takes away the mark of a rejection, as far as the server lets us, so that it is not taken for one of the next file.
pub(crate) async fn unmark(session: &Session, address: &Address, name: &str) {
    let _ = session.raw.remove(address.path_of(&format!("{REJECTED}{name}"))).await;
}

/// What the marker beside the file holds. Without it the file is rejected all the same.
async fn reason(session: &Session, address: &Address, name: &str) -> String {
    let path = address.path_of(&format!("{REJECTED}{name}"));
    let read: Result<_, Trouble> = session.pieces(&path, &[(0, MAX_REASON_BYTES)]).await;
    let text = read.ok().and_then(|pieces| pieces.into_iter().next()).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}
