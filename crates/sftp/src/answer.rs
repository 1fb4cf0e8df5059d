//! Requests of SFTP, put to the home.

use archive::{Error, ErrorKind, ports::OpenMode};
use bytes::Bytes;
use russh_sftp::{
    protocol::{
        Attrs, Data, File, FileAttributes, Handle, Name, Open as OpenRequest, OpenFlags, Packet, Read, StatusCode,
        Write,
    },
    server::StatusReply,
};

use crate::{
    attributes, extensions,
    handles::{Listing, Open, Writer},
    limits::MAX_DATA_BYTES,
    path::{Place, canonical},
    session::Session,
};

/// An answer of the kind that was asked for, or a status.
pub(crate) type Answer = Result<Packet, StatusReply>;

/// Entries in one answer to a listing: at 200 bytes a name, well below the largest packet.
const ENTRIES_PER_ANSWER: usize = 100;

pub(crate) async fn to(session: &mut Session, request: Packet) -> Answer {
    let id = request.get_request_id();
    match request {
        Packet::Open(request) => open(session, request).await,
        Packet::Close(request) => close(session, id, &request.handle).await,
        Packet::Read(request) => read(session, request).await,
        Packet::Write(request) => write(session, request).await,
        Packet::Stat(request) => stat(session, id, &request.path).await,
        Packet::Lstat(request) => stat(session, id, &request.path).await,
        Packet::Fstat(request) => fstat(session, id, &request.handle).await,
        Packet::SetStat(request) => set_stat(session, id, &request.path, &request.attrs).await,
        Packet::FSetStat(request) => set_handle_stat(session, id, &request.handle, &request.attrs).await,
        Packet::OpenDir(request) => open_listing(session, id, &request.path).await,
        Packet::ReadDir(request) => read_listing(session, id, &request.handle),
        Packet::Remove(request) => remove(session, id, &request.filename).await,
        Packet::Rename(request) => rename(session, id, &request.oldpath, &request.newpath, false).await,
        Packet::RealPath(request) => Ok(real_path(id, &request.path)),
        Packet::MkDir(_) => {
            Err(StatusCode::PermissionDenied.with_message("a home has no folders: upload into it directly"))
        }
        Packet::RmDir(_) => Err(StatusCode::PermissionDenied.with_message("a home has no folders to remove")),
        Packet::Symlink(_) | Packet::ReadLink(_) => Err(StatusCode::OpUnsupported.with_message("a home has no links")),
        Packet::Extended(request) => extensions::answer(session, request).await,
        _ => Err(StatusCode::BadMessage.with_message("not a request")),
    }
}

pub(crate) fn done(id: u32) -> Packet {
    Packet::error(id, StatusCode::Ok)
}

/// What a client is told of an error: the table of the error kinds.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
pub(crate) fn refused(error: Error) -> StatusReply {
    let code = match error.kind() {
        ErrorKind::NotFound => StatusCode::NoSuchFile,
        ErrorKind::Denied => StatusCode::PermissionDenied,
        ErrorKind::Invalid | ErrorKind::Conflict => StatusCode::Failure,
        ErrorKind::Unavailable => {
            tracing::warn!(%error, "a request over SFTP failed");
            StatusCode::Failure
        }
        ErrorKind::Corrupt | ErrorKind::Internal => {
            tracing::error!(%error, "a request over SFTP failed");
            return StatusCode::Failure.with_message("the server failed: its log says why");
        }
    };
    let advice = error.advice().map(|hint| format!(" ({hint})")).unwrap_or_default();
    code.with_message(format!("{error}{advice}"))
}

/// Asks again, before anything is changed, whether the user may upload: rights are taken away while sessions are open.
/// Without them the session ends. A file already open stays partial then, for it is asked at the close too.
async fn may_change(session: &mut Session) -> Result<(), StatusReply> {
    let asked = session.archive.may_upload(session.home.user()).await;
    if let Err(error) = &asked
        && error.kind() == ErrorKind::Denied
    {
        session.revoked = true;
        tracing::warn!(user = session.home.user(), reason = %error, "a request over SFTP is refused");
    }
    asked.map_err(refused)
}

/// The name of a file in the home.
pub(crate) fn file_name(path: &str) -> Result<String, StatusReply> {
    match Place::parse(path) {
        Place::File(name) => Ok(name),
        Place::Home => Err(StatusCode::Failure.with_message("the home itself is no file")),
        Place::Deeper => Err(no_folder()),
    }
}

fn no_folder() -> StatusReply {
    StatusCode::NoSuchFile.with_message("no such file: a home has no folders")
}

async fn open(session: &mut Session, request: OpenRequest) -> Answer {
    let name = file_name(&request.filename)?;
    session.handles.reserve(false)?;
    let has = |flag| request.pflags.contains(flag);
    let opened = if has(OpenFlags::WRITE) || has(OpenFlags::APPEND) {
        let create = has(OpenFlags::CREATE);
        let mode =
            OpenMode { create, exclusive: create && has(OpenFlags::EXCLUDE), truncate: has(OpenFlags::TRUNCATE) };
        may_change(session).await?;
        let file = session.home.write(&name, mode).await.map_err(refused)?;
        Open::Writer(Box::new(Writer { file, append: has(OpenFlags::APPEND) }))
    } else {
        session.home.stat(&name).await.map_err(refused)?;
        Open::Reader(name)
    };
    Ok(Packet::Handle(Handle { id: request.id, handle: session.handles.add(opened) }))
}

