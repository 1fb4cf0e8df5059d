//! Starts of imports that were cut off: their process stands in the log, and nobody is left who knows what it was to do.

use serde::{Deserialize, Serialize};

use super::{Import, ImportState, LOST_SECONDS};
use crate::{
    Archive, Error, ErrorKind, ProcessId, Result,
    process::{Process, ProcessState, Severity},
    records::Record,
};

/// A start that has not come to its end. It keeps neither password nor certificate, so nobody else can go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Starting {
    process: ProcessId,
    began: i64,
    /// The process of the program that is at it.
    program: String,
}

impl Record for Starting {
    const KIND: &'static str = "starting";
    fn id(&self) -> String {
        self.process.to_string()
    }
}

impl Archive {
    /// Begins the process of a start, until [`Self::end_start`] or [`Self::settle_start`].
    pub(super) async fn begin_start(&self, title: &str, by: &str) -> Result<ProcessId> {
        let process = ProcessId(self.sortable_id());
        let program = self.worker.process.clone();
        self.put(Starting { process: process.clone(), began: self.clock.now(), program }).await?;
        self.begin_waiting_as(&process, "import", title, by).await?;
        Ok(process)
    }

    /// The process knows its parts, and each part has its jobs.
    pub(super) async fn end_start(&self, process: &ProcessId) -> Result<()> {
        self.drop_record::<Starting>(None, &process.0).await.map(drop)
    }

    /// Settles the starts that nobody is at any more. What they had begun goes on.
    pub(crate) async fn settle_lost_starts(&self) -> Result<()> {
        for starting in self.all::<Starting>(None).await? {
            if !self.is_lost(&starting) {
                continue;
            }
            match self.settle_lost(&starting.process).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                // One that cannot be settled keeps nobody from the others.
                Err(error) => tracing::error!(process = %starting.process, "a start cannot be settled: {error}"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn settle_lost(&self, process: &ProcessId) -> Result<()> {
        for import in self.begun_by(process).await? {
            self.send_shards(&import).await?;
        }
        let error = Error::conflict("the start was cut off before anything was queued").code("cut_off");
        self.settle_start(process, &error.hint("start the import again")).await
    }

    /// Whether the start of this process has not come to its end.
    pub(super) async fn is_starting(&self, process: &ProcessId) -> Result<bool> {
        Ok(self.find::<Starting>(&process.0).await?.is_some())
    }

    /// Whoever works alone knows that an earlier program is gone.
    fn is_lost(&self, starting: &Starting) -> bool {
        let is_gone = self.worker.alone && starting.program != self.worker.process;
        is_gone || starting.began + LOST_SECONDS <= self.clock.now()
    }

    /// The imports that the process has claimed and nobody works on.
    async fn begun_by(&self, process: &ProcessId) -> Result<Vec<Import>> {
        let waits = |import: &Import| import.process == *process && import.state == ImportState::Waiting;
        Ok(self.all::<Import>(None).await?.into_iter().filter(waits).collect())
    }

    /// Ends the process of a start that did not come to its end: by `error` if nothing was begun, else together with what was.
    pub(super) async fn settle_start(&self, id: &ProcessId, error: &Error) -> Result<()> {
        self.recall_parts(id).await?;
        if let Some(process) = self.find::<Process>(&id.0).await?.map(|stored| stored.value) {
            if process.parts.is_empty() && !process.state.ended() {
                self.say(id, Severity::Error, error.to_string()).await?;
                let told = Error::new(error.kind(), error.to_string()).code(error.machine_code());
                let told = match error.advice() {
                    Some(advice) => told.hint(advice),
                    None => told,
                };
                self.end_process(id, ProcessState::Failed, Err(told)).await?;
            } else {
                self.end_if_all_ended(id).await?;
            }
        }
        self.end_start(id).await
    }
}
