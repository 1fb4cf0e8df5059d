//! Brings files to a server.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use archive::{Error, ErrorKind, Result};

use super::{
    Address,
    compare::{Agreement, compare},
    folder::{Found, Shown, enter, look, unmark},
    line::Line,
    plan::{LocalFile, Plan, Sent, SentState, Watch, plan},
    send::send,
    session::Session,
    trouble::{Tried, Trouble},
};
use crate::extensions::UPLOAD_STATE;

/// Told how far an upload is.
pub trait Progress {
    /// A file is begun, at an offset.
    fn file(&self, number: usize, file: &LocalFile, from: u64);
    /// The server has taken so many bytes more.
    fn sent(&self, bytes: u64);
    /// The connection is lost, and made anew after the pause.
    fn lost(&self, why: &str, pause: Duration);
    /// So many files are still to be looked at.
    fn waiting(&self, files: usize);
}

/// Files on their way to a server.
pub struct Courier<'a> {
    pub(super) line: Line,
    files: &'a [LocalFile],
    /// Whole files of the same name and other content may be written over.
    replace: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) sent: Vec<Sent>,
}

impl<'a> Courier<'a> {
    pub fn new(line: Line, files: &'a [LocalFile], replace: bool, progress: &'a dyn Progress) -> Self {
        let sent = files.iter().map(|file| Sent {
            file: file.name.clone(),
            bytes: file.size_bytes,
            sent_bytes: 0,
            resumed_from: None,
            already_there: false,
            replaced: false,
            state: SentState::NotSent,
            reason: None,
            watch: Watch::Begun,
        });
        Self { line, files, replace, progress, sent: sent.collect() }
    }

    /// What became of each file so far, in their order.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Ends the connection; what became of each file.
    pub async fn end(self) -> Vec<Sent> {
        self.line.end().await;
        self.sent
    }