async fn close(session: &mut Session, id: u32, handle: &str) -> Answer {
    if let Open::Writer(_) = session.handles.get(handle)? {
        may_change(session).await?;
    }
    if let Open::Writer(writer) = session.handles.take(handle)? {
        writer.file.close().await.map_err(refused)?;
    }
    Ok(done(id))
}

async fn read(session: &mut Session, request: Read) -> Answer {
    let name = match session.handles.get(&request.handle)? {
        Open::Reader(name) => name.as_str(),
        Open::Writer(writer) => writer.file.name(),
        Open::Listing(_) => return Err(StatusCode::Failure.with_message("the handle is a listing's")),
    };
    let limit = usize::try_from(request.len.min(MAX_DATA_BYTES)).unwrap_or_default();
    let data = session.home.read(name, request.offset, limit).await.map_err(refused)?;
    if data.is_empty() && limit > 0 {
        return Err(StatusCode::Eof.into());
    }
    Ok(Packet::Data(Data { id: request.id, data: data.into() }))
}

async fn write(session: &mut Session, request: Write) -> Answer {
    let writer = session.handles.writer(&request.handle)?;
    let data = Bytes::from(request.data);
    let written =
        if writer.append { writer.file.append(data).await } else { writer.file.write_at(request.offset, data).await };
    written.map_err(refused)?;
    Ok(done(request.id))
}

async fn stat(session: &Session, id: u32, path: &str) -> Answer {
    let attrs = match Place::parse(path) {
        Place::Home => attributes::of_home(),
        Place::File(name) => attributes::of_file(&session.home.stat(&name).await.map_err(refused)?),
        Place::Deeper => return Err(no_folder()),
    };
    Ok(Packet::Attrs(Attrs { id, attrs }))
}

async fn fstat(session: &mut Session, id: u32, handle: &str) -> Answer {
    let (name, size) = match session.handles.get(handle)? {
        Open::Listing(_) => return Ok(Packet::Attrs(Attrs { id, attrs: attributes::of_home() })),
        Open::Reader(name) => (name.as_str(), None),
        Open::Writer(writer) => (writer.file.name(), Some(writer.file.size_bytes())),
    };
    let entry = session.home.stat(name).await.map_err(refused)?;
    let mut attrs = attributes::of_file(&entry);
    attrs.size = size.or(attrs.size);
    Ok(Packet::Attrs(Attrs { id, attrs }))
}

/// Clients set times and permissions after an upload: there is nothing to keep of them.
fn may_set(attrs: &FileAttributes) -> Result<(), StatusReply> {
    if attrs.uid.is_some() || attrs.gid.is_some() {
        return Err(StatusCode::PermissionDenied.with_message("a file belongs to the owner of its home"));
    }
    Ok(())
}

async fn set_stat(session: &mut Session, id: u32, path: &str, attrs: &FileAttributes) -> Answer {
    may_set(attrs)?;
    let name = file_name(path)?;
    may_change(session).await?;
    match attrs.size {
        Some(size) => session.home.set_size(&name, size).await.map_err(refused)?,
        None => drop(session.home.stat(&name).await.map_err(refused)?),
    }
    Ok(done(id))
}

async fn set_handle_stat(session: &mut Session, id: u32, handle: &str, attrs: &FileAttributes) -> Answer {
    may_set(attrs)?;
    may_change(session).await?;
    match attrs.size {
        Some(size) => session.handles.writer(handle)?.file.set_size(size).await.map_err(refused)?,
        None => drop(session.handles.get(handle)?),
    }
    Ok(done(id))
}

async fn open_listing(session: &mut Session, id: u32, path: &str) -> Answer {
    if Place::parse(path) != Place::Home {
        return Err(StatusCode::NoSuchFile.with_message("no such folder: a home has none"));
    }
    session.handles.reserve(true)?;
    let mut entries = session.home.list().await.map_err(refused)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let listing = Listing { begun: false, entries: entries.into_iter() };
    Ok(Packet::Handle(Handle { id, handle: session.handles.add(Open::Listing(listing)) }))
}

fn read_listing(session: &mut Session, id: u32, handle: &str) -> Answer {
    let now = session.archive.clock.now();
    let Open::Listing(listing) = session.handles.get(handle)? else {
        return Err(StatusCode::Failure.with_message("the handle is not a listing's"));
    };
    let mut files: Vec<File> = Vec::new();
    if !listing.begun {
        listing.begun = true;
        files.extend([".", ".."].map(|name| attributes::listed_home(name, now)));
    }
    let next = listing.entries.by_ref().take(ENTRIES_PER_ANSWER);
    files.extend(next.map(|entry| attributes::listed_file(&entry, now)));
    if files.is_empty() {
        return Err(StatusCode::Eof.into());
    }
    Ok(Packet::Name(Name { id, files }))
}

async fn remove(session: &mut Session, id: u32, path: &str) -> Answer {
    let name = file_name(path)?;
    may_change(session).await?;
    session.home.remove(&name).await.map_err(refused)?;
    Ok(done(id))
}

pub(crate) async fn rename(session: &mut Session, id: u32, from: &str, to: &str, replace: bool) -> Answer {
    let (from, to) = (file_name(from)?, file_name(to)?);
    may_change(session).await?;
    session.home.rename(&from, &to, replace).await.map_err(refused)?;
    Ok(done(id))
}

fn real_path(id: u32, path: &str) -> Packet {
    Packet::Name(Name { id, files: vec![File::dummy(canonical(path))] })
}
