//! The desk at which mailboxes are emptied: one at a time in the whole archive, so that a mail that lies in two of them
//! is not taken out of both.

use serde::{Deserialize, Serialize};

use crate::{
    Archive, ErrorKind, MailHash, MailboxAddress, ProcessId, Result,
    import::LOST_SECONDS,
    job::Job,
    lease::{Holder, Lease, Leased},
    records::Record,
};

const ID: &str = "desk";

/// The row that a worker holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Desk {
    holder: Option<Holder>,
    pub(super) task: Option<Task>,
}

/// A mailbox that is being emptied, or looked at for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) process: ProcessId,
    pub(super) mailbox: MailboxAddress,
    /// Otherwise it ends with the look.
    pub(super) confirmed: bool,
    pub(super) by: String,
    pub(super) at: i64,
    pub(super) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Nothing was looked at yet.
    Asked,
    /// Each mail is looked for in other mailboxes.
    Looking {
        /// Cursor of the last one looked for.
        after: Option<String>,
        /// How many lie nowhere else, and the first of them.
        alone: u64,
        named: Vec<MailHash>,
    },
    /// There is no way back; what is taken out.
    Decided { mails: u64, placements: u64, folders: u64 },
}

/// Somebody has asked for a mailbox to be emptied. The row outlives the job that was sent for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) process: ProcessId,
    pub(super) mailbox: MailboxAddress,
    pub(super) confirmed: bool,
    pub(super) by: String,
    pub(super) at: i64,
}

impl Record for Desk {
    const KIND: &'static str = "emptying";
    fn id(&self) -> String {
        ID.into()
    }
}

impl Leased for Desk {
    fn holder(&mut self) -> &mut Option<Holder> {
        &mut self.holder
    }
}

impl Record for Asked {
    const KIND: &'static str = "emptying-asked";
    fn id(&self) -> String {
        self.process.to_string()
    }
}

impl From<&Asked> for Task {
    fn from(asked: &Asked) -> Self {
        let Asked { process, mailbox, confirmed, by, at } = asked.clone();
        Self { process, mailbox, confirmed, by, at, stage: Stage::Asked }
    }
}

impl Archive {
    pub(super) async fn ask_to_empty(&self, asked: Asked) -> Result<()> {
        let process = asked.process.clone();
        self.put(asked).await?;
        self.send(&Job::Empty { process }).await
    }

    /// Sends the job of a request again that has not been dealt with. One that was not lost after all does no harm.
    pub(crate) async fn wake_emptying(&self) -> Result<()> {
        for asked in self.all::<Asked>(None).await? {
            if asked.at + LOST_SECONDS <= self.clock.now() {
                self.send(&Job::Empty { process: asked.process }).await?;
            }
        }
        Ok(())
    }

    /// The task in hand, whoever works on it.
    pub(super) async fn emptying(&self) -> Result<Option<Task>> {
        Ok(self.find::<Desk>(ID).await?.and_then(|desk| desk.value.task))
    }

    /// Whether a mailbox is being emptied now.
    pub(crate) async fn is_emptying(&self) -> Result<bool> {
        Ok(self.emptying().await?.is_some())
    }

    /// Whether another worker is at the desk now.
    pub(crate) async fn is_emptied_now(&self) -> Result<bool> {
        self.is_held::<Desk>(None, ID).await
    }

    /// None while another worker has it.
    pub(super) async fn take_desk(&self) -> Result<Option<Lease<Desk>>> {
        let desk = match self.find::<Desk>(ID).await? {
            Some(desk) => desk,
            None => match self.add(&Desk::default()).await {
                Err(e) if e.kind() == ErrorKind::Conflict => self.need::<Desk>(ID).await?,
                added => added?,
            },
        };
        Lease::take(self, desk).await
    }

    /// Nobody works on this request any more: what was not decided is dropped. What was decided is left to whoever comes to
    /// the desk next, the sweep's job at the latest.
    pub(crate) async fn give_up_emptying(&self, process: &ProcessId) -> Result<()> {
        let own = self.emptying().await?.filter(|task| task.process == *process);
        if own.as_ref().is_some_and(|task| matches!(task.stage, Stage::Decided { .. })) {
            return Ok(());
        }
        if own.is_some() {
            let clear = |desk: &mut Desk| {
                desk.task = desk.task.take().filter(|task| Some(task) != own.as_ref());
                Ok(())
            };
            self.update::<Desk>(ID, clear).await?;
        }
        self.drop_record::<Asked>(None, &process.0).await.map(drop)
    }
}