    /// Compares every file with what lies at the server and notes it; sends nothing. `NotFound` if there is no such
    /// folder, `Conflict` if that would write over a whole file of another content.
    pub async fn look(&mut self) -> Result<()> {
        let (address, on_loss) = (self.line.address().clone(), |why: &str, pause| self.progress.lost(why, pause));
        self.line.insist(&on_loss, async |session: &Session, _: &Cell<u64>| enter(session, &address).await).await?;
        let mut conflicts = Vec::new();
        for (file, sent) in self.files.iter().zip(&mut self.sent) {
            let (address, replace) = (self.line.address().clone(), self.replace);
            let on_loss = |why: &str, pause| self.progress.lost(why, pause);
            let work = async |session: &Session, _: &Cell<u64>| survey(session, &address, file, replace).await;
            let survey = self.line.insist(&on_loss, work).await?;
            survey.note(sent);
            if survey.plan == Plan::Conflict {
                conflicts.push(file.name.as_str());
            }
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let text = format!("at the server lies another file of the same name: {}", conflicts.join(", "));
        Err(Error::conflict(text).hint("it may be a volume of another export; --replace writes over it"))
    }

    /// Bytes that are still to be sent, and the room at the server if it says so.
    pub async fn room(&mut self) -> Result<(u64, Option<u64>)> {
        let missing = self.sent.iter().filter(|sent| !sent.already_there);
        let missing = missing.map(|sent| sent.bytes.saturating_sub(sent.resumed_from.unwrap_or(0))).sum();
        let on_loss = |why: &str, pause| self.progress.lost(why, pause);
        let folder = self.line.address().folder().to_owned();
        let work = async |session: &Session, _: &Cell<u64>| room(session, &folder).await;
        Ok((missing, self.line.insist(&on_loss, work).await?))
    }

    /// Sends what is not there yet, file by file. Ends with the first that is refused; which one it was, and which were
    /// not begun, is noted.
    pub async fn send(&mut self) -> Result<()> {
        for (number, (file, sent)) in self.files.iter().zip(&mut self.sent).enumerate() {
            let (address, replace, progress) = (self.line.address().clone(), self.replace, self.progress);
            let on_loss = |why: &str, pause| progress.lost(why, pause);
            let sent = RefCell::new(sent);
            let work = async |session: &Session, moved: &Cell<u64>| {
                let survey = survey(session, &address, file, replace).await?;
                survey.note(*sent.borrow_mut());
                if survey.plan == Plan::Conflict {
                    let text = format!("at the server lies another file by now: {}", file.name);
                    return Err(Error::conflict(text).hint("--replace writes over it").into());
                }
                let from = survey.from();
                progress.file(number, file, from.unwrap_or(file.size_bytes));
                let Some(from) = from else { return Ok(()) };
                bring(session, &address, file, &survey, from, moved, &|bytes| {
                    sent.borrow_mut().sent_bytes += bytes;
                    progress.sent(bytes);
                })
                .await
            };
            let brought = self.line.insist(&on_loss, work).await;
            let sent = sent.into_inner();
            match brought {
                Ok(()) if sent.already_there => {}
                Ok(()) => (sent.state, sent.reason) = (SentState::Sent, None),
                Err(error) => {
                    (sent.state, sent.reason) = (SentState::Failed, Some(error.to_string()));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// What lies at the server, and what follows from it.
struct Survey {
    found: Option<Found>,
    plan: Plan,
}

impl Survey {
    /// Where sending begins; none if there is nothing to send.
    fn from(&self) -> Option<u64> {
        match self.plan {
            Plan::Begin | Plan::BeginAnew => Some(0),
            Plan::GoOn(from) => Some(from),
            Plan::Keep | Plan::Conflict => None,
        }
    }

    fn note(&self, sent: &mut Sent) {
        sent.already_there = self.plan == Plan::Keep;
        sent.replaced |= self.plan == Plan::BeginAnew && self.found.as_ref().is_some_and(|found| found.size_bytes > 0);
        if let Plan::GoOn(from) = self.plan {
            sent.resumed_from.get_or_insert(from);
        }
        if self.plan == Plan::Keep {
            sent.state = match self.found.as_ref().map(|found| &found.state) {
                Some(Shown::Ready) => SentState::Ready,
                Some(Shown::Pending) => SentState::Pending,
                _ => SentState::Sent,
            };
        }
    }
}

async fn survey(session: &Session, address: &Address, file: &LocalFile, replace: bool) -> Tried<Survey> {
    let found = look(session, address, &[&file.name]).await?.into_iter().next().flatten();
    let agreement = match &found {
        Some(found) => match compare(session, &address.path_of(&file.name), file, found.size_bytes).await {
            Err(Trouble::Refused(error)) if error.kind() == ErrorKind::NotFound && file.still().is_ok() => {
                return Err(Trouble::Lost("the file at the server went while it was compared".to_owned()));
            }
            compared => compared?,
        },
        None => Agreement::Differs,
    };
    let plan = plan(found.as_ref(), agreement, file.size_bytes, replace);
    Ok(Survey { found, plan })
}

/// Sends one file, as it was planned.
async fn bring(
    session: &Session,
    address: &Address,
    file: &LocalFile,
    survey: &Survey,
    from: u64,
    moved: &Cell<u64>,
    sent: &dyn Fn(u64),
) -> Tried<()> {
    if survey.found.as_ref().is_some_and(|found| found.is_marked) {
        unmark(session, address, &file.name).await;
    }
    let path = address.path_of(&file.name);
    match send(session, &path, file, from, moved, sent).await {
        // Behind some servers lies a store where nothing can be added to an object.
        Err(Trouble::Refused(error)) if from > 0 && !session.knows(UPLOAD_STATE) && is_about_resuming(&error) => {
            send(session, &path, file, 0, moved, sent).await?;
        }
        brought => brought?,
    }
    if session.knows(UPLOAD_STATE) {
        return Ok(());
    }
    match session.size_of(&path).await? {
        Some(size) if size != file.size_bytes => {
            Err(Trouble::Lost(format!("the server has {size} of {} bytes", file.size_bytes)))
        }
        _ => Ok(()),
    }
}

fn is_about_resuming(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::Unavailable)
}

/// Free bytes at the server, as far as it tells.
async fn room(session: &Session, folder: &str) -> Tried<Option<u64>> {
    if !session.knows(russh_sftp::extensions::STATVFS) {
        return Ok(None);
    }
    match session.raw.statvfs(folder).await {
        Ok(room) => Ok(Some(room.blocks_avail.saturating_mul(room.fragment_size))),
        Err(russh_sftp::client::error::Error::Status(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
